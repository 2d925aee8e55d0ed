"""What removes the backdoor? Fine-Pruning, and training anew on what detectors leave."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.contracts.records import Measurement
from bezoar.report.backdoor_results import BackdoorResults, Cell
from bezoar.report.backdoor_wording import defence_label
from bezoar.report.story import Statement
from bezoar.report.wording import number, trusted, value_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What a defence left of a backdoor.

    Attributes:
        name: what it is called.
        cell: the backdoor.
        accuracy, success: on clean and on triggered images, afterwards.
        removed: whether the success is back at leak and control; None where that is not known.
    """

    name: str
    cell: Cell
    accuracy: Measurement | None
    success: Measurement
    removed: bool | None


def remedies(results: BackdoorResults, cell: Cell) -> list[Remedy]:
    """What each repair left of the backdoor of `cell`."""
    pairs = [("Fine-Pruning", "fine_pruning_accuracy", "fine_pruning_attack_success_rate", {})]
    detectors = dict.fromkeys(
        str(m.tags["detector"])
        for m in results.of("retrained_attack_success_rate")
        if "detector" in m.tags
    )
    for detector in detectors:
        name = f"Training anew after {defence_label(detector)}"
        tags = {"detector": detector}
        pairs.append((name, "retrained_accuracy", "retrained_attack_success_rate", tags))
    found = []
    for name, accuracy, success, tags in pairs:
        left = results.twin(success, cell, "backdoored", tags)
        if left is not None:
            found.append(
                Remedy(
                    name=name,
                    cell=cell,
                    accuracy=results.twin(accuracy, cell, "backdoored", tags),
                    success=left,
                    removed=_is_removed(results, cell, left),
                )
            )
    return found


def removal(results: BackdoorResults, cell: Cell | None) -> Statement | None:
    """What removes the backdoor of `cell`."""
    if cell is None or results.reading(cell) == "not above":
        return None
    said = []
    for remedy in remedies(results, cell):
        verdict = {True: " removes it", False: " does not remove it", None: ""}[remedy.removed]
        text = f"{remedy.name}{verdict}: ASR {value_of(remedy.success, 0)}"
        text += f" ({trusted(remedy.success)})"
        if remedy.accuracy is not None:
            text += f", accuracy {value_of(remedy.accuracy, 0)}"
        said.append(f"{text}.")
    return Statement(topic="What removes it?", text=" ".join(said)) if said else None


def _is_removed(results: BackdoorResults, cell: Cell, left: Measurement) -> bool | None:
    """Whether what is left, at the high end of its interval, is within the tolerance of none."""
    value, high = number(left.value), number(left.high)
    if cell.floor is None or value is None:
        return None
    return (value if high is None else high) - cell.floor <= results.tolerance
