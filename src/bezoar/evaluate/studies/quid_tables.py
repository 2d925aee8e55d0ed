"""QUID, the items about poisoned training: Tables 3 to 7 and Figure 5."""

from __future__ import annotations

from dataclasses import replace

from bezoar.evaluate.studies import quid_analysis
from bezoar.evaluate.studies.quid_settings import (
    DATA_SETS,
    NOISELESS_SETTING,
    NOISY,
    NOISY_SETTING,
    SETTING,
    VICTIM,
    accuracy,
    attacked,
    harm,
    less,
    plan,
)
from bezoar.evaluate.study import Item, Line, Pick, Plot, Published, Statement

_APART = "accuracy, random flips less QUID"


def _apart(text: str, source: str, run: str, ratio: float = 0.5) -> Statement:
    return Statement(
        text=text, source=source, quantity=_APART, pick=harm(run, ratio=ratio), kind="apart"
    )


# Table 3: baseline; label flips at random and by QUID; the same with random samples.
_TABLE_3 = {
    "MNIST-4": (0.873, 0.767, 0.077, 0.773, 0.103),
    "Fashion-4": (0.823, 0.753, 0.0133, 0.750, 0.476),
    "Kuzushiji-4": (0.736, 0.656, 0.243, 0.707, 0.289),
    "Letters-4": (0.760, 0.606, 0.057, 0.747, 0.183),
}
_COLUMNS_3 = {
    "baseline": "none",
    "flip: random": "random",
    "flip: QUID": "quid",
    "bi-level: random": "bilevel-random",
    "bi-level: QUID": "bilevel",
}

TABLE_3 = Item(
    name="table-3",
    title="Label flips against bi-level poisoning",
    source="Table 3, section 5.2",
    question="Does it harm more to replace the poisoned samples by random ones too?",
    setting=(
        *SETTING,
        NOISY_SETTING + " Noise 0.1.",
        (
            "Half of the training samples are poisoned. Bi-level: their features are drawn "
            "uniformly from the range of the training features; the paper says random."
        ),
    ),
    runs={
        name: plan(
            replace(
                NOISY,
                noise=("ad-dep:0.1",),
                attacks=tuple(a for a in _COLUMNS_3.values() if a != "none"),
            ),
            data,
        )
        for name, data in DATA_SETS.items()
    },
    table=tuple(
        Published(row=row, column=column, paper=paper, pick=accuracy(row, attack))
        for row, values in _TABLE_3.items()
        for (column, attack), paper in zip(_COLUMNS_3.items(), values, strict=True)
    ),
    statements=(
        *(
            Statement(
                text=f"QUID's label flips harm more than bi-level with QUID's labels on {row}",
                source="section 5.2, Table 3",
                quantity="accuracy, bi-level less flips",
                pick=harm(row, against="bilevel"),
                kind="positive",
            )
            for row in DATA_SETS
        ),
        *(
            _apart(f"QUID harms more than random flips on {row} (noise 0.1)", "Table 3", row)
            for row in DATA_SETS
        ),
    ),
    plots=(
        Plot(
            name="bi-level",
            title="Accuracy after poisoning half of the samples, noise 0.1",
            kind="bars",
            x_title="data set",
            y_title="test accuracy",
            lines=tuple(
                line
                for i, (column, attack) in enumerate(_COLUMNS_3.items())
                for line in (
                    Line(
                        name=column,
                        points=tuple((row, values[i]) for row, values in _TABLE_3.items()),
                    ),
                    Line(
                        name=column,
                        points=tuple((row, accuracy(row, attack)) for row in _TABLE_3),
                    ),
                )
                if attack in ("none", "quid", "bilevel")
            ),
        ),
    ),
    analysis=quid_analysis.TABLE_3,
)

# Table 4: noiseless baseline, random, QUID; noisy random, QUID.
_TABLE_4 = {
    "MNIST-4": (0.943, 0.916, 0.439, 0.899, 0.316),
    "Fashion-4": (0.850, 0.833, 0.319, 0.829, 0.079),
    "Kuzushiji-4": (0.813, 0.746, 0.370, 0.720, 0.273),
    "Letters-4": (0.889, 0.779, 0.300, 0.756, 0.126),
}
_COLUMNS_4 = (
    ("noiseless", "baseline", "none"),
    ("noiseless", "random", "random"),
    ("noiseless", "QUID", "quid"),
    ("noisy", "random", "random"),
    ("noisy", "QUID", "quid"),
)

