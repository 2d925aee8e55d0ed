"""The numbers of a backdoor run as rows of tables, said alike by every format."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.contracts.records import Measurement
from bezoar.report.backdoor_removal import remedies
from bezoar.report.backdoor_results import TWINS, BackdoorResults, Cell, Reading
from bezoar.report.backdoor_wording import defence_label, head_label
from bezoar.report.wording import in_table, number, percent, seeds, value_of

#: What `BackdoorResults.reading` says in a table.
READINGS: dict[Reading, str] = {
    "works": "works",
    "unsure": "the seeds do not tell",
    "not above": "not above leak and control",
    "unknown": "no leak or control to compare with",
}
#: How far a triggered image is from the clean one.
LIKENESS = ("ssim", "psnr", "l2", "linf", "lpips")

#: The columns of `cell_row`.
CELL_HEADS = (
    "head",
    "trigger",
    "rate",
    "clean accuracy (CA)",
    "accuracy with the backdoor (BA)",
    "attack success rate (ASR)",
    "leak",
    "control",
    "clean model, triggered",
    "reading",
    "seeds",
)


def cell_row(results: BackdoorResults, cell: Cell) -> list[str]:
    """What was measured in a cell; see `CELL_HEADS`."""
    trigger = results.trigger_label[cell.trigger]
    return [
        head_label(cell.head),
        f"{trigger}, {cell.label}" if cell.label else trigger,
        rate_text(cell.rate),
        in_table(cell.clean_accuracy),
        in_table(cell.accuracy),
        in_table(cell.success),
        in_table(cell.leak),
        in_table(cell.control),
        in_table(cell.clean_success),
        reading_text(results, cell),
        "" if cell.success is None else seeds(cell.success.n).removesuffix(" seeds"),
    ]


def rate_text(rate: float) -> str:
    """A poisoning rate, with a decimal where it is not a whole percentage.

    Example:
        >>> rate_text(0.1), rate_text(0.005)
        ('10 %', '0.5 %')
    """
    return percent(rate, 0 if abs(100 * rate - round(100 * rate)) < 0.005 else 1)


def reading_text(results: BackdoorResults, cell: Cell) -> str:
    """Whether the backdoor works, in a few words."""
    return "not measured" if cell.success is None else READINGS[results.reading(cell)]


def likeness_columns(results: BackdoorResults) -> list[str]:
    """Those of `LIKENESS` that the record has."""
    return [metric for metric in LIKENESS if results.of(metric)]


def likeness(results: BackdoorResults, trigger: str, metric: str) -> Measurement | None:
    """How far images with `trigger` are from clean ones, by `metric`."""
    found = results.of(metric, {"trigger": trigger})
    # It is the same for every head and rate; the one that names the fewest of them speaks for all.
    return min(found, key=lambda m: len(m.tags), default=None)


def trigger_row(results: BackdoorResults, trigger: str) -> list[str]:
    """The name of a trigger, its whole setting, and its `likeness_columns`."""
    found = [likeness(results, trigger, metric) for metric in likeness_columns(results)]
    return [results.trigger_label[trigger], trigger, *(likeness_text(m) for m in found)]


def likeness_text(measurement: Measurement | None) -> str:
    """A distance or likeness of images; SSIM is a number and no percentage."""
    if measurement is None or number(measurement.value) is None:
        return "not measured"
    if measurement.metric == "ssim":
        return f"{measurement.value:.4f}"
    return value_of(measurement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a defence says to one backdoor.

    Attributes:
        defence: what it is called.
        backdoored: its answer to the backdoored model or the poisoned samples.
        clean: its answer to the clean twin, "" where that was not asked.
    """

    defence: str
    backdoored: str
    clean: str


def answers(results: BackdoorResults, cell: Cell) -> list[Answer]:
    """What every defence that was mounted says to the backdoor of `cell`."""
    found = [
        Answer(
            defence=remedy.name,
            backdoored=f"ASR {in_table(remedy.success)}"
            + (f", accuracy {in_table(remedy.accuracy)}" if remedy.accuracy else ""),
            clean="",
        )
        for remedy in remedies(results, cell)
    ]
    found += [
        _answer(results, cell, defence_label(name), parts)
        for name, parts in (
            (
                "neural-cleanse",
                (
                    ("neural_cleanse_index", "index"),
                    ("neural_cleanse_finds_target", "target found in"),
                ),
            ),
            (
                "strip",
                (("strip_auroc", "AUROC"), ("strip_far", "FAR"), ("strip_frr", "FRR")),
            ),
            ("activation-clustering", (("activation_clustering_auroc", "AUROC"),)),
            ("spectral-signatures", (("spectral_signatures_auroc", "AUROC"),)),
        )
    ]
    return [answer for answer in found if answer.backdoored or answer.clean]


def _answer(
    results: BackdoorResults, cell: Cell, defence: str, parts: tuple[tuple[str, str], ...]
) -> Answer:
    said = {
        twin: ", ".join(
            f"{word} {in_table(m)}"
            for metric, word in parts
            if (m := results.twin(metric, cell, twin)) is not None
        )
        for twin in TWINS
    }
    return Answer(defence=defence, backdoored=said["backdoored"], clean=said["clean"])


#: The columns of `answer_rows`.
ANSWER_HEADS = ("head", "trigger", "rate", "defence", "answer", "answer to the clean twin")


def answer_rows(results: BackdoorResults) -> list[list[str]]:
    """A row for each backdoor and each defence; see `ANSWER_HEADS`."""
    return [
        [
            head_label(cell.head),
            results.trigger_label[cell.trigger],
            rate_text(cell.rate),
            answer.defence,
            answer.backdoored or "not measured",
            answer.clean,
        ]
        for cell in results.cells
        for answer in answers(results, cell)
    ]


#: The columns of `matched_rows`.
MATCHED_HEADS = (
    *("head", "trigger", "rate", "ASR at the end", "ASR at matched training loss"),
    *("that loss", "epochs to it"),
)


def matched_rows(results: BackdoorResults) -> list[list[str]]:
    """ASR at the end of training beside ASR where all heads have the same training loss."""
    found = (
        (cell, results.at("attack_success_rate_at_matched_loss", cell)) for cell in results.cells
    )
    return [
        [
            head_label(cell.head),
            results.trigger_label[cell.trigger],
            rate_text(cell.rate),
            in_table(cell.success),
            in_table(matched),
            *(
                in_table(m) if (m := results.at(metric, cell)) is not None else ""
                for metric in ("matched_loss", "epochs_to_matched_loss")
            ),
        ]
        for cell, matched in found
        if matched is not None
    ]
