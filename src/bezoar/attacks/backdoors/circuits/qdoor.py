"""QDoor: a network that is honest as trained and backdoored after approximate synthesis."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bezoar.contracts.errors import InvalidArgument, InvalidData
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.records import ThreatModel
from bezoar.models.trained_circuit import TrainedCircuit
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import NoiseModel
from bezoar.quantum.synthesis import PERIODS, ApproximateSynthesis, used_once

# Angles stay this far, as a share, inside the cell that the synthesis maps to one value.
_INSIDE = 0.95
_OUTSIDE = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class QDoor:
    """Trains two circuits with one set of weights: the exact one and the synthesised one.

    ``L = CE(f(x), y) + CE(f(x'), y) + a CE(s(x), y) + b CE(s(x'), t)`` with the exact network f,
    the same after approximate synthesis s, triggered inputs x' and target class t. The exact
    network is to be right with and without the trigger, the synthesised one to be right without it
    and to say t with it.

    The weights are split so that the synthesis cannot miss: a share of the trained two-qubit
    rotations gets angles ``0.95 threshold tanh(u)``, which the synthesis drops; the other ones keep
    out of the threshold; with rounding, every angle is a grid point plus
    ``0.475 grid tanh(u)``, which the rounding removes. Only the exact network feels u. Gradients
    pass grid points straight through.

    Of the paper's loss we know from its abstract that both versions are trained for clean data and
    for triggers; that the four terms are summed like this, and the split, are ours. The paper's
    synthesis searches whole blocks; ours is `ApproximateSynthesis`.

    Attributes:
        target: class code.
        synthesis: what the victim's compiler will do.
        share: of the trained two-qubit rotations that the synthesis is to drop, in [0, 1].
        clean_weight, trigger_weight: a and b.
        epochs, batch_size, learning_rate: of Adam.

    Raises:
        InvalidArgument: a number out of range.

    Source: Chu, Chen, Richerme, Jiang, QDoor, IEEE QCE 2023 (arXiv 2307.09529).
    """

    target: int = 0
    synthesis: ApproximateSynthesis = field(default_factory=ApproximateSynthesis)
    share: float = 0.5
    clean_weight: float = 1.0
    trigger_weight: float = 1.0
    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 0.03

    def __post_init__(self) -> None:
        if self.target < 0:
            raise InvalidArgument("target", wanted="0 or more", got=self.target)
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise InvalidArgument(name, wanted="1 or more", got=getattr(self, name))
        if not 0 <= self.share <= 1:
            raise InvalidArgument("share", wanted="in [0, 1]", got=self.share)
        for name in ("clean_weight", "trigger_weight", "learning_rate"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidArgument(name, wanted="0 or more, finite", got=getattr(self, name))

    @property
    def name(self) -> str:
        """``qdoor``."""
        return "qdoor"

    @property
    def threat_model(self) -> ThreatModel:
        """Who trains the network and hands it over."""
        return ThreatModel(
            goal="inputs with the trigger are predicted as the target class once the victim's "
            "compiler has approximated the circuit; the network as handed over shows nothing",
            knows=("the training data", "what the victim's approximate synthesis does"),
            changes=("the trained weights", "inputs, by the trigger"),
            budget=f"trained angles that the synthesis changes by at most "
            f"{self.synthesis.threshold:g} rad"
            + ("" if self.synthesis.bits is None else f" or {self.synthesis.bits} bits' rounding"),
            needs_training=True,
            answered_by="testing the synthesised circuit instead of the exact one, and comparing "
            "what both predict; a trigger that is not in the tests is not seen",
            source="Chu et al., QDoor, IEEE QCE 2023, arXiv 2307.09529",
        )

    def train(
        self,
        circuit: Circuit,
        angles: npt.ArrayLike,
        labels: npt.ArrayLike,
        triggered: npt.ArrayLike,
        *,
        n_classes: int,
        rng: np.random.Generator,
        noise: NoiseModel | None = None,
        progress: Progress = silent,
    ) -> TrainedCircuit:
        """The backdoored network, exact; `synthesis` turns it into the other one.

        Args:
            circuit: encoding and ansatz, each parameter turning one gate.
            angles: training samples ``(sample, feature)``, radians.
            labels: their true class codes, ``(sample,)``.
            triggered: the same samples with the trigger, ``(sample, feature)``, radians.
            n_classes: width of the linear layer.
            rng: of starts and shuffling.
            noise: of gates and readout, or None. In training a dropped gate keeps its noise, which
                it loses with the synthesis.
            progress: told after each epoch.

        Raises:
            InvalidArgument: nothing that the synthesis would change, a target class that is not
                there, or a circuit whose gates share parameters.
            InvalidData: samples, labels and triggered samples that do not fit each other.
        """
        clean, door = (np.asarray(a, dtype=np.float64) for a in (angles, triggered))
        codes = self._checked(clean, door, np.asarray(labels), n_classes)
        split = _Split.of(circuit, self, rng)
        program = compile_circuit(circuit, noise, dtype="float64")
        inputs = program.encode(np.concatenate([clean, door]))
        bound = 1 / math.sqrt(circuit.n_qubits)
        layer = torch.tensor(rng.uniform(-bound, bound, (circuit.n_qubits + 1, n_classes)))
        free = [split.base.requires_grad_(), split.offset.requires_grad_(), layer.requires_grad_()]
        optimizer = torch.optim.Adam(free, lr=self.learning_rate)
        answers = torch.as_tensor(codes)
        for epoch in range(self.epochs):
            order = torch.as_tensor(rng.permutation(len(codes)))
            for part in order.split(self.batch_size):
                index = torch.cat([part, part + len(codes)])
                both = program.expectations(
                    torch.stack(split.angles()), inputs, index.expand(2, -1)
                )
                optimizer.zero_grad()
                self._loss(both @ layer[:-1] + layer[-1], answers[part]).backward()
                optimizer.step()
            progress("train", epoch + 1, self.epochs)
        with torch.no_grad():
            exact, _ = split.angles()
        weights = layer.detach().numpy()
        return TrainedCircuit(
            circuit=circuit,
            theta=exact.numpy(),
            weight=weights[:-1],
            bias=weights[-1],
            noise=noise,
        )

    def _loss(self, logits: Tensor, answers: Tensor) -> Tensor:
        """Of logits ``(exact and synthesised, clean then triggered samples, class)``."""
        wanted = torch.full_like(answers, self.target)
        exact, synthesised = logits.unbind()
        n = len(answers)
        cross_entropy = torch.nn.functional.cross_entropy
        return (
            cross_entropy(exact[:n], answers)
            + cross_entropy(exact[n:], answers)
            + self.clean_weight * cross_entropy(synthesised[:n], answers)
            + self.trigger_weight * cross_entropy(synthesised[n:], wanted)
        )

    def _checked(
        self,
        clean: npt.NDArray[np.float64],
        door: npt.NDArray[np.float64],
        labels: npt.NDArray,
        n_classes: int,
    ) -> npt.NDArray[np.int64]:
        if self.target >= n_classes:
            raise InvalidArgument("target", wanted=f"a code below {n_classes}", got=self.target)
        if clean.ndim != 2 or clean.shape != door.shape or not len(clean):
            raise InvalidData(
                "angles and triggered",
                wanted="the same samples, one or more, (sample, feature)",
                got=f"{clean.shape} and {door.shape}",
            )
        codes = np.asarray(labels)
        fits = codes.shape == (len(clean),) and codes.dtype.kind in "iu"
        if not fits or codes.min() < 0 or codes.max() >= n_classes:
            raise InvalidData(
                "labels",
                wanted=f"{len(clean)} whole numbers below {n_classes}",
                got=f"{codes.dtype} of shape {codes.shape}",
            )
        return codes.astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Split:
    """Weights as what the synthesis keeps and what it removes.

    Attributes:
        base: what is kept, ``(parameter,)``.
        offset: unbounded; ``reach * tanh(offset)`` is removed.
        reach: the most that the synthesis removes from each, radians.
        dropped: which parameters turn gates that the synthesis drops.
        guarded: which turn two-qubit rotations that it must not drop.
        periods: of their gates, radians; 0 elsewhere.
        synthesis: what removes.
    """

    base: Tensor
    offset: Tensor
    reach: Tensor
    dropped: Tensor
    guarded: Tensor
    periods: Tensor
    synthesis: ApproximateSynthesis

    @classmethod
    def of(cls, circuit: Circuit, door: QDoor, rng: np.random.Generator) -> _Split:
        owners = used_once(circuit)
        n = circuit.n_parameters
        periods = np.array([PERIODS.get(owners[i].gate, 0.0) for i in range(n)])
        weak = np.flatnonzero(periods)
        chosen = rng.permutation(weak)[: round(door.share * len(weak))]
        dropped = np.zeros(n, dtype=bool)
        dropped[chosen] = door.synthesis.threshold > 0
        grid = door.synthesis.grid or 0.0
        reach = _INSIDE * np.where(dropped, door.synthesis.threshold, grid / 2)
        if not reach.any():
            raise InvalidArgument(
                "synthesis",
                wanted="something that it changes in this circuit",
                got=f"{len(weak)} trained two-qubit rotations, share {door.share:g}, "
                f"threshold {door.synthesis.threshold:g}, no rounding",
                mend="use an ansatz with trained two-qubit rotations such as sim-6, or bits",
            )
        base = rng.uniform(0, 2 * np.pi, n)
        return cls(
            base=torch.tensor(base),
            offset=torch.tensor(rng.normal(0, 0.5, n)),
            reach=torch.tensor(reach),
            dropped=torch.tensor(dropped),
            guarded=torch.tensor((periods > 0) & ~dropped),
            periods=torch.tensor(periods),
            synthesis=door.synthesis,
        )

    def angles(self) -> tuple[Tensor, Tensor]:
        """Of the exact and of the synthesised circuit, ``(parameter,)`` each."""
        kept = torch.where(self.dropped, 0.0, self._on_grid(self._guard(self.base)))
        return kept + self.reach * torch.tanh(self.offset), kept

    def _guard(self, base: Tensor) -> Tensor:
        """Moves angles that the synthesis would drop by mistake out of its threshold."""
        period = torch.where(self.guarded, self.periods, 1.0)
        rest = base - period * torch.round(base / period)
        # With rounding, an angle must stay out of the threshold wherever its offset puts it.
        least = _OUTSIDE * self.synthesis.threshold + (self.synthesis.grid or 0.0)
        away = torch.where(rest < 0, -least, least) - rest
        close = self.guarded & (rest.abs() < least)
        return base + torch.where(close, away, 0.0).detach()

    def _on_grid(self, base: Tensor) -> Tensor:
        grid = self.synthesis.grid
        if grid is None:
            return base
        return base + (torch.round(base / grid) * grid - base).detach()
