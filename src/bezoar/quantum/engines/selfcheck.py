"""Does the noise that was asked for act? Frameworks drop noise silently; this runs and looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.engines.plan import compile_circuit
from bezoar.quantum.noise import NoiseModel

# Rounding of the engine is about 1e-12; noise worth the name moves far more than this.
_MOVED = 1e-9
_N_SAMPLES = 2


def noise_is_active(
    circuit: Circuit,
    noise: NoiseModel | None,
    features: npt.ArrayLike | None = None,
    parameters: npt.ArrayLike | None = None,
    *,
    observables: Sequence[str] | None = None,
) -> bool:
    """Whether the compiled program's expectations differ from those without noise.

    `NoiseModel.is_active` reads the settings; this runs the circuit. It also says False for a model
    that is not empty but never meets this circuit: channels on gates that the circuit does not
    have, noise on trainable gates alone when there are none, dephasing that the observables cannot
    see.

    Args:
        circuit: what is run, in float64.
        noise: what should act; None never does.
        features: ``(sample, feature)``, radians for angles. By default two samples of fixed,
            unrelated angles, at which no common gate is at a symmetric point.
        parameters: ``(parameter,)``, radians; fixed and unrelated by default.
        observables: Pauli strings; Z on each wire by default, as a classifier measures.

    Returns:
        True when some expectation of some sample moved by more than 1e-9.

    Raises:
        InvalidArgument: no samples, or what `bezoar.quantum.engines.plan.compile_circuit` and the
            program refuse.
        InvalidData: a feature is NaN or infinite.

    Example:
        >>> from bezoar.quantum.circuit import Operation
        >>> from bezoar.quantum.noise import BitFlip
        >>> circuit = Circuit(1, (Operation("H", (0,)), Operation("RX", (0,), (0.4,))))
        >>> flips_after_x = NoiseModel(by_gate={"X": (BitFlip(0.1),)})
        >>> flips_after_x.is_active(), noise_is_active(circuit, flips_after_x)
        (True, False)
        >>> noise_is_active(circuit, NoiseModel(by_gate={"H": (BitFlip(0.1),)}), observables=["Z"])
        False
        >>> from bezoar.quantum.noise import ad_dep
        >>> noise_is_active(circuit, ad_dep(0.05))
        True
    """
    x = _features(circuit) if features is None else np.asarray(features)
    theta = _unrelated(circuit.n_parameters, start=1) if parameters is None else parameters
    if x.shape[:1] == (0,):
        raise InvalidArgument("features", wanted="one sample or more", got="none")
    clean, noisy = (
        compile_circuit(circuit, model, observables, dtype="float64").run(x, theta)
        for model in (None, noise)
    )
    return bool(np.abs(noisy - clean).max() > _MOVED)


def _features(circuit: Circuit) -> npt.NDArray[np.float64]:
    values = _unrelated(_N_SAMPLES * circuit.n_features, start=1 + circuit.n_parameters)
    return values.reshape(_N_SAMPLES, circuit.n_features)


def _unrelated(n: int, *, start: int) -> npt.NDArray[np.float64]:
    """Angles in [0.3, 2.8], spread evenly by the golden ratio, ``(n,)``."""
    golden = (np.sqrt(5) - 1) / 2
    return 0.3 + 2.5 * ((np.arange(start, start + n) * golden) % 1)
