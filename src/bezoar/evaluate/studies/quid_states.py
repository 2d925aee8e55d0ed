"""QUID, the items about encoder state similarity: Table 2, Figures 3 and 4."""

from __future__ import annotations

from dataclasses import replace

from bezoar.evaluate.studies import quid_analysis
from bezoar.evaluate.studies.quid_settings import DATA_SETS, SETTING, VICTIM, plan
from bezoar.evaluate.study import Item, Line, Pick, Plot, Published, Statement

_METRICS = {"HS": "hilbert-schmidt", "Frobenius": "frobenius", "Trace": "trace"}
_NOISY = "ad-dep:0.05"
_ALIKE = replace(VICTIM, noise=("none", _NOISY), attacks=())

# Table 2, columns MNIST, Fashion, Kuzushiji, Letters and seconds.
_TABLE_2 = {
    "HS": (0.900, 0.896, 0.693, 0.790, 7.4),
    "Frobenius": (0.917, 0.907, 0.750, 0.863, 2.2),
    "Trace": (0.920, 0.903, 0.740, 0.860, 9.8),
}
# Section 5.1 names the four classes; the table's captions name the data sets only.
_COLUMNS = dict(zip(("MNIST", "Fashion", "Kuzushiji", "Letters"), DATA_SETS.values(), strict=True))

# The paper names the kind of reduction and nothing else: how much hangs on it?
_REDUCTIONS = {"autoencoder of the 700 samples": "autoencoder", "PCA of the 700 samples": "pca"}


def _nearest(run: str, metric: str, noise: str, less: Pick | None = None) -> Pick:
    return Pick(
        run=run,
        metric="nearest_class_accuracy",
        tags={"distance": _METRICS.get(metric, metric), "noise": noise},
        less=less,
    )


def _seconds(run: str, metric: str, less: Pick | None = None) -> Pick:
    return Pick(
        run=run,
        metric="distance_seconds",
        tags={"distance": _METRICS[metric], "noise": _NOISY},
        less=less,
    )


_NEAREST = (
    "The share of the 700 training samples whose nearest class, by mean distance between encoded "
    "states with the sample itself left out, is their own. No training."
)

TABLE_2 = Item(
    name="table-2",
    title="Labels by the nearest class in Hilbert space, by distance",
    source="Table 2, section 4.1",
    question="Does the distance between encoded states tell the classes apart, and which distance "
    "is best?",
    setting=(
        *SETTING,
        _NEAREST,
        "Noise 0.05 on the encoding (the paper says noisy, not how much; 0.05 is its default).",
        (
            "Seconds are of this machine and of our product form; they are not comparable with "
            "the paper's, only with each other. The trace norm compares with at most 20 samples "
            "of each class, as mixed states have no product form for it."
        ),
    ),
    runs={
        **{name: plan(_ALIKE, data) for name, data in _COLUMNS.items()},
        **{
            f"{name}, {reduce}": plan(_ALIKE, data, reduce=reduce, distances=("frobenius",))
            for name, data in _COLUMNS.items()
            for reduce in _REDUCTIONS.values()
        },
    },
    table=(
        *(
            Published(row=m, column=c, paper=paper, pick=_nearest(c, m, _NOISY))
            for m, values in _TABLE_2.items()
            for c, paper in zip(_COLUMNS, values, strict=False)
        ),
        *(
            Published(
                row=f"Frobenius, {label}",
                column=column,
                paper=None,
                pick=_nearest(f"{column}, {reduce}", "Frobenius", _NOISY),
            )
            for label, reduce in _REDUCTIONS.items()
            for column in _COLUMNS
        ),
        *(
            Published(row=m, column="seconds (MNIST)", paper=None, pick=_seconds("MNIST", m))
            for m in _TABLE_2
        ),
    ),
    statements=(
        *(
            Statement(
                text=f"{metric}, {column}: ours is within 6 points of the paper's",
                source="Table 2",
                quantity="nearest-class accuracy",
                pick=_nearest(column, metric, _NOISY),
                kind="within",
                bound=_TABLE_2[metric][i],
                margin=0.06,
            )
            for i, column in enumerate(_COLUMNS)
            for metric in _TABLE_2
        ),
        *(
            Statement(
                text=f"Frobenius finds the class more often than {other} on {column}",
                source="Table 2 and section 4.1 (on average)",
                quantity=f"nearest-class accuracy, Frobenius less {other}",
                pick=_nearest(column, "Frobenius", _NOISY, _nearest(column, other, _NOISY)),
                kind="positive",
            )
            for column in _COLUMNS
            for other in ("HS", "Trace")
        ),
        Statement(
            text="Frobenius costs less time than the trace norm",
            source="Table 2",
            quantity="seconds on MNIST, trace less Frobenius",
            pick=_seconds("MNIST", "Trace", _seconds("MNIST", "Frobenius")),
            kind="positive",
        ),
    ),
    plots=(
        Plot(
            name="nearest-class",
            title="Nearest-class accuracy under noise 0.05",
            kind="bars",
            x_title="data set",
            y_title="samples nearest to their own class",
            lines=tuple(
                line
                for i, metric in enumerate(_TABLE_2)
                for line in (
                    Line(
                        name=metric,
                        points=tuple(zip(_COLUMNS, _TABLE_2[metric], strict=False)),
                    ),
                    Line(
                        name=metric,
                        points=tuple((c, _nearest(c, metric, _NOISY)) for c in _COLUMNS),
                    ),
                )
            ),
        ),
    ),
    reconstructions=tuple((data, 8) for data in DATA_SETS.values()),
    analysis=quid_analysis.TABLE_2,
)

