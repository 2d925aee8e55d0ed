"""Damaged files of every kind: an examination ends, and says only what it may say."""

from __future__ import annotations

import gzip
import pickle
import zlib
from pathlib import Path

import artefact_files as make
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bezoar.contracts.code_findings import SEVERITIES
from bezoar.scan.artefacts.examine import examine
from bezoar.scan.artefacts.issues import Issue, by_line, shown

NPY = make.npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", bytes(24))
FILES = {
    "a.pkl": pickle.dumps({"a": [1, 2.5, "x", b"y", {3}, (None, True)]}, 4),
    "b.pkl": pickle.dumps({"a": [1, 2.5, "x", (None, True)], "b": 10**40}, 0),
    "c.pkl": make.runs_command(2),
    "d.pkl.gz": gzip.compress(make.runs_command()),
    "e.npz": make.zip_of({"x.npy": NPY, "y.pkl": make.runs_command()}),
    "f.npy": NPY,
    "g.tar.gz": make.tar_of({"a.pkl": make.runs_command()}, {"b": "../c"}),
    "h.qpy": make.QPY_12_SYMPY,
    "i.qpy": make.QPY_12_SYMENGINE,
    "j.safetensors": make.safetensors_with({"a": make.tensor(0, 4, 1)}, bytes(4)),
    "k.onnx": make.onnx_model("weights.bin"),
    "l.qasm": b'OPENQASM 3.0;\ninclude "x.inc";\nconst int n = 9;\nqubit[n] q;\n'
    b"gate g a { x a; }\nfor int i in [0:n] { g q[i]; }\n",
    "m.h5": b"\x89HDF\r\n\x1a\n" + b'{"module": "keras.layers"}',
}


@given(
    name=st.sampled_from(sorted(FILES)),
    changes=st.lists(
        st.tuples(st.integers(0, 2000), st.binary(max_size=9), st.integers(0, 9)), max_size=5
    ),
    keep=st.integers(0, 2000),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_examined(
    tmp_path: Path, name: str, changes: list[tuple[int, bytes, int]], keep: int
) -> None:
    content = FILES[name]
    for at, new, gone in changes:
        place = at % (len(content) + 1)
        content = content[:place] + new + content[place + gone :]
    content = content[: max(keep, len(content) // 3)]
    file = tmp_path / f"{zlib.crc32(content)}-{name}"
    file.write_bytes(content)
    for issue in examine(file):
        assert issue.severity in SEVERITIES
        assert issue.sentence.isascii()
        assert "\n" not in issue.sentence
        assert len(issue.sentence) < 1000
        line, column, end_line, end_column = issue.where
        assert (1, 1) <= (line, column) <= (end_line, end_column)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_beginning_of_a_file(name: str, tmp_path: Path) -> None:
    for length in range(0, len(FILES[name]), 7):
        file = tmp_path / f"{length}-{name}"
        file.write_bytes(FILES[name][:length])
        examine(file)


def test_a_changed_file_is_examined_again(tmp_path: Path) -> None:
    file = tmp_path / "a.pkl"
    file.write_bytes(b"\x80\x04N.")
    before = examine(file)
    file.write_bytes(make.runs_command())
    assert {issue.topic for issue in examine(file)} == {"dangerous-pickle"}
    assert {issue.topic for issue in before} == {"pickle"}


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing"):
        examine(tmp_path / "nothing.pkl")


def test_the_worst_of_a_line_is_told() -> None:
    issues = [
        Issue(topic="pickle", severity="low", message="a"),
        Issue(topic="pickle", severity="high", message="b"),
        Issue(topic="pickle", severity="low", message="c", where=(2, 1, 2, 2)),
    ]
    assert [(issue.message, more) for issue, more in by_line(issues)] == [("b", 1), ("c", 0)]


@given(st.text())
def test_what_is_shown_is_one_short_line(text: str) -> None:
    line = shown(text, longest=20)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= 20 * 10 + 3
