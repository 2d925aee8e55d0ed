"""QSA201: parameters, models and data sets that are unpickled."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.records import Severity
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import is_verified
from bezoar.scan.rules.round_trips import is_temporary, own_output

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: What runs code that is in its input: the name of the argument with the input beside position 0.
_LOADERS: dict[str, str] = {
    "pickle.load": "file",
    "pickle.loads": "data",
    "pickle.Unpickler": "file",
    "dill.load": "file",
    "dill.loads": "str",
    "dill.load_session": "filename",
    "dill.load_module": "filename",
    "dill.Unpickler": "file",
    "cloudpickle.load": "file",
    "cloudpickle.loads": "data",
    "joblib.load": "filename",
    "sklearn.externals.joblib.load": "filename",
    "compress_pickle.load": "path",
    "pandas.read_pickle": "filepath_or_buffer",
    "pandas.io.pickle.read_pickle": "filepath_or_buffer",
    "shelve.open": "filename",
    "jsonpickle.decode": "string",
    "jsonpickle.loads": "string",
    "yaml.unsafe_load": "stream",
    "yaml.unsafe_load_all": "stream",
    "mlflow.sklearn.load_model": "model_uri",
    "pylearn2.utils.serial.load": "filepath",
}
_YAML = frozenset({"yaml.load", "yaml.load_all"})
_UNSAFE_YAML = frozenset({"Loader", "UnsafeLoader", "CLoader", "CUnsafeLoader"})
#: Loading methods of Qiskit Machine Learning's models: they are dill inside.
_DILL_METHODS = frozenset({"load", "from_dill"})


def check(module: Module) -> Iterator[Hit]:
    """Calls that unpickle what the program has not just pickled itself."""
    for call in module.calls:
        what = _unpickler(module, call)
        if not what:
            continue
        source = call.argument_node(0, _LOADERS.get(call.name, "stream"))
        if _harmless(module, call, source):
            continue
        value = None if source is None else module.value(source)
        outside = value is not None and value.comes_from("request", "network")
        severity: Severity | None = "critical" if outside else None
        if module.is_test:
            severity = "medium"
        text = f"`{what}` runs whatever code {_named(source)} holds"
        if value is not None and value.comes_from("request"):
            text += ", which a client sent"
        elif outside:
            text += ", which came over the network"
        flow = ()
        if value is not None:
            flow = module.flow(
                value, ("request", "network", "cli", "env", "file"), call.node, "unpickled here"
            )
        yield Hit(where=call.node, message=f"{text}.", severity=severity, flow=flow)


def _unpickler(module: Module, call: Call) -> str:
    """How the call is shown, "" for one that unpickles nothing."""
    if call.name in _LOADERS:
        return call.name
    if call.name in _YAML:
        return call.name if _unsafe_yaml(module, call) else ""
    if call.name.startswith("qiskit_machine_learning.") and call.method in _DILL_METHODS:
        return ".".join(call.name.split(".")[-2:])
    return call.method if ":" in call.name and _open_unpickler(module, call) else ""


def _open_unpickler(module: Module, call: Call) -> bool:
    """A class of its own that finds classes in another way and refuses none."""
    for declaration in module.classes:
        if declaration.facts.name == call.name:
            finder = declaration.methods.get("find_class")
            refuses = finder and any(isinstance(n, ast.Raise) for n in ast.walk(finder.node))
            return not refuses and any(
                base.endswith(".Unpickler") for base in declaration.facts.bases
            )
    return False


def _unsafe_yaml(module: Module, call: Call) -> bool:
    """Whether YAML may make objects of any class: that is pickle by another name."""
    loader = call.argument_node(1, "Loader")
    if loader is None:
        # PyYAML 6 refuses a call without a loader; older releases took the unsafe one.
        return not call.has_star and not module.project.excludes_below("pyyaml", "5.1")
    name = module.name_of(loader) or ast.unparse(loader)
    return name.rpartition(".")[2] in _UNSAFE_YAML


def _harmless(module: Module, call: Call, source: ast.expr | None) -> bool:
    if source is None:
        # Unpickler subclasses are found where they are made; load() alone says nothing.
        return not call.has_star
    if call.name == "shelve.open" and _flag(module, call) == "n":
        return True
    if module.value(source).fixed and isinstance(module.value(source).literal, bytes):
        return True
    if own_output(module, source) or is_verified(module, call.function):
        return True
    return module.is_test and (_pickles_too(module, call) or is_temporary(module, source))


def _flag(module: Module, call: Call) -> object:
    node = call.argument_node(1, "flag")
    return None if node is None else module.value(node).literal


def _pickles_too(module: Module, call: Call) -> bool:
    """A test that also writes: a round trip, through whatever helpers."""
    return any(
        other.function is call.function
        and other.method in ("dump", "dumps", "save", "to_pickle", "to_dill")
        for other in module.calls
    )


def _named(source: ast.expr | None) -> str:
    if source is None:
        return "the file"
    text = ast.unparse(source)
    return f"`{text}`" if len(text) <= 60 else "the file"


RULE = Rule(
    id="QSA201",
    title="Pickle, dill or joblib loads parameters, models or data",
    severity="high",
    confidence="high",
    cwe=(502,),
    frameworks=("any",),
    why=(
        "A pickle is a program: whoever can write the file runs code on the machine that loads "
        "it, with the rights and provider tokens of the user. Trained parameters, molecules, "
        "encoded data sets and whole classifiers of quantum machine learning are shared this way "
        "(`params.pkl`, `model.joblib`, `vqc.model`), and Qiskit Machine Learning's `load` is "
        "dill inside. `yaml.load` without a safe loader is the same thing in another syntax. "
        "What a program has written itself a few lines before is not reported, nor is a file "
        "whose digest is compared first."
    ),
    remedy=(
        "Store numbers as .npz or safetensors and settings as JSON, use skops for scikit-learn, "
        "and compare a SHA-256 before any load that must stay."
    ),
    bad=(
        Example(
            name="trained parameters from a file",
            code="""\
