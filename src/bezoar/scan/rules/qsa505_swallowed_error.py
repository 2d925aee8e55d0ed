"""QSA505: an error of a job or of the loss is caught and forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.encoders import is_in_quantum_project
from bezoar.scan.rules.roles import last_name

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module

_BROAD: Final = frozenset(("Exception", "BaseException"))
#: Calls of a job, or of a step of training, by their last component.
_OF_JOBS: Final = frozenset(
    (
        *("result", "execute", "get_counts", "backward", "step", "step_and_cost", "minimize"),
        *("qnode", "expval", "get_statevector", "wait_for_final_state", "evaluate_observables"),
        *("run_circuit", "run_circuits", "get_expectation", "train_step", "get_memory"),
    )
)
_WORDS: Final = re.compile(
    r"(^|_)(loss|cost|cost_fn|cost_function|loss_fn|criterion|objective|qnode|circuit|energy|"
    r"gradient|qlayer|expval|expectation|vqc|kernel|quantum)(_|$)|train_epoch|compute_loss",
    re.IGNORECASE,
)
#: Functions that make a circuit or take one apart, and run none.
_MAKES: Final = re.compile(
    r"(^|_)(build|creat|make|rand|convert|load|draw|parse|from|to|generat|save|plot|is|has|import)",
    re.IGNORECASE,
)
#: What a backend, sampler or session runs.
_RUNNERS: Final = re.compile(
    r"backend|simulator|sampler|estimator|device|session|^sim$|aer|qpu|job|solver", re.IGNORECASE
)
#: Receivers and arguments that say themselves that a circuit is run.
_PRIMITIVES: Final = re.compile(r"estimator|sampler|backend|qpu|simulator", re.IGNORECASE)
_CIRCUIT: Final = re.compile(r"circ|\bqc|\bisa|ansatz|\bpubs?\b", re.IGNORECASE)
#: Shutting down, and looking whether something is there: nobody relies on the answer.
_SHUTDOWN: Final = frozenset(
    (
        *("cancel", "close", "disconnect", "shutdown", "terminate", "kill", "cleanup", "unlink"),
        *("remove", "rmtree", "join", "logout", "delete", "stop", "flush"),
    )
)
_SHUTDOWN_NAME: Final = re.compile(r"__del__|__exit__|close|shutdown|cleanup|cancel|teardown|stop")
_RETRY: Final = re.compile(r"attempt|retr(y|ies)|tries|trial_no", re.IGNORECASE)
_TELLS: Final = frozenset(
    ("print", "print_exc", "debug", "info", "warning", "warn", "error", "exception", "critical")
)
#: Drawings and texts of a circuit: nothing is computed.
_SHOWS: Final = frozenset(("draw", "show", "savefig", "print", "display", "plot", "draw_mpl"))


def check(module: Module) -> Iterator[Hit]:
    """Reports handlers that swallow every error of a job or loss."""
    if module.is_test:
        return
    quantum = is_in_quantum_project(module)
    for node in module.nodes(ast.Try):
        what = _job_in(module, node.body)
        if not (quantum or _runs_circuit(node.body)):
            continue
        if not what or _is_shutdown(module, node) or _is_retried(module, node):
            continue
        for handler in node.handlers:
            bare = handler.type is None and _gives_up(handler)
            if bare or (_is_broad(handler.type) and _forgets(handler)):
                yield Hit(
                    where=handler,
                    message=f"any error of `{what}` is swallowed here, and the run goes on",
                )


def _is_broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    if isinstance(kind, ast.Tuple):
        return any(_is_broad(part) for part in kind.elts)
    return last_name(kind) in _BROAD


def _forgets(handler: ast.ExceptHandler) -> bool:
    """Whether a handler does nothing, goes on with the next, or puts a number in its place."""
    rest = [statement for statement in handler.body if not _tells(statement)]
    if len(rest) == len(handler.body):
        return all(_is_nothing(statement) for statement in rest)
    # Who tells and returns 0.0 has the caller take it; who tells and goes on with the next has
    # a result that some samples are missing from.
    return bool(rest) and all(
        _puts_number(statement) or isinstance(statement, ast.Continue) for statement in rest
    )


def _gives_up(handler: ast.ExceptHandler) -> bool:
    """Whether a bare handler tells at most, and gives nothing back: ``print(...)``, ``return``."""
    return all(
        _tells(statement) or _is_nothing(statement) or _is_empty(statement)
        for statement in handler.body
    )


def _is_empty(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Return | ast.Assign):
        return False
    value = statement.value
    if isinstance(value, ast.List | ast.Dict | ast.Tuple):
        return not any(isinstance(part, ast.expr) for part in ast.iter_child_nodes(value))
    return value is None or isinstance(value, ast.Constant)


def _tells(statement: ast.stmt) -> bool:
    """``print(...)``, ``logger.warning(...)``, ``traceback.print_exc()``."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Call) and last_name(value.func) in _TELLS


