"""QSA203: numpy files that may hold pickled objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import is_verified
from bezoar.scan.rules.literals import given
from bezoar.scan.rules.round_trips import is_temporary, own_output

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Reading functions that take `allow_pickle` after so many other arguments.
_READERS: dict[str, int | None] = {
    "numpy.load": 2,
    "jax.numpy.load": 2,
    "pennylane.numpy.load": 2,
    "cupy.load": 2,
    "autograd.numpy.load": 2,
    "dask.array.from_npy_stack": None,
    "numpy.lib.format.read_array": 1,
    "numpy.lib.npyio.NpzFile": 2,
}


def check(module: Module) -> Iterator[Hit]:
    """Calls that read arrays with `allow_pickle=True`."""
    for call in module.calls:
        if not _reads(module, call):
            continue
        if given(module, call, "allow_pickle", _READERS.get(call.name)) not in (True, 1):
            continue
        source = call.argument_node(0, "file")
        if source is not None and (
            (module.is_test and (own_output(module, source) or is_temporary(module, source)))
            or is_verified(module, call.function)
        ):
            continue
        yield _hit(module, call, source)


def _hit(module: Module, call: Call, source: ast.expr | None) -> Hit:
    what = "the file" if source is None else f"`{ast.unparse(source)[:60]}`"
    value = None if source is None else module.value(source)
    outside = value is not None and value.comes_from("request", "network")
    return Hit(
        where=call.node,
        message=f"`allow_pickle=True` lets {what} run code when an object array is read.",
        severity="critical" if outside else "medium" if module.is_test else None,
        flow=()
        if value is None
        else module.flow(value, ("request", "network", "cli"), call.node, "unpickled here"),
    )


def _reads(module: Module, call: Call) -> bool:
    """Whether the call reads an array: numpy's load under any name, `partial` of it too."""
    if call.name in _READERS:
        return True
    if call.name == "functools.partial" and call.node.args:
        return module.name_of(call.node.args[0]) in _READERS
    # `np_load_old(path, allow_pickle=True)` in the well-known patch of np.load.
    return not call.name.startswith("numpy.") and "load" in call.method.lower()


RULE = Rule(
    id="QSA203",
    title="numpy.load with allow_pickle=True",
    severity="high",
    confidence="high",
    cwe=(502,),
    frameworks=("any",),
    why=(
        "`.npy` and `.npz` files hold plain numbers, unless `allow_pickle=True` lets them hold "
        "Python objects: then reading `data['x']` unpickles, and a pickle is a program. Encoded "
        "data sets, measurement counts and trained angles are often shared as such files because "
        "somebody once saved a dict or lists of different lengths. numpy switched the default "
        "off in 1.16.3 for this reason."
    ),
    remedy=(
        "Drop the flag; store dicts as .npz with one plain array per key, or as JSON, and lists "
        "of different lengths padded or concatenated."
    ),
    bad=(
        Example(
            name="a dict of parameters, a data set",
            code="""\
import numpy as np

params = np.load("params.npy", allow_pickle=True).item()  # <- here
with np.load(f"data/{name}.npz", allow_pickle=True) as data:  # <- here
    features = data["x"]
""",
        ),
        Example(
            name="PennyLane's numpy, and a load by name in a notebook",
            file="kernel.ipynb",
            code="""\
# %%
from pennylane import numpy as pnp
from numpy import load
# %%
theta = pnp.load("theta.npy", allow_pickle=True)  # <- here
labels = load(  # <- here
    "labels.npy",
    allow_pickle=True,
)
""",
        ),
        Example(
            name="the patch of np.load, positional, and partial",
            code="""\
import functools

import numpy as np

np_load_old = np.load
np.load = lambda *a, **k: np_load_old(*a, allow_pickle=True, **k)  # <- here
values = np.load("values.npy", None, True)  # <- here
read = functools.partial(np.load, allow_pickle=True)  # <- here
""",
        ),
        Example(
            name="a wrapper whose default allows it",
            code="""\
import numpy as np

ALLOW = True


def read(path, allow_pickle=True):
    return np.load(path, allow_pickle=allow_pickle)  # <- here


counts = np.load("counts.npy", allow_pickle=ALLOW)  # <- here
""",
        ),
        Example(
            name="options in a dict",
            code="""
import numpy as np

OPTIONS = {"allow_pickle": True}
KEYWORDS = dict(allow_pickle=True, encoding="latin1")
counts = np.load("counts.npy", **OPTIONS)  # <- here
angles = np.load("angles.npy", **KEYWORDS)  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="plain arrays",
            code="""\
import numpy as np

with np.load("params.npz") as data:
    weights, bias = data["weights"], data["bias"]
points = np.load("points.npy", allow_pickle=False)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="writing, where the flag does no harm",
            code="""\
import numpy as np

np.save("history.npy", history, allow_pickle=True)
np.savez("data.npz", x=x, y=y)
""",
        ),
        Example(
            name="passed on with a safe default",
            code="""\
import numpy as np


def read(path, allow_pickle=False):
    return np.load(path, allow_pickle=allow_pickle)


def read_any(path, **options):
    return np.load(path, **options)
""",
        ),
        Example(
            name="text, comments and other readers",
            code='''\
import numpy as np


def read(path):
    """Older files need np.load(path, allow_pickle=True)."""
    # return np.load(path, allow_pickle=True)
    return np.loadtxt(path)


table = np.genfromtxt("table.csv", delimiter=",")
image = np.fromfile("image.bin")
''',
        ),
        Example(
            name="a test's own file",
            file="tests/test_io.py",
            code="""\
import numpy as np


def test_ragged(tmp_path):
    path = tmp_path / "ragged.npy"
    np.save(path, np.array([[1], [1, 2]], dtype=object))
    assert len(np.load(path, allow_pickle=True)) == 2
""",
        ),
    ),
    references=(
        "numpy.load <https://numpy.org/doc/stable/reference/generated/numpy.load.html>",
        "CVE-2019-6446 <https://nvd.nist.gov/vuln/detail/CVE-2019-6446>",
    ),
    check=check,
    keywords=("allow_pickle", "load("),
    tags=("deserialisation",),
)
