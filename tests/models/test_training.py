"""Many trainings at once: each as if it were alone, and right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import angles, jobs, program, separable

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.models.training import Job, Trained, TrainingSettings, predict_scores, train_many
from bezoar.quantum.engines.gradients import SPSA, Exact, Gradient, ParameterShift
from bezoar.quantum.engines.sampling import SamplerKind

POOL = angles()

# A few steps of Adam on angles up to 6.3, in float32.
SINGLE = 1e-5


def largest_difference(some: list[Trained], others: list[Trained]) -> float:
    return max(
        float(np.abs(getattr(a, name) - getattr(b, name)).max())
        for a, b in zip(some, others, strict=True)
        for name in ("theta", "weight", "bias", "losses")
    )


# --- batching -------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", [Exact(), SPSA(directions=2), SPSA(shared=False)])
@pytest.mark.parametrize("noise", ["none", "ad-dep:0.05"])
def test_batching_changes_nothing_of_a_circuit_without_entanglers(
    noise: str, gradient: Gradient
) -> None:
    # No bit on the machines that we saw; the order of sums is the matrix library's choice, though.
    compiled = program("sim-1", noise, dtype="float32")
    how = TrainingSettings(epochs=3, learning_rate=0.05, gradient=gradient)
    together = train_many(compiled, POOL, jobs(9), how)
    for chunk in (1, 2, 5):
        assert (
            largest_difference(together, train_many(compiled, POOL, jobs(9), how, chunk=chunk))
            < SINGLE
        )


@pytest.mark.parametrize("ansatz", ["sim-2", "sim-6", "sim-8"])
def test_batching_changes_rounding_alone_of_a_circuit_with_entanglers(ansatz: str) -> None:
    # Matrix products of another height are summed in another order: 1e-15 a step.
    compiled = program(ansatz, "ad-dep:0.05")
    how = TrainingSettings(epochs=5, learning_rate=0.05)
    together = train_many(compiled, POOL, jobs(9), how)
    for chunk in (1, 4):
        apart = train_many(compiled, POOL, jobs(9), how, chunk=chunk)
        assert largest_difference(together, apart) < 1e-11


def test_batching_in_single_precision_stays_within_its_rounding() -> None:
    compiled = program("sim-6", "ad-dep:0.05", dtype="float32")
    how = TrainingSettings(epochs=10, learning_rate=0.01)
    together = train_many(compiled, POOL, jobs(9), how)
    # 6e-8 per operation, through 20 steps of Adam on angles up to 6.3: seen 3e-6.
    assert largest_difference(together, train_many(compiled, POOL, jobs(9), how, chunk=1)) < 1e-4


@settings(max_examples=10)
@given(order=st.permutations(range(6)), n_kept=st.integers(1, 6), chunk=st.integers(1, 7))
def test_a_training_does_not_depend_on_its_company(
    order: list[int], n_kept: int, chunk: int
) -> None:
    compiled = program("sim-1", dtype="float32")
    how = TrainingSettings(epochs=2, gradient=SPSA(), shots=50)
    everything = jobs(6)
    alone = {i: train_many(compiled, POOL, [everything[i]], how)[0] for i in order[:n_kept]}
    together = train_many(compiled, POOL, [everything[i] for i in order[:n_kept]], how, chunk=chunk)
    assert largest_difference(together, [alone[i] for i in order[:n_kept]]) < SINGLE


def test_early_stopping_does_not_depend_on_company() -> None:
    compiled = program("sim-1")
    how = TrainingSettings(epochs=15, learning_rate=0.2, patience=2)
    together = train_many(compiled, POOL, jobs(8, validation=10), how)
    alone = train_many(compiled, POOL, jobs(8, validation=10), how, chunk=1)
    assert len({t.epoch for t in together}) > 1
    for a, b in zip(together, alone, strict=True):
        assert a.epoch == b.epoch
        np.testing.assert_allclose(a.theta, b.theta, rtol=0, atol=1e-11)
        np.testing.assert_allclose(a.weight, b.weight, rtol=0, atol=1e-11)
        n_shared = min(len(a.losses), len(b.losses))
        np.testing.assert_allclose(a.losses[:n_shared], b.losses[:n_shared], rtol=0, atol=1e-11)


def test_encoding_the_pool_beforehand_changes_nothing() -> None:
    compiled = program("sim-8", "ad-dep:0.05")
    how = TrainingSettings(epochs=2)
    inputs = compiled.encode(POOL)
    given_inputs = train_many(compiled, POOL, jobs(3), how, inputs=inputs)
    assert largest_difference(given_inputs, train_many(compiled, POOL, jobs(3), how)) == 0


# --- against an independent loop ------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize(("ansatz", "noise"), [("sim-1", "none"), ("sim-8", "ad-dep:0.05")])
def test_training_is_what_torch_would_do(ansatz: str, noise: str, optimizer: str) -> None:
    compiled = program(ansatz, noise)
    (job,) = jobs(1)
    how = TrainingSettings(epochs=4, batch_size=8, learning_rate=0.05, optimizer=optimizer)
    (one_epoch,) = train_many(
        compiled, POOL, [job], TrainingSettings(epochs=1, learning_rate=1e-300)
    )
    start = [one_epoch.theta, one_epoch.weight, one_epoch.bias]
    (ours,) = train_many(compiled, POOL, [job], how)
    theirs, losses = torch_training(compiled, job, how, start)
    # float64; Adam's epsilon enters at another place than torch's by rounding alone.
    for mine, reference in zip((ours.theta, ours.weight, ours.bias), theirs, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.losses, losses, rtol=0, atol=1e-9)


def torch_training(
    compiled: Any, job: Job, how: TrainingSettings, start: list[np.ndarray]
) -> tuple[list[np.ndarray], list[float]]:
    from bezoar.contracts.seeds import generator

    theta, weight, bias = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in start)
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[how.optimizer]
    optimizer = kind([theta, weight, bias], lr=how.learning_rate)
    inputs = compiled.encode(POOL)
    shuffle = generator(job.seed, "shuffle")
    losses = []
    for _ in range(how.epochs):
        order = shuffle.permutation(len(job.train))
        total = 0.0
        for first in range(0, len(order), how.batch_size):
            part = order[first : first + how.batch_size]
            index = torch.as_tensor(job.train[part])[None]
            z = compiled.expectations(theta[None], inputs, index)[0]
            loss = torch.nn.functional.cross_entropy(
                z @ weight + bias, torch.as_tensor(job.labels[part])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(part)
        losses.append(total / len(order))
    return [t.detach().numpy() for t in (theta, weight, bias)], losses


def test_parameter_shift_without_shots_is_the_exact_gradient() -> None:
    compiled = program("sim-8", "ad-dep:0.05")
    shifted = train_many(
        compiled, POOL, jobs(3), TrainingSettings(epochs=3, gradient=ParameterShift())
    )
    exact = train_many(compiled, POOL, jobs(3), TrainingSettings(epochs=3))
    # float64, but Adam divides gradients that nearly vanish by their own size.
    assert largest_difference(shifted, exact) < 1e-8


def test_initial_weights_are_of_the_seed_alone() -> None:
    compiled = program()
    still = TrainingSettings(epochs=1, learning_rate=1e-300)
    first, again = (train_many(compiled, POOL, jobs(1), still)[0] for _ in range(2))
    np.testing.assert_array_equal(first.theta, again.theta)
    assert first.theta.min() >= 0
    assert first.theta.max() < 2 * np.pi
    assert np.abs(first.weight).max() <= 1 / np.sqrt(2)
    other = train_many(compiled, POOL, jobs(2)[1:], still)[0]
    assert not np.array_equal(first.theta, other.theta)


# --- learning -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "shots"),
    [
        (Exact(), None),
        (SPSA(step=0.1), None),
        (SPSA(step=0.2), 1000),
        (ParameterShift(), None),
        (ParameterShift(), 200),
    ],
)
@pytest.mark.parametrize("ansatz", ["sim-1", "sim-2"])
def test_every_gradient_learns_what_can_be_parted(
    ansatz: str, gradient: Gradient, shots: int | None
) -> None:
    features, codes = separable()
    compiled = program(ansatz, dtype="float32")
    how = TrainingSettings(
        epochs=20, batch_size=16, learning_rate=0.1, gradient=gradient, shots=shots
    )
    three = [Job(train=np.arange(60), labels=codes, n_classes=2, seed=seed) for seed in range(3)]
    trained = train_many(compiled, features, three, how)
    scores = predict_scores(compiled, compiled.encode(features), trained)
    # The clouds are ten standard deviations apart.
    assert (scores.argmax(axis=2) == codes).mean() > 0.95
    assert all(t.losses[-1] < t.losses[0] for t in trained)


@pytest.mark.parametrize(
    ("ansatz", "sampler"),
    [("sim-1", "auto"), ("sim-2", "auto"), ("sim-2", "gaussian"), ("sim-1", "joint")],
)
def test_shots_are_of_the_seed_alone(ansatz: str, sampler: SamplerKind) -> None:
    compiled = program(ansatz)
    how = TrainingSettings(epochs=2, gradient=SPSA(step=0.1), shots=20, sampler=sampler)
    first = train_many(compiled, POOL, jobs(4), how)
    assert largest_difference(first, train_many(compiled, POOL, jobs(4), how)) == 0
    # Entanglers round differently in another company, and a draw may land on the other side.
    if ansatz == "sim-1":
        assert largest_difference(first, train_many(compiled, POOL, jobs(4), how, chunk=1)) < 1e-11
    more = TrainingSettings(epochs=2, gradient=SPSA(step=0.1), shots=21, sampler=sampler)
    assert largest_difference(first, train_many(compiled, POOL, jobs(4), more)) > 0


def test_many_shots_approach_exact_expectations() -> None:
    compiled = program("sim-1")
    how = {"epochs": 3, "gradient": ParameterShift(), "optimizer": "sgd", "learning_rate": 0.05}
    exact = train_many(compiled, POOL, jobs(4), TrainingSettings(**how))  # type: ignore[arg-type]
    shots = TrainingSettings(**how, shots=10**8)  # type: ignore[arg-type]
    # The standard error of an expectation is 1e-4 at most.
    assert largest_difference(exact, train_many(compiled, POOL, jobs(4), shots)) < 1e-3


# --- early stopping -------------------------------------------------------------------------


def test_the_best_epoch_is_kept() -> None:
    compiled = program("sim-1")
    all_epochs = TrainingSettings(epochs=12, learning_rate=0.3, patience=12, tolerance=0.0)
    for job, kept in zip(
        jobs(4, validation=12),
        train_many(compiled, POOL, jobs(4, validation=12), all_epochs),
        strict=True,
    ):
        losses = [validation_loss(compiled, job, epochs) for epochs in range(1, 13)]
        assert kept.epoch == 1 + int(np.argmin(losses))
        shorter = TrainingSettings(epochs=kept.epoch, learning_rate=0.3)
        (again,) = train_many(compiled, POOL, [job], shorter)
        np.testing.assert_allclose(kept.theta, again.theta, rtol=0, atol=1e-12)
        np.testing.assert_allclose(kept.bias, again.bias, rtol=0, atol=1e-12)


def validation_loss(compiled: Any, job: Job, epochs: int) -> float:
    (trained,) = train_many(
        compiled, POOL, [job], TrainingSettings(epochs=epochs, learning_rate=0.3)
    )
    assert job.validation is not None
    assert job.validation_labels is not None
    scores = predict_scores(compiled, compiled.encode(POOL[job.validation]), [trained])[0]
    return -float(np.log(scores[np.arange(len(scores)), job.validation_labels]).mean())


def test_patience_ends_a_training_that_gets_no_better() -> None:
    compiled = program("sim-1")
    how = TrainingSettings(epochs=500, learning_rate=0.3, patience=3)
    (trained,) = train_many(compiled, POOL, jobs(1, validation=12), how)
    assert trained.epoch + 3 == len(trained.losses) < 500


def test_patience_without_validation_samples_is_refused() -> None:
    with pytest.raises(InvalidData, match="validation samples in every job"):
        train_many(program(), POOL, jobs(2), TrainingSettings(patience=2))


# --- scores ---------------------------------------------------------------------------------


def test_scores_are_the_softmax_of_the_linear_layer() -> None:
    compiled = program("sim-8", "ad-dep:0.05")
    two = [j for j in jobs(4) if j.n_classes == 3]
    trained = train_many(compiled, POOL, two, TrainingSettings(epochs=1))
    inputs = compiled.encode(POOL)
    scores = predict_scores(compiled, inputs, trained)
    assert scores.shape == (2, 60, 3)
    np.testing.assert_allclose(scores.sum(axis=2), 1, rtol=0, atol=1e-12)
    for model, found in zip(trained, scores, strict=True):
        raw = np.exp(compiled.run(POOL, model.theta) @ model.weight + model.bias)
        np.testing.assert_allclose(found, raw / raw.sum(1, keepdims=True), rtol=0, atol=1e-12)
    index = np.array([[3, 1], [0, 59]])
    picked = predict_scores(compiled, inputs, trained, index)
    for t in range(2):
        np.testing.assert_allclose(picked[t], scores[t, index[t]], rtol=0, atol=1e-12)


# --- what is refused, and interruption ------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"train": np.arange(0), "labels": np.arange(0)},
        {"labels": np.zeros(3, dtype=int)},
        {"train": np.array([0, 60]), "labels": np.array([0, 1])},
        {"train": np.array([-1, 0]), "labels": np.array([0, 1])},
        {"train": np.array([0, 1]), "labels": np.array([0, 2])},
        {"train": np.array([0, 1]), "labels": np.array([-1, 1])},
    ],
)
def test_jobs_that_cannot_be_trained_are_refused(change: dict[str, Any]) -> None:
    job: dict[str, Any] = {"train": np.arange(4), "labels": np.arange(4) % 2}
    job |= {"n_classes": 2, "seed": 0} | change
    with pytest.raises(InvalidData):
        train_many(program(), POOL, [*jobs(1), Job(**job)])


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"optimizer": "rmsprop"},
        {"shots": 100},
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(change))):
        TrainingSettings(**change)


def test_no_jobs_make_no_models() -> None:
    assert train_many(program(), POOL, []) == []


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    compiled = program()
    whole = train_many(compiled, POOL, jobs(1), TrainingSettings(epochs=3, batch_size=20))
    larger = train_many(compiled, POOL, jobs(1), TrainingSettings(epochs=3, batch_size=10**6))
    assert largest_difference(whole, larger) == 0


def test_progress_counts_epochs_of_all_trainings() -> None:
    told: list[tuple[str, int, int]] = []
    train_many(
        program(),
        POOL,
        jobs(5),
        TrainingSettings(epochs=2),
        progress=lambda task, done, total: told.append((task, done, total)),
    )
    assert told[-1] == ("train", 10, 10)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_an_interruption_goes_through_and_leaves_nothing_behind() -> None:
    compiled = program("sim-2")
    how = TrainingSettings(epochs=3)
    before = train_many(compiled, POOL, jobs(3), how)

    def interrupt(task: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_many(compiled, POOL, jobs(3), how, progress=interrupt)
    assert largest_difference(before, train_many(compiled, POOL, jobs(3), how)) == 0
