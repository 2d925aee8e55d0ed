"""Which files are artefacts, by their names and first bytes."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import artefact_files as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.scan.artefacts import artefact_kind
from bezoar.scan.artefacts.limits import HEAD_BYTES

GZIP = b"\x1f\x8b\x08\x00"


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("params.pkl", pickle.dumps([1], 4), "pickle"),
        ("params.pkl", pickle.dumps([1], 0), "pickle"),
        ("params.dat", pickle.dumps({"w": 1}, 2), "pickle"),
        ("params", pickle.dumps({"w": 1}, 5), "pickle"),
        ("weights.bin", b"cos\nsystem\n(S'true'\ntR.", "pickle"),
        ("scaler.joblib", b"\x78\x9c" + b"\x01\xff" * 8, "pickle"),
        ("scaler.pkl.gz", GZIP, "pickle"),
        ("net.pt", make.zip_of({"net/data.pkl": b""}), "zip"),
        ("data.npz", make.zip_of({"x.npy": b""}), "zip"),
        ("data.npy", make.npy_with("{}"), "npy"),
        ("model.tar.gz", GZIP, "tar"),
        ("bell.qpy", make.QPY_9, "qpy"),
        ("bell.qpy.gz", GZIP, "qpy"),
        ("bell", make.QPY_9, "qpy"),
        ("bell.qasm", b"OPENQASM 2.0;\n", "openqasm"),
        ("bell.txt", b"// made by hand\nOPENQASM 2.0;\n", "openqasm"),
        ("gates.inc", b"gate h2 a, b { h a; h b; }\n", "openqasm"),
        ("net.safetensors", make.safetensors_with({}), "safetensors"),
        ("net.onnx", make.onnx_model(), "onnx"),
        ("net.h5", b"\x89HDF\r\n\x1a\n\0", "hdf5"),
    ],
)
def test_artefacts_are_known_by_name_and_content(name: str, head: bytes, kind: str) -> None:
    assert artefact_kind(Path(name), head[:HEAD_BYTES]) == kind


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("x.model", b"The model is written here.\n"),
        ("x.model", b"config\nvalue\nand more\n"),
        ("x.p", b"N.B. plot this with gnuplot\n"),
        ("params.pkl", b""),
        ("params.pkl", b"not a pickle but a note\n"),
        ("net.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        ("net.safetensors", b"version https://git-lfs.github.com/spec/v1\n"),
        ("site.pth", b"import site; /opt/lib\n"),
        ("head.inc", b"<?php include 'x.php'; ?>\n"),
        ("readme.md", b"OPENQASM 2.0;\n"),
        ("qasm.py", b"OPENQASM = 2\n"),
        ("notes.txt", b"How to write OPENQASM 2.0;\n"),
        ("rows.dat", b"0.1 0.2 0.3\n0.4 0.5 0.6\n"),
        ("report.docx", make.zip_of({"a.xml": b""})),
        ("logs.gz", GZIP),
        ("photo.png", b"\x89PNG\r\n\x1a\n"),
        ("cache.bin", bytes(range(256))),
    ],
)
def test_other_files_are_none(name: str, head: bytes) -> None:
    assert artefact_kind(Path(name), head[:HEAD_BYTES]) is None


@given(st.binary(max_size=600), st.sampled_from((".pkl", ".bin", ".qasm", ".qpy.gz", ".txt", "")))
def test_any_bytes_are_taken(head: bytes, ending: str) -> None:
    artefact_kind(Path(f"file{ending}"), head)


def test_a_cut_character_does_not_make_a_text_binary() -> None:
    head = ("OPENQASM 2.0; // " + "é" * HEAD_BYTES).encode()[:HEAD_BYTES]
    assert artefact_kind(Path("a.txt"), head) == "openqasm"
    assert artefact_kind(Path("a.pkl"), ("é" * HEAD_BYTES).encode()[: HEAD_BYTES - 1]) is None


def test_protocol_0_is_followed_beyond_the_head() -> None:
    text = io.BytesIO()
    pickle.dump([float(i) for i in range(2000)], text, 0)
    assert artefact_kind(Path("a.dat"), text.getvalue()[:HEAD_BYTES]) == "pickle"
