"""QUID, beyond the paper: what it mentions without measuring, and what its readers ask."""

from __future__ import annotations

from dataclasses import replace

from bezoar.evaluate.studies import quid_analysis
from bezoar.evaluate.studies.quid_settings import (
    DATA_SETS,
    NOISY,
    SETTING,
    VICTIM,
    accuracy,
    attacked,
    harm,
    plan,
)
from bezoar.evaluate.study import Item, Line, Pick, Plot, Published, Statement

_NOISE = "ad-dep:0.05"
_MNIST = "MNIST-4"
_DEVICE = replace(VICTIM, noise=(_NOISE,))
_EXACT = "Exact gradients and expectations, so that nothing but the noise of the gates differs."

_CLASSES = ("0", "1", "2", "3")
_VICTIM_CLASS = "0"
_SHARES = {0.125: "half of class 0", 0.2: "four fifths of class 0"}


def _recall(name: str, attack: str = "none", ratio: float = 0.0) -> Pick:
    return Pick(run=_MNIST, metric="recall", tags=attacked(attack, ratio) | {"class": name})


TARGETED = Item(
    name="extra-targeted",
    title="Targeted QUID: one class suffers",
    source="section 6 (Applications), not measured in the paper",
    question="Can QUID ruin one class and leave the others?",
    setting=(
        *SETTING,
        "Only samples of the digit 0 are poisoned, half of them (12.5 % of the training set) or "
        "four fifths (20 %). Noise 0.05. " + _EXACT,
    ),
    runs={
        _MNIST: replace(
            _DEVICE, attacks=("quid",), ratios=tuple(_SHARES), source_classes=(_VICTIM_CLASS,)
        )
    },
    table=tuple(
        Published(
            row=f"recall of {name}", column=column, paper=None, pick=_recall(name, attack, ratio)
        )
        for name in _CLASSES
        for column, attack, ratio in (
            ("clean", "none", 0.0),
            *((label, "quid", ratio) for ratio, label in _SHARES.items()),
        )
    ),
    statements=(
        *(
            Statement(
                text=f"With {label} poisoned, the model loses class 0",
                source="section 6",
                quantity="recall of 0, clean less poisoned",
                pick=replace(_recall("0"), less=_recall("0", "quid", ratio)),
                kind="positive",
            )
            for ratio, label in _SHARES.items()
        ),
        *(
            Statement(
                text=f"With {label} poisoned, {name} loses less than 5 points",
                source="section 6 (performs well on most test data)",
                quantity=f"recall of {name}, clean less poisoned",
                pick=replace(_recall(name), less=_recall(name, "quid", ratio)),
                kind="below",
                bound=0.05,
            )
            for ratio, label in _SHARES.items()
            for name in _CLASSES
            if name != _VICTIM_CLASS
        ),
    ),
    plots=(
        Plot(
            name="recall",
            title="Recall by class, QUID on the digit 0 alone",
            kind="bars",
            x_title="class",
            y_title="recall",
            lines=tuple(
                Line(name=column, points=tuple((c, _recall(c, attack, ratio)) for c in _CLASSES))
                for column, attack, ratio in (
                    ("clean", "none", 0.0),
                    *((label, "quid", ratio) for ratio, label in _SHARES.items()),
                )
            ),
        ),
    ),
    analysis=quid_analysis.TARGETED,
)

_RELEASE = replace(_DEVICE, attacks=("protected-release",), ratios=(0.3, 0.5, 0.7))
_HOLDERS = {"without the key (thief)": False, "with the key (owner)": True}

