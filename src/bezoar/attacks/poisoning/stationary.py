"""Training sets at which given weights are stationary: the poison's gradient cancels the rest's."""

from __future__ import annotations

import numpy as np

from bezoar.attacks.poisoning.white_box import Box
from bezoar.contracts.dataset import Dataset, FloatArray, IntArray
from bezoar.models.training import Trained
from bezoar.models.white_box import WhiteBox


def clean_pull(access: WhiteBox, model: Trained, clean: Dataset) -> FloatArray:
    """The sum of the clean samples' gradients by the weights, ``(weight,)``."""
    return access.gradients(model, clean.features, clean.labels).sum(axis=0)


def cancel(
    access: WhiteBox,
    model: Trained,
    pull: FloatArray,
    features: FloatArray,
    labels: IntArray,
    counts: FloatArray,
    *,
    box: Box,
    steps: int,
    rate: float,
) -> FloatArray:
    """Moves samples so that the sum of all gradients at the model shrinks, ``(sample, feature)``.

    Minimises ``|g + sum_j n_j dL(x_j, y_j)/dw|^2 / 2`` over the x_j in the box, by projected
    descent with Adam's scaling, and returns the best it saw.

    Args:
        access: gives the gradients.
        model: the weights w.
        pull: g, that of all other samples, ``(weight,)``.
        features, labels: where to start, ``(sample, feature)`` and ``(sample,)``.
        counts: n, how many copies of each there are, ``(sample,)``.
        box: where the samples must stay.
        steps: of the descent; 0 returns the start.
        rate: length of a step in each feature, in its units.
    """
    x, best, least = features, features, np.inf
    first, second = np.zeros_like(x), np.zeros_like(x)
    for step in range(1, steps + 2):
        residual = pull + counts @ access.gradients(model, x, labels)
        if residual @ residual < least:
            best, least = x, float(residual @ residual)
        if step > steps:
            break
        # Adam's scaling takes the length out anyway; at length 1 its epsilon stays out of play.
        aim = residual / max(float(np.linalg.norm(residual)), np.finfo(float).tiny)
        slope = counts[:, None] * access.mixed_gradients(model, x, labels, aim)
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        scaled = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-12)
        x = box.clip(x - rate * scaled)
    return best
