"""QTrojan: gates around the encoder that a hidden configuration switches on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bezoar.attacks.backdoors.circuits.neutralising import Blinding, blind
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.records import ThreatModel
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.quantum.circuit import Circuit, Operation, Parameter
from bezoar.quantum.engines.plan import compile_circuit

_ANGLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Trojan:
    """A circuit with the attacker's gates in it.

    Attributes:
        submitted: what the victim handed in.
        full: the same with the inserted gates at full strength.
        inserted: positions of the inserted gates in `full`.
        wires: the wires that they act on.
    """

    submitted: Circuit
    full: Circuit
    inserted: tuple[int, ...]
    wires: tuple[int, ...]

    def circuit(self, armed: float) -> Circuit:
        """The delivered circuit, every inserted angle times `armed`.

        0 is normal operation, in which each inserted gate is the identity; 1 is the attack.

        Raises:
            InvalidArgument: outside [0, 1].
        """
        if not 0 <= armed <= 1:
            raise InvalidArgument("armed", wanted="from 0 (off) to 1 (on)", got=armed)
        operations = list(self.full.operations)
        for position in self.inserted:
            gate = operations[position]
            angles = tuple(armed * float(a) for a in gate.angles if isinstance(a, float))
            operations[position] = replace(gate, angles=angles)
        return replace(self.full, operations=tuple(operations))


@dataclass(frozen=True, slots=True, kw_only=True)
class QTrojan:
    """Makes every input look like one state, which the victim takes for the target class.

    Before each data gate of a wire a rotation U brings the wire to an eigenstate of that gate, for
    example ``|+>`` before RX, so that the gate adds nothing but a global phase. After the last use
    of the data one more U on each wire turns the constant state to the one with the largest
    log-probability of the target class; its angles are found by Adam from several random starts,
    on unlabelled samples of the attacker, without retraining. With all wires blinded the samples
    have no effect; with fewer they are what the angles are fitted to.

    The paper inserts few gates at the encoder, disabled until a configuration file of the compiler
    enables them. How its gates are chosen could not be read; the eigenstate rule is ours, and so
    are the switch (one factor `armed` on all inserted angles) and the search. It works for
    encodings by rotations; amplitudes are refused, as no gate can make them constant.

    Attributes:
        target: class code.
        n_wires: how many wires to blind, from wire 0; None for all. Fewer only where no gate of the
            encoding joins two wires.
        restarts, steps, learning_rate: of the search.

    Raises:
        InvalidArgument: a number out of range.

    Source: Chu, Jiang, Swany, Chen, QTrojan, ICASSP 2023 (arXiv 2302.08090).

    Example:
        >>> from bezoar.models.qnn import QNNClassifier
        >>> model = QNNClassifier(learning_rate=0.1, random_state=0)
        >>> model = model.fit([[0.0, 0.0], [1.0, 1.0]], ["a", "b"])
        >>> victim = TrainedCircuit.of(model)
        >>> trojan = QTrojan(target=1).insert(victim, np.zeros((1, 2)),
        ...                                   rng=np.random.default_rng(0))
        >>> armed = replace(victim, circuit=trojan.circuit(1.0))
        >>> len(trojan.inserted), armed.predict([[0.0, 0.0], [3.0, 3.0]]).tolist()
        (3, [1, 1])
    """

    target: int = 0
    n_wires: int | None = None
    restarts: int = 16
    steps: int = 150
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        for name, least in (("target", 0), ("restarts", 1), ("steps", 0)):
            if getattr(self, name) < least:
                raise InvalidArgument(name, wanted=f"{least} or more", got=getattr(self, name))
        if self.n_wires is not None and self.n_wires < 1:
            raise InvalidArgument("n_wires", wanted="1 or more, or None", got=self.n_wires)
        if not 0 < self.learning_rate < float("inf"):
            raise InvalidArgument("learning_rate", wanted="above 0", got=self.learning_rate)

    @property
    def name(self) -> str:
        """``qtrojan``."""
        return "qtrojan"

    @property
    def threat_model(self) -> ThreatModel:
        """Who delivers the circuit: a compiler, a cloud service, a library of circuits."""
        wires = "every wire" if self.n_wires is None else f"{self.n_wires} wires"
        return ThreatModel(
            goal="every input is predicted as the target class while a hidden switch is on, and "
            "nothing changes while it is off",
            knows=("the circuit and its noise", "the trained weights", "unlabelled samples"),
            changes=("gates between submission and execution", "when the switch is on"),
            budget=f"single-qubit gates on {wires} of the encoding, no two-qubit gate",
            needs_training=False,
            answered_by="comparing the delivered circuit with the submitted one, gate by gate; "
            "while the switch is on, also known answers on test inputs",
            source="Chu et al., QTrojan, ICASSP 2023, arXiv 2302.08090",
        )

    def insert(
        self, victim: TrainedCircuit, angles: npt.ArrayLike, *, rng: np.random.Generator
    ) -> Trojan:
        """The victim's circuit with the inserted gates.

        Args:
            victim: circuit, weights and noise.
            angles: the attacker's samples ``(sample, feature)``, radians, without labels.
            rng: of the search's starts.

        Raises:
            InvalidArgument: a class or wires that the victim does not have, an encoding that cannot
                be blinded, or no samples.
        """
        samples = np.asarray(angles, dtype=np.float64)
        self._check(victim, samples)
        circuit = victim.circuit
        wires = tuple(range(circuit.n_qubits if self.n_wires is None else self.n_wires))
        found = blind(circuit.encoding(), victim.theta, wires)
        turns = self._search(victim, found, samples, rng)
        for wire, angles_of_wire in zip(found.states, turns.tolist(), strict=True):
            found.insert(Operation("U", (wire,), tuple(angles_of_wire)))
        full = Circuit(circuit.n_qubits, (*found.operations, *circuit.trainable().operations))
        return Trojan(submitted=circuit, full=full, inserted=tuple(found.inserted), wires=wires)

    def _check(self, victim: TrainedCircuit, samples: npt.NDArray[np.float64]) -> None:
        if self.target >= victim.n_classes:
            raise InvalidArgument(
                "target", wanted=f"a class code below {victim.n_classes}", got=self.target
            )
        if (self.n_wires or 1) > victim.circuit.n_qubits:
            raise InvalidArgument(
                "n_wires", wanted=f"at most {victim.circuit.n_qubits}", got=self.n_wires
            )
        if samples.ndim != 2 or not len(samples):
            raise InvalidArgument(
                "angles", wanted="one sample or more, (sample, feature)", got=samples.shape
            )

    def _search(
        self,
        victim: TrainedCircuit,
        found: Blinding,
        samples: npt.NDArray[np.float64],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.float64]:
        """The best angles of the last rotations, ``(wire, 3)``."""
        circuit, n_theta = victim.circuit, victim.circuit.n_parameters
        turns = tuple(
            Operation("U", (wire,), tuple(Parameter(n_theta + _ANGLES * k + i) for i in range(3)))
            for k, wire in enumerate(found.states)
        )
        searched = Circuit(
            circuit.n_qubits, (*found.operations, *turns, *circuit.trainable().operations)
        )
        program = compile_circuit(searched, victim.noise, dtype="float64")
        inputs = program.encode(samples if len(found.states) < circuit.n_qubits else samples[:1])
        starts = rng.uniform(-np.pi, np.pi, (self.restarts, _ANGLES * len(turns)))
        free = torch.tensor(starts, requires_grad=True)
        fixed = torch.tensor(victim.theta).expand(self.restarts, -1)
        optimizer = torch.optim.Adam([free], lr=self.learning_rate)
        weight, bias = torch.tensor(victim.weight), torch.tensor(victim.bias)

        def scores() -> Tensor:
            out = program.expectations(torch.cat([fixed, free], dim=1), inputs)
            return torch.log_softmax(out @ weight + bias, dim=-1)

        for _ in range(self.steps):
            optimizer.zero_grad()
            (-scores()[..., self.target]).mean(1).sum().backward()
            optimizer.step()
        with torch.no_grad():
            found_scores = scores()
            wins = (found_scores.argmax(-1) == self.target).double().mean(1)
            # What is predicted counts first: a likely class need not be the likeliest.
            best = int((wins + found_scores[..., self.target].mean(1).exp() / 1e6).argmax())
        return free.detach()[best].reshape(-1, _ANGLES).numpy()