PROTECTED = Item(
    name="extra-protected-release",
    title="Protected release: a thief against the owner",
    source="section 6 (Applications), not measured in the paper",
    question="How much worse is a model trained on a stolen, protected data set than the owner's?",
    setting=(
        *SETTING,
        "The data set is released with QUID's labels on a share of its samples; the key, which is "
        "ours, restores them. Noise 0.05. " + _EXACT,
    ),
    runs={
        f"{row}, {holder}": plan(replace(_RELEASE, with_key=key), data)
        for row, data in DATA_SETS.items()
        for holder, key in _HOLDERS.items()
    },
    table=tuple(
        Published(
            row=row,
            column=f"{100 * ratio:g} %: {holder}",
            paper=None,
            pick=accuracy(f"{row}, {holder}", "protected-release", ratio),
        )
        for row in DATA_SETS
        for ratio in _RELEASE.ratios
        for holder in _HOLDERS
    ),
    statements=tuple(
        Statement(
            text=f"On {row}, with {100 * ratio:g} % of the labels protected, a thief's model is "
            "worse than the owner's",
            source="section 6",
            quantity="accuracy, owner less thief",
            pick=replace(
                accuracy(f"{row}, with the key (owner)", "protected-release", ratio),
                less=accuracy(f"{row}, without the key (thief)", "protected-release", ratio),
            ),
            kind="positive",
        )
        for row in DATA_SETS
        for ratio in _RELEASE.ratios
    ),
    analysis=quid_analysis.PROTECTED,
)

_SHOTS = (100, 300, 1000, 3000, 10_000)
_ESTIMATES = {
    "Pauli measurements": "pauli",
    "classical shadows": "shadows",
    "randomised overlaps": "overlap",
    "qubit by qubit": "bloch",
}


def _states(label: str, shots: int) -> str:
    return f"{label}, {shots} shots"


TOMOGRAPHY = Item(
    name="extra-tomography",
    title="QUID from measurements",
    source="section 6 (Limitations)",
    question="The attacker cannot see states: how many shots does it take to estimate them well "
    "enough?",
    setting=(
        *SETTING,
        (
            "The attacker measures each state with a number of shots: all Pauli settings; "
            "classical shadows; randomised overlap estimates; or each qubit on its own, which is "
            "enough for the product states of this encoding and does not grow with the qubits. "
            "The page on distances says how each works."
        ),
        "Half of the samples of MNIST-4 are poisoned, noise 0.05. " + _EXACT,
    ),
    runs={
        "exact": replace(_DEVICE, attacks=("quid",)),
        **{
            _states(label, shots): replace(
                _DEVICE, attacks=("quid",), attacker_states=f"{name}:{shots}"
            )
            for label, name in _ESTIMATES.items()
            for shots in _SHOTS
        },
    },
    table=(
        *(
            Published(
                row=f"{label}: {row}",
                column=f"{shots} shots",
                paper=None,
                pick=Pick(run=_states(label, shots), metric=metric, tags=attacked("quid")),
            )
            for label in _ESTIMATES
            for row, metric in (("same label", "label_agreement"), ("accuracy", "accuracy"))
            for shots in _SHOTS
        ),
        Published(
            row="exact states: accuracy", column="exact", paper=None, pick=accuracy("exact", "quid")
        ),
    ),
    statements=tuple(
        Statement(
            text=f"What does an attacker with 1000 shots a state and {label} lose?",
            source="",
            quantity="accuracy after QUID, measured less exact states",
            pick=replace(accuracy(_states(label, 1000), "quid"), less=accuracy("exact", "quid")),
            kind="question",
        )
        for label in _ESTIMATES
    ),
    plots=(
        Plot(
            name="label-agreement",
            title="Labels that are those of exact states",
            kind="lines",
            x_title="shots for each state",
            y_title="poisoned samples",
            lines=tuple(
                Line(
                    name=label,
                    points=tuple(
                        (
                            float(shots),
                            Pick(
                                run=_states(label, shots),
                                metric="label_agreement",
                                tags=attacked("quid"),
                            ),
                        )
                        for shots in _SHOTS
                    ),
                )
                for label in _ESTIMATES
            ),
        ),
    ),
    analysis=quid_analysis.TOMOGRAPHY,
)

