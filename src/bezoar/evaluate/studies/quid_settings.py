"""What all items of the QUID paper share: data sets, the victim, the noise."""

from __future__ import annotations

from dataclasses import replace

from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.study import Pick, Tags

DATA_SETS = {
    "MNIST-4": "mnist-4",
    "Fashion-4": "fashion-4",
    "Kuzushiji-4": "kuzushiji-4",
    "Letters-4": "letters-4",
}

# Section 5.1: 1000 samples, 700/300, d = 8, 4 qubits with 2 features each, circuit 1, 30 epochs.
VICTIM = AuditPlan(
    data="mnist-4",
    samples=1000,
    fresh_samples=True,
    features=8,
    reduce="pool-autoencoder",
    axes="XZ",
    ansatz="sim-1",
    noise=("none",),
    attacks=("random", "quid"),
    ratios=(0.5,),
    detectors=(),
    seeds=10,
    test=0.3,
)

# Section 5.1: SPSA and 1000 shots on noisy devices; the step and the directions are not given.
NOISY = replace(VICTIM, noise=("ad-dep:0.05",), gradient="spsa", shots=1000)

SETTING = (
    (
        "1000 samples drawn afresh for each seed from the official train file, 700 to train on "
        "and 300 to test on, every class in proportion. 8 latent features of a convolutional "
        "autoencoder that was trained once on the whole train file, without labels."
    ),
    (
        "Not in the paper, and chosen here: the autoencoder's layers and epochs; features scaled "
        "to [0, pi]; RX before RZ on each qubit (the orders and ranges that were tried otherwise "
        "do not reproduce Table 2); one layer; which samples are poisoned (at random, the same "
        "for all attacks of a seed)."
    ),
    (
        "The attacker knows the encoding circuit and its noise, and compares exact states with the "
        "Frobenius norm."
    ),
)

NOISY_SETTING = (
    "Noisy training: amplitude damping, then depolarising, after each gate, encoding included; "
    "SPSA with a step of 0.01 and one direction, 1000 shots for each circuit (step and directions "
    "are not in the paper)."
)

NOISELESS_SETTING = (
    "Noiseless training: exact gradients and expectations (the paper's adjoint method is analytic, "
    "so its 1000 shots cannot apply)."
)


def plan(base: AuditPlan, data: str, **changes: object) -> AuditPlan:
    """`base` for another data set."""
    return replace(base, data=data, **changes)  # type: ignore[arg-type]


def accuracy(run: str, attack: str = "none", ratio: float = 0.5, **tags: str | float) -> Pick:
    """Accuracy after an attack."""
    return Pick(run=run, metric="accuracy", tags=attacked(attack, ratio) | tags)


def attacked(attack: str, ratio: float = 0.5) -> dict[str, str | float]:
    """The tags of a cell."""
    return {"attack": attack} if attack == "none" else {"attack": attack, "ratio": ratio}


def less(run: str, metric: str, more: Tags, less_of: Tags) -> Pick:
    """A difference of two quantities of one run."""
    return Pick(run=run, metric=metric, tags=more, less=Pick(run=run, metric=metric, tags=less_of))


def harm(run: str, attack: str = "quid", ratio: float = 0.5, against: str = "random") -> Pick:
    """How much lower the accuracy is after `attack` than after `against`."""
    return less(run, "accuracy", attacked(against, ratio), attacked(attack, ratio))
