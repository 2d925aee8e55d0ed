"""QSA503: a stored result depends on random numbers that nobody seeded."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.encoders import is_in_quantum_project
from bezoar.scan.rules.roles import is_weights, names_in

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Calls that keep a result.
_STORES: Final = re.compile(
    r"json\.dumps?|numpy\.(save|savez|savez_compressed|savetxt)|pickle\.dump|joblib\.dump|"
    r"torch\.save|yaml\.(safe_)?dump|csv\.(writer|DictWriter)|mlflow\.log_\w+|wandb\.log|"
    r"pennylane\.numpy\.(save|savez|savetxt)|h5py\.File|qiskit\.qpy\.dump|qiskit\.qasm[23]\.dump"
)
_STORE_METHODS: Final = frozenset(
    (
        *("to_csv", "to_json", "to_parquet", "to_excel", "to_pickle", "writerow", "writerows"),
        *("write_text", "savez", "savetxt", "save_weights"),
    )
)
#: Simulators that sample, and the arguments by which they are seeded.
_SIMULATORS: Final = re.compile(
    r"qiskit_aer\.(AerSimulator|QasmSimulator|Aer\.get_backend)|"
    r"qiskit_aer\.primitives\.(Sampler|SamplerV2|Estimator|EstimatorV2)|"
    r"qiskit\.(BasicAer\.get_backend|providers\.basic_provider\.BasicSimulator)|"
    r"qiskit\.primitives\.StatevectorSampler|cirq\.(Simulator|DensityMatrixSimulator)"
)
_EXACT: Final = re.compile(r"statevector|unitary|density|stabilizer|superop", re.IGNORECASE)
_SEED_ARGUMENTS: Final = frozenset(("seed", "seed_simulator", "random_seed", "rng", "random_state"))
#: Random numbers without a generator of their own.
_RANDOM: Final = re.compile(
    r"(numpy|pennylane\.numpy)\.random\.(rand|randn|random|uniform|normal|random_sample|"
    r"standard_normal)|torch\.(rand|randn)|random\.(random|uniform|gauss)"
)
#: What an optimisation starts from, by the names that minimisers use.
_STARTS: Final = re.compile(r"x0|(?:init(?:ial)?|start)_?(?:point|guess|values?|state_params)?")
#: As many as the circuit has parameters: weights, whatever they are called.
_COUNTS_WEIGHTS: Final = re.compile(r"\b(num|n)_?(of_)?(par(am(eter)?)?s?|weights)\b|_shape\b")
_GENERATORS: Final = frozenset(("numpy.random.default_rng", "numpy.random.RandomState"))
#: Methods and functions that seed a generator.
_SEEDERS: Final = re.compile(
    r"seed|manual_seed(_all)?|set_seed|set_random_seed|seed_everything|seed_all|fix_seeds?|"
    r"set_seeds|PRNGKey|setup_seed|seed_torch|set_global_seeds?|reset_seeds?"
)
_SAMPLES: Final = frozenset(("get_counts", "get_memory", "run", "sample", "execute", "histogram"))
_HARDWARE: Final = ("qiskit_ibm_runtime", "qiskit_ibm_provider")


def check(module: Module) -> Iterator[Hit]:
    """Reports the first unseeded simulator and the first unseeded weights of a script."""
    if module.is_notebook or module.is_test or not is_in_quantum_project(module):
        return
    if not _stores(module):
        return
    simulator = _unseeded_simulator(module)
    if simulator is not None:
        yield Hit(
            where=simulator.node,
            message=f"`{simulator.method}` samples without a seed, and its results are stored",
        )
    weights = _unseeded_weights(module)
    if weights is not None:
        yield Hit(
            where=weights.node,
            message=(
                f"`{ast.unparse(weights.node.func)}` starts the weights without a seed, and the "
                "result is stored"
            ),
        )


def _stores(module: Module) -> bool:
    if any(_STORES.fullmatch(call.name) or call.method in _STORE_METHODS for call in module.calls):
        return True
    return any(_writes(call) for call in module.calls_to("open"))


def _writes(call: Call) -> bool:
    mode = call.argument(1, "mode")
    return mode is not None and isinstance(mode.literal, str) and mode.literal[:1] in ("w", "a")


def _unseeded_simulator(module: Module) -> Call | None:
    """The first simulator whose samples nobody can repeat, None where a seed is set."""
    # train_test_split(random_state=0) seeds no simulator.
    seeds = _SEED_ARGUMENTS - {"random_state"}
    if any(seeds & call.keywords.keys() for call in module.calls):
        return None
    if any(call.method in ("set_options", "update_default_options") for call in module.calls):
        return None
    device = next((call for call in module.calls if _is_sampling_device(module, call)), None)
    if device is not None or not any(call.method in _SAMPLES for call in module.calls):
        return device
    if any("statevector" in call.method for call in module.calls):
        return None
    for call in module.calls:
        if not _SIMULATORS.fullmatch(call.name) or call.has_star:
            continue
        texts = [value.literal for value in (*call.args, *call.keywords.values())]
        if any(isinstance(text, str) and _EXACT.search(text) for text in texts):
            continue
        # Old code seeds where it runs: execute(circuit, backend, seed_simulator=1).
        run = next((other for other in module.calls if other.name == "qiskit.execute"), None)
        if run is not None and not run.has_star:
            return run
        # Cirq's simulators sample only where they are told to: simulate() is exact.
        if call.name.startswith("cirq.") and not any(
            other.method in ("run", "run_sweep", "sample") for other in module.calls
        ):
            continue
        return call
    return None


def _is_sampling_device(module: Module, call: Call) -> bool:
    """``qml.device("default.qubit", shots=100)``, which draws from NumPy's global generator."""
    if call.name != "pennylane.device" or call.has_star:
        return False
    shots = call.argument(2, "shots")
    name = call.argument(0, "name")
    if shots is None or shots.literal is None or name is None:
        return False
    simulated = str(name.literal).startswith(("default.", "lightning."))
    return simulated and not any(_SEEDERS.fullmatch(other.method) for other in module.calls)