_ENVIRONMENTS = {"noiseless": "none", "noisy": _NOISY}

FIGURE_3 = Item(
    name="figure-3",
    title="Nearest-class labels of MNIST-10, noiseless and noisy",
    source="Figure 3, section 4.1",
    question="Does it still work with ten classes, and does noise change which distance is best?",
    setting=(
        *SETTING,
        _NEAREST,
        (
            "The paper labels a portion (50 %) of the data set; we label each of the 700 training "
            "samples against all others. Its bars have no numbers in the text: nothing is compared "
            "cell by cell."
        ),
    ),
    runs={"MNIST-10": plan(_ALIKE, "mnist-10")},
    table=tuple(
        Published(row=m, column=c, paper=None, pick=_nearest("MNIST-10", m, noise))
        for m in _METRICS
        for c, noise in _ENVIRONMENTS.items()
    ),
    statements=tuple(
        Statement(
            text=f"Frobenius beats {other} on MNIST-10, {environment}",
            source="Figure 3, section 4.1",
            quantity=f"nearest-class accuracy, Frobenius less {other}",
            pick=_nearest("MNIST-10", "Frobenius", noise, _nearest("MNIST-10", other, noise)),
            kind="positive",
        )
        for environment, noise in _ENVIRONMENTS.items()
        for other in ("HS", "Trace")
    ),
    plots=(
        Plot(
            name="nearest-class-10",
            title="Nearest-class accuracy, MNIST-10",
            kind="bars",
            x_title="environment",
            y_title="samples nearest to their own class",
            lines=tuple(
                Line(
                    name=metric,
                    points=tuple(
                        (environment, _nearest("MNIST-10", metric, noise))
                        for environment, noise in _ENVIRONMENTS.items()
                    ),
                )
                for metric in _METRICS
            ),
        ),
    ),
    reconstructions=(("mnist-10", 8),),
    analysis=quid_analysis.FIGURE_3,
)

_LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2)
_ENCODINGS = {
    "angle, RZ RX RZ RX": {"encoding": "angle-zxzx", "qubits": 4},
    "angle, RX RZ RX RZ": {"axes": "XZXZ", "qubits": 4},
    "amplitude": {"encoding": "amplitude"},
}
_FIRST, _SECOND, _AMPLITUDE = _ENCODINGS


def _level(level: float) -> str:
    return "none" if level == 0 else f"ad-dep:{level:g}"


FIGURE_4 = Item(
    name="figure-4",
    title="Angle and amplitude encoding over the noise level",
    source="Figure 4, section 5.2",
    question="Which encoding keeps the classes apart as the noise grows?",
    setting=(
        "MNIST-10 as 16 latent features, 1000 samples, 4 qubits in both encodings.",
        _NEAREST,
        (
            "Angle encoding as the paper has it: RZ, RX, RZ, RX on each qubit, 4 features each. "
            "Its first RZ acts on |0> and does nothing, so 4 of the 16 features are lost; the "
            "order RX, RZ, RX, RZ, which loses none, is shown beside it (our addition)."
        ),
        (
            "Amplitude encoding counts as one gate: its noise acts once, on each qubit, after the "
            "state is prepared. A real device would need many gates for it."
        ),
        "Distances by the Frobenius norm (the paper does not say which it used).",
    ),
    runs={
        name: plan(
            replace(
                _ALIKE,
                features=16,
                noise=tuple(map(_level, _LEVELS)),
                distances=("frobenius",),
            ),
            "mnist-10",
            **({"axes": "XZ"} | changes),
        )
        for name, changes in _ENCODINGS.items()
    },
    table=tuple(
        Published(
            row=name,
            column=f"p = {level:g}",
            paper=None,
            pick=_nearest(name, "frobenius", _level(level)),
        )
        for name in _ENCODINGS
        for level in _LEVELS
    ),
    statements=(
        Statement(
            text="Without noise amplitude encoding is worse than angle encoding",
            source="section 5.2",
            quantity="nearest-class accuracy, angle (the paper's order) less amplitude",
            pick=_nearest(_FIRST, "frobenius", "none", _nearest(_AMPLITUDE, "frobenius", "none")),
            kind="positive",
        ),
        *(
            Statement(
                text=f"Amplitude encoding is better than angle encoding at p = {level:g}",
                source="section 5.2",
                quantity="nearest-class accuracy, amplitude less angle (the paper's order)",
                pick=_nearest(
                    _AMPLITUDE,
                    "frobenius",
                    _level(level),
                    _nearest(_FIRST, "frobenius", _level(level)),
                ),
                kind="positive",
            )
            for level in (0.05, 0.1, 0.2)
        ),
        Statement(
            text="Is what angle encoding loses due to its first gate, which does nothing?",
            source="",
            quantity="nearest-class accuracy at p = 0.05, RX RZ RX RZ less RZ RX RZ RX",
            pick=_nearest(
                _SECOND, "frobenius", "ad-dep:0.05", _nearest(_FIRST, "frobenius", "ad-dep:0.05")
            ),
            kind="question",
        ),
    ),
    plots=(
        Plot(
            name="encodings",
            title="Nearest-class accuracy, MNIST-10 in 16 features",
            kind="lines",
            x_title="noise p",
            y_title="samples nearest to their own class",
            lines=tuple(
                Line(
                    name=name,
                    points=tuple(
                        (level, _nearest(name, "frobenius", _level(level))) for level in _LEVELS
                    ),
                )
                for name in _ENCODINGS
            ),
        ),
    ),
    reconstructions=(("mnist-10", 16),),
    analysis=quid_analysis.FIGURE_4,
)
