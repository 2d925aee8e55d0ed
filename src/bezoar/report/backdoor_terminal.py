"""What only backdoor runs have in the summary for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bezoar.contracts.records import Measurement
from bezoar.report.backdoor_circuits import CircuitStory
from bezoar.report.backdoor_results import BackdoorResults, Cell
from bezoar.report.backdoor_rows import rate_text
from bezoar.report.backdoor_search import SearchStory, factors_text
from bezoar.report.backdoor_story import BackdoorStory
from bezoar.report.backdoor_wording import circuit_attack_label, head_label
from bezoar.report.story import Account
from bezoar.report.wording import number, percent, quantity, seeds, shortened

#: So many candidates of a front are listed.
_LISTED = 12
_CIRCUIT_HEADS = {
    "attack_success_rate": "ASR",
    "triggered_accuracy": "triggered",
    "circuit_distance": "dist.",
}


def body(account: Account) -> list[RenderableType]:
    """The tables between the verdict and the findings; they fit in 80 columns."""
    if isinstance(account, BackdoorStory):
        return _backdoors(account.results)
    if isinstance(account, SearchStory):
        return _search(account)
    return _circuits(account) if isinstance(account, CircuitStory) else []


def _backdoors(results: BackdoorResults) -> list[RenderableType]:
    if not results.cells:
        return []
    table = _plain("head", "trigger", "rate", "BA", "ASR", "leak", "control", "works?")
    for cell in results.cells:
        table.add_row(
            Text(shortened(head_label(cell.head), 8)),
            Text(shortened(results.trigger_label[cell.trigger], 20)),
            rate_text(cell.rate).replace(" %", "%"),
            _hundred(cell.accuracy),
            "missing" if cell.success is None else _with_half(cell.success),
            _hundred(cell.leak),
            _hundred(cell.control),
            _works(results, cell),
        )
    counts = {c.success.n for c in results.cells if c.success is not None}
    how = f" {seeds(counts.pop()).capitalize()}." if len(counts) == 1 else ""
    legend = (
        "In per cent; ± is half the 95% interval. BA: accuracy on clean inputs. ASR: share of "
        "triggered inputs that go to the target. Leak: clean inputs that go there. Control: "
        f"success after training on the changed labels without the trigger.{how}"
    )
    return [Text(), table, Text(legend, style="dim")]


def _works(results: BackdoorResults, cell: Cell) -> str:
    words = {"works": "yes", "unsure": "unsure", "not above": "no", "unknown": ""}
    return words[results.reading(cell)] if cell.success is not None else ""


def _search(story: SearchStory) -> list[RenderableType]:
    front = [c for c in story.front if c.success is not None or c.ssim is not None]
    if not front:
        return []
    table = _plain("trial", "factors", "ASR", "SSIM")
    step = max(1, -(-len(front) // _LISTED))
    for candidate in front[::step]:
        table.add_row(
            str(candidate.trial),
            Text(factors_text(candidate.factors)),
            "" if candidate.success is None else percent(candidate.success).replace(" %", "%"),
            "" if candidate.ssim is None else f"{candidate.ssim:.4f}",
        )
    left = len(front) - len(front[::step])
    more = f" {left} more are in the report." if left else ""
    legend = f"The front, judged on the surrogate; what counts is the verification.{more}"
    return [Text(), table, Text(legend, style="dim")]


def _circuits(story: CircuitStory) -> list[RenderableType]:
    if not story.rows:
        return []
    table = _plain("attack", "state", *(_CIRCUIT_HEADS.get(m, m) for m in story.metrics))
    for attack, state in story.rows:
        values = [story.at(attack, state, metric) for metric in story.metrics]
        table.add_row(
            Text(circuit_attack_label(attack)),
            Text(shortened(state, 28)),
            *("" if m is None else _any(m) for m in values),
        )
    legend = "In per cent. Triggered: accuracy on triggered samples. Dist.: circuit distance."
    return [Text(), table, Text(legend, style="dim")]


def _plain(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for i, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if i < 2 else "right", no_wrap=True)
    return table


def _hundred(measurement: Measurement | None) -> str:
    value = None if measurement is None else number(measurement.value)
    return "" if value is None else f"{100 * value + 0.0:.1f}"


def _with_half(measurement: Measurement) -> str:
    low, high = number(measurement.low), number(measurement.high)
    half = "" if low is None or high is None else f" ±{50 * (high - low):.1f}"
    return _hundred(measurement) + half


def _any(measurement: Measurement) -> str:
    if measurement.unit == "fraction":
        return _hundred(measurement)
    return quantity(number(measurement.value) or 0.0)