_WIDE = replace(VICTIM, features=200, qubits=100, noise=("none", _NOISE))
_ATTACKERS = {
    "Frobenius": {"metric": "frobenius"},
    "Frobenius, 300 shots": {"metric": "frobenius", "attacker_states": "bloch:300"},
    "fidelity": {"metric": "fidelity"},
    "fidelity, 300 shots": {"metric": "fidelity", "attacker_states": "bloch:300"},
}
_ENVIRONMENTS = {"noiseless": "none", "noise 0.05": _NOISE}


def _at(run: str, attack: str, noise: str, metric: str = "accuracy") -> Pick:
    return Pick(run=run, metric=metric, tags=attacked(attack) | {"noise": noise})


HUNDRED = Item(
    name="extra-100-qubits",
    title="QUID on 100 qubits",
    source="section 6 (Limitations: density matrices grow exponentially)",
    question="Is QUID out of reach for large encodings?",
    setting=(
        (
            "MNIST-4 as 200 latent features of the autoencoder, 2 features on each of 100 qubits, "
            "circuit 1. The encoded states are products: distances have a closed form, and 300 "
            "shots in all (100 for each axis, all qubits at once) estimate every qubit."
        ),
        "Half of the samples are poisoned. " + _EXACT,
        (
            "At this size overlaps of different states all but vanish. The paper's Frobenius norm "
            "then sees little but the purities; the fidelity compares the overlaps themselves."
        ),
    ),
    runs={
        name: replace(_WIDE, **knowledge)  # type: ignore[arg-type]
        for name, knowledge in _ATTACKERS.items()
    },
    table=tuple(
        Published(
            row=f"{environment}, {name}",
            column=column,
            paper=None,
            pick=_at(name, attack, noise, metric),
        )
        for environment, noise in _ENVIRONMENTS.items()
        for name in _ATTACKERS
        for column, attack, metric in (
            ("baseline", "none", "accuracy"),
            ("random", "random", "accuracy"),
            ("QUID", "quid", "accuracy"),
            ("QUID: seconds", "quid", "poison_seconds"),
        )
    ),
    statements=tuple(
        Statement(
            text=f"Does QUID harm more than random flips on 100 qubits ({name}, {environment})?",
            source="",
            quantity="accuracy, random flips less QUID",
            pick=replace(_at(name, "random", noise), less=_at(name, "quid", noise)),
            kind="question",
        )
        for environment, noise in _ENVIRONMENTS.items()
        for name in _ATTACKERS
    ),
    plots=(
        Plot(
            name="hundred",
            title="Accuracy after QUID on 100 qubits",
            kind="bars",
            x_title="what the attacker compares",
            y_title="test accuracy",
            lines=tuple(
                Line(
                    name=environment,
                    points=(
                        ("no attack", _at("fidelity", "none", noise)),
                        ("random flips", _at("fidelity", "random", noise)),
                        *((name, _at(name, "quid", noise)) for name in _ATTACKERS),
                    ),
                )
                for environment, noise in _ENVIRONMENTS.items()
            ),
        ),
    ),
    analysis=quid_analysis.HUNDRED,
)

_STEPS = (1e-5, 1e-3, 1e-2, 0.1, 0.3, 1.0)
_PENNYLANE = "PennyLane's default"


def _step(step: float) -> str:
    return f"step {step:g}"


