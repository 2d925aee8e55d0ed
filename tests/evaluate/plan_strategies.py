"""Plans of every kind, for properties; none of them is meant to be carried out."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

from bezoar.attacks.named import attacks_white_box
from bezoar.contracts import plugins
from bezoar.evaluate.plan import GRADIENTS, AuditPlan
from bezoar.quantum.devices.tables import is_device
from bezoar.quantum.distances import METRICS

NOISES = (
    "none",
    "ad-dep:0.05",
    "dep:1e-05",
    "readout:0.1",
    "over-rotation:-0.02",
    "pd:0",
    "ibm-kyiv",
)

#: Text that shells, TOML, CSV and argparse each have an opinion of; no lone surrogates.
TEXTS = st.one_of(
    st.sampled_from(["-1", "--label", "a,b", 'say "no"', " edge ", "", "$HOME `x`", "é\n2", "'"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12),
)


def _some(values: tuple[str, ...], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=4, unique=True).map(tuple)


def _positive(high: float) -> st.SearchStrategy[float]:
    return st.floats(0, high, exclude_min=True, allow_subnormal=False)


def _counts() -> st.SearchStrategy[int]:
    return st.integers(1, 1000)


SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "data": TEXTS,
    "label": st.none() | TEXTS,
    "classes": st.none() | st.lists(TEXTS, max_size=4, unique=True).map(tuple),
    "samples": st.none() | _counts(),
    "fresh_samples": st.booleans(),
    "features": st.none() | _counts(),
    "reduce": st.sampled_from(["pca", "autoencoder", "pool-autoencoder", "none"]),
    "encoding": st.sampled_from(plugins.names("encodings")),
    "axes": TEXTS,
    "qubits": st.none() | _counts(),
    "model": st.sampled_from(["qnn", "quantum-kernel"]),
    "ansatz": st.sampled_from(plugins.names("ansatze")),
    "layers": _counts(),
    "noise": _some(NOISES, least=1),
    "device_qubits": st.lists(st.integers(0, 126), max_size=4, unique=True).map(tuple),
    "noise_on_encoding": st.booleans(),
    "gradient": st.sampled_from(GRADIENTS),
    "spsa_step": _positive(1),
    "spsa_directions": _counts(),
    "spsa_shared": st.booleans(),
    "shots": st.none() | _counts(),
    "sampler": st.sampled_from(["auto", "joint", "marginal", "gaussian"]),
    "attacks": _some(plugins.names("attacks")),
    "ratios": st.lists(
        st.floats(0, 1, exclude_max=True, allow_subnormal=False).map(abs), max_size=4, unique=True
    ).map(tuple),
    "metric": st.sampled_from(METRICS),
    "distances": _some(METRICS),
    "source_classes": st.lists(TEXTS, max_size=4, unique=True).map(tuple),
    "attacker_noise": st.none() | st.sampled_from(NOISES),
    "attacker_states": st.sampled_from(["exact", "pauli:100", "bloch:30", "overlap:100:10"]),
    "with_key": st.booleans(),
    "ensemble": st.sampled_from(["none", "dpa:3", "ss-dpa:25"]),
    "curves": st.booleans(),
    "detectors": _some(plugins.names("detectors")),
    "seeds": _counts(),
    "epochs": _counts(),
    "batch_size": _counts(),
    "learning_rate": _positive(1),
    "optimizer": st.sampled_from(["adam", "sgd"]),
    "test": st.floats(0, 1, exclude_min=True, exclude_max=True, allow_subnormal=False),
    "dtype": st.sampled_from(["float32", "float64"]),
    "device": TEXTS,
    "tolerance": st.floats(0, 1, allow_subnormal=False).map(abs),
}


@pytest.fixture(scope="module", autouse=True)
def quick_lookup() -> Iterator[None]:
    """Looks the installed parts up once; hundreds of plans would each ask the file system."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "_points", functools.cache(plugins._points))
        yield


@st.composite
def plans(draw: st.DrawFn) -> AuditPlan:
    """A plan with some fields set and the others at their defaults."""
    chosen = draw(st.sets(st.sampled_from(sorted(SETTINGS))))
    values = {name: draw(SETTINGS[name]) for name in sorted(chosen)}
    if values.get("gradient", "exact") == "exact":
        values.pop("shots", None)
    if values.get("model") == "quantum-kernel" or values.get("curves"):
        values.pop("ensemble", None)
    if values.get("model") == "quantum-kernel":
        values.pop("curves", None)
    _drop_what_means_nothing(values)
    return AuditPlan(**values)


def _drop_what_means_nothing(values: dict[str, Any]) -> None:
    """Takes out what a plan refuses beside, or without, its other settings."""
    if values.get("model") == "quantum-kernel":
        attacks = values.pop("attacks", ())
        values["attacks"] = tuple(name for name in attacks if not attacks_white_box(name))
        values["noise"] = tuple(n for n in values.get("noise", ()) if not is_device(n)) or ("none",)
        if is_device(values.get("attacker_noise") or ""):
            values.pop("attacker_noise")
    noises = (*values.get("noise", ()), values.get("attacker_noise") or "")
    if not any(map(is_device, noises)):
        values.pop("device_qubits", None)
    if values.get("samples") is None:
        values.pop("fresh_samples", None)
    if "protected-release" not in values.get("attacks", ()):
        values.pop("with_key", None)
