"""Model and circuit files, examined without loading them.

`artefact_kind` tells which files are worth it; `bezoar.scan.artefacts.examine` does it. Nothing
here unpickles, evaluates or imports what a file says, and every read has a limit (`limits`).
"""

from __future__ import annotations

import re
from pathlib import Path

#: Endings that mean a pickle, whatever wrote it.
_PICKLE = frozenset(".pkl .pickle .pck .pcl .dill .joblib .jbl .cpkl .cloudpickle".split())
#: Endings that pickles share with other things: the content decides.
_MAYBE = frozenset(
    (
        ".p .pk .sav .model .mdl .bin .dat .data .pt .pth .ckpt .chkpt .checkpoint .tar .obj "
        ".weights .params .save .estimator .clf"
    ).split()
)
_TORCH = frozenset(".pt .pth .ckpt .chkpt .checkpoint .bin .mar".split())
_PACKED = frozenset(".gz .bz2 .xz .lzma .z .lz4 .zst".split())
_ZIPS = frozenset(".zip .npz .keras .ptl .skops".split()) | _TORCH | _MAYBE | _PICKLE
_OPENQASM = frozenset(".qasm .qasm2 .qasm3 .openqasm".split())
_HDF5 = frozenset(".h5 .hdf5 .keras .he5".split())
#: Texts that may quote OpenQASM, and are no circuits.
_OTHER_TEXT = frozenset(
    ".py .pyi .ipynb .md .rst .json .yml .yaml .toml .html .js .ts .c .h .cpp .rs .go".split()
)

_PACKED_MAGIC = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x5d\x00\x00",
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"\x04\x22\x4d\x18",
    b"\x28\xb5\x2f\xfd",
    b"ZF0x",
)
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_TAR_AT = 257
_ONNX_START = 0x08

#: PROTO 2 to 5, then the opcode of a frame with a plausible length, or another opcode.
_PICKLE_START = re.compile(
    rb"\x80[\x02-\x05](?:\x95.{5}\x00{3}|[(\]}()NKMJGXVcBCTU\x80\x85-\x8f.])", re.DOTALL
)
_GATE_TEXT = re.compile(
    rb"^[ \t]*(?:OPENQASM\s|opaque\s+\w|gate\s+\w+[^;{]{0,400}\{|include\s*[\"'][^\"']*\.inc[\"'])",
    re.MULTILINE,
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


def artefact_kind(path: Path, head: bytes) -> str | None:
    """What sort of artefact a file is, None for any other file.

    Args:
        path: its name; nothing is read.
        head: its first bytes, 4 KiB at most.

    Returns:
        pickle, zip, tar, npy, qpy, openqasm, safetensors, onnx or hdf5; or None.

    Example:
        >>> artefact_kind(Path("params.pkl"), b"\\x80\\x04K\\x01.")
        'pickle'
        >>> artefact_kind(Path("notes.model"), b"Write the model here.\\n") is None
        True
        >>> artefact_kind(Path("bell.qasm"), b"OPENQASM 2.0;\\n")
        'openqasm'
    """
    if not head:
        return None
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in _PACKED
    suffix = suffixes[-1] if suffixes else ""
    inner = (suffixes[-2] if len(suffixes) > 1 else "") if packed else suffix
    if packed or suffix in (".tgz", ".tbz2", ".txz"):
        return _packed_kind(path, inner, head)
    return _by_magic(suffix, head) or (
        _text_kind(suffix, head) if _is_text(head) else _binary_kind(suffix, head)
    )


def _packed_kind(path: Path, inner: str, head: bytes) -> str | None:
    if not head.startswith(_PACKED_MAGIC):
        return None
    if inner == ".tar" or path.suffix.lower() in (".tgz", ".tbz2", ".txz"):
        return "tar"
    if inner == ".qpy":
        return "qpy"
    if inner == ".npy":
        return "npy"
    # joblib's own names: model.gz, model.z, model.pkl.xz.
    return "pickle" if inner in _PICKLE or inner in _MAYBE else None


def _by_magic(suffix: str, head: bytes) -> str | None:
    """Formats whose first bytes say enough, whatever the file is called."""
    if head.startswith(b"QISKIT") and len(head) > 6 and head[6] < 0x20:
        return "qpy"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if _PICKLE_START.match(head):
        return "pickle"
    if head.startswith(_ZIP_MAGIC):
        return "zip" if suffix in _ZIPS else None
    if head.startswith(_HDF5_MAGIC):
        return "hdf5" if suffix in _HDF5 or suffix in _MAYBE else None
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return "tar" if suffix in _MAYBE or suffix in _PICKLE else None
    return None


def _binary_kind(suffix: str, head: bytes) -> str | None:
    if suffix in _PICKLE or suffix in (".pt", ".pth"):
        return "pickle"
    named = {".qpy": "qpy", ".npy": "npy", ".npz": "zip", ".safetensors": "safetensors"}
    if suffix in named:
        return named[suffix]
    if suffix in _OPENQASM:
        return "openqasm"
    if suffix == ".onnx":
        return "onnx"
    if suffix in (".sav", ".model", ".p", ".pk") and head.startswith(_PACKED_MAGIC):
        return "pickle"
    if suffix in _MAYBE and _walks_as_pickle(head):
        return "pickle"
    return None


def _text_kind(suffix: str, head: bytes) -> str | None:
    if suffix in _OPENQASM:
        return "openqasm"
    if suffix == ".inc":
        return "openqasm" if _GATE_TEXT.search(head) else None
    if suffix in _PICKLE or suffix in _MAYBE:
        return "pickle" if _walks_as_pickle(head) else None
    if b"OPENQASM" in head and suffix not in _OTHER_TEXT:
        return "openqasm" if _begins_openqasm(head) else None
    return None


def _begins_openqasm(head: bytes) -> bool:
    rest = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"//", b"/*")):
        rest = rest.partition(b"\n" if rest[1:2] == b"/" else b"*/")[2].lstrip()
    return rest.startswith(b"OPENQASM")


def _is_text(head: bytes) -> bool:
    if _CONTROL.search(head):
        return False
    try:
        head[:-3].decode("utf-8") if len(head) > 3 else head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two where the head ends.
        return error.start >= len(head) - 6 and error.start > 0
    return True


def _walks_as_pickle(head: bytes) -> bool:
    """Whether opcodes of the protocols 0 and 1, which have no mark, can be followed."""
    from bezoar.scan.artefacts.pickles import begins_as_pickle

    return begins_as_pickle(head)