TABLE_4 = Item(
    name="table-4",
    title="QUID without and with noise",
    source="Table 4, section 5.2",
    question="Is QUID still harmful on a noisy device, or even more so?",
    setting=(
        *SETTING,
        NOISELESS_SETTING,
        NOISY_SETTING + " Noise 0.05.",
        "Half of the training samples are poisoned.",
    ),
    runs={
        f"{name}, {environment}": plan(base, data)
        for name, data in DATA_SETS.items()
        for environment, base in (("noiseless", VICTIM), ("noisy", NOISY))
    },
    table=(
        *(
            Published(
                row=row,
                column=f"{environment}: {column}",
                paper=paper,
                pick=accuracy(f"{row}, {environment}", attack),
            )
            for row, values in _TABLE_4.items()
            for (environment, column, attack), paper in zip(_COLUMNS_4, values, strict=True)
        ),
        *(
            Published(row=row, column="noisy: baseline", paper=None, pick=accuracy(f"{row}, noisy"))
            for row in _TABLE_4
        ),
    ),
    statements=(
        *(
            _apart(
                f"QUID harms more than random flips on {row}, {environment}",
                "Table 4",
                f"{row}, {environment}",
            )
            for row in DATA_SETS
            for environment in ("noiseless", "noisy")
        ),
        *(
            Statement(
                text=f"QUID leaves less accuracy with noise than without on {row}",
                source="section 5.2, Table 4",
                quantity="accuracy after QUID, noiseless less noisy",
                pick=replace(
                    accuracy(f"{row}, noiseless", "quid"), less=accuracy(f"{row}, noisy", "quid")
                ),
                kind="positive",
            )
            for row in DATA_SETS
        ),
    ),
    plots=(
        Plot(
            name="noise",
            title="Accuracy after QUID on half of the samples",
            kind="bars",
            x_title="data set",
            y_title="test accuracy",
            lines=tuple(
                line
                for environment, i in (("noiseless", 2), ("noisy", 4))
                for line in (
                    Line(
                        name=environment,
                        points=tuple((row, values[i]) for row, values in _TABLE_4.items()),
                    ),
                    Line(
                        name=environment,
                        points=tuple(
                            (row, accuracy(f"{row}, {environment}", "quid")) for row in _TABLE_4
                        ),
                    ),
                )
            ),
        ),
    ),
    analysis=quid_analysis.TABLE_4,
)

# Table 5, whose second header line is lost in print: Kyiv random, QUID; Brisbane random, QUID.
_TABLE_5 = {
    "MNIST-4": (0.831, 0.717, 0.103, 0.736, 0.089),
    "Fashion-4": (0.807, 0.733, 0.087, 0.738, 0.076),
}
_KYIV, _BRISBANE = "ibm-kyiv", "ibm-brisbane"
_COLUMNS_5 = (
    ("Kyiv: baseline", _KYIV, "none"),
    ("Kyiv: random", _KYIV, "random"),
    ("Kyiv: QUID", _KYIV, "quid"),
    ("Brisbane: random", _BRISBANE, "random"),
    ("Brisbane: QUID", _BRISBANE, "quid"),
)

