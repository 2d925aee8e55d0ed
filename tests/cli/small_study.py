"""A study of one paper that nobody wrote, on data that is always there."""

from __future__ import annotations

from dataclasses import replace

from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.study import Item, Pick, Published, Statement, Study

PLAN = AuditPlan(
    data="iris",
    noise=("none",),
    attacks=("random",),
    ratios=(0.5,),
    detectors=(),
    seeds=2,
    epochs=2,
)


def _pick(run: str, attack: str) -> Pick:
    return Pick(run=run, tags={"attack": attack})


def _item(name: str, plan: AuditPlan, bound: float) -> Item:
    return Item(
        name=name,
        title=f"The {name}",
        source="nowhere",
        question="Does it matter?",
        setting=("Iris.",),
        runs={"iris": plan},
        table=(
            Published(row="iris", column="clean", paper=0.5, pick=_pick("iris", "none")),
            Published(row="iris", column="random", paper=None, pick=_pick("iris", "random")),
        ),
        statements=(
            Statement(
                text="It is right more often than can be",
                source="nowhere",
                quantity="accuracy",
                pick=_pick("iris", "none"),
                kind="below",
                bound=bound,
            ),
        ),
    )


#: The second item shares the trainings of the first, and its claim is always contradicted.
SMALL = Study(
    name="small",
    paper="Nobody, Nothing, 2026",
    items=(
        _item("table-1", PLAN, 2.0),
        _item("table-2", PLAN, -1.0),
        _item("table-3", replace(PLAN, data="wine"), 2.0),
    ),
)
