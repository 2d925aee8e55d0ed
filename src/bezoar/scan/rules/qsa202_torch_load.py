"""QSA202: torch.load that may unpickle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.contracts.code_findings import Step
from bezoar.contracts.records import Severity
from bezoar.scan.code.values import UNKNOWN_LITERAL
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import is_verified
from bezoar.scan.rules.literals import given
from bezoar.scan.rules.round_trips import is_temporary, own_output

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: `weights_only` is True unless given from this release on.
_SAFE_SINCE = "2.6"


def check(module: Module) -> Iterator[Hit]:
    """Every torch.load, and Lightning's way to it, that is not limited to weights."""
    pinned = module.project.excludes_below("torch", _SAFE_SINCE)
    for call in module.calls:
        lightning = call.method == "load_from_checkpoint" and module.imports_any(
            "lightning", "pytorch_lightning"
        )
        if call.name != "torch.load" and not lightning:
            continue
        weights_only = given(module, call, "weights_only")
        if weights_only is UNKNOWN_LITERAL:
            continue
        if weights_only is True:
            if call.name == "torch.load" and _below_safe(module.project):
                yield _broken(module, call)
            continue
        if pinned and weights_only is None and not lightning:
            continue
        source = call.argument_node(0, "checkpoint_path" if lightning else "f")
        if _harmless(module, call, source):
            continue
        severity: Severity | None = "medium" if pinned or lightning or module.is_test else None
        yield Hit(
            where=call.node,
            message=_message(call, weights_only is False, source),
            severity=severity,
            confidence="medium" if lightning else None,
            flow=_flow(module, call, source),
        )


def _message(call: Call, explicit: bool, source: ast.expr | None) -> str:
    what = "the file" if source is None else f"`{ast.unparse(source)[:60]}`"
    if call.name != "torch.load":
        return f"`load_from_checkpoint` unpickles {what}: `weights_only=True` is not given."
    if explicit:
        return f"`torch.load(..., weights_only=False)` runs whatever code {what} holds."
    return (
        f"`torch.load` of {what} without `weights_only=True` runs whatever code it holds "
        f"before torch {_SAFE_SINCE}."
    )


def _flow(module: Module, call: Call, source: ast.expr | None) -> tuple[Step, ...]:
    if source is None:
        return ()
    kinds = ("request", "network", "cli", "env")
    return module.flow(module.value(source), kinds, call.node, "unpickled here")


def _harmless(module: Module, call: Call, source: ast.expr | None) -> bool:
    """A buffer or, in tests, a file that was just saved; or a file whose digest was compared."""
    if source is None:
        return False
    if own_output(module, source) and (module.is_test or _is_buffer(module, source)):
        return True
    if module.is_test and is_temporary(module, source):
        return True
    return is_verified(module, call.function)


def _is_buffer(module: Module, source: ast.expr) -> bool:
    value = module.value(source)
    return value.type == "io.BytesIO" or value.made_by == "io.BytesIO"


def _below_safe(project: ProjectFacts) -> bool:
    """Whether the project asks for a release in which `weights_only` can be broken."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return any(
            part.operator in ("==", "===")
            and Version(part.version.removesuffix(".*")) < Version(_SAFE_SINCE)
            for part in SpecifierSet(project.requirements.get("torch", ""))
        )
    except (InvalidSpecifier, InvalidVersion):
        return False


def _broken(module: Module, call: Call) -> Hit:
    return Hit(
        where=call.node,
        message=(
            "`weights_only=True` does not protect here: the project pins torch "
            f"{module.project.requirements['torch']}, and before {_SAFE_SINCE} it can be broken "
            "(CVE-2025-32434)."
        ),
        severity="medium",
        confidence="medium",
        remedy=f"Raise torch to {_SAFE_SINCE} or later.",
    )


RULE = Rule(
    id="QSA202",
    title="torch.load without weights_only=True",
    severity="high",
    confidence="high",
    cwe=(502,),
    frameworks=("pennylane", "torchquantum", "any"),
    why=(
        "A `.pt` file is a zip around a pickle. Until torch 2.6 `torch.load` unpickled it unless "
        "`weights_only=True` was given, so a checkpoint of a hybrid network from a colleague, a "
        "model hub or a shared disk runs code when it is loaded. The usual fallback, a second "
        "`torch.load` without the limit in `except`, hands the decision to the file. On releases "
        "before 2.6 the limit itself could be broken (CVE-2025-32434). Where the project "
        "requires torch 2.6 or later only an explicit `weights_only=False` is reported, as "
        "medium. Lightning's `load_from_checkpoint` is the same call one layer up."
    ),
    remedy="Give weights_only=True with torch 2.6 or later, or store the weights as safetensors.",
    bad=(
        Example(
            name="weights of a hybrid network",
            code="""\