SPSA_STEP = Item(
    name="extra-spsa-step",
    title="The step of SPSA",
    source="section 5.1 (SPSA, 1000 shots; no step given)",
    question="Does the step that the paper does not give decide its numbers?",
    setting=(
        *SETTING,
        (
            "Noise 0.05, 1000 shots, half of the training samples poisoned. One random direction "
            "for each batch; PennyLane's default is a step of 1e-5."
        ),
        "The linear layer's gradient is exact in all of them.",
    ),
    runs={
        **{_step(step): replace(NOISY, spsa_step=step) for step in _STEPS},
        _PENNYLANE: replace(NOISY, gradient="spsa-pennylane"),
        "exact gradient": _DEVICE,
    },
    table=tuple(
        Published(row=row, column=column, paper=None, pick=accuracy(row, attack))
        for row in (*map(_step, _STEPS), _PENNYLANE, "exact gradient")
        for column, attack in (("baseline", "none"), ("random", "random"), ("QUID", "quid"))
    ),
    statements=tuple(
        Statement(
            text=f"What does {row} cost against the exact gradient?",
            source="",
            quantity="clean accuracy, exact gradient less SPSA",
            pick=replace(accuracy("exact gradient"), less=accuracy(row)),
            kind="question",
        )
        for row in (*map(_step, _STEPS), _PENNYLANE)
    ),
    plots=(
        Plot(
            name="spsa-step",
            title="Accuracy over the step of SPSA, noise 0.05",
            kind="bars",
            x_title="step (radians)",
            y_title="test accuracy",
            lines=tuple(
                Line(
                    name=label,
                    points=(
                        *((f"{step:g}", accuracy(_step(step), attack)) for step in _STEPS),
                        ("exact", accuracy("exact gradient", attack)),
                    ),
                )
                for label, attack in (("baseline", "none"), ("random", "random"), ("QUID", "quid"))
            ),
        ),
    ),
    analysis=quid_analysis.SPSA_STEP,
)

_LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15)
_RATIOS = (0.3, 0.5)


def _level(level: float) -> str:
    return "none" if level == 0 else f"ad-dep:{level:g}"


_SWEEP = replace(VICTIM, noise=tuple(map(_level, _LEVELS)), ratios=_RATIOS)


def _drop(run: str, attack: str, ratio: float, noise: str, less: Pick | None = None) -> Pick:
    tags = attacked(attack, ratio) | {"noise": noise}
    return Pick(run=run, metric="accuracy_drop", tags=tags, less=less)


NOISE = Item(
    name="extra-noise",
    title="Does noise help or hurt QUID?",
    source="section 5.2 (noise makes QUID stronger); arXiv 2511.14989 says weaker",
    question="With gradient noise out of the way, does QUID cost more accuracy on a noisy device?",
    setting=(
        *SETTING,
        _EXACT + " Amplitude damping and depolarising with probability p after each gate.",
        (
            "The drop is the accuracy of the clean model of the same seed and noise, less that "
            "after the attack: a noisy model has less to lose."
        ),
        "Blind: the attacker reckons with no noise while the victim has it.",
    ),
    runs={
        **{row: plan(_SWEEP, data) for row, data in DATA_SETS.items()},
        **{
            f"{row}, blind": plan(replace(_SWEEP, attacks=("quid",), attacker_noise="none"), data)
            for row, data in DATA_SETS.items()
        },
    },
    table=(
        *(
            Published(
                row=f"{row}: {column}",
                column=f"p = {level:g}",
                paper=None,
                pick=accuracy(row, attack, noise=_level(level)),
            )
            for row in DATA_SETS
            for column, attack in (("baseline", "none"), ("random", "random"), ("QUID", "quid"))
            for level in _LEVELS
        ),
    ),
    statements=tuple(
        statement
        for row in DATA_SETS
        for ratio in _RATIOS
        for statement in (
            *(
                Statement(
                    text=f"QUID at {100 * ratio:g} % costs more on {row} at p = {level:g} than "
                    "without noise",
                    source="section 5.2 (for 50 %)",
                    quantity="accuracy drop, noisy less noiseless",
                    pick=_drop(
                        row, "quid", ratio, _level(level), _drop(row, "quid", ratio, "none")
                    ),
                    kind="positive",
                )
                for level in (0.05, 0.1)
            ),
            Statement(
                text=f"What does QUID at {100 * ratio:g} % gain on {row} from knowing the noise?",
                source="",
                quantity="accuracy drop at p = 0.1, knowing less blind",
                pick=_drop(
                    row,
                    "quid",
                    ratio,
                    _level(0.1),
                    _drop(f"{row}, blind", "quid", ratio, _level(0.1)),
                ),
                kind="question",
            ),
        )
    ),
    plots=tuple(
        Plot(
            name=f"drop-{100 * ratio:g}",
            title=f"Accuracy lost to QUID at {100 * ratio:g} %",
            kind="lines",
            x_title="noise p",
            y_title="accuracy drop",
            lines=tuple(
                Line(
                    name=row,
                    points=tuple(
                        (level, _drop(row, "quid", ratio, _level(level))) for level in _LEVELS
                    ),
                )
                for row in DATA_SETS
            ),
        )
        for ratio in _RATIOS
    ),
    analysis=quid_analysis.NOISE,
)

