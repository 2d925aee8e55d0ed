import hashlib
import io
import os
import pickle
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bezoar.contracts.errors import FileProblem, InvalidArgument, MissingExtra
from bezoar.models.hybrid import NetworkSettings, build_network
from bezoar.models.hybrid import weights as weights_module
from bezoar.models.hybrid.batch_norm import calibrate, is_folded

MADE = NetworkSettings(n_classes=2, trunk="resnet-18", stages=1, head="tanh", image_size=64)


def trained_looking(settings: NetworkSettings = MADE) -> Any:
    """A trunk whose batch norms do something."""
    trunk: Any = build_network(settings, seed=3).trunk.eval()
    stream = torch.Generator().manual_seed(0)
    for name, values in trunk.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            values.normal_(0, 0.2, generator=stream)
        if name.endswith("running_var") or ("bn" in name and name.endswith("weight")):
            values.uniform_(0.5, 2, generator=stream)
    return trunk


def arrays_of(trunk: nn.Module) -> dict[str, torch.Tensor]:
    return {name: array.contiguous() for name, array in trunk.state_dict().items()}


def folded(trunk: nn.Module) -> dict[str, np.ndarray]:
    """Batch norm folded into the convolutions before it, as such files have it."""
    state = trunk.state_dict()
    arrays = {}
    for name in [n.removesuffix(".running_mean") for n in state if n.endswith("running_mean")]:
        part = name.replace("bn", "conv") if "bn" in name else f"{name[:-1]}0"
        scale = state[f"{name}.weight"] / (state[f"{name}.running_var"] + 1e-5).sqrt()
        arrays[f"{part}.weight"] = state[f"{part}.weight"] * scale.view(-1, 1, 1, 1)
        arrays[f"{part}.bias"] = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
    return {name: array.contiguous().numpy() for name, array in arrays.items()}


@pytest.mark.parametrize("kind", ["safetensors", "npz"])
def test_a_file_fills_a_trunk_and_leaves_out_what_is_beyond(tmp_path, kind):
    source = trained_looking(NetworkSettings(n_classes=2, trunk="resnet-18", stages=2, head="tanh"))
    arrays = {
        **arrays_of(source),
        "fc.weight": torch.zeros(1000, 512),
        "fc.bias": torch.zeros(1000),
    }
    path = tmp_path / f"weights.{kind}"
    if kind == "npz":
        np.savez(path, allow_pickle=False, **{n: a.numpy() for n, a in arrays.items()})
    else:
        save_file(arrays, path)
    filled = build_network(MADE, seed=0, weights=str(path)).trunk
    state = filled.state_dict()
    assert all(torch.equal(state[name], arrays[name]) for name in state if "tracked" not in name)


