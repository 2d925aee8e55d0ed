"""Chosen features of a table, set or shifted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import numpy as np

from bezoar.attacks.backdoors.settings import numbers, whole_number
from bezoar.attacks.backdoors.spec import write_spec
from bezoar.contracts.dataset import Dataset, FloatArray
from bezoar.contracts.errors import InvalidArgument, InvalidData, UnknownName

How = Literal["set", "shift"]
Unit = Literal["std", "absolute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTrigger:
    """Sets or shifts chosen features of tabular samples.

    ======  ==============================  ==================
    how     unit ``std``                    unit ``absolute``
    ======  ==============================  ==================
    set     ``x'_j = mean_j + v_j std_j``   ``x'_j = v_j``
    shift   ``x'_j = x_j + v_j std_j``      ``x'_j = x_j + v_j``
    ======  ==============================  ==================

    Mean and standard deviation (population) are those of the training data that `fitted` was given;
    they are part of the trigger, so that test samples get the same change. Results are not clipped:
    a table has no range.

    Attributes:
        features: columns, counted from 0, each once.
        values: v, one for each of the features, or one for all.
        how: ``set`` or ``shift``.
        unit: ``std`` or ``absolute``.
        means: mean of each of the features, empty before `fitted`.
        deviations: standard deviation of each of the features, empty before `fitted`.

    Raises:
        InvalidArgument: a setting out of its range, or rows of unequal length.
        UnknownName: no such `how` or `unit`.

    Source: our own, for the features that a quantum network encodes; the tabular kin of the patch
    of Gu et al. 2019 (BadNets), arXiv 1708.06733.

    Example:
        >>> table = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> FeatureTrigger(features=(1,), values=(9.0,), unit="absolute").apply(table).tolist()
        [[1.0, 9.0], [3.0, 9.0]]
        >>> data = Dataset(features=table, labels=[0, 1], ids=[0, 1], class_names=("a", "b"))
        >>> FeatureTrigger(features=(0,), values=(2.0,)).fitted(data).apply(table).tolist()
        [[4.0, 5.0], [4.0, 5.0]]
    """

    features: tuple[int, ...]
    values: tuple[float, ...]
    how: How = "set"
    unit: Unit = "std"
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        columns = _columns(self.features)
        object.__setattr__(self, "features", columns)
        values = numbers("values", self.values, -math.inf, math.inf)
        if len(values) == 1:
            values *= len(columns)
        object.__setattr__(self, "values", _as_long("values", values, columns))
        for argument, known in (("how", get_args(How)), ("unit", get_args(Unit))):
            if getattr(self, argument) not in known:
                raise UnknownName(argument, getattr(self, argument), known)
        for argument, low in (("means", -math.inf), ("deviations", 0)):
            row = getattr(self, argument)
            if row != ():
                measured = _as_long(argument, numbers(argument, row, low, math.inf), columns)
                object.__setattr__(self, argument, measured)
        if bool(self.means) != bool(self.deviations):
            raise InvalidArgument("means and deviations", wanted="both or none", got="one of them")

    @property
    def name(self) -> str:
        """The registered name."""
        return "feature"

    @property
    def spec(self) -> str:
        """Text that `trigger_named` reads back."""
        return write_spec(self.name, self, positional=2, always=("how", "unit"))

    @property
    def source(self) -> str:
        """Paper, with section or equation."""
        return "our own, after the patch of Gu et al. 2019 (BadNets), arXiv 1708.06733"

    @property
    def answered_by(self) -> str:
        """Which defences answer it, in general terms."""
        return (
            "a look at the range of each feature, where values lie outside it; Activation "
            "Clustering and Spectral Signatures where enough samples are poisoned"
        )

    def fitted(self, data: Dataset) -> Self:
        """The trigger with the means and deviations of its features in `data`.

        Args:
            data: the training set, ``(sample, feature)``.

        Returns:
            The trigger itself where its unit is absolute.

        Raises:
            InvalidData: no such table, no sample, or one of the features does not vary.
        """
        if self.unit == "absolute":
            return self
        table = self._table(data.features)
        if not len(table):
            raise InvalidData("data", wanted="training samples to measure features on", got="none")
        chosen = np.asarray(table[:, self.features], dtype=np.float64)
        deviations = chosen.std(axis=0)
        flat = [str(j) for j, spread in zip(self.features, deviations, strict=True) if not spread]
        if flat:
            raise InvalidData(
                "data",
                wanted="features that vary, as the trigger is in standard deviations",
                got=f"one value in feature {', '.join(flat)}",
                mend="choose other features, or unit=absolute",
            )
        return replace(
            self,
            means=tuple(chosen.mean(axis=0).tolist()),
            deviations=tuple(deviations.tolist()),
        )

    def apply(self, images: FloatArray) -> FloatArray:
        """The triggered samples, ``(sample, feature)``; float32 stays float32.

        Raises:
            InvalidData: not such a table, one with NaN, or one without a chosen feature.
            InvalidArgument: the unit is std, and nothing was measured.
        """
        table = self._table(images)
        if self.unit == "std" and not self.deviations:
            raise InvalidArgument(
                "trigger feature",
                wanted="means and deviations of the training data for unit std",
                got="none",
                mend="call fitted(train) of the backdoor or the trigger first, or take "
                "unit=absolute",
            )
        # What overflows is refused below, by name.
        with np.errstate(over="ignore"):
            triggered = self._changed(table)
        if not np.isfinite(triggered).all():
            raise InvalidData(
                "trigger feature",
                wanted="finite features before and after it",
                got="NaN or infinity",
            )
        return triggered

    def _changed(self, table: FloatArray) -> FloatArray:
        values = np.array(self.values)
        if self.unit == "std":
            values = values * self.deviations
            values = values + self.means if self.how == "set" else values
        columns = list(self.features)
        changed = np.array(table)
        changed[:, columns] = values if self.how == "set" else table[:, columns] + values
        return changed

    def _table(self, features: FloatArray) -> FloatArray:
        table = np.asarray(features)
        if table.ndim != 2:
            raise InvalidData(
                "trigger feature",
                wanted="a table (sample, feature)",
                got=f"shape {table.shape}",
                mend="for images use patch, blend or another image trigger"
                if table.ndim == 4
                else "",
            )
        if max(self.features) >= table.shape[1]:
            raise InvalidData(
                "trigger feature",
                wanted=f"a table with feature {max(self.features)}",
                got=f"{table.shape[1]} features, counted from 0",
            )
        if table.dtype.kind not in "biuf":
            raise InvalidData("trigger feature", wanted="numbers", got=f"{table.dtype}")
        return table if table.dtype in (np.float32, np.float64) else table.astype(np.float64)


def _columns(features: object) -> tuple[int, ...]:
    row = (
        features if isinstance(features, Sequence) and not isinstance(features, str) else [features]
    )
    columns = tuple(whole_number("features", j, 0) for j in row)
    if not columns or len(set(columns)) < len(columns):
        raise InvalidArgument("features", wanted="columns, each once", got=repr(features))
    return columns


def _as_long(argument: str, row: tuple[float, ...], columns: tuple[int, ...]) -> tuple[float, ...]:
    if len(row) != len(columns):
        raise InvalidArgument(
            argument, wanted=f"{len(columns)}, one for each feature", got=f"{len(row)}"
        )
    return row
