from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData, UnknownName
from bezoar.contracts.progress import silent
from bezoar.models.hybrid import (
    FitSettings,
    HybridNetwork,
    NetworkSettings,
    QuantumHead,
    TanhHead,
    build_network,
    fit_network,
    frozen,
    logits_of,
)

TINY = NetworkSettings(n_classes=10, head="tanh", width=4)
SHORT = FitSettings(warm_up=1, epochs=2, precision="float32")


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: array.clone() for name, array in network.state_dict().items()}


def fitted(digits, made=TINY, settings=SHORT, *, n=64, seed=0, **options):
    images, labels = digits
    network = build_network(made, seed=0)
    return network, fit_network(network, images[:n], labels[:n], settings, seed=seed, **options)


@pytest.mark.parametrize("head", ["quantum", "linear", "tanh"])
def test_digits_are_learnt_in_seconds(digits, head):
    images, labels = digits
    network = build_network(NetworkSettings(n_classes=10, head=head), seed=0)
    settings = FitSettings(warm_up=0, epochs=5, learning_rate=4e-3, precision="float32")
    history = fit_network(network, images[:800], labels[:800], settings, seed=0)
    accuracy = (logits_of(network, images[800:]).argmax(1) == labels[800:]).mean()
    # 0.95 to 0.98 was measured with 1,000 samples; chance is 0.1.
    assert accuracy > 0.9
    assert history.mean_losses[-1] < 0.4 < history.mean_losses[0]


def test_equal_arguments_give_equal_weights_and_torch_is_left_alone(digits):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    one, first = fitted(digits)
    two, second = fitted(digits)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert np.array_equal(first.losses, second.losses)
    other = weights_of(two)
    assert all(torch.equal(array, other[name]) for name, array in weights_of(one).items())
    _, third = fitted(digits, seed=1)
    assert not np.array_equal(first.losses, third.losses)


def test_history_has_a_loss_for_each_sample_in_each_epoch(digits):
    network, history = fitted(digits)
    assert history.losses.shape == (3, 64)
    assert history.losses.dtype == np.float32
    assert np.isfinite(history.losses).all()
    assert history.n_warm_up == 1
    assert not network.training


def test_warm_up_moves_the_head_alone(digits):
    before = weights_of(build_network(TINY, seed=0))
    after = weights_of(fitted(digits, settings=FitSettings(warm_up=2, epochs=0))[0])
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head"}


def test_stages_below_stay_as_they_are_statistics_included(digits):
    before = weights_of(build_network(TINY, seed=0))
    settings = FitSettings(warm_up=0, epochs=1, train_from="layer1")
    after = weights_of(fitted(digits, settings=settings)[0])
    moved = {
        name.removeprefix("trunk.").split(".")[0]
        for name in before
        if not torch.equal(before[name], after[name])
    }
    assert moved == {"head", "layer1", "layer2"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_maps_in_a_file_train_as_those_in_memory_do(digits, monkeypatch, tmp_path, precision):
    settings = FitSettings(warm_up=1, epochs=1, train_from="layer2", precision=precision)
    told = []
    note = lambda *work: told.append(work)  # noqa: E731
    _, in_memory = fitted(digits, settings=settings, progress=note)
    monkeypatch.setattr(frozen, "MEMORY_LIMIT", 0)
    _, in_file = fitted(digits, settings=settings)
    assert np.array_equal(in_memory.losses, in_file.losses)
    assert not list((tmp_path / "cache" / "maps").iterdir())
    assert told[0] == ("frozen stages", 64, 64)
    assert told[-1] == ("train", 4, 4)
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileProblem, match="cannot be made as a folder"):
        fitted(digits, settings=settings)


def test_maps_of_frozen_stages_give_what_the_whole_trunk_gives(digits):
    images, _ = digits
    network: Any = build_network(TINY, seed=0).eval()
    below, above = network.trunk.parted("layer2")
    with (
        torch.no_grad(),
        frozen.frozen_maps(
            lambda x: network.trunk.run(x, below), images[:20], progress=silent
        ) as rows,
    ):
        positions = np.array([7, 3, 19])
        found = network.trunk.pool(network.trunk.run(rows(positions), above))
        wanted = network.features(torch.from_numpy(images[positions]))
    # Sums over another batch may be in another order.
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_frozen_trunk_is_run_once_from_call_to_call(digits, monkeypatch):
    settings = FitSettings(warm_up=0, epochs=1, train_from="head")
    before = weights_of(build_network(TINY, seed=0))
    network, first = fitted(digits, settings=settings)
    assert all(torch.equal(before[n], a) for n, a in weights_of(network).items() if "trunk" in n)
    monkeypatch.setattr("bezoar.models.hybrid.trunk.StagedTrunk.run", None)
    monkeypatch.setattr("bezoar.models.hybrid.fitting.checked_labels", lambda _, __, codes: codes)
    _, second = fitted(digits, settings=settings)
    assert np.array_equal(first.losses, second.losses)


def test_the_hook_sees_each_epoch_in_evaluation_and_changes_nothing(digits):
    images, _ = digits
    seen = []

    def look(epoch: int, network: HybridNetwork) -> None:
        assert not any(module.training for module in network.modules())
        seen.append((epoch, logits_of(network, images[:4])))

    network, history = fitted(digits, after_epoch=look)
    assert [epoch for epoch, _ in seen] == [0, 1, 2]
    assert np.array_equal(seen[-1][1], logits_of(network, images[:4]))
    _, unseen = fitted(digits)
    assert np.array_equal(history.losses, unseen.losses)


def test_a_hook_changes_nothing_with_shots_either(digits):
    made = NetworkSettings(n_classes=10, width=3, layers=1, shots=20)
    _, seen = fitted(digits, made, after_epoch=lambda _epoch, _network: None)
    _, unseen = fitted(digits, made)
    assert np.array_equal(seen.losses, unseen.losses)


