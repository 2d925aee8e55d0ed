"""QSA205: Qiskit's runtime decoder on data from outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import compares_digest

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

_PARSERS = {"json.load": "fp", "json.loads": "s", "orjson.loads": "s", "ujson.loads": "s"}
#: The client libraries themselves, wherever they are vendored.
_LIBRARIES = ("qiskit_ibm_runtime/", "qiskit_ibm_provider/", "qiskit/providers/ibmq/")
_FIXED = "0.21.2"


def check(module: Module) -> Iterator[Hit]:
    """JSON parsed with `cls=RuntimeDecoder`, and calls of the decoder itself."""
    if any(part in module.path for part in _LIBRARIES):
        return
    for call in module.calls:
        source = _decoded(module, call)
        if source is None or _own(module, source) or compares_digest(module, call.function):
            continue
        value = module.value(source)
        if value.fixed or (value.comes_from("result") and len(value.origins) == 1):
            continue
        if module.is_test and any(
            other.method in ("dump", "dumps") and other.function is call.function
            for other in module.calls
        ):
            continue
        fixed = module.project.excludes_below("qiskit-ibm-runtime", _FIXED)
        outside = value.comes_from("request", "network")
        yield Hit(
            where=call.node,
            message=(
                f"`RuntimeDecoder` makes objects of the classes that "
                f"`{ast.unparse(source)[:60]}` names."
            ),
            severity="critical" if outside and not fixed else "medium" if fixed else None,
            flow=module.flow(
                value, ("request", "network", "cli", "env", "file"), call.node, "decoded here"
            ),
        )


def _decoded(module: Module, call: Call) -> ast.expr | None:
    """What the call decodes with the runtime decoder, None for other calls."""
    if call.name in _PARSERS:
        decoder = call.argument_node(None, "cls")
        if decoder is not None and _is_decoder(module, decoder):
            return call.argument_node(0, _PARSERS[call.name])
        return None
    func = call.node.func
    if call.method in ("decode", "raw_decode") and isinstance(func, ast.Attribute):
        maker = func.value
        if isinstance(maker, ast.Call) and _is_decoder(module, maker.func):
            return call.argument_node(0, "s")
        if module.value(maker).type.endswith(".RuntimeDecoder"):
            return call.argument_node(0, "s")
    return None


def _is_decoder(module: Module, node: ast.expr) -> bool:
    name = module.name_of(node) or ast.unparse(node)
    return name.rpartition(".")[2] == "RuntimeDecoder"


def _own(module: Module, source: ast.expr) -> bool:
    """`json.loads(json.dumps(x, cls=RuntimeEncoder), cls=RuntimeDecoder)`, also in two steps."""
    if isinstance(source, ast.Name):
        inside = module.function_of(source)
        return any(
            isinstance(statement.value, ast.Call)
            and _encodes(statement.value)
            and statement.lineno <= source.lineno
            and module.function_of(statement) is inside
            and any(ast.unparse(target) == source.id for target in statement.targets)
            for statement in module.nodes(ast.Assign)
        )
    return isinstance(source, ast.Call) and _encodes(source)


def _encodes(node: ast.Call) -> bool:
    return any(
        keyword.arg == "cls" and ast.unparse(keyword.value).endswith("RuntimeEncoder")
        for keyword in node.keywords
    )


RULE = Rule(
    id="QSA205",
    title="RuntimeDecoder on data from outside",
    severity="high",
    confidence="medium",
    cwe=(502,),
    frameworks=("qiskit",),
    why=(
        "`json.loads(text, cls=RuntimeDecoder)` looks like JSON, but the decoder imports the "
        "modules and makes objects of the classes that the text names, and reads arrays, "
        "circuits and settings inside of it. Before qiskit-ibm-runtime 0.21.2 such a text runs "
        "code (CVE-2024-29032). It is meant for answers of IBM's service over TLS, and is used "
        "for saved results, command-line arguments and request bodies as well."
    ),
    remedy=(
        "Decode only what the provider sent over TLS, require qiskit-ibm-runtime>=0.21.2, and "
        "keep results of your own as counts in plain JSON."
    ),
    bad=(
        Example(
            name="saved results",
            code="""\
import json
from pathlib import Path

from qiskit_ibm_runtime import RuntimeDecoder

with open("job-result.json") as handle:
    result = json.load(handle, cls=RuntimeDecoder)  # <- here


def read(path: Path):
    return json.loads(path.read_text(), cls=RuntimeDecoder)  # <- here
""",
        ),
        Example(
            name="a command-line argument",
            code="""\
import json
import sys

from qiskit_ibm_runtime.utils import RuntimeDecoder as Decoder

if len(sys.argv) > 1:
    options = json.loads(  # <- here
        sys.argv[1],
        cls=Decoder,
    )
""",
        ),
        Example(
            name="a job server",
            code="""\
import json

import qiskit_ibm_runtime
from flask import Flask, request

app = Flask(__name__)


@app.post("/program")
def program():
    inputs = json.loads(request.data, cls=qiskit_ibm_runtime.RuntimeDecoder)  # <- here
    return {"n": len(inputs)}
""",
        ),
        Example(
            name="through plain JSON first, in a notebook",
            file="archive.ipynb",
            code="""\
# %%
import json
from qiskit.providers.ibmq.runtime import RuntimeDecoder
# %%
payload = json.load(open("archive.json"))
result = json.loads(json.dumps(payload), cls=RuntimeDecoder)  # <- here
""",
        ),
        Example(
            name="the decoder itself",
            code="""\
from qiskit_ibm_runtime import RuntimeDecoder


def decode(path):
    with open(path) as handle:
        return RuntimeDecoder().decode(handle.read())  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="counts as plain JSON",
            code="""\
import json
from pathlib import Path

counts = json.loads(Path("counts.json").read_text())
result = job.result()
Path("counts.json").write_text(json.dumps(result[0].data.meas.get_counts()))
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a round trip",
            code="""\
import json

from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder


def copied(options):
    return json.loads(json.dumps(options, cls=RuntimeEncoder), cls=RuntimeDecoder)


def copied_in_steps(options):
    text = json.dumps(options, cls=RuntimeEncoder)
    return json.loads(text, cls=RuntimeDecoder)
""",
        ),
        Example(
            name="the client library itself",
            file="qiskit_ibm_runtime/api/clients/runtime.py",
            code="""\
import json

from qiskit_ibm_runtime.utils import RuntimeDecoder


def params_of(raw):
    return json.loads(raw["params"], cls=RuntimeDecoder)
""",
        ),
        Example(
            name="other decoders and the encoder",
            code="""\
import json

from qiskit_ibm_runtime import RuntimeEncoder

from project.storage import GateListDecoder

gates = json.load(open("gates.json"), cls=GateListDecoder)
plain = json.loads(text)
text = json.dumps(result, cls=RuntimeEncoder)
""",
        ),
    ),
    references=("CVE-2024-29032 <https://nvd.nist.gov/vuln/detail/CVE-2024-29032>",),
    check=check,
    keywords=("RuntimeDecoder",),
    tags=("deserialisation",),
)
