"""The ground truth of a poisoning as a file of its own, apart from the poisoned data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.files import write_text
from bezoar.contracts.truth import PoisonTruth


def write_truth(
    path: Path | str, truth: PoisonTruth, seed: int, class_names: Sequence[str]
) -> Path:
    """Writes the truth as JSON, whole or not at all.

    The keys are ``attack``, ``ratio``, ``seed``, ``settings``, ``poisoned_ids`` (ascending),
    ``original_labels`` (codes into ``class_names``), ``original_label_names`` (both in the order
    of the ids) and ``class_names``.

    Args:
        path: the file; its folder is made where it is missing.
        truth: what an attack returned.
        seed: the seed of the run that made it.
        class_names: the names of the label codes, as in the data set.

    Returns:
        The path of the file.

    Raises:
        InvalidArgument: the truth has a label without a name, or settings without a ratio.
        FileProblem: the file cannot be written.
    """
    return write_text(path, json.dumps(truth_as_json(truth, seed, class_names), indent=1) + "\n")


def truth_as_json(truth: PoisonTruth, seed: int, class_names: Sequence[str]) -> dict[str, object]:
    """What `write_truth` writes, as JSON values."""
    labels = [int(label) for label in truth.original_labels]
    if any(not 0 <= label < len(class_names) for label in labels):
        raise InvalidArgument(
            "class_names",
            wanted="a name for each label code of the truth",
            got=f"{len(class_names)} names and codes up to {max(labels)}",
            mend="pass the class names of the poisoned data set",
        )
    if "ratio" not in truth.settings:
        raise InvalidArgument(
            "truth.settings",
            wanted="the attack's settings, ratio among them",
            got=", ".join(truth.settings) or "none",
            mend="run check_attack on the attack",
        )
    return {
        "attack": truth.attack,
        "ratio": truth.settings["ratio"],
        "seed": int(seed),
        "settings": dict(truth.settings),
        "poisoned_ids": [int(i) for i in truth.poisoned_ids],
        "original_labels": labels,
        "original_label_names": [class_names[label] for label in labels],
        "class_names": list(class_names),
    }