import pennylane as qml
import torch

from network import HybridNet

model = HybridNet()
model.load_state_dict(torch.load("hybrid.pt"))  # <- here
model.load_state_dict(torch.load(f"runs/{name}/best.pth", map_location="cpu"))  # <- here
""",
        ),
        Example(
            name="switched off in so many words",
            code="""\
import torch as th

checkpoint = th.load(  # <- here
    "qnn.tar",
    map_location=th.device("cpu"),
    weights_only=False,
)
""",
        ),
        Example(
            name="the fallback that undoes the limit",
            code="""\
import torch


def load_checkpoint(path, device):
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception:
        return torch.load(path, map_location=device, weights_only=False)  # <- here
""",
        ),
        Example(
            name="imported by name, in a notebook",
            file="quanvolution.ipynb",
            code="""\
# %%
import torchquantum as tq
from torch import load
# %%
state = load("model.pt")  # <- here
options = {"map_location": "cpu"}
# %%
import torch
state = torch.load("model.pt", **options)  # <- here
""",
        ),
        Example(
            name="a wrapper whose default is unsafe, and the best model after training",
            code="""\
import torch


def restore(path, weights_only=False):
    return torch.load(path, weights_only=weights_only)  # <- here


def fit(model, epochs):
    for epoch in range(epochs):
        torch.save(model.state_dict(), "best.pt")
    model.load_state_dict(torch.load("best.pt"))  # <- here
    return model
""",
        ),
        Example(
            name="pinned to a release with the safe default, and switched off",
            code="""\
import torch

state = torch.load("model.pt", weights_only=False)  # <- here
# file: requirements.txt
torch==2.6.0
""",
        ),
        Example(
            name="the limit on a release where it can be broken",
            code="""\
import torch

state = torch.load("model.pt", weights_only=True)  # <- here
# file: requirements.txt
torch==2.1.2
""",
        ),
        Example(
            name="Lightning",
            code="""\
import pytorch_lightning as pl

from models import QuantumClassifier

model = QuantumClassifier.load_from_checkpoint("last.ckpt", n_qubits=4)  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="weights alone",
            code="""\
import torch
from safetensors.torch import load_file

model.load_state_dict(torch.load("hybrid.pt", map_location="cpu", weights_only=True))
model.load_state_dict(load_file("hybrid.safetensors"))
""",
        ),
    ),
    look_alikes=(
        Example(
            name="the default of torch 2.6",
            code="""\
import torch

state = torch.load("model.pt", map_location="cpu")
# file: requirements.txt
torch>=2.6
pennylane==0.41.0
""",
        ),
        Example(
            name="other things called load",
            code="""\
import numpy as np
import torch

scripted = torch.jit.load("scripted.pt")
points = np.load("points.npy")
torch.ops.load_library("kernels.so")
network.load_state_dict(state)
hub = torch.hub.load_state_dict_from_url


class Reader:
    def load(self, path):
        return path

    def load_from_checkpoint(self, path):
        return path


state = Reader().load("model.pt")
state = Reader().load_from_checkpoint("model.pt")
""",
        ),
        Example(
            name="a buffer that was just filled, and a test's own file",
            file="tests/test_saving.py",
            code="""\
import io

import torch


def test_state_survives(tmp_path):
    torch.save({"theta": torch.zeros(3)}, tmp_path / "m.pt")
    assert "theta" in torch.load(tmp_path / "m.pt")


def test_buffer():
    buffer = io.BytesIO()
    torch.save(torch.zeros(3), buffer)
    buffer.seek(0)
    assert torch.load(buffer).sum() == 0
""",
        ),
        Example(
            name="passed on, commented out, or set by constant",
            code="""\
import torch

LIMIT = True


def load(path, weights_only=True, **kwargs):
    # torch.load(path) was unsafe
    return torch.load(path, weights_only=weights_only, **kwargs)


state = torch.load("model.pt", weights_only=LIMIT)
""",
        ),
        Example(
            name="Lightning with the limit",
            code="""\
import lightning as L

from models import QuantumClassifier

model = QuantumClassifier.load_from_checkpoint("last.ckpt", weights_only=True)
""",
        ),
    ),
    references=(
        "torch.load <https://docs.pytorch.org/docs/stable/generated/torch.load.html>",
        "CVE-2025-32434 <https://nvd.nist.gov/vuln/detail/CVE-2025-32434>",
    ),
    check=check,
    keywords=("torch", "lightning"),
    tags=("deserialisation",),
)
