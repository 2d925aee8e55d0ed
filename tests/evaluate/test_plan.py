from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_strategies import SETTINGS, plans, quick_lookup

from bezoar.cli.audit import _plan
from bezoar.cli.main import make_parser
from bezoar.contracts.errors import FileProblem, InvalidArgument, UnknownName
from bezoar.evaluate.plan import AuditPlan
from bezoar.quantum.engines.gradients import SPSA

__all__ = ["quick_lookup"]

FIELDS = [field.name for field in dataclasses.fields(AuditPlan)]


def as_toml(plan: AuditPlan) -> str:
    """The plan as TOML; what is None is left out, as TOML has no null."""
    values = {name: value for name, value in dataclasses.asdict(plan).items() if value is not None}
    # Of JSON's text, numbers and lists only DEL is not TOML as it stands.
    return "".join(
        f"{name.replace('_', '-')} = {json.dumps(value, ensure_ascii=False)}\n"
        for name, value in values.items()
    ).replace("\x7f", "\\u007f")


@pytest.fixture(scope="module")
def toml_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plan") / "plan.toml"


@given(plan=plans())
def test_every_plan_survives_toml(toml_file: Path, plan: AuditPlan) -> None:
    toml_file.write_text(as_toml(plan), encoding="utf-8")
    read = AuditPlan.from_toml(toml_file)
    assert read == plan
    assert read.hash("data") == plan.hash("data")


@given(plans())
def test_the_command_of_a_plan_makes_the_plan(plan: AuditPlan) -> None:
    words = shlex.split(plan.command())
    assert words[:2] == ["bezoar", "audit"]
    assert _plan(make_parser().parse_args(words[1:])) == plan


def test_a_command_says_only_what_is_not_default() -> None:
    assert AuditPlan().command() == "bezoar audit digits"
    plan = AuditPlan(
        data="my data.csv",
        noise=("none",),
        noise_on_encoding=False,
        ratios=(0.1, 0.5),
        classes=("-1", "1"),
    )
    assert plan.command() == (
        "bezoar audit 'my data.csv' --classes=-1,1 --noise none --no-noise-on-encoding "
        "--ratios 0.1,0.5"
    )


def test_keys_may_have_dashes_or_underscores_and_single_values_stand_for_lists() -> None:
    dashes = AuditPlan.from_settings({"batch-size": 8, "noise": "none"}, source="test")
    assert dashes == AuditPlan(batch_size=8, noise=("none",))


def test_whole_numbers_stand_for_decimals_and_numbers_for_class_names() -> None:
    plan = AuditPlan.from_settings(
        {"ratios": [0], "learning_rate": 1, "classes": [3, 8]}, source="test"
    )
    assert plan == AuditPlan(ratios=(0.0,), learning_rate=1.0, classes=("3", "8"))
    assert type(plan.learning_rate) is float


def test_values_that_are_equal_make_equal_plans_of_equal_hash() -> None:
    plain = AuditPlan(ratios=(0.0, 0.5), seeds=3, learning_rate=1.0, noise=("none",))
    other = AuditPlan(
        ratios=[0, np.float64(0.5), 0.5],  # type: ignore[arg-type]
        seeds=np.int64(3),  # type: ignore[arg-type]
        learning_rate=1,
        noise="none",  # type: ignore[arg-type]
    )
    assert other == plain
    assert other.hash("data") == plain.hash("data")
    assert hash(other) == hash(plain)


# Settings that mean nothing alone, and what they need.
WITH: dict[str, dict[str, Any]] = {
    "fresh_samples": {"samples": 100},
    "device_qubits": {"noise": ("ibm-kyiv",)},
    "with_key": {"attacks": ("protected-release",)},
}


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_changes_the_hash(name: str) -> None:
    others: dict[str, Any] = {
        "data": "iris",
        "label": "species",
        "classes": ("0", "1"),
        "samples": 100,
        "fresh_samples": True,
        "features": 4,
        "reduce": "none",
        "encoding": "iqp",
        "axes": "XY",
        "qubits": 5,
        "model": "quantum-kernel",
        "ansatz": "sim-6",
        "layers": 2,
        "noise": ("none",),
        "device_qubits": (0, 1),
        "noise_on_encoding": False,
        "gradient": "spsa",
        "spsa_step": 0.1,
        "spsa_directions": 2,
        "spsa_shared": False,
        "shots": 10,
        "sampler": "joint",
        "attacks": ("quid",),
        "ratios": (0.1,),
        "distances": ("trace",),
        "source_classes": ("0",),
        "attacker_noise": "none",
        "attacker_states": "pauli:100",
        "with_key": True,
        "ensemble": "dpa:3",
        "curves": True,
        "metric": "trace",
        "detectors": (),
        "seeds": 2,
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 0.1,
        "optimizer": "sgd",
        "test": 0.2,
        "dtype": "float64",
        "device": "cuda",
        "tolerance": 0.1,
    }
    assert sorted(others) == sorted(FIELDS)
    company = WITH.get(name, {})
    base = AuditPlan(gradient="parameter-shift", **company)
    assert dataclasses.replace(base, **{name: others[name]}).hash("data") != base.hash("data")
    assert base.hash("other data") != base.hash("data")


