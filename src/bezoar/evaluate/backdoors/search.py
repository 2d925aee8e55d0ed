"""A search for Qcolor's factors, from the attacker's images to the verified choice."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bezoar.attacks.backdoors.search import SearchResult, SearchSettings, search_qcolor
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.files import write_text
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import Measurement, RunRecord, ThreatModel, hash_of
from bezoar.contracts.revision import commit
from bezoar.evaluate import provenance
from bezoar.evaluate.backdoors import search_observing as observing
from bezoar.evaluate.backdoors.experiment import BackdoorExperiment, BackdoorResults
from bezoar.evaluate.backdoors.materials import Shelf, data_name
from bezoar.evaluate.backdoors.observing import observe
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.backdoors.search_command import IMAGES, PLAN_FIELDS, command
from bezoar.evaluate.backdoors.search_images import attacker_images as images_apart
from bezoar.evaluate.backdoors.search_random import stored_random_search
from bezoar.evaluate.backdoors.search_surrogates import check_surrogate, surrogate_of
from bezoar.evaluate.cells import CellStore, check_replaceable, check_writable
from bezoar.evaluate.noting import noted_warnings
from bezoar.evaluate.timing import timed
from bezoar.evaluate.victim import fingerprint


def run_search(
    plan: BackdoorPlan,
    settings: SearchSettings,
    out: Path | str,
    *,
    random: bool = True,
    verify: bool = True,
    attacker_images: int = IMAGES,
    folder: Path | str | None = None,
    progress: Progress = silent,
) -> RunRecord:
    """Searches Qcolor's factors, verifies the choice, and writes ``record.json`` into `out`.

    The attacker draws images of its own from the training part; none of them is in the test set of
    any seed of the plan. Its surrogate is the plan's trunk, see `surrogate_of`. The chosen factors
    are verified by full training: networks on clean, relabelled and poisoned images, with each
    seed, judged on the test set, as `run_backdoors` does it.

    Candidates are kept in ``out/search.db``, everything else that takes long under ``out/cells``
    and ``out/networks``: the same call after an interruption continues. Of random search alone
    nothing is kept before it is done.

    Args:
        plan: data, network, training, target, one poisoning rate, one head and the seeds of the
            verification. Its triggers and defences are not used.
        settings: of the search; target and ratio are the plan's.
        out: folder of the results.
        random: whether random search gets as many evaluations, for comparison.
        verify: whether the choice is verified.
        attacker_images: how many images the attacker has, at most.
        folder: of the data sets, as in `bezoar.data.load`.
        progress: told as the work goes on.

    Returns:
        The record, of kind ``backdoor-search``; its outcome is ``partial`` when a training of the
        verification failed.

    Raises:
        InvalidArgument, InvalidData, FileProblem: before the search begins, where it can be known.

    Source: section 5.2 and algorithm 1 of arXiv 2407.16273; see `search_qcolor`. The paper does not
    say what its search looks at. Here no test image has a part in the choice.

    Example:
        >>> import tempfile
        >>> plan = BackdoorPlan(classes=("0", "1"), image_size=8, samples=80, test_samples=40,
        ...                     validation=10, heads=("linear",), seeds=1)
        >>> settings = SearchSettings(population=4, generations=1)
        >>> record = run_search(plan, settings, tempfile.mkdtemp(), verify=False,
        ...                     attacker_images=40)
        >>> record.kind, record.outcome, len(record.select("candidate_ssim"))
        ('backdoor-search', 'complete', 4)
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    target = Path(out)
    plan = _checked(plan)
    with noted_warnings() as warned:
        for name in ("record.json", "search.db"):
            check_replaceable(target / name)
        for name in ("cells", "networks"):
            check_writable(target / name)
        check_surrogate(plan, folder)
        shelf = Shelf(folder=folder, progress=progress)
        victims = [shelf.materials(plan, seed) for seed in range(plan.seeds)]
        settings = dataclasses.replace(settings, target=victims[0].target, ratio=plan.rates[0])
        data = images_apart(
            plan,
            [victim.test for victim in victims],
            seed=settings.seed,
            most=attacker_images,
            folder=folder,
            progress=progress,
        )
        found = _searched(plan, settings, data, target, shelf, progress, random=random)
        if verify and found.result.chosen is not None:
            results = _verification(plan, found.result, target, shelf, progress)
            found = dataclasses.replace(found, results=results)
    asked = {"random": random, "verify": verify, "attacker_images": attacker_images}
    described = _described(plan, settings) | asked
    prints = [victim.fingerprint for victim in victims]
    seconds = time.perf_counter() - clock
    record = RunRecord(
        kind="backdoor-search",
        plan={**described, "dataset": data_name(plan), "class_names": list(data.class_names)},
        plan_hash=hash_of({"plan": described, "data": [*prints, fingerprint(data)]}),
        versions=provenance.versions(),
        seeds=tuple(range(plan.seeds)) if found.results else (settings.seed,),
        outcome="partial" if found.failures else "complete",
        command=command(
            plan, settings, random=random, verify=verify, attacker_images=attacker_images
        ),
        commit=commit(),
        started=started.isoformat(timespec="seconds"),
        wall_seconds=seconds,
        measurements=tuple(_measurements(plan, found, seconds)),
        threat_models={"qcolor search": _threat_model(plan, found.result)},
        notes=(*warned, *_notes(plan, found, len(data), verify=verify)),
        failures=found.failures,
        exhibits=tuple(observing.exhibits(found.result, data)),
    )
    write_text(target / "record.json", record.to_json())
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a run found.

    Attributes:
        result: of NSGA-II.
        random: of random search; None where nobody asked.
        seconds: wall time by stage.
        results: of the verification; None without one.
    """

    result: SearchResult
    random: SearchResult | None
    seconds: Mapping[str, float]
    results: BackdoorResults | None = None

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each training of the verification that failed."""
        return () if self.results is None else self.results.failures


