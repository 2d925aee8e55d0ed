from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from bezoar.contracts.errors import InvalidArgument, UnknownName
from bezoar.models.hybrid import HybridNetwork, NetworkSettings, QuantumHead, build_network


def n_weights(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("trunk", "head", "total"),
    [
        ("resnet-18", "quantum", 11_181_812),  # table 3 of the paper
        ("resnet-18", "linear", 11_181_862),  # table 3 of the paper
        ("resnet-50", "quantum", 23_508_032 + 2048 * 10 + 10 + 60 + 110),
        ("resnet-50", "linear", 23_508_032 + 2048 * 10 + 10 + 110 + 110),
    ],
)
def test_totals_are_those_of_the_paper(trunk, head, total):
    assert n_weights(
        build_network(NetworkSettings(n_classes=10, trunk=trunk, head=head), seed=0)
    ) == (total)


@pytest.mark.parametrize(
    ("head", "counts"), [("quantum", [5120, 60, 100]), ("linear", [5120, 100, 100])]
)
def test_fully_connected_layers_are_those_of_table_2(head, counts):
    network: Any = build_network(
        NetworkSettings(n_classes=10, trunk="resnet-18", head=head), seed=0
    )
    weights = dict(network.head.named_parameters())
    assert [weights[name].numel() for name in network.head.fully_connected] == counts


