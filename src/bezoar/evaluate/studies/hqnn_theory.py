"""Hybrid networks, a question of ours: what the paper's theorems say beside what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bezoar.attacks.backdoors.trigger import trigger_named
from bezoar.evaluate.backdoor_theory import theorem_2_sentence, theorem_2_threshold
from bezoar.evaluate.backdoors.plan import BackdoorPlan
from bezoar.evaluate.backdoors.theory import LOSS_BOUND
from bezoar.evaluate.backdoors.theory_observing import DELTA, LEVEL
from bezoar.evaluate.studies import hqnn_analysis
from bezoar.evaluate.studies.hqnn_settings import (
    ATTACK,
    BLENDS,
    DIGITS,
    PATCHES,
    RECIPE,
    Scale,
    of,
    success,
)
from bezoar.evaluate.study import Item, Line, Pick, Plot, Published, Statement

_MANY, _FEW = 0.1, 0.01
_RATES = (0.1, 0.03, 0.01)
_TRIGGERS = (PATCHES[3], BLENDS[0.15])
_STRENGTHS = {
    "patch": tuple(PATCHES.values()),
    "blend": tuple(BLENDS.values()),
}
_COLUMNS = (
    ("triggered samples", "triggered_samples"),
    ("ASR", "attack_success_rate"),
    ("error on the triggered training samples", "triggered_training_error"),
    ("gap to the error on new ones", "generalisation_gap"),
    ("two-sided bound of the gap", "theorem_1_half_width"),
    ("loss on new samples", "triggered_test_loss"),
    ("printed lower bound of it", "theorem_1_printed_bound"),
    ("change of the features", "feature_change"),
)
_THEOREMS = (
    (
        f"Error: the share of triggered images that are not answered as the attacker wants, 1 - "
        f"ASR. Loss: cross entropy towards that answer, clipped at {LOSS_BOUND:.1f} nats, since a "
        "bound on the loss is assumed. Bounds hold with a chance of "
        f"{100 * (1 - DELTA):g} %. The two-sided bound is what follows from Hoeffding's inequality "
        "for samples that the network was not trained on; the printed one adds K e, with the "
        "steepest measured slope of the loss for K, and does not follow."
    ),
    (
        "The strength of Theorem 2 is the mean Euclidean change that the trigger makes in the ten "
        "expectations of the clean network's circuit; an attack counts as successful from "
        f"{100 * LEVEL:g} % on. The formulas are reconstructed from the paper's text."
    ),
)


def _plan(scale: Scale, **changes: Any) -> BackdoorPlan:
    first = BackdoorPlan(
        samples=900,
        test_samples=400,
        heads=("quantum",),
        control=False,
        seeds=scale.seeds,
        device=scale.device,
    )
    return replace(first, **changes)


def extra_theory(scale: Scale) -> Item:
    """Theorems 1 and 2 over the number of triggered samples and their strength."""
    run, strengths = "digits-rgb, small", "digits-rgb, strengths"
    plan = _plan(scale, triggers=_TRIGGERS, rates=_RATES, theory=True)
    every = tuple(spec for family in _STRENGTHS.values() for spec in family)
    runs = {run: plan, strengths: _plan(scale, triggers=every)}
    return Item(
        name="extra-theory",
        title="Theorems 1 and 2 beside the measurements",
        source="section 4.2, Theorems 1 and 2",
        question="Do more triggered samples and stronger triggers raise attack success as the "
        "theorems are read to say, and do their bounds hold?",
        setting=(DIGITS, RECIPE, ATTACK, *_THEOREMS),
        runs=runs,
        table=(
            *(
                Published(
                    row=f"{_name(spec)}, {100 * rate:g} %",
                    column=column,
                    paper=None,
                    pick=of(run, metric, "quantum", spec, rate),
                )
                for spec in plan.triggers
                for rate in plan.rates
                for column, metric in _COLUMNS
            ),
            *(
                Published(
                    row=f"{_name(spec)}, {100 * _MANY:g} %",
                    column=column,
                    paper=None,
                    pick=pick,
                )
                for family in _STRENGTHS.values()
                for spec in family
                if spec not in plan.triggers
                for column, pick in (
                    ("ASR", success(strengths, "quantum", spec, _MANY)),
                    ("change of the image", _norm(strengths, spec)),
                )
            ),
        ),
        statements=(*_of_theorem_1(plan, run, strengths), *_of_theorem_2(plan, run)),
        plots=(*_plots(plan, run), _plot_strengths(strengths)),
        analysis=hqnn_analysis.EXTRA_THEORY,
    )


def _norm(run: str, spec: str) -> Pick:
    return Pick(run=run, metric="l2", tags={"trigger": spec})


def _name(spec: str) -> str:
    return trigger_named(spec).spec


def _of_theorem_1(plan: BackdoorPlan, run: str, strengths: str) -> list[Statement]:
    found = []
    for spec in plan.triggers:
        few = success(run, "quantum", spec, _FEW)
        found += [
            Statement(
                text=f"a larger triggered sample size leads to a higher ASR ({_name(spec)})",
                source="section 4.2 on Theorem 1",
                quantity=f"attack success, {100 * _MANY:g} % less {100 * _FEW:g} %",
                pick=success(run, "quantum", spec, _MANY, less=few),
                kind="positive",
            ),
            Statement(
                text="more triggered samples reduce the gap between the error on new samples and "
                f"on the training samples ({_name(spec)})",
                source="section 4.2 on Theorem 1",
                quantity=f"gap, {100 * _FEW:g} % less {100 * _MANY:g} %",
                pick=of(
                    run,
                    "generalisation_gap",
                    "quantum",
                    spec,
                    _FEW,
                    less=of(run, "generalisation_gap", "quantum", spec, _MANY),
                ),
                kind="positive",
            ),
        ]
        for rate in (_MANY, _FEW):
            found += _bounds_at(run, spec, rate)
    for kind, family in _STRENGTHS.items():
        weak = success(strengths, "quantum", family[0], _MANY)
        found.append(
            Statement(
                text=f"stronger triggers raise ASR ({kind})",
                source="section 4.2 on Theorem 1",
                quantity=f"attack success, {_name(family[-1])} less {_name(family[0])}",
                pick=success(strengths, "quantum", family[-1], _MANY, less=weak),
                kind="positive",
            )
        )
    return found


def _bounds_at(run: str, spec: str, rate: float) -> list[Statement]:
    """Whether both readings of Theorem 1 hold of one trigger at one rate."""
    gap = of(run, "generalisation_gap", "quantum", spec, rate)
    least = of(run, "theorem_1_printed_bound", "quantum", spec, rate)
    where = f"{_name(spec)}, {100 * rate:g} %"
    return [
        Statement(
            text=f"the two-sided bound of Theorem 1 holds ({where})",
            source="Theorem 1, what follows from Hoeffding's inequality",
            quantity="bound of the gap less the gap",
            pick=of(run, "theorem_1_half_width", "quantum", spec, rate, less=gap),
            kind="positive",
        ),
        Statement(
            text=f"the printed lower bound of Theorem 1 holds ({where})",
            source="Theorem 1, as printed",
            quantity="loss on new samples less its bound (nats)",
            pick=of(run, "triggered_test_loss", "quantum", spec, rate, less=least),
            kind="positive",
        ),
    ]


def _of_theorem_2(plan: BackdoorPlan, run: str) -> list[Statement]:
    smallest = of(run, "smallest_feature_change", "quantum", rate=_MANY)
    dimension = 2.0**plan.width
    return [
        Statement(
            text=f"no trigger succeeds below the strength that {text} asks for",
            source=f"Theorem 2, {reading}",
            quantity="smallest change of the features with which a trigger succeeded",
            pick=smallest,
            kind="above",
            bound=round(float(threshold(DELTA, dimension=dimension)), 2),
        )
        for text, reading, threshold in (
            ("concentration of measure", "the threshold that follows", theorem_2_threshold),
            ("the paper's sentence", "as its sentence says", theorem_2_sentence),
        )
    ]


def _plots(plan: BackdoorPlan, run: str) -> list[Plot]:
    """For each trigger the gap and its bound over the rate."""
    rates = sorted(plan.rates)
    return [
        Plot(
            name=f"theorem-1-{i}",
            title=f"Gap between the errors on new and on training samples, {_name(spec)}",
            kind="lines",
            x_title="poisoned training images (%)",
            y_title="gap and its bound",
            lines=tuple(
                Line(
                    name=name,
                    points=tuple(
                        (100 * rate, of(run, metric, "quantum", spec, rate)) for rate in rates
                    ),
                )
                for name, metric in (
                    ("gap, measured", "generalisation_gap"),
                    ("two-sided bound", "theorem_1_half_width"),
                )
            ),
        )
        for i, spec in enumerate(plan.triggers, start=1)
    ]


def _plot_strengths(run: str) -> Plot:
    return Plot(
        name="strength",
        title="Attack success over the strength of the trigger, its four steps",
        kind="lines",
        x_title="step, weakest first",
        y_title="attack success rate",
        lines=tuple(
            Line(
                name=kind,
                points=tuple(
                    (i, success(run, "quantum", spec, _MANY)) for i, spec in enumerate(family, 1)
                ),
            )
            for kind, family in _STRENGTHS.items()
        ),
    )