def _unseeded_weights(module: Module) -> Call | None:
    """The first unseeded draw of initial weights, None where any generator is seeded."""
    for call in module.calls:
        if _SEEDERS.fullmatch(call.method):
            return None
        if call.name in _GENERATORS and (call.args or call.keywords):
            return None
        # train_test_split(random_state=0) seeds itself alone; seed=... may seed everything.
        seeds = _SEED_ARGUMENTS & call.keywords.keys() - {"random_state"}
        if seeds and not _SIMULATORS.fullmatch(call.name):
            return None
    for call in module.calls:
        if not (_RANDOM.fullmatch(call.name) or _is_unseeded_generator(call)):
            continue
        statement = module.statement_of(call.node)
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [name for target in targets for name in names_in(target)]
        if any(is_weights(name) or _STARTS.fullmatch(name) for name in names):
            return call
        if _COUNTS_WEIGHTS.search(", ".join(map(ast.unparse, call.node.args))):
            return call
    return None


def _is_unseeded_generator(call: Call) -> bool:
    receiver = call.receiver
    return (
        receiver is not None
        and receiver.made_by in _GENERATORS
        and call.method in ("normal", "uniform", "standard_normal", "random")
    )


RULE = Rule(
    id="QSA503",
    title="Unseeded shots or initial weights behind a stored result",
    severity="low",
    confidence="medium",
    cwe=(330,),
    frameworks=("any",),
    why=(
        "A circuit's counts and a training's result depend on the random numbers behind the shots "
        "and the initial weights. A figure that is written to a file without its seed cannot be "
        "repeated: nobody can tell a regression from luck, or a result that was tampered with "
        "from one that was not. A study that keeps the best of many unseeded runs looks the same "
        "as an honest one.\n\n"
        "The rule looks at scripts and modules that store results; notebooks and runs on hardware, "
        "which has no seed, are left alone."
    ),
    remedy=(
        "Seed it and write the seed beside the result: `AerSimulator(seed_simulator=seed)`, "
        "`np.random.default_rng(seed)`."
    ),
    bad=(
        Example(
            name="Aer's counts go into a JSON file",
            file="bench.py",
            code="""\
import json
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

qc = QuantumCircuit(2)
qc.h(0)
qc.cx(0, 1)
qc.measure_all()

backend = AerSimulator()  # <- here
counts = backend.run(transpile(qc, backend), shots=1024).result().get_counts()
with open("results.json", "w") as f:
    json.dump(counts, f)
""",
        ),
        Example(
            name="initial weights by NumPy, history as CSV",
            file="train.py",
            code="""\
import pandas as pd
import pennylane as qml
from pennylane import numpy as np

dev = qml.device("default.qubit", wires=2)


@qml.qnode(dev)
def circuit(weights):
    qml.StronglyEntanglingLayers(weights, wires=range(2))
    return qml.expval(qml.PauliZ(0))


def main():
    weights = 0.01 * np.random.randn(3, 2, 3, requires_grad=True)  # <- here
    opt = qml.AdamOptimizer(0.1)
    history = []
    for _ in range(50):
        weights, value = opt.step_and_cost(circuit, weights)
        history.append(float(value))
    pd.DataFrame({"cost": history}).to_csv("history.csv")


main()
""",
        ),
        Example(
            name="a device of PennyLane with shots",
            file="shots.py",
            code="""\
import numpy as np
import pennylane as qml

dev = qml.device("default.qubit", wires=1, shots=1000)  # <- here


@qml.qnode(dev)
def coin():
    qml.Hadamard(wires=0)
    return qml.expval(qml.PauliZ(0))


np.savetxt("coin.txt", [coin() for _ in range(10)])
""",
        ),
        Example(
            name="the old Aer provider and a generator without a seed",
            file="old.py",
            code="""\
import numpy as np
from qiskit import Aer, QuantumCircuit, execute


def run(path):
    rng = np.random.default_rng()
    theta = rng.uniform(0, np.pi, size=3)  # <- here
    qc = QuantumCircuit(1, 1)
    qc.ry(theta[0], 0)
    qc.measure(0, 0)
    backend = Aer.get_backend("qasm_simulator")
    counts = execute(qc, backend, shots=1000).result().get_counts()  # <- here
    np.savez(path, theta=theta, ones=counts.get("1", 0))
""",
        ),
        Example(
            name="as many numbers as the circuit has parameters, and QPY",
            file="ansatz.py",
            code="""\
import numpy as np
import qiskit
from qiskit.circuit.library import TwoLocal

ansatz = TwoLocal(4, "ry", "cx", reps=2).decompose()
num_pars = len(ansatz.parameters)
values = np.random.rand(num_pars)  # <- here
bound = ansatz.assign_parameters(values)
with open("bound.qpy", "wb") as handle:
    qiskit.qpy.dump(bound, handle)
""",
        ),
        Example(
            name="the split has a seed, the simulator has none",
            file="iris_counts.py",
            code="""\
import pandas as pd
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=42)
simulator = AerSimulator()  # <- here
rows = []
for x in X_test:
    qc = QuantumCircuit(4)
    for i in range(4):
        qc.ry(x[i], i)
    qc.measure_all()
    rows.append(simulator.run(transpile(qc, simulator), shots=200).result().get_counts())
pd.DataFrame(rows).to_csv("counts.csv")
""",
        ),
    ),
    good=(
        Example(
            name="seeded, and the seed is stored",
            file="bench.py",
            code="""\
import json
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

SEED = 7
qc = QuantumCircuit(1)
qc.h(0)
qc.measure_all()
counts = AerSimulator(seed_simulator=SEED).run(qc, shots=1024).result().get_counts()
with open("results.json", "w") as f:
    json.dump({"seed": SEED, "counts": counts}, f)
""",
        ),
    ),
    look_alikes=(
        Example(
            name="a notebook",
            file="try.ipynb",
            code="""\
# %%
import json
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
# %%
backend = AerSimulator()
counts = backend.run(qc).result().get_counts()
json.dump(counts, open("c.json", "w"))
""",
        ),
        Example(
            name="hardware has no seed",
            file="hardware.py",
            code="""\
import json
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

service = QiskitRuntimeService()
backend = service.least_busy(operational=True, simulator=False)


def run(circuits):
    result = SamplerV2(mode=backend).run(circuits, shots=4000).result()
    with open("counts.json", "w") as f:
        json.dump([pub.data.meas.get_counts() for pub in result], f)
""",
        ),
        Example(
            name="seeded at the start, by another name",
            file="seeded.py",
            code="""\
import json
import numpy as np
import pennylane as qml
import torch


def set_seed(seed):
    np.random.seed(seed)
    torch.manual_seed(seed)


set_seed(3)
weights = np.random.randn(3, 2, 3)
print(json.dumps(weights.tolist()))
""",
        ),
        Example(
            name="printed, not stored",
            file="demo.py",
            code="""\
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

qc = QuantumCircuit(1)
qc.h(0)
qc.measure_all()
print(AerSimulator().run(qc, shots=100).result().get_counts())
""",
        ),
        Example(
            name="exact simulation, and random data that are no weights",
            file="exact.py",
            code="""\
import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

backend = AerSimulator(method="statevector")
noise = np.random.randn(100)
qc = QuantumCircuit(1)
qc.h(0)
qc.save_statevector()
np.save("state.npy", backend.run(qc).result().get_statevector())
""",
        ),
    ),
    references=(
        "AerSimulator <https://qiskit.github.io/qiskit-aer/stubs/qiskit_aer.AerSimulator.html>",
        "Random Generator <https://numpy.org/doc/stable/reference/random/generator.html>",
    ),
    check=check,
    keywords=(
        "shots",
        "Simulator",
        "get_backend",
        "Sampler",
        "Estimator",
        "rand",
        "uniform",
        "normal(",
    ),
)
