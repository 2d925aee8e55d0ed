"""From names and sizes to the circuit of a model."""

from __future__ import annotations

from typing import Any

from bezoar.contracts import plugins
from bezoar.contracts.errors import InvalidArgument
from bezoar.quantum.ansatze.ansatz import Ansatz
from bezoar.quantum.circuit import Circuit
from bezoar.quantum.encodings.angle import AngleEncoding
from bezoar.quantum.encodings.encoding import Encoding

DEFAULT_AXES = "XZ"
_MOST_ENTANGLED = 200


def build_encoding(encoding: str | Encoding = "angle", axes: str = DEFAULT_AXES) -> Encoding:
    """The encoding of that name, or `encoding` itself if it is one already.

    Args:
        encoding: a registered name, or an object.
        axes: of the rotations of the angle encoding, for example ``XZ``; a leading H is a layer of
            Hadamard gates before them.

    Raises:
        UnknownName: no such encoding.
        InvalidArgument: axes that lose features, or axes for an encoding that takes none.

    Example:
        >>> build_encoding("angle", "HZX").circuit(n_features=2, n_qubits=1).draw()
        '0: -H-RZ(x0)-RX(x1)-'
    """
    if encoding == "angle":
        if not isinstance(axes, str):
            raise InvalidArgument("axes", wanted="text such as XZ", got=repr(axes))
        return AngleEncoding(axes=axes.removeprefix("H"), hadamard_first=axes.startswith("H"))
    if axes != DEFAULT_AXES:
        name = encoding if isinstance(encoding, str) else type(encoding).__name__
        raise InvalidArgument(
            "axes",
            wanted=f"the default, {DEFAULT_AXES}, with the encoding {name}, which they do not "
            "apply to",
            got=repr(axes),
            mend="leave axes out, or use the encoding angle by its name",
        )
    return _part("encodings", "encoding", encoding, Encoding)


def build_ansatz(ansatz: str | Ansatz = "sim-1") -> Ansatz:
    """The ansatz of that name, or `ansatz` itself if it is one already.

    Raises:
        UnknownName: no such ansatz.
        InvalidArgument: neither a name nor an ansatz.
    """
    # An encoding has all that the protocol of an ansatz asks for, with another meaning.
    if isinstance(ansatz, Encoding):
        raise InvalidArgument("ansatz", wanted="a name or an ansatz", got=repr(ansatz))
    return _part("ansatze", "ansatz", ansatz, Ansatz)


def build_circuit(
    encoding: Encoding,
    ansatz: Ansatz,
    n_features: int,
    n_qubits: int | None = None,
    n_layers: int = 1,
) -> Circuit:
    """The encoding of `n_features`, followed by `n_layers` of the ansatz.

    Args:
        encoding: writes the features.
        ansatz: is trained.
        n_features: 1 or more.
        n_qubits: None for as few as hold the features.
        n_layers: 1 or more.

    Raises:
        InvalidArgument: a number that is not a whole one from 1 up, or more features than the
            qubits hold.

    Example:
        >>> print(build_circuit(build_encoding(), build_ansatz(), n_features=4).draw())
        0: -RX(x0)-RZ(x1)-RX(t0)-RZ(t2)-
        1: -RX(x2)-RZ(x3)-RX(t1)-RZ(t3)-
    """
    encoded = encoding_circuit(encoding, n_features, n_qubits)
    n_layers = whole_number("n_layers", n_layers)
    # Building the quadratically many gates of some ansatze would take minutes, only to be refused.
    if encoded.n_qubits > _MOST_ENTANGLED and not ansatz.circuit(2, 1).is_product:
        raise InvalidArgument(
            "n_qubits",
            wanted=f"at most {_MOST_ENTANGLED} with an ansatz that entangles",
            got=encoded.n_qubits,
            mend="use fewer qubits, or sim-1, which does not entangle",
        )
    return encoded.then(ansatz.circuit(encoded.n_qubits, n_layers))


def encoding_circuit(encoding: Encoding, n_features: int, n_qubits: int | None = None) -> Circuit:
    """The encoding of `n_features` on `n_qubits`, or on as few as hold them.

    Raises:
        InvalidArgument: as in `build_circuit`.
    """
    n_features = whole_number("n_features", n_features)
    if n_qubits is None:
        return encoding.circuit(n_features, encoding.qubits_for(n_features))
    return encoding.circuit(n_features, whole_number("n_qubits", n_qubits))


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int, if it is a whole number of `least` or more.

    Raises:
        InvalidArgument: it is not.

    Example:
        >>> whole_number("epochs", 3)
        3
    """
    # operator.index takes numpy's integers, and refuses floats and text; a bool is an int to it.
    if not isinstance(value, bool) and hasattr(value, "__index__") and int(value) >= least:
        return int(value)
    raise InvalidArgument(name, wanted=f"a whole number, {least} or more", got=repr(value))


def _part(kind: str, argument: str, given: Any, protocol: type) -> Any:
    """What is registered by that name, made if it is a class; an object is passed through."""
    if isinstance(given, str):
        found = plugins.load(kind, given)
        return found() if isinstance(found, type) else found
    if isinstance(given, type) or not isinstance(given, protocol):
        raise InvalidArgument(argument, wanted=f"a name or an {argument}", got=repr(given))
    return given