def test_the_hash_is_that_of_the_canonical_json_so_the_same_in_every_process() -> None:
    plan = AuditPlan(data="iris")
    text = json.dumps(
        {"data": "x", "plan": dataclasses.asdict(plan)}, sort_keys=True, separators=(",", ":")
    )
    assert plan.hash("x") == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("key", "near"),
    [("sed", "seeds"), ("ratio", "ratios"), ("learning-rat", "learning_rate"), ("nois", "noise")],
)
def test_unknown_keys_are_refused_with_the_nearest(key: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{near}'") as caught:
        AuditPlan.from_settings({key: 1}, source="plan.toml")
    assert str(caught.value).startswith("plan.toml: key: wanted one of data, label,")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"seeds": "3"}, "seeds: wanted a whole number, got '3'"),
        ({"seeds": 2.0}, "seeds: wanted a whole number, got 2.0"),
        ({"seeds": True}, "seeds: wanted a whole number, got True"),
        ({"seeds": None}, "seeds: wanted a whole number, got None"),
        ({"seeds": [1, 2]}, "seeds: wanted a whole number, got [1, 2]"),
        ({"test": "0.3"}, "test: wanted a finite number, got '0.3'"),
        ({"test": False}, "test: wanted a finite number, got False"),
        ({"learning_rate": math.inf}, "learning_rate: wanted a finite number, got inf"),
        ({"data": 5}, "data: wanted text, got 5"),
        ({"ansatz": ["sim-1"]}, "ansatz: wanted text, got ['sim-1']"),
        ({"noise_on_encoding": 1}, "noise_on_encoding: wanted true or false, got 1"),
        ({"ratios": ["0.1"]}, "ratios: wanted a finite number, got '0.1'"),
        ({"ratios": [0.1, math.nan]}, "ratios: wanted a finite number, got nan"),
        ({"ratios": [[0.1]]}, "ratios: wanted a finite number, got [0.1]"),
        ({"attacks": [1]}, "attacks: wanted text, got 1"),
        ({"classes": [{"name": 1}]}, "classes: wanted text, got {'name': 1}"),
        ({"classes": [True]}, "classes: wanted text, got True"),
        ({"noise": {"p": 1}}, "noise: wanted text, got {'p': 1}"),
        ({"epochs": np.float64(3)}, "epochs: wanted a whole number, got np.float64(3.0)"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(settings: dict[str, Any], told: str) -> None:
    for make in (
        lambda: AuditPlan(**settings),
        lambda: AuditPlan.from_settings(settings, source="x"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            make()
        assert str(caught.value) == told


@pytest.mark.parametrize(
    "settings",
    [
        {"ratios": (1,)},
        {"ratios": (-0.1,)},
        {"ratios": (1.5,)},
        {"test": 0},
        {"test": 1},
        {"tolerance": 1.01},
        {"tolerance": -0.1},
        {"seeds": 0},
        {"epochs": 0},
        {"layers": 0},
        {"batch_size": 0},
        {"samples": 0},
        {"features": 0},
        {"qubits": 0},
        {"shots": 0, "gradient": "spsa"},
        {"shots": 5},
        {"learning_rate": 0},
        {"learning_rate": -1},
        {"gradient": "spsa", "spsa_step": 0},
        {"gradient": "spsa", "spsa_directions": 0},
        {"noise": ()},
        {"noise": ("ad-dep:2",)},
        {"noise": ("ad-dep",)},
        {"optimizer": "adamw"},
        {"qubits": 10**5},
        {"layers": 10**4},
        {"seeds": 10**30},
        {"features": 10**30},
        {"batch_size": 10**30},
        {"shots": 10**30, "gradient": "spsa"},
        {"spsa_directions": 10**30},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="wanted"):
        AuditPlan(**settings)


def test_a_ratio_of_1_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidArgument, match="no clean sample is left"):
        AuditPlan(ratios=(0.5, 1.0))


@pytest.mark.parametrize(
    ("name", "wrong", "near"),
    [
        ("attacks", "quix", "quid"),
        ("detectors", "state-similarty", "state-similarity"),
        ("encoding", "angel", "angle"),
        ("ansatz", "sim_6", "sim-6"),
        ("gradient", "exakt", "exact"),
        ("reduce", "pcaa", "pca"),
        ("metric", "frob", "frobenius"),
        ("dtype", "float16", "float64"),
        ("sampler", "gauss", "gaussian"),
    ],
)
def test_unknown_names_are_told_with_the_known_and_the_nearest(
    name: str, wrong: str, near: str
) -> None:
    with pytest.raises(UnknownName, match=f"{name}: .*{near}.*, got '{wrong}'; did you mean") as e:
        AuditPlan(**{name: wrong})  # type: ignore[arg-type]
    assert e.value.exit_code == 4


def test_an_unknown_noise_is_told_with_the_known() -> None:
    with pytest.raises(InvalidArgument, match=r"noise: wanted none or .*ad-dep.*got 'ad-dap:0.1'"):
        AuditPlan(noise=("ad-dap:0.1",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"seeds = = 3", "is not TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"seeds = 3\nseeds = 4", "is not TOML"),
    ],
)
def test_files_that_are_not_toml_are_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    with pytest.raises(FileProblem, match=told):
        AuditPlan.from_toml(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot be read"):
        AuditPlan.from_toml(tmp_path)
    with pytest.raises(FileProblem, match="No such file"):
        AuditPlan.from_toml(tmp_path / "plan.toml")


def test_a_table_in_toml_is_an_unknown_key(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("[audit]\nseeds = 3\n", encoding="utf-8")
    with pytest.raises(UnknownName, match="'audit'"):
        AuditPlan.from_toml(path)


def test_the_first_run_sees_four_digits_and_any_other_data_all_its_classes() -> None:
    assert AuditPlan.first_settings({"seeds": 1}) == {
        "data": "digits",
        "classes": ("0", "1", "2", "3"),
        "seeds": 1,
    }
    assert AuditPlan.first_settings({"classes": ["1", "7"]})["classes"] == ["1", "7"]
    assert AuditPlan.first_settings({"data": "digits"}) == {"data": "digits"}


def test_spsa_takes_its_settings_from_the_plan() -> None:
    plan = AuditPlan(gradient="spsa", spsa_step=0.2, spsa_directions=3, spsa_shared=False)
    assert plan.gradient_method() == SPSA(step=0.2, directions=3, shared=False)
    assert AuditPlan(gradient="spsa-pennylane").gradient_method() == SPSA.pennylane_default()


@given(st.data())
def test_no_setting_alone_breaks_a_plan(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(set(SETTINGS) - {"shots", *WITH})))
    value = data.draw(SETTINGS[name])
    assert getattr(AuditPlan(**{name: value}), name) == value


def test_the_strategies_know_every_field() -> None:
    assert sorted(SETTINGS) == sorted(FIELDS)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"fresh_samples": True}, "samples: wanted how many each seed draws afresh, got none"),
        ({"with_key": True}, "add protected-release to the attacks"),
        ({"device_qubits": (0, 1)}, "none without a device"),
        ({"device_qubits": (3, 3), "noise": ("ibm-kyiv",)}, "none twice, got (3, 3)"),
        ({"model": "quantum-kernel", "noise": ("ibm-kyiv",)}, "no device with quantum-kernel"),
        ({"model": "quantum-kernel", "attacker_noise": "ibm-kyiv"}, "no device with"),
        ({"model": "quantum-kernel", "attacks": ("loss-flip",)}, "none that trains a network"),
        ({"model": "quantum-kernel", "ensemble": "dpa:3"}, "qnn with an ensemble"),
        ({"model": "quantum-kernel", "curves": True}, "qnn with an ensemble or with curves"),
        ({"ensemble": "dpa:3", "curves": True}, "curves: wanted none with an ensemble"),
        ({"ensemble": "dpa:0"}, "dpa:K"),
        ({"attacker_states": "pauli"}, "NAME:SHOTS"),
        ({"attacker_noise": "nonsense"}, "got 'nonsense'"),
    ],
    ids=str,
)
def test_what_means_nothing_together_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(told)):
        AuditPlan(**settings)


@pytest.mark.parametrize("name", WITH)
def test_with_what_they_need_they_are_taken(name: str) -> None:
    given: dict[str, Any] = {name: (4, 2) if name == "device_qubits" else True}
    assert getattr(AuditPlan(**given | WITH[name]), name) == given[name]
