"""Whatever is wrong: one line that says it, exit code 2 or 4, and nothing half written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from command_line import QUICK, Terminal, refused

X = np.random.default_rng(0).normal(size=(40, 4))
Y = np.arange(40) % 2


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path: Path, bezoar: Terminal) -> Iterator[None]:
    """Fails a test whose command left anything that was not there before."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    yield
    made_by_tests = {"file", "folder", "mine.npz", "mine.csv", "mine.parquet", "plan.toml", "run"}
    assert {path.name for path in tmp_path.iterdir()} <= made_by_tests
    assert list((tmp_path / "folder").iterdir()) == []
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def as_npz(features: np.ndarray, labels: np.ndarray) -> str:
    np.savez("mine.npz", features=features, labels=labels)
    return "mine.npz"


def as_csv(features: np.ndarray, labels: np.ndarray) -> str:
    lines = [
        ",".join([*map(str, row), str(label)]) for row, label in zip(features, labels, strict=True)
    ]
    text = "\n".join(["a,b,c,d,label", *lines])
    Path("mine.csv").write_text(text + "\n", encoding="utf-8")
    return "mine.csv"


def as_parquet(features: np.ndarray, labels: np.ndarray) -> str:
    columns = {name: features[:, i] for i, name in enumerate("abcd")}
    pyarrow.parquet.write_table(pa.table({**columns, "label": labels}), "mine.parquet")
    return "mine.parquet"


FORMATS = pytest.mark.parametrize("save", [as_npz, as_csv, as_parquet])
Save = Callable[[np.ndarray, np.ndarray], str]


@FORMATS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite(bezoar: Terminal, save: Save, value: float) -> None:
    features = X.copy()
    features[3, 1] = value
    error = refused(bezoar(f"audit {save(features, Y)} {QUICK}"), 2)
    assert "missing" in error or "infinite" in error
    assert "row 4 of 40" in error


@FORMATS
def test_one_class(bezoar: Terminal, save: Save) -> None:
    error = refused(bezoar(f"audit {save(X, 0 * Y)} {QUICK}"), 2)
    assert "two classes or more, got 40 samples of 1 class" in error


@FORMATS
def test_fewer_samples_than_classes_can_be_split_into(bezoar: Terminal, save: Save) -> None:
    error = refused(bezoar(f"audit {save(X[:3], np.arange(3))} {QUICK}"), 2)
    assert "at least two samples of each class" in error


@FORMATS
def test_a_class_that_vanishes_in_the_split(bezoar: Terminal, save: Save) -> None:
    error = refused(bezoar(f"audit {save(X, np.r_[Y[:-1], 7])} {QUICK}"), 2)
    assert "class '7', which vanishes in the split" in error


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        ("1", "wanted shares in [0, 1), got 1.0; at 1 no clean sample is left"),
        ("-0.1", "wanted shares in [0, 1), got -0.1"),
        ("1.5", "wanted shares in [0, 1), got 1.5"),
        ("nan", "wanted a finite number, got nan"),
        ("inf", "wanted a finite number, got inf"),
        ("abc", "wanted numbers parted by commas, got 'abc'"),
        ("0.3;0.5", "wanted numbers parted by commas"),
        ("0.3,", "wanted numbers parted by commas"),
    ],
)
def test_ratios(bezoar: Terminal, ratio: str, told: str) -> None:
    assert told in refused(bezoar("audit iris --seeds 1 --ratios", ratio), 4)


@pytest.mark.parametrize("ratio", ["1", "-0.1", "1.5", "nan", "abc"])
def test_the_ratio_of_poison(bezoar: Terminal, ratio: str) -> None:
    line = "poison iris --attack random --out P.npz --truth T.json --ratio"
    assert "ratio" in refused(bezoar(line, ratio), 4)


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("irs", "'iris'"),
        ("iris --attacks random,quix", "'quid'"),
        ("iris --ansatz sim6", "'sim-6'"),
        ("iris --encoding angel", "'angle'"),
        ("iris --metric frobenus", "'frobenius'"),
        ("iris --detectors state-similarty", "'state-similarity'"),
        ("iris --reduce pcaa", "'pca'"),
        ("iris --gradient spsaa", "'spsa'"),
        ("iris --sampler marginl", "'marginal'"),
        ("iris --dtype float16", "'float64'"),
        ("iris --classes setosa,virginca", "'virginica'"),
    ],
)
def test_unknown_names(bezoar: Terminal, words: str, near: str) -> None:
    error = refused(bezoar(f"audit {words} --seeds 1"), 4)
    assert "wanted one of" in error
    assert f"did you mean {near}?" in error


