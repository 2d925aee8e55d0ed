"""Records of every shape that the types allow, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

from bezoar.contracts.records import Finding, Measurement, RunRecord, Table, ThreatModel

TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(), max_size=6),
    st.sampled_from(
        ["", "quid", "random", "none", "<script>", "a|b", "`", "]]>", "\x00\x1b[", "\ud800", "%}{{"]
    ),
)
NUMBERS = st.one_of(st.none(), st.floats(), st.floats(0, 1))
TAGS = st.fixed_dictionaries(
    {},
    optional={
        "dataset": TEXTS,
        "model": TEXTS,
        "noise": st.sampled_from(["none", "ad-dep:0.05", "ad-dep", "<b>"]),
        "attack": st.sampled_from(["none", "random", "quid", "bilevel", "<i>|"]),
        "ratio": st.one_of(st.sampled_from([0, 0.1, 0.3, 0.7]), st.floats(), TEXTS),
        "distance": TEXTS,
        "detector": TEXTS,
        "reason": TEXTS,
    },
)
METRICS = st.sampled_from(
    [
        "accuracy",
        "relabel_invariant_accuracy",
        "accuracy_drop",
        "detection_auroc",
        "nearest_class_accuracy",
        "kernel_variance",
        "wall_seconds",
        "something_else",
    ]
)
UNITS = st.sampled_from(["fraction", "seconds", "", "shots"])
MEASUREMENTS = st.builds(
    Measurement,
    metric=METRICS,
    value=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    n=st.integers(0, 9),
    seeds=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    unit=UNITS,
    better=st.sampled_from(["higher", "lower", "neither"]),
    tags=TAGS,
)
TABLES = st.builds(
    Table,
    name=st.sampled_from(["confusion", "class_distance", "label_destination", "other"]),
    row_title=TEXTS,
    column_title=TEXTS,
    rows=st.lists(TEXTS, max_size=4).map(tuple),
    columns=st.lists(TEXTS, max_size=4).map(tuple),
    # Ragged on purpose: a damaged record still has to be readable.
    values=st.lists(st.lists(NUMBERS, max_size=5).map(tuple), max_size=5).map(tuple),
    unit=UNITS,
    n=st.integers(0, 9),
    tags=TAGS,
)
FINDINGS = st.builds(
    Finding,
    rule=TEXTS,
    severity=st.sampled_from(["low", "medium", "high", "critical"]),
    confidence=st.sampled_from(["low", "medium", "high"]),
    subject=TEXTS,
    message=TEXTS,
    remedy=TEXTS,
    references=st.lists(TEXTS, max_size=2).map(tuple),
)
THREATS = st.builds(
    ThreatModel,
    goal=TEXTS,
    knows=st.lists(TEXTS, max_size=2).map(tuple),
    changes=st.lists(TEXTS, max_size=2).map(tuple),
    budget=TEXTS,
    needs_training=st.booleans(),
    answered_by=TEXTS,
    source=TEXTS,
)
PLANS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), TEXTS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2), st.dictionaries(TEXTS, inner, max_size=2)
        ),
        max_leaves=4,
    ),
    max_size=4,
)
RECORDS = st.builds(
    RunRecord,
    kind=TEXTS,
    plan=PLANS,
    plan_hash=TEXTS,
    versions=st.dictionaries(TEXTS, TEXTS, max_size=2),
    seeds=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    outcome=st.sampled_from(["complete", "partial", "failed"]),
    command=TEXTS,
    commit=TEXTS,
    started=TEXTS,
    wall_seconds=st.floats(0, 1e6),
    measurements=st.lists(MEASUREMENTS, max_size=8).map(tuple),
    tables=st.lists(TABLES, max_size=3).map(tuple),
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
    threat_models=st.dictionaries(TEXTS, THREATS, max_size=2),
    notes=st.lists(TEXTS, max_size=2).map(tuple),
    failures=st.lists(TEXTS, max_size=2).map(tuple),
)
