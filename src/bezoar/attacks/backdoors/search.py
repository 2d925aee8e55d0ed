"""The search for Qcolor factors: strong, hard to see, and harmless on clean images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bezoar.attacks.backdoors.search_objective import QcolorObjective
from bezoar.attacks.backdoors.search_result import Candidate, SearchResult
from bezoar.attacks.backdoors.search_settings import SearchSettings
from bezoar.attacks.backdoors.search_study import nsga_ii, opened_study
from bezoar.attacks.backdoors.search_surrogate import Surrogate, TrunkSurrogate, small_surrogate
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.seeds import generator

__all__ = [
    "Candidate",
    "SearchResult",
    "SearchSettings",
    "Surrogate",
    "TrunkSurrogate",
    "random_search",
    "search_qcolor",
    "small_surrogate",
]

_FACTORS = ("red", "green", "blue")
_TASK = "Qcolor search"
_ANSWER = "answer"


def search_qcolor(
    data: Dataset,
    settings: SearchSettings | None = None,
    *,
    storage: Path | str,
    surrogate: Surrogate,
    progress: Progress = silent,
) -> SearchResult:
    """NSGA-II over the three factors, against attack loss, 1 - SSIM and clean loss.

    Every candidate goes into a SQLite file. Called again with the same settings, data and
    surrogate it goes on where it was, with the candidates that it would have had, and a finished
    search is read back; more `generations` continue it. The same factors are not judged twice.

    Threat model: the attacker has images of their own, like those of the victim, and guesses the
    victim's trunk; the victim's model and the test set stay unseen. What is found on the surrogate
    must be verified by full training, which is the judge's work.

    Args:
        data: the attacker's images ``(sample, 3, height, width)`` in [0, 1].
        settings: None for the defaults.
        storage: the SQLite file; several searches can share one, one after another.
        surrogate: the attacker's trunk, see `small_surrogate` and `TrunkSurrogate`.
        progress: told of candidates.

    Raises:
        InvalidData, InvalidArgument: as in `QcolorObjective`.
        FileProblem: the file cannot be used, or another process uses it.

    Source: section 5.2 and algorithm 1 of arXiv 2407.16273, and Deb et al. 2002 for NSGA-II. The
    paper's objective is a weighted sum in words that names NSGA-II, without population, ranges,
    surrogate or the way to choose from the front: these are ours.
    """
    settings = settings or SearchSettings()
    objective = QcolorObjective(data, settings, surrogate)
    with opened_study(Path(storage), objective.name, n_objectives=3) as study:
        candidates = [_stored(trial, storage) for trial in _finished(study)]
        known = {each.factors: each for each in candidates}
        progress(_TASK, min(len(candidates), settings.evaluations), settings.evaluations)
        while len(candidates) < settings.evaluations:
            candidate = _next(study, objective, settings, known, len(candidates))
            candidates.append(candidate)
            progress(_TASK, len(candidates), settings.evaluations)
    return _result("nsga-ii", settings, objective, candidates[: settings.evaluations])


def random_search(
    data: Dataset,
    settings: SearchSettings | None = None,
    *,
    surrogate: Surrogate,
    progress: Progress = silent,
) -> SearchResult:
    """As many candidates as `search_qcolor` judges, uniform in the box: what NSGA-II must beat.

    Nothing is stored.

    Args:
        data, settings, surrogate, progress: as in `search_qcolor`.

    Raises:
        InvalidData, InvalidArgument: as in `QcolorObjective`.
    """
    settings = settings or SearchSettings()
    objective = QcolorObjective(data, settings, surrogate)
    rng = generator(settings.seed, "qcolor", "random search")
    candidates = []
    for _ in range(settings.evaluations):
        red, green, blue = rng.uniform(settings.low, settings.high, 3)
        candidates.append(objective.evaluate((red, green, blue)))
        progress(_TASK, len(candidates), settings.evaluations)
    return _result("random", settings, objective, candidates)


def _next(
    study: Any,
    objective: QcolorObjective,
    settings: SearchSettings,
    known: dict[tuple[float, float, float], Candidate],
    n_done: int,
) -> Candidate:
    """Asks for a candidate, judges it and writes it down."""
    from optuna.distributions import FloatDistribution

    study.sampler = nsga_ii(settings.population, seed=settings.seed, n_done=n_done)
    box = FloatDistribution(settings.low, settings.high)
    trial = study.ask(dict.fromkeys(_FACTORS, box))
    red, green, blue = (round(trial.params[name], 4) for name in _FACTORS)
    candidate = known.get((red, green, blue)) or objective.evaluate((red, green, blue))
    known[candidate.factors] = candidate
    trial.set_user_attr(_ANSWER, _described(candidate))
    study.tell(trial, candidate.objectives)
    return candidate


def _described(candidate: Candidate) -> dict[str, Any]:
    return {name: getattr(candidate, name) for name in Candidate.__dataclass_fields__}


def _finished(study: Any) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _stored(trial: Any, path: Path | str) -> Candidate:
    try:
        answer = dict(trial.user_attrs[_ANSWER])
        red, green, blue = answer.pop("factors")
        numbers = {name: float(value) for name, value in answer.items()}
        return Candidate(factors=(float(red), float(green), float(blue)), **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise FileProblem(
            path,
            f"holds a trial that is not ours ({type(error).__name__}: {error})",
            mend="name another file",
        ) from error


def _result(
    method: str, settings: SearchSettings, objective: QcolorObjective, candidates: list[Candidate]
) -> SearchResult:
    return SearchResult(
        method=method,
        settings=settings,
        study=objective.name,
        candidates=tuple(candidates),
        control=objective.control,
        reference=objective.reference,
    )