def _checked(plan: BackdoorPlan) -> BackdoorPlan:
    """The plan without what a search does not use, if a search can use it."""
    for name, wanted in (
        ("heads", "one head, whose networks verify the choice"),
        ("rates", "one poisoning rate"),
    ):
        if len(getattr(plan, name)) != 1:
            raise InvalidArgument(name, wanted=wanted, got=", ".join(map(str, getattr(plan, name))))
    if plan.mapping != "all-to-one" or plan.clean_label:
        raise InvalidArgument(
            "mapping",
            wanted="all-to-one with changed labels, which the search is for",
            got="clean labels" if plan.clean_label else plan.mapping,
        )
    used = ("data", "heads", "rates", *PLAN_FIELDS)
    unused = {f.name: f.default for f in dataclasses.fields(plan) if f.name not in used}
    return dataclasses.replace(plan, **unused)


def _searched(
    plan: BackdoorPlan,
    settings: SearchSettings,
    data: Dataset,
    out: Path,
    shelf: Shelf,
    progress: Progress,
    *,
    random: bool,
) -> _Found:
    """Trains the surrogate, and searches."""
    seconds: dict[str, float] = {}
    with timed(seconds, "surrogate"):
        surrogate = surrogate_of(
            plan,
            data,
            seed=settings.seed,
            networks=out / "networks",
            folder=shelf.folder,
            progress=progress,
        )
    with timed(seconds, "search"):
        result = search_qcolor(
            data, settings, storage=out / "search.db", surrogate=surrogate, progress=progress
        )
    if not random:
        return _Found(result=result, random=None, seconds=seconds)
    with timed(seconds, "random search"):
        other = stored_random_search(
            data,
            settings,
            study=result.study,
            store=CellStore(out / "cells"),
            surrogate=surrogate,
            progress=progress,
        )
    return _Found(result=result, random=other, seconds=seconds)


def _verification(
    plan: BackdoorPlan, result: SearchResult, out: Path, shelf: Shelf, progress: Progress
) -> BackdoorResults:
    """Full training with the chosen factors."""
    assert result.chosen is not None  # noqa: S101 - the caller has looked
    verified = dataclasses.replace(plan, triggers=(result.chosen.trigger.spec,))
    return BackdoorExperiment(plan=verified, out=out, shelf=shelf, progress=progress).run()


def _described(plan: BackdoorPlan, settings: SearchSettings) -> dict[str, Any]:
    """Every option with its value, JSON values; the class and the rate as the plan names them."""
    values = dataclasses.asdict(settings)
    for name in ("target", "ratio"):
        del values[name]
    values |= {name: getattr(plan, name) for name in ("data", "heads", "rates", *PLAN_FIELDS)}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def _measurements(plan: BackdoorPlan, found: _Found, seconds: float) -> Iterator[Measurement]:
    tags: dict[str, Any] = {"dataset": data_name(plan), "trunk": plan.trunk}
    result, seed = found.result, found.result.settings.seed
    yield from observing.candidates(result, tags)
    volumes = {"hypervolume": result, "random_hypervolume": found.random}
    for metric, of in volumes.items():
        if of is not None:
            yield observing.single(metric, of.hypervolume, tags, seed=seed)
    n = float(len(result.candidates))
    yield observing.single("evaluations", n, tags, unit="evaluations", better="neither")
    if found.results is not None and result.chosen is not None:
        trial = observing.trial_of(result, result.chosen)
        yield from observing.verified(observe(found.results), result.chosen, trial)
    stages = {**found.seconds, **(found.results.seconds if found.results else {}), "total": seconds}
    for stage, value in stages.items():
        yield observing.single("wall_seconds", value, {**tags, "stage": stage}, unit="seconds")


def _notes(plan: BackdoorPlan, found: _Found, n_images: int, *, verify: bool) -> Iterator[str]:
    yield f"The search saw {n_images} images of the attacker's own; none of them is a test image."
    if found.result.chosen is None:
        yield (
            "No candidate attacks better than changed labels alone do, so none was chosen"
            + (" and there is nothing to verify." if verify else ".")
        )
    elif found.results is not None and plan.seeds == 1:
        yield "One seed: no interval can be given."


def _threat_model(plan: BackdoorPlan, result: SearchResult) -> ThreatModel:
    """That of the backdoor, and what the search needs besides."""
    chosen = result.chosen or result.control
    attack = plan.backdoor(chosen.trigger.spec, plan.rates[0], target=result.settings.target)
    model = attack.threat_model
    return dataclasses.replace(
        model,
        knows=(*model.knows, "images like those of the victim", "the architecture of the trunk"),
        needs_training=True,
        source="arXiv 2407.16273, section 5.2 and algorithm 1",
    )