import pickle

import pennylane as qml

weights = pickle.load(open("params.pkl", "rb"))  # <- here


def restore(path):
    with open(path, "rb") as handle:
        return pickle.load(handle)  # <- here
""",
        ),
        Example(
            name="a classifier of Qiskit Machine Learning",
            code="""\
from qiskit_machine_learning.algorithms import VQC
from qiskit_machine_learning.algorithms.classifiers import NeuralNetworkClassifier

classifier = VQC.load("vqc_iris.model")  # <- here
network = NeuralNetworkClassifier.load("qnn.model")  # <- here
""",
        ),
        Example(
            name="joblib, dill and pandas in a notebook",
            file="evaluate.ipynb",
            code="""\
# %%
import joblib
import dill as pkl
import pandas as pd
# %%
scaler = joblib.load("scaler.joblib")  # <- here
ansatz = pkl.load(open(f"results/{run}/ansatz.dill", "rb"))  # <- here
frame = pd.read_pickle("features.pkl")  # <- here
""",
        ),
        Example(
            name="imported by name, inside of a function, over several lines",
            code="""\
def load_dataset(name):
    from pickle import load as unpickle
    import os

    with open(os.path.join("data", name + ".pkl"), "rb") as stream:
        data = unpickle(  # <- here
            stream,
            encoding="latin1",
        )
    return data["x"], data["y"]
""",
        ),
        Example(
            name="an upload, and a cache across the network",
            code="""\
import base64
import pickle

import cloudpickle
import requests
from flask import Flask, request

app = Flask(__name__)


@app.route("/run", methods=["POST"])
def run():
    circuit = cloudpickle.loads(base64.b64decode(request.json["circuit"]))  # <- here
    return {"counts": circuit()}


def remote(url):
    return pickle.loads(requests.get(url, timeout=10).content)  # <- here
""",
        ),
        Example(
            name="an unpickler object, a shelf, old names",
            code="""\
import pickle
import shelve

import six.moves.cPickle as cPickle
import _pickle

with open("best_theta.pkl", "rb") as f:
    theta = pickle.Unpickler(f).load()  # <- here
with shelve.open("jobs") as jobs:  # <- here
    last = jobs["last"]
batch = cPickle.load(open("data_batch_1", "rb"))  # <- here
meta = _pickle.load(open("meta.p", "rb"))  # <- here
""",
        ),
        Example(
            name="an unpickler of its own that refuses nothing",
            code="""\
import io
import pickle

import torch


class CpuUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if module == "torch.storage" and name == "_load_from_bytes":
            return lambda blob: torch.load(io.BytesIO(blob), weights_only=True)
        return super().find_class(module, name)


def load(path):
    with open(path, "rb") as f:
        return CpuUnpickler(f).load()  # <- here
""",
        ),
        Example(
            name="YAML with the loader that makes any object",
            code="""\
import yaml

with open("experiment.yaml") as f:
    config = yaml.load(f, Loader=yaml.Loader)  # <- here
with open("ansatz.yaml") as f:
    ansatz = yaml.load(f)  # <- here
other = yaml.unsafe_load(open("noise.yaml"))  # <- here
""",
        ),
        Example(
            name="a cache that one function writes and another reads",
            code="""\
import os
import pickle


def save(history, path):
    with open(path, "wb") as f:
        pickle.dump(history, f)


def resume(path):
    if os.path.exists(path):
        with open(path, "rb") as f:
            return pickle.load(f)  # <- here
    return None
""",
        ),
    ),
    good=(
        Example(
            name="arrays without objects, and a digest where a pickle must stay",
            code="""\
import hashlib
import pickle

import numpy as np

WANTED_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

weights = np.load("params.npz")["weights"]


