"""Makes artefacts for tests: hostile pickles, old QPY files, ONNX models, archives."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bezoar.contracts.errors import InvalidArgument
from bezoar.scan.artefacts import artefact_kind
from bezoar.scan.artefacts.limits import HEAD_BYTES
from bezoar.scan.documents import Document
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rule import Hit, Rule

#: Written by Qiskit 1.4.1 and 0.25.3: one `rx(t + 1)`, and one circuit without parameters.
QPY_12_SYMPY = base64.b64decode(
    "UUlTS0lUDAEEAQAAAAAAAAABcHEAAWYACAAAAAEAAAAAAAAAAAAAAAIAAAABAAAAAAAAAAEAAAAAYwAAAAAAAAAAe31x"
    "AQAAAAEAAQFxAAAAAAAAAAAAAAAAAAAAAAAGAAAAAQAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFJYR2F0ZXEAAAAA"
    "ZQAAAAAAAABJAAAAAAAAAAEAAAAAAAAAHEFkZChTeW1ib2woJ3QnKSwgSW50ZWdlcigxKSlwcAAAAAAAAAAAAAFVuBYZ"
    "LPJFb6WpgTw37e5+dAAAAP///////////////wAAAAAAAAAA"
)
QPY_12_SYMENGINE = base64.b64decode(
    "UUlTS0lUDAEEAQAAAAAAAAABZXEAAWYACAAAAAEAAAAAAAAAAAAAAAIAAAABAAAAAAAAAAEAAAAAYwAAAAAAAAAAe31x"
    "AQAAAAEAAQFxAAAAAAAAAAAAAAAAAAAAAAAGAAAAAQAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFJYR2F0ZXEAAAAA"
    "ZQAAAAAAAAB2AAAAAAAAAAEAAAAAAAAASQEAAA0AAQAAgBAAAAACAACAAAAAAAEAAAAAAAAAMQEAAAAAAAAAAwAAgA0A"
    "AAAAAQAAAAAAAAB0BAAAgAAAAAABAAAAAAAAADFwcAAAAAAAAAAAAAFVuBYZLPJFb6WpgTw37e5+dAAAAP//////////"
    "/////wAAAAAAAAAA"
)
QPY_10_PLAIN = base64.b64decode(
    "UUlTS0lUCgEEAQAAAAAAAAABZXEAAWYACAAAAAEAAAAAAAAAAAAAAAIAAAABAAAAAAAAAAJjAAAAAAAAAAB7fXEBAAAA"
    "AQABAXEAAAAAAAAAAAAAAAAAAAAAAAUAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAASEdhdGVxAAAAAAAGAAAA"
    "AQAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFJYR2F0ZXEAAAAAZgAAAAAAAAAIAAAAAAAA4D8AAAD/////////////"
    "//8AAAAAAAAAAA=="
)
QPY_9 = base64.b64decode(
    "UUlTS0lUCQAZAwAAAAAAAAABcQABaQAIAAAAAQAAAAAAAAAAAAAAAgAAAAEAAAAAAAAAAWMAAAAAAAAAAHt9cQEAAAAB"
    "AAEBcQAAAAAAAAAAAAAAAAAAAAAABgAAAAEAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSWEdhdGVxAAAAAGUAAAAA"
    "AAAASQAAAAAAAAABAAAAAAAAABxBZGQoU3ltYm9sKCd0JyksIEludGVnZXIoMSkpcHAAAAAAAAAAAAAB4sH57bfoQ66T"
    "Xxvj8snjdHQAAAD///////////////8AAAAA"
)
#: The text of their expression, as SymPy writes it.
QPY_TEXT = b"Add(Symbol('t'), Integer(1))"


class Reaches:
    """Pickles to a call of `function`, which runs when the pickle is loaded. None is, here."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def runs_command(protocol: int = 4) -> bytes:
    """A pickle that would call os.system."""
    return pickle.dumps({"weights": [0.1], "x": Reaches(os.system, "true")}, protocol)


def findings(rule: Rule, file: Path, requirements: Mapping[str, str] | None = None) -> list[Hit]:
    """What a rule says of a file."""
    if rule.check_document is None:
        raise InvalidArgument("rule", wanted="one for documents", got=rule.id)
    document = Document(
        path=file.name,
        kind="artefact",
        text="",
        file=file,
        project=ProjectFacts(requirements=requirements or {}),
    )
    return list(rule.check_document(document))


def kind_of(file: Path) -> str | None:
    """What `artefact_kind` says of a file."""
    with file.open("rb") as handle:
        return artefact_kind(file, handle.read(HEAD_BYTES))


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def tar_of(members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    """A tar archive, packed with gzip, with symbolic links."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return made.getvalue()


def npy_with(header: str, content: bytes = b"") -> bytes:
    """An .npy file with a header of our own."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def safetensors_with(header: object, content: bytes = b"") -> bytes:
    """A safetensors file with a header of our own, bytes as they are."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def tensor(begin: int, end: int, *shape: int) -> dict[str, object]:
    """One entry of a safetensors header, of 32-bit numbers."""
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}


def onnx_model(location: str = "", domain: str = "") -> bytes:
    """A small ONNX model: one node and one tensor, whose numbers lie in `location`."""
    where = _field(13, _field(1, b"location") + _field(2, location.encode())) if location else b""
    numbers = _number(1, 3) + where + _number(14, 1 if location else 0)
    node = _field(1, b"x") + _field(4, b"Relu") + (_field(7, domain.encode()) if domain else b"")
    graph = _field(1, node) + _field(2, b"graph") + _field(5, numbers)
    return _number(1, 8) + _field(2, b"pytorch") + _field(7, graph) + _field(8, _number(2, 13))


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field * 8) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field * 8 + 2) + _varint(len(content)) + content