def reference(
    state: dict[str, torch.Tensor], images: torch.Tensor, bottleneck: bool
) -> torch.Tensor:
    """A ResNet in evaluation, written out over torchvision's names."""

    def conv(x, name, stride=1):
        weight = state[f"{name}.weight"]
        return functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(x, name):
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.batch_norm(x, mean, variance, weight, bias)

    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x = functional.relu(norm(conv((images - mean) / std, "conv1", 2), "bn1"))
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in state:
            at = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            strides = (1, stride, 1) if bottleneck else (stride, 1)
            out = x
            for i, step in enumerate(strides, 1):
                out = norm(conv(out, f"{at}.conv{i}", step), f"{at}.bn{i}")
                out = functional.relu(out) if i < len(strides) else out
            if f"{at}.downsample.0.weight" in state:
                x = norm(conv(x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
            x = functional.relu(x + out)
            block += 1
    return x.mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("trunk", "stages"), [("resnet-18", 4), ("resnet-18", 2), ("resnet-50", 4)]
)
def test_a_resnet_is_the_written_out_one(trunk, stages):
    made = NetworkSettings(n_classes=2, trunk=trunk, stages=stages, head="tanh")
    network: Any = build_network(made, seed=1).eval()
    stream = torch.Generator().manual_seed(0)
    for name, values in network.trunk.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            values.normal_(0, 0.1, generator=stream)
        if name.endswith("running_var"):
            values.uniform_(0.5, 2, generator=stream)
    images = torch.rand(2, 3, 64, 64, generator=stream)
    with torch.no_grad():
        found = network.features(images)
        wanted = reference(network.trunk.state_dict(), images, trunk == "resnet-50")
    # Float32 sums in another order, through up to 50 layers.
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert found.shape == (2, network.trunk.n_features)


def test_names_are_those_of_torchvision():
    whole = build_network(
        NetworkSettings(n_classes=2, trunk="resnet-18", head="tanh"), seed=0
    ).trunk
    names = list(whole.state_dict())
    assert len(names) == 122 - 2  # torchvision's resnet18, without fc.weight and fc.bias
    assert names[:2] == ["conv1.weight", "bn1.weight"]
    assert {"layer2.0.downsample.0.weight", "layer4.1.bn2.num_batches_tracked"} <= set(names)
    deep = build_network(NetworkSettings(n_classes=2, trunk="resnet-50", head="tanh"), seed=0).trunk
    assert len(deep.state_dict()) == 320 - 2
    assert "layer1.0.conv3.weight" in deep.state_dict()


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_stages_are_submodules_in_order(stages):
    made = NetworkSettings(n_classes=2, trunk="resnet-18", stages=stages, head="tanh")
    trunk: Any = build_network(made, seed=0).trunk.eval()
    assert trunk.stage_names == ("stem", *(f"layer{i + 1}" for i in range(stages)))
    x = trunk.prepare(torch.rand(2, 3, 32, 32))
    for name in trunk.stage_names:
        x = trunk.get_submodule(name)(x)
    assert x.shape[1] == trunk.n_features == 64 * 2 ** (stages - 1)
    last = [m for m in trunk.modules() if isinstance(m, nn.Conv2d)][-1]
    assert trunk.last_convolution is last
    assert last.out_channels == trunk.n_features


@settings(max_examples=8, deadline=None)  # networks
@given(
    head=st.sampled_from(["quantum", "linear", "tanh"]),
    trunk=st.sampled_from(["small", "none"]),
    width=st.integers(2, 5),
    n_classes=st.integers(2, 6),
    batch=st.integers(2, 5),
)
def test_any_network_gives_a_logit_per_class(head, trunk, width, n_classes, batch):
    made = NetworkSettings(
        n_classes=n_classes,
        trunk=trunk,
        head=head,
        width=width,
        n_features=7 if trunk == "none" else None,
    )
    network: Any = build_network(made, seed=0)
    shape = (batch, 7) if trunk == "none" else (batch, 3, 32, 32)
    reduced = []
    network.head.reduce.register_forward_hook(lambda _module, _inputs, out: reduced.append(out))
    logits = network(torch.rand(shape))
    assert logits.shape == (batch, n_classes)
    assert reduced[0].shape == (batch, width)
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_seed_gives_the_weights_and_torch_is_left_alone():
    before = torch.get_rng_state()
    made = NetworkSettings(n_classes=3, width=4)
    one, same, other = (build_network(made, seed=s).state_dict() for s in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    for name in ("trunk.stem.0.weight", "head.reduce.weight", "head.circuit.weights"):
        assert not torch.equal(one[name], other[name])


def test_heads_begin_with_equal_weights():
    heads = [
        build_network(NetworkSettings(n_classes=3, head=kind), seed=5).state_dict()
        for kind in ("quantum", "linear", "tanh")
    ]
    for name in ("trunk.layer2.0.weight", "head.reduce.weight", "head.classify.bias"):
        assert all(torch.equal(head[name], heads[0][name]) for head in heads)


def test_a_trunk_of_the_users_takes_our_head():
    mine = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = HybridNetwork(trunk=mine, head=QuantumHead(6, 4, width=3, layers=2, seed=1))
    assert network(torch.rand(5, 1, 9, 9)).shape == (5, 4)
    assert network.settings is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"trunk": "resnet-34"}, "trunk: wanted one of small, resnet-18"),
        ({"head": "quantm"}, "did you mean 'quantum'"),
        ({"entangler": "star"}, "ring, chain"),
        ({"n_classes": 1}, "n_classes"),
        ({"n_classes": 10**9}, "at most"),
        ({"width": 0}, "width"),
        ({"layers": 2.5}, "layers"),
        ({"image_size": True}, "image_size"),
        ({"shots": 0}, "shots"),
        ({"noise": None}, "noise"),
        ({"trunk": "resnet-18", "stages": 5}, "stages: wanted 1 to 4"),
        ({"trunk": "resnet-18", "channels": 1}, "repeat a grey image"),
        ({"trunk": "none"}, "n_features"),
        ({"n_features": 5}, "n_features"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, words):
    with pytest.raises(InvalidArgument, match=words):
        NetworkSettings(**{"n_classes": 3, **wrong})


def test_no_convolution_and_no_stage_are_told():
    trunk: Any = build_network(
        NetworkSettings(n_classes=2, trunk="none", n_features=3), seed=0
    ).trunk
    with pytest.raises(InvalidArgument, match="convolution"):
        _ = trunk.last_convolution
    small: Any = build_network(NetworkSettings(n_classes=2, head="tanh"), seed=0).trunk
    with pytest.raises(UnknownName, match="did you mean 'layer2'"):
        small.parted("layer3")
