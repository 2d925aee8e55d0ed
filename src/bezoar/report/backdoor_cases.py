"""The cells of backdoor runs, as a build server lists them."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.contracts.records import Measurement
from bezoar.report.backdoor_circuits import CircuitStory
from bezoar.report.backdoor_removal import remedies
from bezoar.report.backdoor_results import BackdoorResults, Cell
from bezoar.report.backdoor_rows import rate_text
from bezoar.report.backdoor_search import SearchStory, factors_of, factors_text
from bezoar.report.backdoor_sight import DETECTORS
from bezoar.report.backdoor_story import BackdoorStory
from bezoar.report.backdoor_wording import circuit_attack_label, head_label
from bezoar.report.story import Account

_ASKED = (
    *(metric for metric, _ in DETECTORS),
    "neural_cleanse_index",
    "neural_cleanse_finds_target",
    "attack_success_rate_at_matched_loss",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell with its numbers.

    Attributes:
        classname, name: where it is listed.
        measurements: its numbers.
        reason: why it has none, "" where it has.
    """

    classname: str
    name: str
    measurements: tuple[Measurement, ...]
    reason: str = ""


def backdoor_cases(account: Account) -> list[Case]:
    """The cells of any kind of backdoor run."""
    if isinstance(account, BackdoorStory):
        return [_backdoor(account.results, cell) for cell in account.results.cells]
    if isinstance(account, SearchStory):
        return _search(account)
    return _circuits(account) if isinstance(account, CircuitStory) else []


def _backdoor(results: BackdoorResults, cell: Cell) -> Case:
    found = [
        *(cell.clean_accuracy, cell.accuracy, cell.success),
        *(cell.leak, cell.control, cell.clean_success),
        *(results.twin(metric, cell, "backdoored") for metric in _ASKED),
        *(remedy.success for remedy in remedies(results, cell)),
    ]
    place = ".".join(part for part in (cell.dataset, cell.trunk, head_label(cell.head)) if part)
    return Case(
        classname=place,
        name=f"{results.trigger_label[cell.trigger]} at {rate_text(cell.rate)}",
        measurements=tuple(m for m in found if m is not None),
        reason="" if cell.success is not None else cell.reason or "not measured",
    )


def _search(story: SearchStory) -> list[Case]:
    cases = []
    if story.verified:
        factors = factors_text(factors_of(story.verified))
        name = f"chosen factors {factors}".rstrip()
        cases.append(Case(classname="verified", name=name, measurements=story.verified))
    for candidate in story.front:
        found = tuple(
            m
            for m in story.record.measurements
            if m.metric in candidate.values and m.tags.get("trial") == candidate.trial
        )
        name = f"trial {candidate.trial}"
        cases.append(Case(classname="front", name=name, measurements=found))
    return cases


def _circuits(story: CircuitStory) -> list[Case]:
    return [
        Case(
            classname=circuit_attack_label(attack),
            name=state or "measured",
            measurements=tuple(
                m for metric in story.metrics if (m := story.at(attack, state, metric)) is not None
            ),
        )
        for attack, state in story.rows
    ]
