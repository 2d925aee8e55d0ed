"""Which account a record is given: its kind decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bezoar.contracts.records import RunRecord
from bezoar.report.backdoor_circuits import tell_circuits
from bezoar.report.backdoor_search import tell_search
from bezoar.report.backdoor_story import tell_backdoors
from bezoar.report.story import Account, tell

_TELLERS: Mapping[str, Callable[[RunRecord], Account]] = {
    "backdoor": tell_backdoors,
    "backdoor-search": tell_search,
    "circuit-backdoor": tell_circuits,
}


def account_of(record: RunRecord) -> Account:
    """Reads `record` and says what it means; a kind that is not known is told as an audit."""
    return _TELLERS.get(record.kind, tell)(record)
