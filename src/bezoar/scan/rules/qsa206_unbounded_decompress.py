"""QSA206: decompression without a limit on what comes out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Confidence
from bezoar.scan.code.values import Value
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.round_trips import own_output

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Functions that give all of the output at once, and the argument of some that limits it.
_DECOMPRESSORS: dict[str, str] = {
    "zlib.decompress": "",
    "gzip.decompress": "",
    "bz2.decompress": "",
    "lzma.decompress": "",
    "brotli.decompress": "",
    "snappy.decompress": "",
    "snappy.uncompress": "",
    "lz4.frame.decompress": "",
    "lz4.block.decompress": "uncompressed_size",
    "zstandard.decompress": "max_output_size",
    "zstd.decompress": "",
    "blosc.decompress": "",
    "isal.isal_zlib.decompress": "",
}
#: Objects that decompress step by step, and the argument of `decompress` that limits a step.
_STEPWISE: dict[str, tuple[int, str]] = {
    "zlib.decompressobj": (1, "max_length"),
    "bz2.BZ2Decompressor": (1, "max_length"),
    "lzma.LZMADecompressor": (1, "max_length"),
    "zstandard.ZstdDecompressor": (1, "max_output_size"),
}
_STREAMS = frozenset({"gzip.GzipFile", "gzip.open", "bz2.open", "bz2.BZ2File", "lzma.open"})
#: Encodings that bytes have when they came through a text protocol.
_TRANSPORT = frozenset(
    {"base64.b64decode", "base64.urlsafe_b64decode", "base64.b85decode", "binascii.unhexlify"}
)
_PARSERS = frozenset(
    {"loads", "load", "from_qasm_str", "frombuffer", "from_json", "literal_eval", "from_bytes"}
)


def check(module: Module) -> Iterator[Hit]:
    """Decompressions of data from outside that take whatever comes out."""
    if module.is_test:
        return
    for call in module.calls:
        source = _unlimited(module, call)
        if source is None or own_output(module, source):
            continue
        value = module.value(source)
        confidence = _outside(module, call, value)
        if confidence is None:
            continue
        yield Hit(
            where=call.node,
            message=(
                f"`{_shown(call)}` gives all of `{ast.unparse(source)[:60]}` at once, up to a "
                "thousand times its size."
            ),
            confidence=confidence,
            flow=module.flow(
                value, ("request", "network", "cli", "file"), call.node, "decompressed here"
            ),
            source=value,
        )


def _shown(call: Call) -> str:
    return call.name if not call.name.startswith("?") else call.method


def _unlimited(module: Module, call: Call) -> ast.expr | None:
    """What the call decompresses without a limit, None for other calls."""
    if call.name in _DECOMPRESSORS:
        limit = _DECOMPRESSORS[call.name]
        if limit and call.argument_node(None, limit) is not None:
            return None
        return call.argument_node(0, "data")
    func = call.node.func
    if call.method == "decompress" and isinstance(func, ast.Attribute):
        maker = module.value(func.value)
        step = _STEPWISE.get(maker.made_by) or _STEPWISE.get(maker.type)
        if step is not None and call.argument_node(*step) is None:
            return call.argument_node(0, "data")
    if call.name in _STREAMS:
        # A stream over bytes in memory: read() without a size, as everybody writes it.
        inner = call.argument_node(None, "fileobj") or call.argument_node(0, "filename")
        if inner is not None and module.value(inner).comes_from("request", "network"):
            return None if _read_in_pieces(module, call) else inner
    return None


def _read_in_pieces(module: Module, call: Call) -> bool:
    return any(
        other.function is call.function and other.method == "read" and other.node.args
        for other in module.calls
    )


def _outside(module: Module, call: Call, value: Value) -> Confidence | None:
    """How sure it is that the data come from outside, None for the program's own."""
    if value.fixed or "size" in value.marks:
        return None
    if value.comes_from("request", "network", "cli"):
        return "high"
    if _compresses(module):
        return None
    encoded = bool(value.through & _TRANSPORT)
    if value.comes_from("file"):
        return "medium" if encoded or _parses(module, call) else None
    if value.comes_from("parameter"):
        return "medium" if encoded else "low" if _parses(module, call) else None
    return None


def _compresses(module: Module) -> bool:
    """A module that packs as well: most likely it unpacks what it packed."""
    return any(
        call.method in ("compress", "compressobj") and not call.name.startswith("torch")
        for call in module.calls
    )