def _is_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass | ast.Continue):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    return _puts_number(statement)


def _puts_number(statement: ast.stmt) -> bool:
    """``return 0.0``, ``loss = 0``, ``losses.append(0.0)``."""
    if isinstance(statement, ast.Expr):
        value = statement.value
        return (
            isinstance(value, ast.Call)
            and last_name(value.func) == "append"
            and len(value.args) == 1
            and _is_number(value.args[0])
        )
    if isinstance(statement, ast.Assign | ast.Return):
        return statement.value is not None and _is_number(statement.value)
    return False


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Call):
        return last_name(node.func) in ("zeros", "zeros_like", "tensor", "array") and not any(
            isinstance(part, ast.Name) and part.id == "nan" for part in ast.walk(node)
        )
    number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return number and not isinstance(getattr(node, "value", None), bool)


def _job_in(module: Module, body: list[ast.stmt]) -> str:
    """The call of a job or loss in a try, as text; "" where there is none."""
    for statement in body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call):
                continue
            text = ast.unparse(node.func)
            # self.quantum_funcs[i](patch): called by its place in a list.
            func = node.func.value if isinstance(node.func, ast.Subscript) else node.func
            called = last_name(func)
            if called in _OF_JOBS and not _is_future(node):
                return text
            call = module.call(node)
            if call is not None and call.name in ("qiskit.execute", "qiskit.transpile"):
                return text
            if called == "run" and _RUNNERS.search(_receiver(node)):
                return text
            named = _WORDS.search(called) and not _MAKES.search(called) and called not in _SHOWS
            named = named and not called[:1].isupper()
            if named and (node.args or node.keywords):
                return text
    return ""


def _runs_circuit(body: list[ast.stmt]) -> bool:
    """Whether a try runs a circuit in a file that got both from elsewhere."""
    for statement in body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Call) or last_name(node.func) != "run":
                continue
            given = ast.unparse(node).partition("(")[2]
            if _PRIMITIVES.search(_receiver(node)) and _CIRCUIT.search(given):
                return True
    return False


def _receiver(node: ast.Call) -> str:
    return ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""


def _is_future(node: ast.Call) -> bool:
    return bool(re.search(r"future|thread|env\b|scheduler|profiler", _receiver(node).lower()))


def _is_shutdown(module: Module, node: ast.Try) -> bool:
    function = module.function_of(node)
    if function is not None and _SHUTDOWN_NAME.search(function.name):
        return True
    if any(
        isinstance(above, ast.Try) and node in above.finalbody for above in module.ancestors(node)
    ):
        return True
    return any(
        isinstance(part, ast.Call) and last_name(part.func) in _SHUTDOWN
        for statement in node.body
        for part in ast.walk(statement)
    )


def _is_retried(module: Module, node: ast.Try) -> bool:
    """Whether the loop around tries the same again: then the last error is what counts."""
    for above in module.ancestors(node):
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        if isinstance(above, ast.For) and _RETRY.search(
            f"{ast.unparse(above.target)} {ast.unparse(above.iter)}"
        ):
            return True
        if isinstance(above, ast.For | ast.While) and any(
            isinstance(part, ast.Call) and last_name(part.func) == "sleep"
            for part in ast.walk(above)
        ):
            return True
    return False


