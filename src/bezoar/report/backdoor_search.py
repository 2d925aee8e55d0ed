"""What a search for trigger factors says: the front it found, the choice, and its verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bezoar.contracts.records import Exhibit, Measurement, RunRecord
from bezoar.report.backdoor_results import DEFAULT_TOLERANCE
from bezoar.report.story import Account, Statement, warning_of, worst_first
from bezoar.report.wording import (
    listed,
    number,
    percent,
    plan_value,
    printable,
    quantity,
    seeds,
    trusted,
    value_of,
)

RULES = (
    (
        "Every candidate is a trigger with three factors, one for each colour channel. It is "
        "judged on a surrogate: a head fitted to stored features of the network."
    ),
    (
        "A candidate is on the front where no other is better in one objective and not worse in "
        "the rest. The objectives are the loss of the attack, 1 - SSIM and the loss on clean "
        "images, so a candidate on the front need not look so in a picture of two of them."
    ),
    (
        "The hypervolume is the share of the space of objectives that a front dominates, up to a "
        "reference point; larger is better. Random search had the same number of evaluations."
    ),
    (
        "The surrogate's attack success rate holds the effect of the changed labels alone, so it "
        "is not zero for a trigger that changes nothing. What counts is the verification by full "
        "training, beside leak and control."
    ),
)

#: The objectives and what else a candidate is measured by; see `Candidate.values`.
VALUES = (
    ("candidate_attack_success_rate", "ASR on the surrogate"),
    ("candidate_ssim", "SSIM"),
    ("candidate_attack_loss", "attack loss"),
    ("candidate_one_minus_ssim", "1 - SSIM"),
    ("candidate_clean_loss", "clean loss"),
    ("candidate_leak", "leak"),
    ("candidate_clean_accuracy", "clean accuracy"),
)
_CHANNELS = ("red", "green", "blue")
#: What sends images to the target without the backdoor.
_FLOORS = (
    ("leak", "leak"),
    ("control_attack_success_rate", "control"),
    ("clean_attack_success_rate", "clean model on triggered images"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trigger that the search tried.

    Attributes:
        trial: its number.
        factors: of red, green and blue; () where the record does not say.
        on_front: whether it is on the Pareto front.
        chosen: whether it is the one that the search recommends.
        values: the metrics of `VALUES` that it has.
        exhibits: its images.
    """

    trial: int
    factors: tuple[float, ...]
    on_front: bool
    chosen: bool
    values: Mapping[str, float]
    exhibits: tuple[Exhibit, ...]

    @property
    def success(self) -> float | None:
        """Attack success rate on the surrogate."""
        return self.values.get("candidate_attack_success_rate")

    @property
    def ssim(self) -> float | None:
        """Likeness of triggered and clean images."""
        found = self.values.get("candidate_ssim")
        other = self.values.get("candidate_one_minus_ssim")
        return found if found is not None or other is None else 1 - other


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStory(Account):
    """The account of a search.

    Attributes:
        candidates: by trial.
        verified: what full training measured of the chosen factors.
        volume, random_volume: hypervolume of the front and of random search.
    """

    candidates: tuple[Candidate, ...]
    verified: tuple[Measurement, ...]
    volume: Measurement | None
    random_volume: Measurement | None

    @property
    def front(self) -> list[Candidate]:
        """The candidates on the front, by rising likeness."""
        return sorted((c for c in self.candidates if c.on_front), key=lambda c: c.ssim or 0.0)

    def chosen(self, metric: str) -> Measurement | None:
        """What full training measured by `metric`."""
        return next((m for m in self.verified if m.metric == metric), None)


def tell_search(record: RunRecord) -> SearchStory:
    """Reads the record of a search and says what it means."""
    clean = printable(record)
    candidates = _candidates(clean)
    verified = tuple(
        m for m in clean.measurements if m.tags.get("verified") is True and _known(m) is not None
    )
    bare = SearchStory(
        record=clean,
        title="Bezoar backdoor search",
        subject=_subject(clean),
        warning=warning_of(clean),
        headline="",
        statements=(),
        findings=worst_first(clean.findings),
        candidates=candidates,
        verified=verified,
        volume=_one(clean, "hypervolume"),
        random_volume=_one(clean, "random_hypervolume"),
    )
    said = (_front(bare), _volume(bare), _verified(bare), _trust(bare))
    return replace(
        bare, headline=_headline(bare), statements=tuple(s for s in said if s is not None)
    )


def factors_text(factors: Sequence[float]) -> str:
    """The factors of the channels.

    Example:
        >>> factors_text((1.1, 1.0, 0.903))
        '1.1, 1, 0.903'
    """
    return ", ".join(quantity(factor) for factor in factors)


def factors_of(measurements: Sequence[Measurement]) -> tuple[float, ...]:
    """The factors that the tags of the first measurement with all of them name; else ()."""
    for m in measurements:
        found = [number(m.tags.get(channel)) for channel in _CHANNELS]
        if all(factor is not None for factor in found):
            return tuple(factor or 0.0 for factor in found)
    return ()


