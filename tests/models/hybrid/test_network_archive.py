import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from bezoar.contracts.errors import FileProblem, InvalidArgument
from bezoar.models.hybrid import (
    FitSettings,
    HybridNetwork,
    NetworkSettings,
    TanhHead,
    build_network,
    fit_network,
    load_network,
    logits_of,
    save_network,
)

MADE = NetworkSettings(n_classes=3, width=4, layers=2)
NAMES = ("ant", "bee", "cat")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((12, 3, 32, 32), dtype=np.float32)


@pytest.fixture
def saved(tmp_path, images):
    network = build_network(MADE, seed=0)
    settings = FitSettings(warm_up=1, epochs=1)
    fit_network(network, images, np.arange(12) % 3, settings, seed=0)
    return save_network(tmp_path / "n.safetensors", network, NAMES, {"seed": 0}), network


def read(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def rewritten(path, change, **arrays):
    found, metadata = read(path)
    header = json.loads(metadata["bezoar"])
    change(header)
    found = {name: array for name, array in {**found, **arrays}.items() if array is not None}
    save_file(found, path, metadata={"bezoar": json.dumps(header)})


def test_a_network_scores_the_same_bit_for_bit_when_loaded_elsewhere(saved, images, tmp_path):
    path, network = saved
    loaded = load_network(path)
    assert loaded.class_names == NAMES
    assert loaded.facts == {"seed": 0}
    assert loaded.network.settings == MADE
    assert not loaded.network.training
    scores = logits_of(network, images)
    assert np.array_equal(logits_of(loaded.network, images), scores)
    code = (
        "import sys, numpy as np; from bezoar.models.hybrid import load_network, logits_of; "
        "np.save(sys.argv[3], logits_of(load_network(sys.argv[1]).network, np.load(sys.argv[2])))"
    )
    np.save(tmp_path / "x.npy", images)
    files = [str(path), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    subprocess.run([sys.executable, "-c", code, *files], check=True, env=environment)
    assert np.array_equal(np.load(tmp_path / "y.npy"), scores)


def test_a_resnet_scores_the_same_bit_for_bit(tmp_path, images):
    made = NetworkSettings(n_classes=3, trunk="resnet-18", stages=2, head="linear")
    network = build_network(made, seed=0)
    path = save_network(tmp_path / "n.safetensors", network, NAMES)
    assert np.array_equal(logits_of(load_network(path).network, images), logits_of(network, images))


def test_what_cannot_be_saved_is_refused(tmp_path):
    mine = HybridNetwork(trunk=nn.Flatten(), head=TanhHead(4, 3))
    path = tmp_path / "n.safetensors"
    with pytest.raises(InvalidArgument, match="state_dict"):
        save_network(path, mine, NAMES)
    network = build_network(MADE, seed=0)
    with pytest.raises(InvalidArgument, match="class_names: wanted 3"):
        save_network(path, network, ("a", "b"))
    for facts in ({"x": np.zeros(1)}, {"x": float("nan")}):
        with pytest.raises(InvalidArgument, match="facts"):
            save_network(path, network, NAMES, facts)
    assert not path.exists()
    (tmp_path / "file").touch()
    with pytest.raises(FileProblem):
        save_network(tmp_path / "file" / "n.safetensors", network, NAMES)


def test_damaged_files_are_told(saved):
    path, _ = saved
    whole = path.read_bytes()
    for content in (
        b"",
        b"rubbish",
        whole[:100],
        whole[:-1],
        whole + b"x",
        struct.pack("<Q", 1 << 60) + whole[8:],
        b"\x80\x04cos\nsystem\n",
    ):
        path.write_bytes(content)
        with pytest.raises(FileProblem, match="damaged"):
            load_network(path)
    path.unlink()
    with pytest.raises(FileProblem, match="does not exist"):
        load_network(path)
    with pytest.raises(FileProblem, match="does not exist"):
        load_network(path.parent)


def test_weights_of_others_are_no_network_of_ours(tmp_path):
    path = tmp_path / "n.safetensors"
    for metadata in (None, {"format": "pt"}, {"bezoar": "[1]"}, {"bezoar": "{"}, {"bezoar": "{}"}):
        save_file({"a": torch.zeros(1)}, path, metadata=metadata)
        with pytest.raises(FileProblem, match=r"no network of"):
            load_network(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("n_classes", 10**12, "other classes"),
        ("n_classes", 4, "other classes"),
        ("n_features", 10**12, "n_features"),
        ("width", 40, "damaged or no network|its settings say"),
        ("width", 5, "its settings say"),
        ("layers", 10**9, "at most"),
        ("trunk", "resnet-18", "its settings say|lacks|holds"),
        ("trunk", "os.system", "one of small"),
        ("trunk", None, "trunk|NoneType"),
        ("head", "linear", "lacks|holds"),
        ("noise", "__import__('os')", "noise"),
        ("unheard", 1, "unheard"),
    ],
)
def test_settings_that_lie_are_refused(saved, key, value, words):
    path, _ = saved
    rewritten(path, lambda header: header["settings"].__setitem__(key, value))
    with pytest.raises(FileProblem, match=words):
        load_network(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "another"),
        ("format_version", 2),
        ("settings", []),
        ("settings", {}),
        ("class_names", ["a"]),
        ("class_names", 3),
        ("class_names", None),
        ("facts", 3),
    ],
)
def test_headers_that_are_not_ours_are_refused(saved, key, value):
    path, _ = saved
    rewritten(path, lambda header: header.__setitem__(key, value))
    with pytest.raises(FileProblem):
        load_network(path)
    rewritten(path, lambda header: header.pop(key))
    with pytest.raises(FileProblem):
        load_network(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"head.reduce.bias": None}, r"lacks head\.reduce\.bias"),
        ({"../../etc/passwd": torch.zeros(1)}, "holds"),
        ({"head.reduce.bias": torch.zeros(5)}, r"shape \(5,\)"),
        ({"head.reduce.bias": torch.full((4,), torch.nan)}, "NaN"),
        ({"head.reduce.bias": torch.zeros(4, dtype=torch.int64)}, "another type"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(saved, arrays, words):
    path, _ = saved
    rewritten(path, lambda _: None, **arrays)
    with pytest.raises(FileProblem, match=words):
        load_network(path)