@pytest.mark.parametrize("train_from", ["stem", "head"])
def test_decay_slows_the_later_epochs(digits, train_from):
    rates = {"decay": 1e-9, "decay_every": 1, "head_learning_rate": 1e-2}
    settings = FitSettings(warm_up=0, epochs=3, train_from=train_from, **rates)
    steps = []

    def look(_epoch: int, network: HybridNetwork) -> None:
        steps.append(weights_of(network)["head.reduce.weight"])

    fitted(digits, settings=settings, after_epoch=look)
    assert (steps[1] - steps[0]).abs().max() < 1e-6 < steps[0].abs().max()


def test_one_sample_too_many_joins_the_batch_before(digits):
    _, history = fitted(digits, n=33)
    assert np.isfinite(history.losses).all()


def test_a_loss_that_is_not_finite_is_told(digits):
    network: Any = build_network(TINY, seed=0)
    with torch.no_grad():
        network.head.classify.weight.fill_(3e38)
    with pytest.raises(InvalidData, match=r"finite losses.*epoch 1.*learning rates"):
        fit_network(network, digits[0][:64], digits[1][:64], SHORT, seed=0)
    assert not network.training


def test_tabular_features_train_a_head(digits):
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    features = rng.normal(size=(80, 5)) + 3 * labels[:, None]
    made = NetworkSettings(n_classes=2, trunk="none", n_features=5, width=3, layers=2)
    network = build_network(made, seed=0)
    settings = FitSettings(warm_up=0, epochs=20, head_learning_rate=2e-2, decay=1.0)
    fit_network(network, features, labels, settings, seed=0)
    # Two clouds that are 6.7 standard deviations apart.
    assert (logits_of(network, features).argmax(1) == labels).mean() > 0.95


@pytest.mark.parametrize("train_from", ["stem", "head"])
def test_a_trunk_of_the_users_trains_whole_or_not_at_all(digits, train_from):
    images, labels = digits
    weights = torch.linspace(-1, 1, 8 * 48).view(8, 48)
    trunk: Any = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 8))
    with torch.no_grad():
        trunk[2].weight.copy_(weights)
    network = HybridNetwork(trunk=trunk, head=QuantumHead(8, 10, width=3, layers=2))
    settings = FitSettings(warm_up=1, epochs=1, train_from=train_from)
    fit_network(network, images[:64], labels[:64], settings, seed=0)
    assert torch.equal(trunk[2].weight, weights) == (train_from == "head")
    with pytest.raises(UnknownName, match="stem, head"):
        fit_network(network, images[:64], labels[:64], FitSettings(train_from="2"), seed=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x[:, :1], y), r"images: wanted shape \(sample, 3, 32, 32\)"),
        (lambda x, y: (x[:, :, :16], y), "resize"),
        (lambda x, y: (255 * x, y), "divide 8-bit pixels by 255"),
        (lambda x, y: (np.full_like(x, np.nan), y), "NaN"),
        (lambda x, y: (x.astype(object), y), "numbers"),
        (lambda x, y: (x[:0], y[:0]), "one or more"),
        (lambda x, y: (x[:1], y[:1]), "two classes"),
        (lambda x, y: (x, np.zeros_like(y)), "two classes"),
        (lambda x, y: (x, y + 1), "codes from 0 to 9"),
        (lambda x, y: (x, y[:-1]), "one for each image"),
        (lambda x, y: (x, y.astype(float)), "whole numbers"),
    ],
)
def test_data_that_do_not_fit_are_refused(digits, change, words):
    images, labels = change(digits[0][:40], digits[1][:40])
    with pytest.raises(InvalidData, match=words):
        fit_network(build_network(TINY, seed=0), images, labels, SHORT, seed=0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"epochs": -1}, "epochs"),
        ({"warm_up": 0, "epochs": 0}, "one epoch or more"),
        ({"batch_size": 1}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"theta_learning_rate": True}, "theta_learning_rate"),
        ({"decay": 1.5}, "decay"),
        ({"precision": "float16"}, "auto, float32, bfloat16"),
    ],
)
def test_settings_of_training_are_checked(wrong, words):
    with pytest.raises(InvalidArgument, match=words):
        FitSettings(**wrong)


def test_a_stage_a_seed_and_a_device_are_checked(digits):
    with pytest.raises(UnknownName, match="did you mean 'layer2'"):
        fitted(digits, settings=FitSettings(train_from="layer3"))
    with pytest.raises(InvalidArgument, match="seed"):
        fitted(digits, seed=-1)
    for device in ("meta", "nowhere"):
        with pytest.raises(InvalidArgument, match="device"):
            fitted(digits, settings=FitSettings(device=device))


def test_scores_do_not_depend_on_the_mode_or_change_it(digits):
    images, _ = digits
    network: Any = build_network(TINY, seed=0)
    network.head.train()
    network.trunk.eval()
    one = logits_of(network, images[:9], batch_size=4)
    assert network.head.training
    assert not network.trunk.training
    assert one.shape == (9, 10)
    assert one.dtype == np.float32
    # Sums over another batch may be in another order.
    assert np.allclose(one, logits_of(network.eval(), images[:9]), atol=1e-5)
    half = logits_of(network, images[:9], precision="bfloat16")
    assert 0 < np.abs(half - one).max() < 0.1  # 8 bits of logits near 1
    with pytest.raises(InvalidArgument, match="batch_size"):
        logits_of(network, images, batch_size=0)


def test_a_head_alone_is_a_module_with_gradients():
    head = TanhHead(6, 3, width=2)
    features = torch.rand(5, 6, requires_grad=True)
    head(features).sum().backward()
    assert features.grad is not None