@pytest.mark.parametrize("noise", ["ad-dap:0.05", "ad-dep", "dep:much", "dep:2", "dep:nan", "0.05"])
def test_unknown_noise(bezoar: Terminal, noise: str) -> None:
    error = refused(bezoar("audit iris --seeds 1 --noise", f"none,{noise}"), 4)
    assert "wanted" in error


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--qubits 1", "use 2 qubits or reduce the data to 2 features"),
        ("--features 5", "at most 4"),
        ("--axes ZX", "its feature would be lost"),
        ("--axes XQ", "letters X, Y and Z"),
        ("--qubits 40 --ansatz sim-6", "entangled qubits"),
        ("--qubits 40 --ansatz strongly-entangling --noise ad-dep:0.1", "entangled qubits"),
        ("--shots 100", "use gradient spsa or parameter-shift"),
        ("--seeds 0", "seeds: wanted from 1 to 10000, got 0"),
        ("--epochs 0", "epochs: wanted"),
        ("--layers 0", "layers: wanted"),
        ("--batch-size 0", "batch_size: wanted"),
        ("--samples 2", "one for each class"),
        ("--samples 151", "150"),
        ("--learning-rate 0", "learning_rate: wanted"),
        ("--learning-rate nan", "learning_rate: wanted a finite number, got nan"),
        ("--test 1", "test: wanted a share in (0, 1)"),
        ("--tolerance 1.5", "tolerance: wanted a share in [0, 1]"),
        ("--device nowhere", "device"),
        ("--label species", "registered data set"),
    ],
)
def test_settings_that_cannot_be(bezoar: Terminal, options: str, told: str) -> None:
    assert told in refused(bezoar(f"audit iris {QUICK} {options}"), 4)


@pytest.mark.parametrize(
    "line",
    [
        "audit iris --seeds three",
        "audit iris --epochs 1.5",
        "audit iris --learning-rate fast",
        "audit iris --attacks random,,quid",
        "audit iris --no-such-option",
        "audit iris wine",
        "audit --seed 3",
        "poison iris",
        "report",
        "list",
        "no-such-command",
    ],
)
def test_usage(bezoar: Terminal, line: str) -> None:
    error = refused(bezoar(line), 4)
    assert "--help)" in error


@pytest.mark.parametrize(
    ("data", "code", "told"),
    [
        ("missing.csv", 2, "does not exist"),
        ("folder", 2, "is a folder"),
        ("nothing", 4, "wanted one of breast-cancer, cifar-10, digits"),
    ],
)
def test_what_is_not_there(bezoar: Terminal, data: str, code: int, told: str) -> None:
    assert told in refused(bezoar(f"audit {data} {QUICK}"), code)