def _parses(module: Module, call: Call) -> bool:
    return any(
        other.function is call.function and other.method in _PARSERS for other in module.calls
    )


RULE = Rule(
    id="QSA206",
    title="Decompression without a limit before parsing",
    severity="medium",
    confidence="medium",
    cwe=(409,),
    frameworks=("any",),
    why=(
        "Circuits, job results and data sets are sent compressed: QPY in zlib and base64, results "
        "as gzip. `zlib.decompress` gives whatever is inside, and a megabyte can hold a gigabyte "
        "of zeros. A job service then dies before any check of qubits or shots has run."
    ),
    remedy=(
        "Use zlib.decompressobj().decompress(data, limit) and refuse what has more "
        "(unconsumed_tail)."
    ),
    bad=(
        Example(
            name="a circuit in a request",
            code="""\
import base64
import io
import zlib

from flask import Flask, request
from qiskit import qpy

app = Flask(__name__)


@app.route("/jobs", methods=["POST"])
def jobs():
    packed = base64.b64decode(request.get_json()["circuit"])
    circuit = qpy.load(io.BytesIO(zlib.decompress(packed)))[0]  # <- here
    return {"qubits": circuit.num_qubits}
""",
        ),
        Example(
            name="an answer from the network",
            code="""\
import gzip
import json

import requests


def results(url):
    answer = requests.get(url, timeout=30)
    return json.loads(gzip.decompress(answer.content))  # <- here
""",
        ),
        Example(
            name="a decoder of sent circuits, called from another file",
            code="""\
from fastapi import FastAPI, Request

from wire import decode_circuit

app = FastAPI()


@app.post("/run")
async def run(request: Request):
    body = await request.body()
    return {"depth": decode_circuit(body).depth()}
# file: wire.py
import bz2
import io

from qiskit import qpy


def decode_circuit(blob):
    raw = bz2.decompress(blob)  # <- here
    return qpy.load(io.BytesIO(raw))[0]
""",
        ),
        Example(
            name="a decompressor object without a limit, and a gzip stream",
            code="""\
import gzip
import io
import zlib

import requests


def fetch(url):
    body = requests.get(url, timeout=9).content
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    text = unpacker.decompress(body)  # <- here
    other = gzip.GzipFile(fileobj=io.BytesIO(body)).read()  # <- here
    return text, other
""",
        ),
        Example(
            name="text that came through a protocol",
            code="""\
import base64
import json
import lzma


def unpack(message: str):
    return json.loads(lzma.decompress(base64.b64decode(message)))  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="a limit on what comes out",
            code="""\
import base64
import io
import zlib

from flask import Flask, abort, request
from qiskit import qpy

app = Flask(__name__)
LIMIT = 4_000_000


@app.route("/jobs", methods=["POST"])
def jobs():
    packed = base64.b64decode(request.get_json()["circuit"])
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(packed, LIMIT)
    if unpacker.unconsumed_tail:
        abort(413)
    return {"qubits": qpy.load(io.BytesIO(raw))[0].num_qubits}
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the program's own data",
            code="""\
import zlib


class Cache:
    def put(self, key, blob):
        self.store[key] = zlib.compress(blob)

    def get(self, key):
        return zlib.decompress(self.store[key])


def copied(blob):
    return zlib.decompress(zlib.compress(blob))
""",
        ),
        Example(
            name="an asset in the source",
            code="""\
import base64
import zlib

_ICON = "eJxjYGAEQgEBBiDJwZDBygAAAzQAiQ=="


def icon():
    return zlib.decompress(base64.b64decode(_ICON))
""",
        ),
        Example(
            name="a local data set",
            code="""\
import gzip

import numpy as np


def mnist_images(path="data/train-images-idx3-ubyte.gz"):
    with gzip.open(path, "rb") as f:
        return np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)
""",
        ),
        Example(
            name="other things called decompress",
            code="""\
from pytket.extensions import backend


def expand(circuit):
    return circuit.decompress()


def unpack(archive):
    return archive.decompress(level=2)
""",
        ),
    ),
    references=(
        "zlib.Decompress <https://docs.python.org/3/library/zlib.html#zlib.Decompress.decompress>",
    ),
    check=check,
    keywords=("decompress", "gzip", "bz2", "lzma"),
    tags=("deserialisation", "denial of service"),
)