def trusted(path):
    with open(path, "rb") as f:
        blob = f.read()
    if hashlib.sha256(blob).hexdigest() != WANTED_SHA256:
        raise ValueError("params.pkl is not the published file")
    return pickle.loads(blob)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a round trip in memory",
            code="""\
import io
import pickle

import dill


def deep_copy(circuit):
    return pickle.loads(pickle.dumps(circuit))


def sendable(ansatz):
    blob = dill.dumps(ansatz)
    return dill.loads(blob) == ansatz


def through_buffer(model):
    buffer = io.BytesIO()
    pickle.dump(model, buffer)
    buffer.seek(0)
    return pickle.load(buffer)
""",
        ),
        Example(
            name="a round trip in a test",
            file="tests/test_params.py",
            code="""\
import pickle

import joblib

from project.ansatz import Ansatz


def test_ansatz_can_be_pickled(tmp_path):
    ansatz = Ansatz(4)
    target = tmp_path / "ansatz.pkl"
    with target.open("wb") as f:
        pickle.dump(ansatz, f)
    with target.open("rb") as f:
        assert pickle.load(f) == ansatz


def test_model_is_kept(tmp_path):
    joblib.dump([1, 2], tmp_path / "m.joblib")
    assert joblib.load(tmp_path / "m.joblib") == [1, 2]
""",
        ),
        Example(
            name="a file that the same function has written",
            code="""\
import pickle

import joblib


def checkpointed(history):
    with open("history.pkl", "wb") as f:
        pickle.dump(history, f)
    del history
    with open("history.pkl", "rb") as f:
        return pickle.load(f)


def refit(model, path):
    joblib.dump(model, path)
    return joblib.load(path)
""",
        ),
        Example(
            name="work that is handed to other processes",
            code="""\
import os
import pickle

import dill


def run_all(stage, circuits):
    return each_in_a_process(_run_one, circuits, {"stage": dill.dumps(stage)})


def run_here(stage, circuits):
    return [_run(circuit, stage=stage) for circuit in circuits]


def _run_one(circuit, *, stage):
    return _run(circuit, stage=dill.loads(stage))


def broadcast(thing, rank, folder):
    path = os.path.join(folder, "thing.bin")
    if rank == 0:
        blob = pickle.dumps(thing)
        with open(path, "wb") as f:
            f.write(blob)
        return thing
    wait_for(path)
    with open(path, "rb") as f:
        blob = f.read()
    return pickle.loads(blob)
""",
        ),
        Example(
            name="safe YAML loaders, JSON, and other things called load",
            code="""\
import json

import numpy as np
import yaml
from yaml import SafeLoader, BaseLoader

config = yaml.safe_load(open("config.yaml"))
ansatz = yaml.load(open("ansatz.yaml"), Loader=yaml.SafeLoader)
noise = yaml.load(open("noise.yaml"), Loader=BaseLoader)
device = yaml.load(open("device.yaml"), SafeLoader)
full = yaml.load(open("full.yaml"), Loader=yaml.CSafeLoader)
params = json.load(open("params.json"))
points = np.load("points.npy")
model.load("weights")
""",
        ),
        Example(
            name="an unpickler that refuses what it does not know",
            code="""\
import pickle

ALLOWED = {("numpy", "ndarray"), ("numpy", "dtype")}


class Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(name)
        return super().find_class(module, name)


def load(stream):
    return Restricted(stream).load()
""",
        ),
        Example(
            name="only written, never read; or commented out",
            code='''\
import pickle


def save(history, path):
    """Read it back with pickle.load(open(path, "rb"))."""
    with open(path, "wb") as f:
        pickle.dump(history, f)
    # history = pickle.load(open(path, "rb"))
''',
        ),
        Example(
            name="a classifier that was just saved",
            code="""
from qiskit_machine_learning.algorithms.classifiers import NeuralNetworkClassifier


def trained(network, features, labels):
    classifier = NeuralNetworkClassifier(neural_network=network)
    classifier.fit(features, labels)
    target = "models/classifier.model"
    classifier.save(target)
    return NeuralNetworkClassifier.load(target)
""",
        ),
        Example(
            name="a test of what the code under test has saved",
            file="tests/test_trainer.py",
            code="""
import joblib
from qiskit_machine_learning.algorithms.classifiers import VQC

from project.trainer import Trainer


def test_model_is_written(tmp_path):
    target = f"{tmp_path}/vqc.model"
    Trainer().fit(target)
    VQC.load(target)
    assert joblib.load(tmp_path / "scaler.joblib") is not None
""",
        ),
    ),
    references=(
        "Python: pickle is not secure <https://docs.python.org/3/library/pickle.html>",
        (
            "Qiskit Machine Learning, saving and loading models "
            "<https://qiskit-community.github.io/qiskit-machine-learning/tutorials/"
            "09_saving_and_loading_models.html>"
        ),
        "skops persistence <https://skops.readthedocs.io/en/stable/persistence.html>",
    ),
    check=check,
    keywords=(
        "pickle",
        "Pickle",
        "dill",
        "joblib",
        "shelve",
        "yaml",
        "qiskit_machine_learning",
        "mlflow",
    ),
    tags=("deserialisation",),
)
