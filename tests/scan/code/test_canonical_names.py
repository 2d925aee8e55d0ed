"""One name for each thing, however a file came by it."""

from __future__ import annotations

import pytest
from flow_probe import module, names, sight

ALIASES = [
    ("import pickle\npickle.load(f)", "pickle.load"),
    ("import pickle as pk\npk.load(f)", "pickle.load"),
    ("from pickle import load\nload(f)", "pickle.load"),
    ("from pickle import load as read\nread(f)", "pickle.load"),
    ("from pickle import *\nload(f)", "pickle.load"),
    ("import cPickle\ncPickle.load(f)", "pickle.load"),
    ("import _pickle as p\np.load(f)", "pickle.load"),
    ("import os.path\nos.path.join(a)", "os.path.join"),
    ("import os.path as p\np.join(a)", "os.path.join"),
    ("import urllib.request\nurllib.request.urlopen(u)", "urllib.request.urlopen"),
    ("import pennylane as qml\nqml.RX(x, wires=0)", "pennylane.RX"),
    ("from pennylane import RX as turn\nturn(x)", "pennylane.RX"),
    (
        "from pennylane.templates import AngleEmbedding\nAngleEmbedding(x)",
        "pennylane.AngleEmbedding",
    ),
    (
        "from pennylane.templates.embeddings import AngleEmbedding as A\nA(x)",
        "pennylane.AngleEmbedding",
    ),
    ("import pennylane\npennylane.templates.AngleEmbedding(x)", "pennylane.AngleEmbedding"),
    ("from qiskit.circuit import QuantumCircuit\nQuantumCircuit(2)", "qiskit.QuantumCircuit"),
    ("from qiskit import *\nQuantumCircuit(2)", "qiskit.QuantumCircuit"),
    (
        "from qiskit import QuantumCircuit as QC\nQC.from_qasm_str(s)",
        "qiskit.QuantumCircuit.from_qasm_str",
    ),
    (
        "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1)\nqc.rx(x, 0)",
        "qiskit.QuantumCircuit.rx",
    ),
    ("from qiskit.providers.aer import AerSimulator\nAerSimulator()", "qiskit_aer.AerSimulator"),
    ("from qiskit import Aer\nAer.get_backend(n)", "qiskit_aer.Aer.get_backend"),
    ("import qiskit.qasm2\nqiskit.qasm2.loads(s)", "qiskit.qasm2.loads"),
    ("import qiskit.qasm2 as q\nq.loads(s)", "qiskit.qasm2.loads"),
    ("from qiskit import qasm2 as q\nq.loads(s)", "qiskit.qasm2.loads"),
    ("import torch\nload = torch.load\nload(f)", "torch.load"),
    ("import torch as t\nT = t\nT.load(f)", "torch.load"),
    ("from torch.serialization import load\nload(f)", "torch.load"),
    ("def f(x):\n    import pickle as p\n    return p.loads(x)", "pickle.loads"),
    ("def f(x):\n    from pickle import loads\n    return loads(x)", "pickle.loads"),
    (
        "class A:\n    def f(self, x):\n        import dill\n        return dill.loads(x)",
        "dill.loads",
    ),
    (
        "try:\n    import cPickle as p\nexcept ImportError:\n    import pickle as p\np.load(f)",
        "pickle.load",
    ),
    ("if fast:\n    import joblib\nelse:\n    joblib = None\njoblib.load(f)", "joblib.load"),
    (
        "try:\n    import joblib\nexcept ImportError:\n    joblib = None\njoblib.load(f)",
        "joblib.load",
    ),
    ("import json as pickle\npickle.load(f)", "json.load"),
    ("eval(x)", "eval"),
    ("import builtins\nbuiltins.eval(x)", "eval"),
    ("from builtins import eval as run\nrun(x)", "eval"),
    ("def f():\n    return load(1)\nfrom pickle import load", "pickle.load"),
    (
        "def f():\n    global p\n    import pickle as p\nf()\ndef g(x):\n    p.load(x)",
        "pickle.load",
    ),
    ("with open(x) as f:\n    import pickle\n    pickle.load(f)", "pickle.load"),
    ("import pickle\nrun = lambda f: pickle.load(f)", "pickle.load"),
    ("import pickle\n[pickle.load(f) for f in x]", "pickle.load"),
    ("import numpy as np\nnp.random.mtrand.rand(3)", "numpy.random.rand"),
    ("import pennylane.numpy as np\nnp.load(f)", "pennylane.numpy.load"),
    ("from pennylane import numpy as np\nnp.load(f)", "pennylane.numpy.load"),
]


@pytest.mark.parametrize(
    ("text", "name"), ALIASES, ids=[text.replace("\n", "; ") for text, _ in ALIASES]
)
def test_a_call_has_the_name_of_what_it_calls(text: str, name: str) -> None:
    assert name in names(text)


SHADOWED = [
    "import pickle\npickle = Reader()\npickle.load(f)",
    "from pickle import load\ndef load(f):\n    return f\nload(f)",
    "import pickle\ndef f(pickle):\n    pickle.load(x)",
    "import pickle\nfor pickle in tools:\n    pickle.load(x)",
    "import pickle\nwith tool() as pickle:\n    pickle.load(x)",
    "import pickle\n[pickle.load(x) for pickle in tools]",
    "import pickle\nread = lambda pickle: pickle.load(x)",
    "class pickle:\n    def load(self):\n        pass\npickle.load(f)",
    "import pickle\nclass A:\n    def load(self, x):\n        return x\nA().load(f)",
    "import pickle\ntry:\n    go()\nexcept E as pickle:\n    pickle.load(x)",
    "def eval(x):\n    return x\neval(y)",
    "def f(eval):\n    return eval(y)",
    "import pickle\n(pickle := tool()).load(f)",
]


