"""Every item of the study of hybrid networks asks for what its plans really give."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bezoar.attacks.backdoors.trigger import trigger_named
from bezoar.contracts import plugins
from bezoar.defences.repair.fine_pruning import SHARES
from bezoar.evaluate.backdoors.defending import PRUNED_LAYERS
from bezoar.evaluate.backdoors.plan import DEFENCES, BackdoorPlan
from bezoar.evaluate.backdoors.run import run_backdoors
from bezoar.evaluate.quantities import asked
from bezoar.evaluate.studies.hqnn import hqnn_study
from bezoar.evaluate.studies.hqnn_settings import CPU, CPU_SMALL, PAPER, SCALES
from bezoar.evaluate.study import Item, Pick

ITEMS = [
    pytest.param(item, id=f"{scale.name}-{item.name}")
    for scale in SCALES.values()
    for item in hqnn_study(scale).items
]


def named(tags: str, *metrics: str) -> dict[str, frozenset[str]]:
    """Metrics with the tags that name one of each."""
    return {metric: frozenset(tags.split()) for metric in metrics}


#: What a plan always gives.
ALWAYS = {
    **named("head", "clean_accuracy"),
    **named("head trigger rate", "backdoor_accuracy", "attack_success_rate", "leak", "train_loss"),
    **named("head trigger", "clean_attack_success_rate"),
    **named("trigger", "ssim", "psnr", "l2", "linf"),
}
#: What needs a switch of the plan.
SWITCHED = {
    "control": named("head trigger rate", "control_attack_success_rate"),
    "gradients": {
        **named("head", *(f"gradient_{x}" for x in ("parameters", "norm", "mean", "max", "min"))),
        **named("head layer", "layer_parameters", "layer_gradient_norm"),
    },
    "curves": {
        **named(
            "head trigger rate epoch",
            "backdoor_accuracy_by_epoch",
            "attack_success_rate_by_epoch",
            "train_loss_by_epoch",
        ),
        **named(
            "head trigger rate",
            "attack_success_rate_at_matched_loss",
            "matched_loss",
            "epochs_to_matched_loss",
        ),
    },
    "saliency": named("head trigger rate twin", "grad_cam_similarity"),
    "theory": {
        **named(
            "head trigger rate",
            *("triggered_samples", "triggered_training_error", "generalisation_gap"),
            *("theorem_1_half_width", "triggered_training_loss", "triggered_test_loss"),
            *("theorem_1_printed_bound", "loss_slope", "trigger_norm", "feature_change"),
        ),
        **named("head rate", "smallest_feature_change"),
    },
}
#: What needs a defence.
DEFENDED = {
    "fine-pruning": {
        **named(
            "head trigger rate twin layer share", "pruned_accuracy", "pruned_attack_success_rate"
        ),
        **named(
            "head trigger rate twin",
            *("fine_pruning_accuracy", "fine_pruning_attack_success_rate", "fine_pruning_share"),
        ),
    },
    "neural-cleanse": named(
        "head trigger rate twin",
        *(f"neural_cleanse_{x}" for x in ("index", "flags", "finds_target", "norm")),
    ),
    "strip": {
        **named("head trigger rate twin", "strip_auroc", "strip_frr", "strip_far"),
        **named("head trigger rate twin inputs entropy", "strip_entropy_share"),
    },
    "activation-clustering": named(
        "head trigger rate twin",
        *(f"activation_clustering_{x}" for x in ("auroc", "flags", "finds_target")),
    ),
    "spectral-signatures": named("head trigger rate twin", "spectral_signatures_auroc"),
}


def given(plan: BackdoorPlan) -> dict[str, frozenset[str]]:
    """The metrics that a plan gives, with the tags that name one of it."""
    found = dict(ALWAYS)
    for switch, metrics in SWITCHED.items():
        found |= metrics if getattr(plan, switch) else {}
    for defence in plan.defences:
        found |= DEFENDED[defence]
    return found


def picks(item: Item) -> list[Pick]:
    """Every quantity that an item asks for, differences taken apart."""
    points = (what for plot in item.plots for line in plot.lines for _, what in line.points)
    whole = [cell.pick for cell in item.table] + [s.pick for s in item.statements]
    whole += [what for what in points if isinstance(what, Pick)]
    return whole + [pick.less for pick in whole if pick.less is not None]


def check(pick: Pick, plan: BackdoorPlan) -> None:
    """One quantity against what its plan measures."""
    metrics = given(plan)
    assert pick.metric in metrics
    needed, tags = metrics[pick.metric], dict(pick.tags)
    # One head or rate needs no name; what is named must be there.
    optional = {
        name
        for name, several in (
            ("head", plan.heads), ("rate", plan.rates), ("trigger", plan.triggers)
        )
        if len(several) == 1
    }  # fmt: skip
    assert needed - optional <= set(tags) <= needed | {"trunk", "dataset"}
    known: dict[str, Any] = {
        "head": plan.heads,
        "trigger": (*plan.triggers, "none"),
        "rate": (*plan.rates, 0.0),
        "twin": ("clean", "backdoored"),
        "share": tuple(round(share, 3) for share in SHARES),
        "layer": (*PRUNED_LAYERS, 1, 2, 3),
        "epoch": range(1, plan.warm_up + plan.epochs + 1),
        "inputs": ("clean", "triggered"),
        "entropy": tuple(edge / 10 for edge in range(10)),
        "trunk": (plan.trunk,),
        "dataset": (plan.data,),
    }
    for name, value in tags.items():
        assert value in known[name], name


@pytest.mark.parametrize("item", ITEMS)
def test_every_quantity_is_one_that_its_plan_gives(item: Item) -> None:
    for pick in picks(item):
        assert pick.run in item.runs
        plan = item.runs[pick.run]
        assert isinstance(plan, BackdoorPlan)
        check(pick, plan)


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_is_whole(item: Item) -> None:
    assert set(asked(item)) == set(item.runs) == {pick.run for pick in picks(item)}
    places = Counter((cell.row, cell.column) for cell in item.table)
    assert max(places.values()) == 1
    names = [plot.name for plot in item.plots]
    assert len(set(names)) == len(names)
    for cell in item.table:
        # Numbers of parameters and norms are no shares.
        counts = cell.pick.metric.startswith(("gradient", "layer", "neural_cleanse_index"))
        assert cell.paper is None or counts or 0 <= cell.paper <= 1
    for text in (item.title, item.source, item.question, *item.setting):
        assert text.strip() == text != ""


@pytest.mark.parametrize("item", ITEMS)
def test_claims_are_fixed_and_told_apart(item: Item) -> None:
    texts = Counter((each.text, each.quantity, each.pick.run) for each in item.statements)
    assert not texts or max(texts.values()) == 1
    for statement in item.statements:
        assert (statement.pick.less is not None) or statement.kind not in ("positive", "apart")
        # A claim of the paper says where; a question of ours does not pretend to.
        assert statement.source or statement.kind == "question"
        if statement.kind == "within":
            assert statement.margin > 0


@pytest.mark.parametrize("item", ITEMS)
def test_data_triggers_and_pictures_exist(item: Item) -> None:
    pictures = {
        "trigger": True,
        "grad_cam": "saliency",
        "restored_trigger": "neural-cleanse",
        "strip_entropy": "strip",
    }
    for plan in item.runs.values():
        assert isinstance(plan, BackdoorPlan)
        assert plan.data in plugins.names("datasets")
        for spec in plan.triggers:
            assert trigger_named(spec).spec
    for shown in item.shows:
        needs = pictures[shown]
        assert needs is True or any(
            getattr(plan, str(needs), False) or needs in plan.defences
            for plan in item.runs.values()
            if isinstance(plan, BackdoorPlan)
        )


@pytest.mark.parametrize("item", ITEMS)
def test_an_analysis_types_no_number_of_its_own(item: Item) -> None:
    cells = {(cell.row, cell.column) for cell in item.table}
    for text in item.analysis:
        for row, column in re.findall(r"\{([^{}|]+)\|([^{}|]+)", text):
            assert (row, column) in cells
        assert not re.search(r"\d\.\d+ ?%", text)


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_the_items_are_those_of_the_paper_and_ours(scale: Any) -> None:
    study = hqnn_study(scale)
    names = [item.name for item in study.items]
    assert len(set(names)) == len(names)
    assert [name for name in names if not name.startswith("extra")] == [
        *(f"table-{i}" for i in range(1, 9)),
        *(f"figure-{i}" for i in range(5, 13)),
    ]
    assert {"extra-epochs", "extra-defences", "extra-theory"} <= set(names)
    assert study.scale == scale.name


def test_scales_differ_in_size_alone() -> None:
    small, large, paper = (
        {item.name: item for item in hqnn_study(scale).items} for scale in (CPU_SMALL, CPU, PAPER)
    )
    assert list(small) == list(large) == list(paper)
    for plan in (plan for item in paper.values() for plan in item.runs.values()):
        assert isinstance(plan, BackdoorPlan)
        if plan.trunk != "small":
            assert (plan.image_size, plan.samples, plan.stages) == (224, None, 4)
    trunks = {p.trunk for p in paper["table-1"].runs.values() if isinstance(p, BackdoorPlan)}
    assert trunks == {"resnet-18", "resnet-50"}
    assert CPU_SMALL.seeds >= 3


def test_the_metrics_above_are_those_of_a_run(tmp_path: Path) -> None:
    plan = BackdoorPlan(
        image_size=16,
        samples=60,
        test_samples=40,
        validation=20,
        classes=("0", "1", "2"),
        heads=("quantum",),
        width=2,
        layers=1,
        triggers=("patch:4",),
        rates=(0.2,),
        epochs=1,
        seeds=1,
        **dict.fromkeys(("control", "gradients", "curves", "saliency", "theory"), True),
        defences=DEFENCES,
    )
    record = run_backdoors(replace(plan, warm_up=1), tmp_path)
    assert record.failures == ()
    tags: dict[str, set[str]] = {}
    for m in record.measurements:
        tags.setdefault(m.metric, set()).update(set(m.tags) - {"dataset", "trunk", "defence"})
    del tags["wall_seconds"]
    # Where nothing succeeded there is no smallest change that did.
    assert {**tags, "smallest_feature_change": {"head", "rate"}} == given(plan)