TABLE_5 = Item(
    name="table-5",
    title="The noise of real devices",
    source="Table 5, section 5.2",
    question="Does QUID work under the noise of IBM Kyiv and IBM Brisbane?",
    setting=(
        *SETTING,
        (
            "The circuit is transpiled to the device's gates and couplings with a barrier between "
            "encoding and ansatz, on its qubits 0 to 3 (as a noise model without a coupling map "
            "is used; the transpiler's own choice are the best qubits, with less noise); thermal "
            "relaxation, gate errors and readout errors of the device's published calibration "
            "(from the fake backends), not of the day of the paper. SPSA with a step of 0.01 and "
            "one direction, 1000 shots."
        ),
        (
            "Half of the training samples are poisoned. One baseline is given in the paper; it is "
            "held against the one under Kyiv's noise."
        ),
    ),
    runs={
        name: plan(
            replace(NOISY, noise=(_KYIV, _BRISBANE), device_qubits=(0, 1, 2, 3)), DATA_SETS[name]
        )
        for name in _TABLE_5
    },
    table=(
        *(
            Published(row=row, column=column, paper=paper, pick=accuracy(row, attack, noise=device))
            for row, values in _TABLE_5.items()
            for (column, device, attack), paper in zip(_COLUMNS_5, values, strict=True)
        ),
        *(
            Published(
                row=row,
                column="Brisbane: baseline",
                paper=None,
                pick=accuracy(row, noise=_BRISBANE),
            )
            for row in _TABLE_5
        ),
    ),
    statements=tuple(
        Statement(
            text=f"QUID harms more than random flips on {row} under the noise of {device}",
            source="Table 5",
            quantity=_APART,
            pick=less(
                row,
                "accuracy",
                attacked("random") | {"noise": device},
                attacked("quid") | {"noise": device},
            ),
            kind="apart",
        )
        for row in _TABLE_5
        for device in (_KYIV, _BRISBANE)
    ),
    plots=(
        Plot(
            name="devices",
            title="Accuracy after QUID on half of the samples",
            kind="bars",
            x_title="data set and device",
            y_title="test accuracy",
            lines=(
                Line(
                    name="QUID",
                    points=tuple(
                        (f"{row}, {column.partition(':')[0]}", values[i])
                        for row, values in _TABLE_5.items()
                        for i, (column, _, attack) in enumerate(_COLUMNS_5)
                        if attack == "quid"
                    ),
                ),
                Line(
                    name="QUID",
                    points=tuple(
                        (f"{row}, {column.partition(':')[0]}", accuracy(row, attack, noise=device))
                        for row in _TABLE_5
                        for column, device, attack in _COLUMNS_5
                        if attack == "quid"
                    ),
                ),
            ),
        ),
    ),
    analysis=quid_analysis.TABLE_5,
)

# Table 6: baseline, then random and QUID at each ratio.
_RATIOS = (0.1, 0.3, 0.5, 0.7)
_TABLE_6 = {
    "MNIST-4, PQC-1": (0.933, 0.930, 0.926, 0.923, 0.823, 0.899, 0.316, 0.533, 0.0099),
    "MNIST-4, PQC-8": (0.813, 0.806, 0.773, 0.776, 0.693, 0.746, 0.209, 0.406, 0.0563),
    "MNIST-4, PQC-6": (0.726, 0.543, 0.469, 0.433, 0.213, 0.523, 0.209, 0.336, 0.209),
    "Fashion-4, PQC-1": (0.870, 0.863, 0.829, 0.870, 0.763, 0.829, 0.079, 0.753, 0.0066),
    "Kuzushiji-4, PQC-1": (0.776, 0.763, 0.273, 0.769, 0.706, 0.720, 0.273, 0.353, 0.0066),
    "Letters-4, PQC-1": (0.843, 0.833, 0.816, 0.813, 0.613, 0.756, 0.126, 0.389, 0.0199),
}
_COLUMNS_6 = (
    ("baseline", "none", 0.0),
    *((f"{100 * r:g} %: {label}", attack, r)
      for r in _RATIOS for label, attack in (("random", "random"), ("QUID", "quid"))),
)  # fmt: skip


def _ansatz(row: str) -> str:
    return row.rpartition("PQC")[2].replace("-", "sim-")


