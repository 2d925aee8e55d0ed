"""The numbers and images of a search, as a record holds them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bezoar.attacks.backdoors.search import Candidate, SearchResult
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import Better, Exhibit, Measurement
from bezoar.evaluate.observations import Observation
from bezoar.evaluate.pictures import thumbnails

# More images make the page long and tell nothing new.
_SHOWN = 12
# What full training says of the chosen factors.
_VERIFIED = (
    "attack_success_rate",
    "leak",
    "control_attack_success_rate",
    "clean_attack_success_rate",
    "backdoor_accuracy",
    "clean_accuracy",
    "ssim",
    "psnr",
    "l2",
    "linf",
)


def single(
    metric: str,
    value: float,
    tags: Mapping[str, Any],
    *,
    seed: int | None = None,
    unit: str = "fraction",
    better: Better = "lower",
) -> Measurement:
    """A number that was measured once."""
    return Measurement(
        metric=metric,
        value=value,
        low=None,
        high=None,
        n=1,
        seeds=() if seed is None else (seed,),
        unit=unit,
        better=better,
        tags=tags,
    )


def candidates(result: SearchResult, tags: Mapping[str, Any]) -> Iterator[Measurement]:
    """What the surrogate says of every candidate, and of the control without a trigger.

    Args:
        result: of the search.
        tags: of all.
    """
    seed = result.settings.seed
    on_front = {trial_of(result, candidate) for candidate in result.front}
    chosen = None if result.chosen is None else trial_of(result, result.chosen)
    for trial, candidate in enumerate(result.candidates):
        of = {
            **tags,
            "trial": trial,
            "on_front": trial in on_front,
            "chosen": trial == chosen,
            **factors(candidate),
        }
        rate, similar = candidate.attack_success_rate, candidate.ssim
        yield single("candidate_attack_success_rate", rate, of, seed=seed)
        yield single("candidate_ssim", similar, of, seed=seed, unit="")
        yield single(
            "candidate_one_minus_ssim", 1 - similar, of, seed=seed, unit="", better="higher"
        )
        yield single(
            "candidate_attack_loss",
            candidate.attack_loss,
            of,
            seed=seed,
            unit="nats",
            better="higher",
        )
        yield single("candidate_clean_loss", candidate.clean_loss, of, seed=seed, unit="nats")
    control = result.control.attack_success_rate
    yield single("candidate_control_attack_success_rate", control, tags, seed=seed)


def verified(
    observations: Iterator[Observation], chosen: Candidate, trial: int
) -> Iterator[Measurement]:
    """What full training measured of the chosen factors."""
    for observation in observations:
        if observation.metric in _VERIFIED:
            tags = {**observation.tags, "verified": True, "trial": trial, **factors(chosen)}
            yield Observation(
                metric=observation.metric,
                values=observation.values,
                tags=tags,
                better=observation.better,
                unit=observation.unit,
                bounds=observation.bounds,
            ).measurement()


def exhibits(result: SearchResult, data: Dataset) -> Iterator[Exhibit]:
    """One image of the attacker's under triggers that are spread over the front.

    Args:
        result: of the search.
        data: the attacker's images.
    """
    image = data.features[_shown(data, result.settings.target)][np.newaxis]
    for candidate in _spread(result):
        png = thumbnails(candidate.trigger.apply(image))[0]
        yield Exhibit(
            name="candidate",
            title=f"One of the attacker's images under {candidate.trigger.spec}",
            png=base64.b64encode(png).decode(),
            tags={"trial": trial_of(result, candidate)},
        )


def trial_of(result: SearchResult, candidate: Candidate) -> int:
    """The number of the first trial with these factors."""
    return result.candidates.index(candidate)


def factors(candidate: Candidate) -> dict[str, float]:
    """The factors as tags."""
    return dict(zip(("red", "green", "blue"), candidate.factors, strict=True))


def _spread(result: SearchResult) -> Sequence[Candidate]:
    """Members of the front, evenly along it, the chosen one among them."""
    front = result.front
    at = np.linspace(0, len(front) - 1, min(_SHOWN, len(front))).round().astype(int)
    if result.chosen is not None:
        chosen = front.index(result.chosen)
        at[np.abs(at - chosen).argmin()] = chosen
    return [front[i] for i in dict.fromkeys(at.tolist())]


def _shown(data: Dataset, target: int) -> int:
    """The brightest image of another class: factors change bright pixels most."""
    brightness = data.features.mean(axis=(1, 2, 3))
    return int(np.where(data.labels == target, -1.0, brightness).argmax())
