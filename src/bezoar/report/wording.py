"""Numbers and names in words, said alike by every format."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from bezoar.contracts.records import Measurement

_Value = TypeVar("_Value")

# Illegal in XML 1.0, able to drive a terminal, or able to reorder the text around them.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
_WHITESPACE = re.compile("[\t\n\v\f\r\x1c-\x1f\x85]")

_ATTACKS = {
    "random": "random flipping",
    "random-uniform": "uniform relabelling",
    "quid": "QUID",
    "bilevel": "bi-level poisoning",
    "bilevel-random": "bi-level poisoning with random labels",
    "protected-release": "protected release",
}
_SHORT_ATTACKS = {
    "random-uniform": "uniform",
    "quid": "QUID",
    "bilevel": "bi-level",
    "bilevel-random": "bi-level rnd",
    "protected-release": "protected",
}
_NOISES = {
    "ad-dep": "amplitude damping, then depolarising, after each gate, p = {}",
    "dep-ad": "depolarising, then amplitude damping, after each gate, p = {}",
    "dep": "depolarising after each gate (PennyLane's p), p = {}",
    "dep-qiskit": "depolarising after each gate (Qiskit's p), p = {}",
    "ad": "amplitude damping after each gate, p = {}",
    "pd": "phase damping after each gate, p = {}",
    "bit-flip": "bit flip after each gate, p = {}",
    "phase-flip": "phase flip after each gate, p = {}",
    "over-rotation": "every rotation too far by the relative error {}",
    "readout": "readout error on every qubit, p = {}",
}


def printable(record: _Value) -> _Value:
    """The record with every string fit to print: one line, no control or reordering characters.

    Class names, file names and error texts come from outside. What is removed shows as U+FFFD;
    ``record.json`` and ``result.json`` keep the original.
    """
    return _printable(record)


def _printable(value: _Value) -> _Value:
    cleaned: Any = value
    if isinstance(value, str):
        cleaned = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", _WHITESPACE.sub(" ", value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        cleaned = dataclasses.replace(
            value, **{f.name: _printable(getattr(value, f.name)) for f in dataclasses.fields(value)}
        )
    elif isinstance(value, Mapping):
        cleaned = {_printable(key): _printable(item) for key, item in value.items()}
    elif isinstance(value, Sequence):
        cleaned = tuple(_printable(item) for item in value)
    return cleaned


def number(value: object) -> float | None:
    """`value` as a finite float, or None when it is not one.

    Example:
        >>> number(1), number(float("nan")), number("1"), number(True)
        (1.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def percent(value: float, digits: int = 0) -> str:
    """A fraction as a percentage; one decimal where rounding would claim 0 % or 100 %.

    Example:
        >>> percent(0.7234), percent(0.7234, 1), percent(0.997), percent(1.0)
        ('72 %', '72.3 %', '99.7 %', '100 %')
    """
    return f"{_hundredths(value, digits)} %"


def _hundredths(value: float, digits: int) -> str:
    scaled = 100 * value
    if digits == 0 and round(scaled) in (0, 100) and abs(scaled - round(scaled)) >= 0.05:
        digits = 1
    return f"{round(scaled, digits) + 0.0:.{digits}f}"


def points(value: float) -> str:
    """A difference of fractions in percentage points.

    Example:
        >>> points(0.218), points(0.008)
        ('22 points', '1 point')
    """
    shown = round(100 * value)
    return "1 point" if abs(shown) == 1 else f"{shown} points"


def interval(measurement: Measurement, digits: int = 0) -> str:
    """The ends of the 95 % interval, "" where there is none.

    A share of samples lies in [0, 1] even where Student's interval does not, so the ends of all
    fractions but differences are clipped to it.

    Example:
        >>> interval(Measurement(metric="accuracy", value=0.9, low=0.78, high=1.02, n=5,
        ...          seeds=(0, 1, 2, 3, 4), unit="fraction", better="higher"))
        '78 to 100 %'
    """
    low, high = number(measurement.low), number(measurement.high)
    if low is None or high is None:
        return ""
    if measurement.unit == "fraction" and not _is_difference(measurement):
        low, high = max(low, 0.0), min(high, 1.0)
    if _is_percentage(measurement):
        return f"{_hundredths(low, digits)} to {percent(high, digits)}"
    return f"{_figure(measurement, low, digits)} to {_figure(measurement, high, digits)}"


def value_of(measurement: Measurement | None, digits: int = 1) -> str:
    """The value with its unit, or "not measured".

    Fractions are percentages, differences of them percentage points, and areas under a curve stay
    fractions, as is usual.
    """
    value = None if measurement is None else number(measurement.value)
    if measurement is None or value is None:
        return "not measured"
    if measurement.unit == "fraction" and _is_difference(measurement):
        return f"{_figure(measurement, value, digits)} points"
    if measurement.unit in ("fraction", "seconds", "", "1"):
        return _figure(measurement, value, digits)
    return f"{quantity(value)} {measurement.unit}"


def with_interval(measurement: Measurement | None, digits: int = 1) -> str:
    """The value, its interval and how many seeds there were: "one seed" is said as such.

    Example:
        >>> with_interval(Measurement(metric="accuracy", value=0.7, low=None, high=None, n=1,
        ...               seeds=(0,), unit="fraction", better="higher"))
        '70.0 % (one seed)'
    """
    text = value_of(measurement, digits)
    if measurement is None or number(measurement.value) is None:
        return text
    span = interval(measurement, digits)
    return f"{text} ({span + ', ' if span else ''}{seeds(measurement.n)})"


def trusted(measurement: Measurement) -> str:
    """What a value in a sentence rests on: its interval and the seeds."""
    span = interval(measurement)
    return f"95 % interval {span}, {seeds(measurement.n)}" if span else seeds(measurement.n)


def in_table(measurement: Measurement | None) -> str:
    """The value and its interval, for a table with a column of its own for the seeds."""
    if measurement is None:
        return "not measured"
    span = interval(measurement, 1)
    return value_of(measurement) + (f" ({span})" if span else "")


def _is_difference(measurement: Measurement) -> bool:
    return measurement.metric.endswith("_drop")


def _is_percentage(measurement: Measurement) -> bool:
    return (
        measurement.unit == "fraction"
        and not _is_difference(measurement)
        and not measurement.metric.endswith("auroc")
    )


def _figure(measurement: Measurement, value: float, digits: int) -> str:
    if _is_percentage(measurement):
        return percent(value, digits)
    if measurement.unit == "seconds":
        return duration(value)
    if measurement.unit != "fraction":
        return quantity(value)
    return _hundredths(value, digits) if _is_difference(measurement) else f"{value:.2f}"


def quantity(value: float) -> str:
    """A plain number to three digits.

    Example:
        >>> quantity(0.00123), quantity(12345.6), quantity(0.5)
        ('0.00123', '12346', '0.5')
    """
    return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time in the unit that a person would use.

    Example:
        >>> duration(0.0123), duration(4.21), duration(75), duration(7380)
        ('12 ms', '4.2 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def seeds(n: int) -> str:
    """How many repetitions stand behind a number: "one seed" is said as such."""
    return "one seed" if n == 1 else f"{n} seeds"


def attack_name(name: str) -> str:
    """What an attack is called in a sentence; names that are not ours stay as they are."""
    return _ATTACKS.get(name, name)


def attack_label(name: str) -> str:
    """What an attack is called beside a curve."""
    return _SHORT_ATTACKS.get(name, name)


def noise_label(noise: str) -> str:
    """What a noise setting is called in a heading."""
    return "no noise" if noise == "none" else f"noise {noise}"


def noise_phrase(noise: str) -> str:
    """What a noise setting is called in a sentence."""
    return "without noise" if noise == "none" else f"with noise {noise}"


def noise_meaning(noise: str) -> str:
    """What the short name of a noise setting stands for, "" when it is not one of ours."""
    name, _, strength = noise.partition(":")
    return _NOISES[name].format(strength) if name in _NOISES and strength else ""


def listed(words: Sequence[str]) -> str:
    """Words joined as in a sentence.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and an ellipsis where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def moment(iso: str) -> str:
    """An ISO 8601 time as people write it; text of another form stays as it is.

    Example:
        >>> moment("2025-03-04T09:12:44+00:00")
        '2025-03-04 09:12 UTC'
    """
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if time.tzinfo is None:
        return f"{time:%Y-%m-%d %H:%M}"
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def tags_text(tags: Mapping[str, object]) -> str:
    """Tags on one line.

    Example:
        >>> tags_text({"attack": "quid", "ratio": 0.3})
        'attack quid, ratio 0.3'
    """
    return ", ".join(f"{key} {value}" for key, value in tags.items())


def plan_value(value: object) -> str:
    """A setting of the plan in words.

    Example:
        >>> plan_value(["none", "ad-dep:0.05"]), plan_value(None), plan_value({"a": 1})
        ('none, ad-dep:0.05', 'none', '{"a": 1}')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plan_value(item) for item in value) or "none"
    return str(value)