@pytest.mark.parametrize("text", SHADOWED, ids=[text.replace("\n", "; ") for text in SHADOWED])
def test_a_name_that_was_given_to_something_else_is_not_the_import(text: str) -> None:
    assert not {"pickle.load", "eval"} & set(names(text))


def test_a_method_has_its_objects_class() -> None:
    text = """
        import pennylane as qml
        dev = qml.device("default.qubit", wires=1)
        dev.run(tape)
        unknown.run(tape)
    """
    assert names(text) == ["pennylane.device", "pennylane.device.run", "?.run"]


def test_methods_of_own_classes_and_of_their_bases() -> None:
    text = """
        class Base:
            def load(self, x):
                return x

        class Child(Base):
            def save(self, x):
                return self.load(x)

        Child().save(1)
        child = Child()
        child.load(2)
    """
    assert [each for each in names(text) if "load" in each or "save" in each] == [
        "app.py:Base.load",
        "app.py:Child.save",
        "app.py:Base.load",
    ]


def test_a_method_of_a_library_class_through_inheritance() -> None:
    text = """
        import torch
        class Net(torch.nn.Module):
            pass
        net = Net()
        net.load_state_dict(state)
    """
    assert names(text)[-1] == "torch.nn.Module.load_state_dict"


def test_imports_are_known_by_their_canonical_names() -> None:
    read = module("import pennylane as qml\nfrom qiskit.circuit import QuantumCircuit\n")
    assert read.imports_any("pennylane")
    assert read.imports_any("qiskit")
    assert not read.imports_any("torch")
    assert "qiskit.QuantumCircuit" in read.imports


PROJECTS = [
    {
        "pkg/io_.py": "def load(p): return open(p).read()",
        "app.py": "from pkg import io_\nsink(io_.load(x))",
    },
    {
        "pkg/io_.py": "def load(p): return open(p).read()",
        "pkg/app.py": "from . import io_\nsink(io_.load(x))",
    },
    {
        "pkg/__init__.py": "from .io_ import load as read",
        "pkg/io_.py": "def load(p): return open(p).read()",
        "app.py": "import pkg\nsink(pkg.read(x))",
    },
    ({"io_.py": "def load(p): return open(p).read()", "app.py": "import io_\nsink(io_.load(x))"}),
    (
        {
            "io_.py": "def load(p): return open(p).read()",
            "app.py": "import io_ as i\nsink(i.load(x))",
        }
    ),
    (
        {
            "io_.py": "def load(p): return open(p).read()",
            "app.py": "from io_ import *\nsink(load(x))",
        }
    ),
    (
        {
            "pkg/__init__.py": "",
            "pkg/io_.py": "def load(p): return open(p).read()",
            "app.py": "import pkg.io_ as i\nsink(i.load(x))",
        }
    ),
    (
        {
            "pkg/__init__.py": "",
            "pkg/io_.py": "def load(p): return open(p).read()",
            "app.py": "import pkg.io_\nsink(pkg.io_.load(x))",
        }
    ),
    (
        {
            "pkg/io_.py": "def load(p): return open(p).read()",
            "pkg/app.py": "from .io_ import load\nsink(load(x))",
        }
    ),
    (
        {
            "pkg/io_.py": "def load(p): return open(p).read()",
            "pkg/deep/app.py": "from ..io_ import load\nsink(load(x))",
        }
    ),
    (
        {
            "pkg/__init__.py": "from .io_ import load",
            "pkg/io_.py": "def load(p): return open(p).read()",
            "app.py": "from pkg import load\nsink(load(x))",
        }
    ),
    (
        {
            "pkg/__init__.py": "from pkg.inner import load",
            "pkg/inner/__init__.py": "from .io_ import load",
            "pkg/inner/io_.py": "def load(p): return open(p).read()",
            "app.py": "from pkg import load\nsink(load(x))",
        }
    ),
    (
        {
            "src/pkg/__init__.py": "",
            "src/pkg/io_.py": "def load(p): return open(p).read()",
            "src/pkg/app.py": "from pkg.io_ import load\nsink(load(x))",
        }
    ),
    (
        {
            "pkg/__init__.py": "from .io_ import *",
            "pkg/io_.py": "def load(p): return open(p).read()",
            "app.py": "from pkg import load\nsink(load(x))",
        }
    ),
]


@pytest.mark.parametrize("files", PROJECTS, ids=[str(list(each.values())) for each in PROJECTS])
def test_a_function_of_another_file_is_found(files: dict[str, str]) -> None:
    assert sight(files).kinds == {"file"}


def test_a_folder_of_a_frameworks_name_does_not_hide_it() -> None:
    files = {
        "qiskit/circuits.py": "def build(): pass",
        "qiskit/__init__.py": "",
        "app.py": "from qiskit import QuantumCircuit\nq = QuantumCircuit(1)\nsink(q)",
    }
    assert sight(files).type == "qiskit.QuantumCircuit"


def test_the_nearest_of_two_modules_of_one_name() -> None:
    files = {
        "a/tools.py": "def get(): return open('x').read()",
        "b/tools.py": "def get(): return 1",
        "a/app.py": "from tools import get\nsink(get())",
        "b/app.py": "from tools import get\nsink(get())",
    }
    from flow_probe import sights

    assert [each.kinds for each in sights(files)] == [{"file"}, set()]