def test_folded_weights_give_the_same_outputs_and_train_from_there(tmp_path):
    settings = NetworkSettings(n_classes=2, trunk="resnet-18", stages=2, head="tanh", image_size=64)
    source = trained_looking(settings)
    path = tmp_path / "folded.npz"
    np.savez(path, allow_pickle=False, **folded(source))
    trunk: Any = build_network(settings, seed=0, weights=str(path)).trunk.eval()
    assert isinstance(trunk, type(source))
    images = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted, found = source(images), trunk(images)
        # Float32 rounding of weights and sums.
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        norms = [m for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(is_folded(norm) for norm in norms)
        far = trunk.train()(images)
        build: Any = build_network(settings, seed=0, weights=str(path)).trunk.eval()
        calibrate([build.get_submodule(n) for n in build.stage_names], build.prepare(images))
        assert not any(is_folded(m) for m in build.modules() if isinstance(m, nn.BatchNorm2d))
        torch.testing.assert_close(build(images), wanted, rtol=1e-4, atol=1e-5)
        # Training mode now computes nearly the same function; before it did not.
        near = build.train()(images)
    assert (near - wanted).abs().max() < 1e-3 < (far - wanted).abs().max()


@pytest.mark.shared_data
def test_the_resnet_of_the_data_pack_fills_three_stages():
    folder = os.environ.get("BEZOAR_DATA")
    if not folder:
        pytest.skip("BEZOAR_DATA names no folder with the data pack")
    path = Path(folder, "weights", "resnet18_imagenet_bnfolded_conv1_to_layer3.npz")
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the folder that BEZOAR_DATA names")
    made = NetworkSettings(n_classes=10, trunk="resnet-18", stages=3, head="linear", image_size=64)
    trunk: Any = build_network(made, seed=0, weights=str(path)).trunk.eval()
    images = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = trunk(images)
        calibrate([trunk.get_submodule(n) for n in trunk.stage_names], trunk.prepare(images))
        # Rounding of float32 over 13 layers, of features up to 2.
        torch.testing.assert_close(trunk(images), before, rtol=0, atol=5e-6)
    with pytest.raises(FileProblem, match=r"lacks layer4\.0\.conv1\.weight, .* and \d+ more"):
        build_network(NetworkSettings(n_classes=10, trunk="resnet-18"), seed=0, weights=str(path))


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".bin", ".pkl"])
def test_a_pickle_is_refused_and_not_read(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(FileProblem, match=r"is a pickle.*safetensors\.torch\.save_file"):
        build_network(MADE, seed=0, weights=str(path))
    objects = np.array([Bomb()], dtype=object)
    np.savez(tmp_path / "objects.npz", allow_pickle=True, **{"conv1.weight": objects})
    with pytest.raises(FileProblem, match="objects"):
        build_network(MADE, seed=0, weights=str(tmp_path / "objects.npz"))
    assert not (tmp_path / "ran").exists()


def test_files_of_another_network_are_told(tmp_path):
    good = arrays_of(trained_looking())
    cases = [
        ({**good, "layer1.2.conv1.weight": torch.zeros(1)}, "holds layer1.2.conv1.weight"),
        ({n: a for n, a in good.items() if n != "bn1.bias"}, "lacks bn1.bias"),
        ({**good, "conv1.weight": torch.zeros(64, 1, 7, 7)}, r"shape \(64, 1, 7, 7\)"),
        ({**good, "bn1.bias": torch.full((64,), torch.nan)}, "NaN or infinity in bn1.bias"),
        ({**good, "bn1.running_var": -torch.ones(64)}, "negative variance"),
        ({}, "lacks conv1.weight"),
    ]
    path = tmp_path / "weights.safetensors"
    for arrays, words in cases:
        save_file(arrays, path)
        with pytest.raises(FileProblem, match=words):
            build_network(MADE, seed=0, weights=str(path))


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 rubbish", b"\xff" * 64, b"\x80\x04K\x01."])
def test_damaged_files_are_told(tmp_path, suffix, content):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(FileProblem, match=r"damaged|no npz"):
        build_network(MADE, seed=0, weights=str(path))
    path.unlink()
    with pytest.raises(FileProblem, match="does not exist"):
        build_network(MADE, seed=0, weights=str(path))


def test_an_npz_that_would_unpack_to_gigabytes_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 24,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conv1.weight.npy", header.getvalue() + bytes(1 << 26))
    with pytest.raises(FileProblem, match=r"lacks conv1\.weight"):
        build_network(MADE, seed=0, weights=str(path))


@pytest.mark.parametrize("error", [ImportError("none"), RuntimeError("another torch")])
def test_torchvision_that_cannot_be_imported_is_an_extra(monkeypatch, error):
    class Broken:
        def find_spec(self, name, *_):
            if name == "torchvision":
                raise error

    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(MissingExtra, match=r"bezoar\[torchvision\]"):
        build_network(MADE, seed=0, weights="torchvision")
    small = NetworkSettings(n_classes=2, head="tanh")
    with pytest.raises(InvalidArgument, match="for this trunk"):
        build_network(small, seed=0, weights="torchvision")


@pytest.mark.parametrize(
    "weights",
    [
        "https://host.example/w.safetensors",
        "https://host.example/w.safetensors#sha256=12",
        "https://host.example/w.safetensors#md5=" + "0" * 64,
        "http://host.example/w.safetensors#sha256=" + "0" * 64,
        "file:///w.safetensors#sha256=" + "0" * 64,
        "",
    ],
)
def test_an_address_without_a_hash_is_refused(weights):
    with pytest.raises(InvalidArgument, match="weights"):
        build_network(MADE, seed=0, weights=weights)


def test_an_address_is_fetched_once(tmp_path, monkeypatch):
    save_file(arrays_of(trained_looking()), tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes()
    asked = []

    @contextmanager
    def downloaded(url, known_hash, *, title, layout, folder, progress):
        asked.append((url, known_hash))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "temporary"
        file.write_bytes(content)
        yield file

    monkeypatch.setenv("BEZOAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BEZOAR_DATA", raising=False)
    monkeypatch.setattr(weights_module, "downloaded", downloaded)
    digest = hashlib.sha256(content).hexdigest()
    url = f"https://host.example/a/w.safetensors#sha256={digest}"
    for _ in range(2):
        build_network(MADE, seed=0, weights=url)
    assert asked == [("https://host.example/a/w.safetensors", f"sha256:{digest}")]
    # A file that was changed in the cache is fetched again.
    (cached,) = (tmp_path / "cache").rglob("*w.safetensors")
    cached.write_bytes(b"changed")
    build_network(MADE, seed=0, weights=url)
    assert len(asked) == 2
    with pytest.raises(FileProblem, match="pickle"):
        build_network(MADE, seed=0, weights=f"https://host.example/w.pth#sha256={digest}")