def _candidates(record: RunRecord) -> tuple[Candidate, ...]:
    names = [metric for metric, _ in VALUES]
    by_trial: dict[int, list[Measurement]] = {}
    for m in record.measurements:
        trial = m.tags.get("trial")
        if m.metric in names and isinstance(trial, int) and not isinstance(trial, bool):
            by_trial.setdefault(trial, []).append(m)
    return tuple(
        Candidate(
            trial=trial,
            factors=factors_of(found),
            on_front=any(m.tags.get("on_front") is True for m in found),
            chosen=any(m.tags.get("chosen") is True for m in found),
            values={m.metric: v for m in found if (v := _known(m)) is not None},
            exhibits=record.exhibits_named("candidate", trial=trial),
        )
        for trial, found in sorted(by_trial.items())
    )


def _headline(story: SearchStory) -> str:
    success = story.chosen("attack_success_rate")
    ssim = story.chosen("ssim")
    factors = factors_of(story.verified)
    if success is not None:
        named = f" ({factors_text(factors)})" if factors else ""
        alike = f" at SSIM {number(ssim.value) or 0.0:.3f}" if ssim is not None else ""
        reached = f"{value_of(success, 0)} after full training ({trusted(success)}){alike}"
        floor = _floor(story)
        if floor is not None and not _works(story, success, floor):
            return (
                f"The chosen factors{named} do not surely work: attack success is {reached}, and "
                f"{percent(floor)} go to the target without the backdoor."
            )
        return f"The chosen factors{named} reach an attack success of {reached}."
    if not story.candidates:
        if story.record.outcome == "failed":
            return "The search failed before it could judge a candidate."
        return "No candidate was judged, so there is no verdict."
    return (
        f"Of {len(story.candidates)} candidates, {len(story.front)} are on the front; none was "
        "verified by full training."
    )


def _floor(story: SearchStory) -> float | None:
    """The largest of what sends images to the target without the backdoor."""
    found = (story.chosen(metric) for metric, _ in _FLOORS)
    return max((number(m.value) or 0.0 for m in found if m is not None), default=None)


def _works(story: SearchStory, success: Measurement, floor: float) -> bool:
    """As `BackdoorResults.reading`."""
    tolerance, low = number(story.record.plan.get("tolerance")), number(success.low)
    certain = (number(success.value) or 0.0) if low is None else low
    return certain - floor > (DEFAULT_TOLERANCE if tolerance is None else tolerance)


def _front(story: SearchStory) -> Statement | None:
    front = [c for c in story.front if c.success is not None and c.ssim is not None]
    if not front:
        return None
    like, strong = front[-1], max(front, key=lambda c: c.success or 0.0)
    text = (
        f"{len(story.front)} of {len(story.candidates)} candidates are on the front. On the "
        f"surrogate it runs from {_point(like)} to {_point(strong)}."
    )
    return Statement(topic="What is there to choose?", text=text)


def _point(candidate: Candidate) -> str:
    return f"ASR {percent(candidate.success or 0.0)} at SSIM {candidate.ssim or 0.0:.3f}"


def _volume(story: SearchStory) -> Statement | None:
    mine, other = story.volume, story.random_volume
    if mine is None:
        return None
    text = f"The hypervolume of the front is {quantity(number(mine.value) or 0.0)}"
    if other is None:
        return Statement(topic="Was the search any good?", text=f"{text}.")
    ours, theirs = number(mine.value) or 0.0, number(other.value) or 0.0
    if ours > theirs:
        answer = "the search found the better front"
    elif ours < theirs:
        answer = "random search found the better front, so the search gained nothing"
    else:
        answer = "both are equal"
    text += f", that of random search with as many evaluations {quantity(theirs)}: {answer}."
    return Statement(topic="Was the search any good?", text=text)


def _verified(story: SearchStory) -> Statement | None:
    success = story.chosen("attack_success_rate")
    if success is None:
        return None
    compared = [
        f"{words} {value_of(m, 0)}"
        for metric, words in _FLOORS
        if (m := story.chosen(metric)) is not None
    ]
    text = f"A network trained in full on the chosen trigger has ASR {value_of(success, 0)}"
    text += f" ({trusted(success)})"
    text += f", beside {listed(compared)}." if compared else ", with no leak or control beside it."
    accuracy = story.chosen("backdoor_accuracy")
    if accuracy is not None:
        text += f" Its accuracy on clean images is {value_of(accuracy, 0)}."
    trial = next((m.tags["trial"] for m in story.verified if "trial" in m.tags), None)
    guess = next((c.success for c in story.candidates if c.trial == trial), None)
    if guess is not None:
        text += f" The surrogate had said {percent(guess)}"
        control = _one(story.record, "candidate_control_attack_success_rate")
        if control is not None:
            text += f", and {value_of(control, 0)} for changed labels without a trigger"
        text += "."
    return Statement(topic="Does it hold?", text=text)


def _trust(story: SearchStory) -> Statement | None:
    success = story.chosen("attack_success_rate")
    if success is None:
        return None
    text = f"The verification rests on {seeds(success.n)}."
    if success.n == 1:
        text += " Repeat with more before you rely on it."
    return Statement(topic="How sure is this?", text=text)


def _subject(record: RunRecord) -> str:
    for m in record.measurements:
        parts = [str(m.tags[key]) for key in ("dataset", "trunk") if key in m.tags]
        if parts:
            return ", ".join(parts)
    return plan_value(record.plan["data"]) if record.plan.get("data") else ""


def _one(record: RunRecord, metric: str) -> Measurement | None:
    return next((m for m in record.select(metric) if _known(m) is not None), None)


def _known(measurement: Measurement) -> float | None:
    return number(measurement.value)
