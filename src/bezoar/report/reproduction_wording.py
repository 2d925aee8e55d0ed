"""The numbers, claims and figures of a reproduced item in words, said alike by every format."""

from __future__ import annotations

from collections.abc import Mapping

from bezoar.contracts.reproduction import DIFFERENCE, Claim, Figure, Row, Series
from bezoar.report.wording import duration, number, quantity, seeds

#: The verdicts in the order in which they are counted, each with a sign to stand beside its word.
MARKS: Mapping[str, str] = {
    "reproduced": "\N{CHECK MARK}",
    "differs": "\N{NOT EQUAL TO}",
    "contradicts": "\N{BALLOT X}",
    "measured": "\N{MIDDLE DOT}",
}

#: The word for a number or claim that has no value, whatever its verdict.
MISSING = "not measured"

_SUFFIX = {"fraction": "%", DIFFERENCE: "points"}

# From here on claims are folded away where there is an overview of items.
MANY_CLAIMS = 40

CLAIM_HEADS = ("verdict", "claim", "measured", "value", "rule")
NUMBER_HEADS = (
    "row",
    "column",
    "metric",
    "paper",
    "ours",
    "95 % interval of the mean",
    "95 % interval of one more run",
    "seeds",
    "verdict",
)


def metric_name(metric: str) -> str:
    """A metric's name in words."""
    return metric.replace("_", " ")


def verdict_of(shown: Row | Claim) -> str:
    """The verdict, or `MISSING` where there is no value to judge."""
    return MISSING if number(shown.value) is None else shown.verdict


def marked(verdict: str) -> str:
    """A verdict with its sign.

    Example:
        >>> marked("reproduced")
        '✓ reproduced'
    """
    return f"{MARKS[verdict]} {verdict}" if verdict in MARKS else verdict


def judged(row: Row) -> bool:
    """Whether the number was held against the paper's: there is a verdict to print beside it."""
    return row.verdict != "measured" and number(row.value) is not None


def paper_text(row: Row, unit: str = "") -> str:
    """The paper's number, with as many decimals as it gives, up to two; "" where it gives none.

    Args:
        row: the number.
        unit: the unit that the whole table shares; it is not repeated for fractions.
    """
    paper = number(row.paper)
    if paper is None:
        return ""
    if row.unit not in _SUFFIX:
        return _said(paper, row.unit)
    text = f"{round(100 * paper, 2) + 0.0:.2f}".removesuffix("0")
    return text if unit else f"{text} {_SUFFIX[row.unit]}"


def our_text(row: Row, unit: str = "") -> str:
    """Our number with half the width of its interval, as in `paper_text`."""
    value, low, high = number(row.value), number(row.low), number(row.high)
    bare = bool(unit) and row.unit in _SUFFIX
    if value is None:
        return MISSING
    if low is None or high is None:
        return _said(value, row.unit, bare)
    half = _said((high - low) / 2, row.unit, bare)
    # A unit is said once, behind; a time has it inside.
    mean = _said(value, row.unit, bare=True)
    return f"{mean} \N{PLUS-MINUS SIGN} {half}"


def _said(value: float, unit: str, bare: bool = False) -> str:
    if unit == "seconds":
        return f"-{duration(-value)}" if value < 0 else duration(value)
    if unit in _SUFFIX:
        text = f"{round(100 * value, 1) + 0.0:.1f}"
        return text if bare else f"{text} {_SUFFIX[unit]}"
    return quantity(value) if bare or unit in ("", "1") else f"{quantity(value)} {unit}"


def claim_value(claim: Claim) -> str:
    """What was measured to decide a claim, with its interval and the seeds."""
    value = number(claim.value)
    if value is None:
        return MISSING
    span = _span(claim.low, claim.high, claim.unit)
    return f"{_said(value, claim.unit)} ({span + ', ' if span else ''}{seeds(claim.n)})"


def claim_text(claim: Claim) -> str:
    """The statement with where the paper makes it, or that the question is ours."""
    return f"{claim.text} ({claim.source or 'a question of ours'})"


def number_row(row: Row) -> list[str]:
    """Everything about a number, under `NUMBER_HEADS`.

    An accuracy lies in [0, 1] even where Student's interval does not, so its ends are clipped.
    """
    value = number(row.value)
    share = row.unit == "fraction" and row.metric.endswith("accuracy")
    return [
        row.row,
        row.column,
        metric_name(row.metric),
        paper_text(row) or "none",
        MISSING if value is None else _said(value, row.unit),
        _span(row.low, row.high, row.unit, share) or "none",
        _span(row.spread_low, row.spread_high, row.unit, share) or "none",
        str(row.n),
        verdict_of(row),
    ]


def _span(low: float | None, high: float | None, unit: str, share: bool = False) -> str:
    first, last = number(low), number(high)
    if first is None or last is None:
        return ""
    if share:
        first, last = max(first, 0.0), min(last, 1.0)
    return f"{_said(first, unit, bare=True)} to {_said(last, unit)}"


def claim_row(claim: Claim) -> list[str]:
    """A claim under `CLAIM_HEADS`."""
    return [
        marked(verdict_of(claim)),
        claim_text(claim),
        claim.quantity,
        claim_value(claim),
        claim.rule,
    ]


def figure_table(figure: Figure, *, alone: bool = False) -> tuple[list[str], list[list[str]]]:
    """The numbers of a figure: the heads, and a row for each place on the horizontal axis.

    Args:
        figure: what to tell.
        alone: whether there is no paper to tell ours from.
    """
    names = [
        series.name if alone else f"{series.name}, {'paper' if series.of == 'paper' else 'ours'}"
        for series in figure.series
    ]
    rows = []
    for place in places(figure):
        row = [place if isinstance(place, str) else quantity(place)]
        for series in figure.series:
            at = [i for i, x in enumerate(series.x[: len(series.y)]) if x == place]
            row.append("; ".join(_plotted(series, i, figure.unit) for i in at))
        rows.append(row)
    return [figure.x_title, *names], rows


def _plotted(series: Series, i: int, unit: str) -> str:
    value = number(series.y[i])
    if value is None:
        return ""
    low, high = (ends[i] if i < len(ends) else None for ends in (series.low, series.high))
    span = _span(low, high, unit)
    return _said(value, unit) + (f" ({span})" if span else "")


def places(figure: Figure) -> list[float | str]:
    """Every place on the horizontal axis once: rising where all are numbers, else as they come."""
    found = list(dict.fromkeys(x for series in figure.series for x in series.x))
    numbers = [x for x in found if not isinstance(x, str)]
    return sorted(numbers) if figure.kind == "lines" and len(numbers) == len(found) else found
