"""Fewer features: none, principal components, or the latent space of an autoencoder.

A reduction is settings; its `fit` sees the train part alone and returns a frozen `Reducer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bezoar.contracts.dataset import FloatArray
from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.contracts.progress import Progress, silent
from bezoar.data.features import check_count, flat_features, read_only, train_matrix

REDUCTIONS = ("none", "pca", "autoencoder")


class Reducer(Protocol):
    """A fitted reduction."""

    @property
    def n_components(self) -> int:
        """How many numbers per sample come out."""
        ...

    def transform(self, features: FloatArray) -> FloatArray:
        """Latent features ``(sample, n_components)`` of features like those of the fit."""
        ...


class DecodingReducer(Reducer, Protocol):
    """A fitted reduction that knows the way back."""

    def decode(self, latent: FloatArray) -> FloatArray:
        """Features ``(sample, feature)`` that `latent` ``(sample, n_components)`` stand for."""
        ...


class Reduction(Protocol):
    """The settings of a reduction."""

    def fit(self, train_features: FloatArray, *, seed: int, progress: Progress = silent) -> Reducer:
        """Learns from ``(sample, feature)`` or ``(sample, channel, height, width)``."""
        ...


def make_reducer(name: str, n_components: int | None = None) -> Reduction:
    """The reduction called `name`, not yet fitted.

    Args:
        name: ``none``, ``pca`` or ``autoencoder``.
        n_components: numbers per sample to come out; ``none`` takes None, or the number that the
            data have.

    Raises:
        UnknownName: another name.
        InvalidArgument: `n_components` is not a whole number from 1 up, or is missing.

    Example:
        >>> import numpy as np
        >>> train = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
        >>> make_reducer("pca", 1).fit(train, seed=0).transform(train).tolist()
        [[-1.0], [0.0], [1.0]]
    """
    if name == "none":
        return NoReduction(n_components=n_components)
    if name not in REDUCTIONS:
        raise UnknownName("reduction", name, REDUCTIONS)
    if n_components is None:
        raise InvalidArgument("n_components", wanted=f"a number for {name}", got="none")
    if name == "pca":
        return PCA(n_components=n_components)
    # torch takes seconds to load, so only who trains an autoencoder waits for it.
    from bezoar.data.autoencoder import Autoencoder

    return Autoencoder(n_components=n_components)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReduction:
    """The features as they are, flattened.

    Attributes:
        n_components: how many there must be; None for any number.
    """

    n_components: int | None = None

    def __post_init__(self) -> None:
        if self.n_components is not None:
            check_count(self.n_components)

    def fit(
        self,
        train_features: FloatArray,
        *,
        seed: int,  # noqa: ARG002 - every reduction is fitted by the same call
        progress: Progress = silent,
    ) -> IdentityReducer:
        """Notes the number of features; `seed` has no effect.

        Raises:
            InvalidArgument: there are more or fewer than `n_components`.
            InvalidData: the features are not finite numbers.
        """
        n_features = flat_features(train_features).shape[1]
        if self.n_components not in (None, n_features):
            raise InvalidArgument(
                "n_components",
                wanted=f"{n_features}, the number of features, as nothing is reduced",
                got=self.n_components,
                mend="reduce with pca or autoencoder" if self.n_components < n_features else "",
            )
        progress("none", 1, 1)
        return IdentityReducer(n_components=n_features)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityReducer:
    """What `NoReduction.fit` returns."""

    n_components: int

    def transform(self, features: FloatArray) -> FloatArray:
        """The features, flattened to ``(sample, n_components)``."""
        return flat_features(features, n_features=self.n_components)


@dataclass(frozen=True, slots=True, kw_only=True)
class PCA:
    """Projection on the directions of largest variance, ``z = (x - mean) @ components.T``.

    The exact decomposition of scikit-learn; the largest entry of each component is positive, so
    signs do not depend on the machine or a seed. Components are not whitened.

    Attributes:
        n_components: at most the smaller of the numbers of samples and features.
    """

    n_components: int

    def __post_init__(self) -> None:
        check_count(self.n_components)

    def fit(
        self,
        train_features: FloatArray,
        *,
        seed: int,  # noqa: ARG002 - every reduction is fitted by the same call
        progress: Progress = silent,
    ) -> FittedPCA:
        """Finds the components of the train part; `seed` has no effect.

        Raises:
            InvalidArgument: more components than samples or features.
            InvalidData: the features are not finite numbers, or all samples are the same.
        """
        from sklearn import decomposition

        matrix = train_matrix(train_features)
        n_samples, n_features = matrix.shape
        if self.n_components > min(n_samples, n_features):
            raise InvalidArgument(
                "n_components",
                wanted=f"at most {min(n_samples, n_features)}, the smaller of {n_samples} samples "
                f"and {n_features} features",
                got=self.n_components,
                mend="ask for fewer features"
                + (", or give more samples" if n_samples < n_features else ""),
            )
        # Both are exact; the eigenvectors of the covariance are much faster for tall data.
        solver = "covariance_eigh" if n_samples > n_features else "full"
        found = decomposition.PCA(self.n_components, svd_solver=solver).fit(matrix)
        progress("pca", 1, 1)
        return FittedPCA(
            mean=read_only(np.asarray(found.mean_)),
            components=read_only(np.asarray(found.components_)),
            explained=float(found.explained_variance_ratio_.sum()),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedPCA:
    """What `PCA.fit` learnt.

    Attributes:
        mean: ``(feature,)``.
        components: ``(n_components, feature)``, orthonormal rows.
        explained: the share of the train part's variance that the components hold.
    """

    mean: FloatArray
    components: FloatArray
    explained: float

    @property
    def n_components(self) -> int:
        """How many numbers per sample come out."""
        return len(self.components)

    def transform(self, features: FloatArray) -> FloatArray:
        """Coordinates ``(sample, n_components)`` along the components.

        Raises:
            InvalidData: another number of features than in the fit, or not finite numbers.
        """
        matrix = flat_features(features, n_features=len(self.mean))
        return (matrix - self.mean) @ self.components.T

    def decode(self, latent: FloatArray) -> FloatArray:
        """The features ``(sample, feature)`` nearest to coordinates ``(sample, n_components)``.

        Raises:
            InvalidData: another number of components, or not finite numbers.
        """
        matrix = flat_features(latent, n_features=self.n_components)
        return matrix @ self.components + self.mean
