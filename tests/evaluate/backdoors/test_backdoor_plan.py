"""A plan is refused in one line before any work, and says all that a training depends on."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from bezoar.contracts.errors import BezoarError, FileProblem, InvalidArgument, UnknownName
from bezoar.evaluate.backdoors.demo import DEMO
from bezoar.evaluate.backdoors.plan import BackdoorPlan

BAD: list[tuple[dict[str, Any], type[BezoarError], str]] = [
    ({"heads": ("quantum", "cubic")}, UnknownName, "cubic"),
    ({"heads": ()}, InvalidArgument, "heads"),
    ({"triggers": ()}, InvalidArgument, "triggers"),
    ({"triggers": ("patch:0",)}, InvalidArgument, "size"),
    ({"triggers": ("patch:3", "stamp:3")}, UnknownName, "stamp"),
    ({"triggers": ("qcolor:1",)}, BezoarError, ""),
    ({"rates": ()}, InvalidArgument, "rates"),
    ({"rates": (0.1, 0.0)}, InvalidArgument, "rates"),
    ({"rates": (1.0,)}, InvalidArgument, "rates"),
    ({"rates": (float("nan"),)}, InvalidArgument, "rates"),
    ({"rates": ("many",)}, InvalidArgument, "rates"),
    ({"seeds": 0}, InvalidArgument, "seeds"),
    ({"seeds": 10**9}, InvalidArgument, "seeds"),
    ({"seeds": 2.5}, InvalidArgument, "seeds"),
    ({"samples": 0}, InvalidArgument, "samples"),
    ({"samples": -5}, InvalidArgument, "samples"),
    ({"test_samples": 10**8}, InvalidArgument, "test_samples"),
    ({"validation": 0}, InvalidArgument, "validation"),
    ({"image_size": 7}, InvalidArgument, "image_size"),
    ({"image_size": 10**5}, InvalidArgument, "image_size"),
    ({"width": 0}, InvalidArgument, "width"),
    ({"width": 40}, InvalidArgument, "width"),
    ({"layers": 0}, InvalidArgument, "layers"),
    ({"shots": 0}, InvalidArgument, "shots"),
    ({"stages": 5}, InvalidArgument, "stages"),
    ({"stages": 0}, InvalidArgument, "stages"),
    ({"trunk": "vgg"}, UnknownName, "vgg"),
    ({"entangler": "star"}, UnknownName, "star"),
    ({"mapping": "one-to-all"}, UnknownName, "one-to-all"),
    ({"mapping": "source-specific"}, InvalidArgument, "sources"),
    ({"sources": ("1",)}, InvalidArgument, "sources"),
    ({"clean_label": True, "mapping": "all-to-all"}, InvalidArgument, "clean_label"),
    ({"cover": -1.0, "triggers": ("wanet:k=4,s=0.5",)}, InvalidArgument, "cover"),
    ({"defences": ("prayer",)}, UnknownName, "prayer"),
    ({"retrain": True}, InvalidArgument, "retrain"),
    ({"retrain": True, "defences": ("strip",)}, InvalidArgument, "retrain"),
    ({"tolerance": 1.5}, InvalidArgument, "tolerance"),
    ({"theory": "yes"}, InvalidArgument, "theory"),
    ({"epochs": -1}, InvalidArgument, "epochs"),
    ({"epochs": 0}, InvalidArgument, "epochs"),
    ({"batch_size": 0}, InvalidArgument, "batch_size"),
    ({"learning_rate": 0.0}, InvalidArgument, "learning_rate"),
    ({"learning_rate": float("inf")}, InvalidArgument, "learning_rate"),
    ({"precision": "float8"}, BezoarError, "float8"),
]


@pytest.mark.parametrize(("changes", "kind", "names"), BAD, ids=lambda part: str(part)[:40])
def test_a_bad_value_is_refused_in_one_line(
    changes: dict[str, Any], kind: type[BezoarError], names: str
) -> None:
    with pytest.raises(kind) as caught:
        BackdoorPlan(**changes)
    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_are_taken_as_a_file_writes_them() -> None:
    plan = BackdoorPlan.from_settings(
        {"image-size": 16, "rates": [0.1], "heads": "quantum", "classes": [0, 1], "tolerance": 0},
        source="plan.toml",
    )
    assert (plan.image_size, plan.rates, plan.heads) == (16, (0.1,), ("quantum",))
    assert plan.classes == ("0", "1")
    assert isinstance(plan.tolerance, float)


def test_an_unknown_key_is_named_with_its_file() -> None:
    with pytest.raises(UnknownName, match=r"plan.toml: key.*poison"):
        BackdoorPlan.from_settings({"poison": 3}, source="plan.toml")


def test_a_plan_comes_back_from_toml(tmp_path: Path) -> None:
    lines = []
    for field in dataclasses.fields(DEMO):
        value = getattr(DEMO, field.name)
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else repr(value)
            text = str(list(value)) if isinstance(value, tuple) else text
            lines.append(f"{field.name.replace('_', '-')} = {text}")
    path = tmp_path / "demo.toml"
    path.write_text("\n".join(lines))
    assert BackdoorPlan.from_toml(path) == DEMO


@pytest.mark.parametrize("text", [None, "rates = [", "\x00"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "plan.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FileProblem, match=r"plan.toml"):
        BackdoorPlan.from_toml(path)


CHANGES: dict[str, Any] = {
    "data": "mnist",
    "classes": ("0", "1"),
    "image_size": 16,
    "samples": 5,
    "test_samples": 5,
    "validation": 5,
    "trunk": "resnet-18",
    "stages": 3,
    "weights": "torchvision",
    "heads": ("tanh",),
    "width": 4,
    "layers": 2,
    "entangler": "chain",
    "noise": "dep:0.1",
    "shots": 100,
    "triggers": ("patch:1",),
    "rates": (0.3,),
    "target": "3",
    "mapping": "all-to-all",
    "clean_label": True,
    "warm_up": 3,
    "epochs": 4,
    "train_from": "head",
    "batch_size": 8,
    "learning_rate": 1e-2,
    "head_learning_rate": 1e-4,
    "theta_learning_rate": 1e-3,
    "precision": "float32",
    "device": "cuda",
    "defences": ("strip",),
    "control": False,
    "curves": True,
    "saliency": True,
    "gradients": True,
    "theory": True,
    "seeds": 7,
    "tolerance": 0.5,
    "cover": 1.0,
}
#: What is asked of trainings, or which there are: an answer that is there already stays.
ASKED = {
    *("data", "heads", "triggers", "rates", "seeds", "defences", "control", "curves"),
    *("saliency", "gradients", "theory", "tolerance"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_is_in_the_hash_and_those_of_a_training_in_its_key(name: str) -> None:
    first = BackdoorPlan()
    other = dataclasses.replace(first, **{name: CHANGES[name]})
    assert first.hash("data") != other.hash("data")
    assert first.hash("data") != first.hash("other data")
    same = first.training_settings() == other.training_settings()
    assert same == (name in ASKED)


def test_the_command_says_what_was_changed_and_nothing_else() -> None:
    assert shlex.split(BackdoorPlan().command()) == ["bezoar", "backdoor", "evaluate", "digits-rgb"]
    plan = BackdoorPlan(
        data="my images", triggers=("qcolor:1.2,1,0.8",), rates=(0.1, 0.2), control=False
    )
    words = shlex.split(plan.command())
    assert words[3] == "my images"
    assert words[words.index("--trigger") + 1] == "qcolor:1.2,1,0.8"
    assert words[words.index("--rates") + 1] == "0.1,0.2"
    assert "--no-control" in words


def test_the_same_trigger_is_measured_once() -> None:
    assert BackdoorPlan(triggers=("patch:3", "patch:3")).triggers == ("patch:3",)


def test_covers_are_for_triggers_that_have_them() -> None:
    plan = BackdoorPlan(triggers=("patch:3", "wanet:k=4,s=0.5"), cover=2.0)
    assert plan.backdoor("patch:3", 0.1).cover == 0
    assert plan.backdoor("wanet:k=4,s=0.5", 0.1).cover == 2