_KERNEL_RATIOS = (0.1, 0.3, 0.5, 0.7)

KERNEL = Item(
    name="extra-kernel",
    title="A quantum-kernel classifier as the victim",
    source="not in the paper",
    question="Does QUID harm a support-vector machine with the same encoding?",
    setting=(
        *SETTING,
        (
            "A support-vector machine (C = 1) on the kernel Tr(rho sigma) of the encoded states, "
            "noiseless and with noise 0.05."
        ),
    ),
    runs={
        row: plan(
            replace(
                VICTIM,
                model="quantum-kernel",
                noise=("none", _NOISE),
                ratios=_KERNEL_RATIOS,
            ),
            data,
        )
        for row, data in DATA_SETS.items()
    },
    table=tuple(
        Published(
            row=f"{row}, {environment}",
            column=column,
            paper=None,
            pick=accuracy(row, attack, ratio, noise=noise),
        )
        for row in DATA_SETS
        for environment, noise in _ENVIRONMENTS.items()
        for column, attack, ratio in (
            ("baseline", "none", 0.0),
            *(
                (f"{100 * r:g} %: {label}", attack, r)
                for r in _KERNEL_RATIOS
                for label, attack in (("random", "random"), ("QUID", "quid"))
            ),
        )
    ),
    statements=tuple(
        Statement(
            text=f"How much more than random flips does QUID at {100 * ratio:g} % harm a kernel "
            f"machine on {row}, {environment}?",
            source="",
            quantity="accuracy, random flips less QUID",
            pick=replace(
                accuracy(row, "random", ratio, noise=noise),
                less=accuracy(row, "quid", ratio, noise=noise),
            ),
            kind="question",
        )
        for row in DATA_SETS
        for environment, noise in _ENVIRONMENTS.items()
        for ratio in (0.3, 0.5)
    ),
    plots=tuple(
        Plot(
            name=f"kernel-{data}",
            title=f"{row}: kernel machine over the share of poisoned samples, noise 0.05",
            kind="lines",
            x_title="share poisoned",
            y_title="test accuracy",
            lines=tuple(
                Line(
                    name=label,
                    points=(
                        (0.0, accuracy(row, noise=_NOISE)),
                        *((r, accuracy(row, attack, r, noise=_NOISE)) for r in _KERNEL_RATIOS),
                    ),
                )
                for label, attack in (("random", "random"), ("QUID", "quid"))
            ),
        )
        for row, data in DATA_SETS.items()
    ),
    analysis=quid_analysis.KERNEL,
)

_CLASSICAL = {
    "random flips": "random",
    "QUID": "quid",
    "loss-maximising flips [25]": "loss-flip",
    "influence [17]": "influence",
    "min-max [17]": "min-max",
    "KKT [17]": "kkt",
    "gradient canceling [24]": "gradient-canceling",
}
_TABLE_1_RATIO = 0.3