TABLE_6 = Item(
    name="table-6",
    title="Circuits and poison ratios under noise",
    source="Table 6, section 5.2",
    question="From which share on does QUID ruin the model, and does the circuit matter?",
    setting=(
        *SETTING,
        NOISY_SETTING + " Noise 0.05.",
        "PQC-1, 6 and 8 are circuits 1, 6 and 8 of Sim et al. 2019.",
        "The paper's 27.3 % for QUID at 10 % on Kuzushiji-4 is not monotone (70.6 % at 30 %).",
    ),
    runs={
        row: plan(
            replace(NOISY, ratios=_RATIOS),
            DATA_SETS[row.partition(",")[0]],
            ansatz=_ansatz(row),
        )
        for row in _TABLE_6
    },
    table=(
        *(
            Published(row=row, column=column, paper=paper, pick=accuracy(row, attack, ratio))
            for row, values in _TABLE_6.items()
            for (column, attack, ratio), paper in zip(_COLUMNS_6, values, strict=True)
        ),
        *(
            Published(
                row=row,
                column="70 %: QUID, best renaming",
                paper=None,
                pick=Pick(run=row, metric="relabel_invariant_accuracy", tags=attacked("quid", 0.7)),
            )
            for row in _TABLE_6
        ),
    ),
    statements=(
        *(
            _apart(
                f"QUID harms more than random flips at {100 * ratio:g} % on {row}",
                "Table 6",
                row,
                ratio,
            )
            for row in _TABLE_6
            for ratio in _RATIOS
        ),
        *(
            Statement(
                text="MNIST-4, PQC-1: QUID at 70 % leaves less than 10 %"
                if row.startswith("MNIST")
                else f"{row}: QUID at 70 % leaves less than 10 %",
                source="Table 6",
                quantity="accuracy after QUID at 70 %",
                pick=accuracy(row, "quid", 0.7),
                kind="below",
                bound=0.1,
            )
            for row in _TABLE_6
            if row.endswith("PQC-1")
        ),
        *(
            Statement(
                text=f"At 10 % QUID does little on {row}: it costs less than 5 points",
                source="section 5.2 (minimal degradation up to 10 %)",
                quantity="accuracy drop at 10 %",
                pick=Pick(run=row, metric="accuracy_drop", tags=attacked("quid", 0.1)),
                kind="below",
                bound=0.05,
            )
            for row in _TABLE_6
            if row.endswith("PQC-1")
        ),
        Statement(
            text="QUID does less harm to PQC-6 than to PQC-1 at 70 %",
            source="section 5.2",
            quantity="accuracy after QUID at 70 %, PQC-6 less PQC-1",
            pick=replace(
                accuracy("MNIST-4, PQC-6", "quid", 0.7),
                less=accuracy("MNIST-4, PQC-1", "quid", 0.7),
            ),
            kind="positive",
        ),
    ),
    plots=tuple(
        Plot(
            name=row.lower().replace(", ", "-"),
            title=f"{row}: accuracy over the share of poisoned samples, noise 0.05",
            kind="lines",
            x_title="share poisoned",
            y_title="test accuracy",
            lines=tuple(
                line
                for label, attack, first in (("random", "random", 1), ("QUID", "quid", 2))
                for line in (
                    Line(
                        name=label,
                        points=(
                            (0.0, values[0]),
                            *zip(_RATIOS, values[first::2], strict=True),
                        ),
                    ),
                    Line(
                        name=label,
                        points=(
                            (0.0, accuracy(row)),
                            *((r, accuracy(row, attack, r)) for r in _RATIOS),
                        ),
                    ),
                )
            ),
        )
        for row, values in _TABLE_6.items()
    ),
    analysis=quid_analysis.TABLE_6,
)

# Table 7: baseline, QUID at 0.3 without and with SS-DPA, at 0.5 without and with.
_TABLE_7 = {
    "MNIST-4": (0.943, 0.910, 0.913, 0.439, 0.493),
    "Fashion-4": (0.850, 0.750, 0.753, 0.319, 0.410),
    "Kuzushiji-4": (0.813, 0.737, 0.803, 0.370, 0.407),
    "Letters-4": (0.889, 0.720, 0.767, 0.300, 0.210),
}
_COLUMNS_7 = (
    ("baseline", "none", "none", 0.0),
    ("30 %: no defence", "none", "quid", 0.3),
    ("30 %: SS-DPA, k = 3", "ss-dpa:3", "quid", 0.3),
    ("50 %: no defence", "none", "quid", 0.5),
    ("50 %: SS-DPA, k = 3", "ss-dpa:3", "quid", 0.5),
)
_ENSEMBLES = {
    "SS-DPA, k = 3": "ss-dpa:3",
    "SS-DPA, k = 25": "ss-dpa:25",
    "SS-DPA, k = 50": "ss-dpa:50",
    "DPA, k = 3": "dpa:3",
    "DPA, k = 25": "dpa:25",
    "DPA, k = 50": "dpa:50",
}
_CHANGES = tuple(range(26))