@pytest.mark.parametrize("name", ["mine.npz", "mine.csv", "mine.parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 64, b"PK\x03\x04 no archive", b"PAR1 no table PAR1"]
)
def test_files_that_are_not_what_they_are_called(
    bezoar: Terminal, name: str, content: bytes
) -> None:
    Path(name).write_bytes(content)
    assert name in refused(bezoar(f"audit {name} {QUICK}"), 2)


def test_an_archive_of_python_objects_is_never_opened(bezoar: Terminal) -> None:
    np.savez("mine.npz", features=np.array([{}], dtype=object), labels=[0])
    assert "never unpickles" in refused(bezoar(f"audit mine.npz {QUICK}"), 2)


def test_columns(bezoar: Terminal) -> None:
    as_csv(X, Y)
    error = refused(bezoar(f"audit mine.csv {QUICK} --label lable"), 4)
    assert "did you mean 'label'?" in error
    as_csv(X, Y)
    text = Path("mine.csv").read_text(encoding="utf-8").replace("label", "species")
    Path("mine.csv").write_text(text, encoding="utf-8")
    error = refused(bezoar(f"audit mine.csv {QUICK}"), 4)
    assert "a, b, c, d, species" in error
    Path("mine.csv").write_text("a,b,label\n1,2,0\n3,tall,1\n", encoding="utf-8")
    error = refused(bezoar(f"audit mine.csv {QUICK}"), 2)
    assert "column 'b': wanted numbers, got 'tall' in row 2" in error


@pytest.mark.parametrize("out", ["file", "file/deeper", "/dev/null", "/dev/full/x", "/proc/x"])
def test_an_audit_that_could_not_write(bezoar: Terminal, out: str) -> None:
    assert "written" in refused(bezoar(f"audit iris {QUICK} --out {out}"), 2)


@pytest.mark.parametrize("out", ["file/P.npz", "/proc/P.npz", "/dev/null/P.npz"])
@pytest.mark.parametrize("swap", [False, True])
def test_a_poisoning_that_could_not_write(bezoar: Terminal, out: str, swap: bool) -> None:
    names = ("P.npz", out.replace("npz", "json")) if swap else (out, "T.json")
    line = "poison iris --attack random --ratio 0.3 --out {} --truth {}".format(*names)
    assert "written" in refused(bezoar(line), 2)


def test_poison_never_writes_over_its_own_data(bezoar: Terminal) -> None:
    name = as_npz(X, Y)
    before = Path(name).read_bytes()
    line = f"poison {name} --attack random --ratio 0.3"
    assert "apart" in refused(bezoar(f"{line} --out {name} --truth T.json"), 4)
    assert "apart" in refused(bezoar(f"{line} --out ./{name} --truth T.json"), 4)
    assert "apart" in refused(bezoar(f"{line} --out P.npz --truth {name}"), 4)
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"seeds = = 1", 2, "is not TOML"),
        (b"\xff\xfe", 2, "cannot be read"),
        (b"sed = 1", 4, "did you mean 'seeds'?"),
        (b"[audit]\nseeds = 1", 4, "plan.toml: key"),
        (b"seeds = '1'", 4, "seeds: wanted a whole number, got '1'"),
        (b"ratios = [1]", 4, "no clean sample is left"),
        (b"data = 'irs'", 4, "did you mean 'iris'?"),
    ],
)
def test_plan_files(bezoar: Terminal, content: bytes, code: int, told: str) -> None:
    Path("plan.toml").write_bytes(content)
    assert told in refused(bezoar("audit --plan plan.toml"), code)


@pytest.mark.parametrize("plan", ["folder", "missing.toml", "file/plan.toml"])
def test_plans_that_are_no_files(bezoar: Terminal, plan: str) -> None:
    assert "cannot be read" in refused(bezoar(f"audit --plan {plan}"), 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is not a Bezoar record"),
        ("{", "is not a Bezoar record"),
        ("[]", "is not a Bezoar record"),
        ("null", "is not a Bezoar record"),
        ('{"format_version": 2}', "has record format 2, this Bezoar reads 1"),
        ('{"format_version": 1}', "is a damaged Bezoar record"),
        ('{"format_version": 1, "seeds": 5}', "is a damaged Bezoar record"),
    ],
)
def test_records_that_cannot_be_told(bezoar: Terminal, content: str, told: str) -> None:
    Path("run").mkdir()
    Path("run/record.json").write_text(content, encoding="utf-8")
    for form in ("html", "md"):
        assert told in refused(bezoar(f"report run --format {form}"), 2)
    assert told in refused(bezoar("report run/record.json --out page.html"), 2)


@pytest.mark.parametrize("run", ["missing", "folder", "file"])
def test_runs_that_are_none(bezoar: Terminal, run: str) -> None:
    assert "record" in refused(bezoar(f"report {run}"), 2)


@pytest.mark.parametrize("kind", ["attack", "wine", ""])
def test_kinds_of_parts(bezoar: Terminal, kind: str) -> None:
    error = refused(bezoar("list", kind), 4)
    assert "wanted one of attacks, triggers, detectors" in error


def test_what_nobody_foresaw_is_one_line_too(
    bezoar: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug\nof two lines")

    monkeypatch.setattr("bezoar.evaluate.audit.run_audit", broken)
    answer = bezoar("audit iris")
    assert answer.code == 2
    assert answer.error == (
        "bezoar: unexpected RuntimeError: a bug of two lines; BEZOAR_TRACEBACK=1 shows where, "
        "please report it\n"
    )
    monkeypatch.setenv("BEZOAR_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="a bug"):
        bezoar("audit iris")


def test_a_record_is_not_replaced_by_its_report(bezoar: Terminal) -> None:
    Path("run").mkdir()
    text = json.dumps({"format_version": 1})
    Path("run/record.json").write_text(text, encoding="utf-8")
    # Damaged or not, what is read is never written.
    refused(bezoar("report run --out run/record.json"), 2)
    assert Path("run/record.json").read_text(encoding="utf-8") == text
