"""The command line that repeats a search."""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import fields

from bezoar.attacks.backdoors.search import SearchSettings
from bezoar.evaluate.backdoors.plan import BackdoorPlan

# Fields of the plan that a search depends on and that are options of their own name.
PLAN_FIELDS = (
    *("classes", "image_size", "samples", "test_samples", "validation", "target"),
    *("trunk", "stages", "weights", "width", "layers", "entangler", "noise", "shots"),
    *("warm_up", "epochs", "train_from", "batch_size"),
    *("learning_rate", "head_learning_rate", "theta_learning_rate"),
    *("precision", "device", "seeds", "tolerance"),
)
SEARCH_FIELDS = ("population", "generations", "low", "high", "keep_share", "seed")
HEAD, RATE, IMAGES = "quantum", 0.1, 1000


def command(
    plan: BackdoorPlan,
    settings: SearchSettings,
    *,
    random: bool,
    verify: bool,
    attacker_images: int,
) -> str:
    """The words of ``bezoar backdoor search``; options that keep their default are left out."""
    words = ["bezoar", "backdoor", "search", plan.data]
    if plan.heads[0] != HEAD:
        words += ["--head", plan.heads[0]]
    if plan.rates[0] != RATE:
        words += ["--rate", str(plan.rates[0])]
    for record, names in ((plan, PLAN_FIELDS), (settings, SEARCH_FIELDS)):
        defaults = {field.name: field.default for field in fields(record)}
        for name in names:
            value = getattr(record, name)
            if value != defaults[name]:
                text = _listed(value) if isinstance(value, tuple) else str(value)
                words += [f"--{name.replace('_', '-')}", text]
    if attacker_images != IMAGES:
        words += ["--attacker-images", str(attacker_images)]
    words += [] if random else ["--no-random"]
    words += [] if verify else ["--no-verify"]
    return shlex.join(words)


def _listed(names: tuple[str, ...]) -> str:
    """Names parted by commas; one that holds a comma is quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()