def _hardened(row: str, ensemble: str) -> str:
    return f"{row}, {ensemble}"


TABLE_7 = Item(
    name="table-7",
    title="A defence: SS-DPA",
    source="Table 7, section 5.2",
    question="Does the defence against label flips help against QUID, and what does it guarantee?",
    setting=(
        *SETTING,
        NOISELESS_SETTING,
        (
            "SS-DPA (Levine and Feizi 2021): the training set falls into k parts by the order of "
            "the features; each of k base learners gets the labels of its part and pseudo-labels "
            "for all others by label spreading on the nearest neighbours in the encoded space; "
            "they vote. The paper does not name its base learner. k = 3 as there; k = 25 and 50, "
            "and DPA, which trains each base learner on its own part alone, are our additions."
        ),
        (
            "The certificate of a prediction is the number of changed labels (SS-DPA) that cannot "
            "change it. With k = 3 it is at most 1, and QUID changes 210 to 350."
        ),
    ),
    runs={
        _hardened(row, ensemble): plan(
            replace(VICTIM, attacks=("quid",), ratios=(0.3, 0.5), ensemble=ensemble), data
        )
        for row, data in DATA_SETS.items()
        for ensemble in ("none", *_ENSEMBLES.values())
    },
    table=(
        *(
            Published(
                row=row,
                column=column,
                paper=paper,
                pick=accuracy(_hardened(row, ensemble), attack, ratio),
            )
            for row, values in _TABLE_7.items()
            for (column, ensemble, attack, ratio), paper in zip(_COLUMNS_7, values, strict=True)
        ),
        *(
            Published(
                row=f"{row}, {label}",
                column=column,
                paper=None,
                pick=accuracy(_hardened(row, ensemble), attack, ratio),
            )
            for row in _TABLE_7
            for label, ensemble in _ENSEMBLES.items()
            for column, attack, ratio in (
                ("clean", "none", 0.0),
                ("QUID at 30 %", "quid", 0.3),
                ("QUID at 50 %", "quid", 0.5),
            )
        ),
    ),
    statements=(
        *(
            Statement(
                text=f"SS-DPA with k = 3 helps on {row} at {100 * ratio:g} %",
                source="Table 7 (in most cases, by a small amount)",
                quantity="accuracy after QUID, SS-DPA less no defence",
                pick=replace(
                    accuracy(_hardened(row, "ss-dpa:3"), "quid", ratio),
                    less=accuracy(_hardened(row, "none"), "quid", ratio),
                ),
                kind="positive",
            )
            for row in DATA_SETS
            for ratio in (0.3, 0.5)
        ),
        *(
            Statement(
                text=f"How much more does SS-DPA with k = {k} save on {row} at 50 %?",
                source="",
                quantity=f"accuracy after QUID, k = {k} less k = 3",
                pick=replace(
                    accuracy(_hardened(row, f"ss-dpa:{k}"), "quid"),
                    less=accuracy(_hardened(row, "ss-dpa:3"), "quid"),
                ),
                kind="question",
            )
            for row in DATA_SETS
            for k in (25, 50)
        ),
    ),
    plots=(
        Plot(
            name="defence",
            title="Accuracy after QUID on half of the samples",
            kind="bars",
            x_title="data set",
            y_title="test accuracy",
            lines=(
                Line(
                    name="no defence",
                    points=tuple((row, values[3]) for row, values in _TABLE_7.items()),
                ),
                Line(
                    name="no defence",
                    points=tuple(
                        (row, accuracy(_hardened(row, "none"), "quid")) for row in _TABLE_7
                    ),
                ),
                Line(
                    name="SS-DPA, k = 3",
                    points=tuple((row, values[4]) for row, values in _TABLE_7.items()),
                ),
                *(
                    Line(
                        name=f"SS-DPA, k = {k}",
                        points=tuple(
                            (row, accuracy(_hardened(row, f"ss-dpa:{k}"), "quid"))
                            for row in _TABLE_7
                        ),
                    )
                    for k in (3, 25, 50)
                ),
            ),
        ),
        *(
            Plot(
                name=f"certified-{DATA_SETS[row]}",
                title=f"{row}: certified accuracy over changed labels (SS-DPA) or samples (DPA), "
                "clean training set",
                kind="lines",
                x_title="changes withstood",
                y_title="certified accuracy",
                lines=tuple(
                    Line(
                        name=label,
                        points=tuple(
                            (
                                float(changes),
                                Pick(
                                    run=_hardened(row, ensemble),
                                    metric="certified_accuracy",
                                    tags={"attack": "none", "changes": changes},
                                ),
                            )
                            for changes in _CHANGES
                            if changes <= int(ensemble.partition(":")[2]) // 2
                        ),
                    )
                    for label, ensemble in _ENSEMBLES.items()
                ),
            )
            for row in DATA_SETS
        ),
    ),
    analysis=quid_analysis.TABLE_7,
)