RULE = Rule(
    id="QSA505",
    title="Errors of a job or loss are swallowed",
    severity="medium",
    confidence="medium",
    cwe=(390,),
    frameworks=("any",),
    why=(
        "A job that failed, a circuit that was refused and a loss that could not be computed are "
        "dropped by `except: pass`, and the mean over the rest is reported as the result. Samples "
        "that make the circuit fail, which may be all of one class or all of an attacker's, "
        "vanish from training and from evaluation. Where a number takes their place, 0 is a "
        "perfectly good expectation value.\n\n"
        "The rule reports handlers of every exception that do nothing, go on with the next item, "
        "or put a number in place of the result; where not even a kind of error is named, also "
        "those that print and give up. Handlers that log and raise, name one exception, "
        "try again, or close a connection are not reported."
    ),
    remedy="Let the step fail, or catch the one exception that is expected, and report it.",
    bad=(
        Example(
            name="pass around a job's result",
            code="""\
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

backend = AerSimulator(seed_simulator=1)


def collect(circuits):
    counts = []
    for qc in circuits:
        try:
            job = backend.run(qc, shots=100)
            counts.append(job.result().get_counts())
        except:  # <- here
            pass
    return counts
""",
        ),
        Example(
            name="the sample is skipped in the training loop",
            file="train.py",
            code="""\
import pennylane as qml
import torch


def train(model, loader, opt, criterion):
    for x, y in loader:
        opt.zero_grad()
        try:
            loss = criterion(model(x), y)
            loss.backward()
            opt.step()
        except Exception:  # <- here
            continue
""",
        ),
        Example(
            name="a number takes the place of an expectation value",
            file="vqe.ipynb",
            code="""\
# %%
from qiskit.primitives import Estimator
estimator = Estimator()
# %%
def energy(theta):
    try:
        return estimator.run([ansatz], [hamiltonian], [theta]).result().values[0]
    except Exception as error:  # <- here
        return 0.0
""",
        ),
        Example(
            name="a bare except in the training of a quantum model that another file defines",
            file="fit.py",
            code="""\
from models.quantum_head import QuantumHead


def evaluate(model, loader, loss_fn):
    total = 0.0
    for x, y in loader:
        try:
            total += loss_fn(model(x), y).item()
        except:  # <- here
            print("batch failed")
    return total


def fit(model: QuantumHead, loader, compute_loss):
    for batch in loader:
        try:
            loss = compute_loss(model, batch)
        except:  # <- here
            loss = None
    return loss
""",
        ),
        Example(
            name="a tuple of exceptions that holds Exception, and a cost function",
            file="spsa.py",
            code="""\
import pennylane as qml


def step(cost_fn, params, losses):
    value = None
    try:
        value = cost_fn(params)
    except (ValueError, Exception):  # <- here
        losses.append(0.0)
    return value
""",
        ),
        Example(
            name="circuits in a list, and zeros where one fails",
            code="""\
import pennylane as qml
import torch


class Conv(torch.nn.Module):
    def forward(self, patches):
        out = torch.zeros(len(patches), self.n_kernels)
        for k in range(self.n_kernels):
            try:
                out[:, k] = self.quantum_filters[k](patches)
            except Exception as error:  # <- here
                print(f"filter {k}: {error}")
                out[:, k] = 0.0
        return out
""",
        ),
        Example(
            name="a sweep in a file that got the estimator from elsewhere",
            file="sweep.py",
            code="""\
def sweep(estimator, circuit, observable, grid):
    energies = []
    for angle in grid:
        try:
            job = estimator.run([(circuit, observable, [angle])])
            energies.append(float(job.result()[0].data.evs))
        except Exception:  # <- here
            continue
    return min(energies)
""",
        ),
        Example(
            name="told, and the next one",
            code="""\
import pennylane as qml


def train_epoch(model, loader, opt, criterion):
    total = 0.0
    for x, y in loader:
        try:
            loss = criterion(model(x), y)
            loss.backward()
            opt.step()
        except Exception as error:  # <- here
            print(f"skipping batch: {error}")
            continue
        total += loss.item()
    return total / len(loader)
""",
        ),
    ),
    good=(
        Example(
            name="the step fails",
            code="""\
import logging
from qiskit_aer import AerSimulator

backend = AerSimulator(seed_simulator=1)


def collect(circuits):
    counts = []
    for index, qc in enumerate(circuits):
        try:
            counts.append(backend.run(qc, shots=100).result().get_counts())
        except Exception:
            logging.exception("circuit %d failed", index)
            raise
    return counts
""",
        ),
    ),
    look_alikes=(
        Example(
            name="closing and cancelling",
            code="""\
from qiskit_ibm_runtime import Session


class Runner:
    def close(self):
        try:
            self.job.result()
        except Exception:
            pass

    def give_up(self, job):
        try:
            job.cancel()
        except Exception:
            pass
""",
        ),
        Example(
            name="optional imports, drawings and environment probes",
            code="""\
try:
    import pennylane as qml
except Exception:
    pass


def show(circuit):
    try:
        circuit.draw("mpl")
    except Exception:
        pass


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except Exception:
        return 0
""",
        ),
        Example(
            name="one exception is named, or the error is kept",
            code="""\
import pennylane as qml
from qiskit.providers import JobTimeoutError


def poll(job):
    try:
        return job.result(timeout=1)
    except JobTimeoutError:
        pass
    return None


def evaluate(circuit, xs, failures):
    values = []
    for x in xs:
        try:
            values.append(circuit(x))
        except Exception as error:
            failures.append((x, error))
            continue
    return values
""",
        ),
        Example(
            name="tried again",
            code="""\
import time
from qiskit_ibm_runtime import QiskitRuntimeService


def patient(backend, qc, retries=3):
    for attempt in range(retries):
        try:
            return backend.run(qc).result()
        except Exception:
            time.sleep(2 ** attempt)
    raise RuntimeError("no result")


def again(backend, qc):
    for attempt in range(3):
        try:
            return backend.run(qc).result()
        except Exception:
            continue
    raise RuntimeError("no result")
""",
        ),
    ),
    references=("CWE-390 <https://cwe.mitre.org/data/definitions/390.html>",),
    check=check,
    keywords=("except",),
)