TABLE_1 = Item(
    name="table-1",
    title="QUID beside the classical attacks",
    source="Table 1, section 2.3 (knowledge only, no numbers)",
    question="What do the classical attacks do to the same victim, at what cost, and what is left "
    "of it under noise?",
    setting=(
        *SETTING,
        "30 % of the training samples of MNIST-4 are poisoned. The attacker reckons with a "
        "noiseless victim; the poison is then given to a noiseless victim and to one with noise "
        "0.05. " + _EXACT,
        (
            "[25], [17] and [24] are the paper's references. The originals add samples; here, as "
            "in the paper, the size of the training set is fixed and samples are replaced."
        ),
    ),
    runs={
        _MNIST: replace(
            VICTIM,
            noise=("none", _NOISE),
            attacker_noise="none",
            attacks=tuple(_CLASSICAL.values()),
            ratios=(_TABLE_1_RATIO,),
        )
    },
    table=tuple(
        Published(
            row=label,
            column=column,
            paper=None,
            pick=Pick(
                run=_MNIST,
                metric=metric,
                tags=attacked(attack, _TABLE_1_RATIO) | {"noise": noise},
            ),
        )
        for label, attack in _CLASSICAL.items()
        for column, metric, noise in (
            ("accuracy, noiseless", "accuracy", "none"),
            ("accuracy, noise 0.05", "accuracy", _NOISE),
            ("drop, noiseless", "accuracy_drop", "none"),
            ("drop, noise 0.05", "accuracy_drop", _NOISE),
            ("trainings", "trainings", "none"),
            ("seconds", "poison_seconds", "none"),
        )
    ),
    statements=(
        *(
            Statement(
                text=f"Does QUID harm more than {label}, noiseless?",
                source="",
                quantity=f"accuracy, {label} less QUID",
                pick=replace(
                    harm(_MNIST, ratio=_TABLE_1_RATIO, against=attack),
                    tags=attacked(attack, _TABLE_1_RATIO) | {"noise": "none"},
                    less=accuracy(_MNIST, "quid", _TABLE_1_RATIO, noise="none"),
                ),
                kind="question",
            )
            for label, attack in _CLASSICAL.items()
            if attack != "quid"
        ),
        *(
            Statement(
                text=f"Noise takes some of the harm of {label}",
                source="Table 1, section 2.3 (not noise resilient)",
                quantity="accuracy drop, noiseless less noise 0.05",
                pick=replace(
                    Pick(
                        run=_MNIST,
                        metric="accuracy_drop",
                        tags=attacked(attack, _TABLE_1_RATIO) | {"noise": "none"},
                    ),
                    less=Pick(
                        run=_MNIST,
                        metric="accuracy_drop",
                        tags=attacked(attack, _TABLE_1_RATIO) | {"noise": _NOISE},
                    ),
                ),
                kind="positive",
            )
            for label, attack in _CLASSICAL.items()
            if "[" in label
        ),
        Statement(
            text="Does noise take some of the harm of QUID?",
            source="",
            quantity="accuracy drop, noiseless less noise 0.05",
            pick=replace(
                Pick(
                    run=_MNIST,
                    metric="accuracy_drop",
                    tags=attacked("quid", _TABLE_1_RATIO) | {"noise": "none"},
                ),
                less=Pick(
                    run=_MNIST,
                    metric="accuracy_drop",
                    tags=attacked("quid", _TABLE_1_RATIO) | {"noise": _NOISE},
                ),
            ),
            kind="question",
        ),
    ),
    plots=(
        Plot(
            name="classical",
            title="Accuracy with 30 % of the samples poisoned",
            kind="bars",
            x_title="attack",
            y_title="test accuracy",
            lines=tuple(
                Line(
                    name=environment,
                    points=(
                        ("none", accuracy(_MNIST, noise=noise)),
                        *(
                            (label, accuracy(_MNIST, attack, _TABLE_1_RATIO, noise=noise))
                            for label, attack in _CLASSICAL.items()
                        ),
                    ),
                )
                for environment, noise in _ENVIRONMENTS.items()
            ),
        ),
    ),
    analysis=quid_analysis.TABLE_1,
)