_EPOCHS = tuple(range(1, VICTIM.epochs + 1))
_FIGURE_5 = {
    "noiseless": replace(VICTIM, noise=("none",)),
    "noisy": NOISY,
}
_LABELS_5 = {"baseline": "none", "random flips": "random", "QUID": "quid"}


def _by_epoch(run: str, metric: str, attack: str, epoch: int) -> Pick:
    return Pick(run=run, metric=f"{metric}_by_epoch", tags=attacked(attack) | {"epoch": epoch})


def _gap(run: str, metric: str, first: str, second: str) -> Pick:
    last = VICTIM.epochs
    return replace(_by_epoch(run, metric, first, last), less=_by_epoch(run, metric, second, last))


FIGURE_5 = Item(
    name="figure-5",
    title="Eight qubits, two layers, MNIST-10",
    source="Figure 5, section 6",
    question="Does QUID work on a larger model and data set, and does it show while training?",
    setting=(
        (
            "MNIST-10 as 16 latent features, 2000 samples (1400 to train on), 8 qubits, two "
            "layers of circuit 1, 30 epochs, half of the training samples poisoned."
        ),
        (
            "The paper does not say whether this training is noisy: both are run; its numbers are "
            "held against the noiseless one."
        ),
        NOISELESS_SETTING,
        NOISY_SETTING + " Noise 0.05.",
    ),
    runs={
        name: plan(
            replace(base, samples=2000, features=16, qubits=8, layers=2, curves=True), "mnist-10"
        )
        for name, base in _FIGURE_5.items()
    },
    table=(
        *(
            Published(
                row=run,
                column=label,
                paper=paper,
                pick=_gap(run, metric, first, second),
            )
            for run in _FIGURE_5
            for label, metric, first, second, paper in (
                (
                    "accuracy: random less QUID",
                    "accuracy",
                    "random",
                    "quid",
                    0.41 if run == "noiseless" else None,
                ),
                (
                    "loss: QUID less random",
                    "loss",
                    "quid",
                    "random",
                    0.4 if run == "noiseless" else None,
                ),
            )
        ),
        *(
            Published(row=run, column=f"accuracy: {label}", paper=None, pick=accuracy(run, attack))
            for run in _FIGURE_5
            for label, attack in _LABELS_5.items()
        ),
    ),
    statements=tuple(
        statement
        for run in _FIGURE_5
        for statement in (
            _apart(f"QUID leaves less accuracy than random flips, {run}", "Figure 5", run),
            Statement(
                text=f"QUID leaves a higher test loss than random flips, {run}",
                source="Figure 5",
                quantity="test loss, QUID less random",
                pick=_gap(run, "loss", "quid", "random"),
                kind="positive",
            ),
        )
    ),
    plots=tuple(
        Plot(
            name=f"{metric}-{run}",
            title=f"Test {metric} by epoch, {run}",
            kind="lines",
            x_title="epoch",
            y_title=f"test {metric}" + (" (nats)" if metric == "loss" else ""),
            unit="nats" if metric == "loss" else "fraction",
            lines=tuple(
                Line(
                    name=label,
                    points=tuple(
                        (float(epoch), _by_epoch(run, metric, attack, epoch)) for epoch in _EPOCHS
                    ),
                )
                for label, attack in _LABELS_5.items()
            ),
        )
        for run in _FIGURE_5
        for metric in ("accuracy", "loss")
    ),
    analysis=quid_analysis.FIGURE_5,
)
