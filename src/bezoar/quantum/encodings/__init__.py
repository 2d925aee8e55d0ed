"""Ways to write features into qubits."""

from bezoar.quantum.encodings.amplitude import AmplitudeEncoding
from bezoar.quantum.encodings.angle import AngleEncoding
from bezoar.quantum.encodings.basis import BasisEncoding
from bezoar.quantum.encodings.encoding import Encoding
from bezoar.quantum.encodings.iqp import IQPEncoding

__all__ = ["AmplitudeEncoding", "AngleEncoding", "BasisEncoding", "Encoding", "IQPEncoding"]
