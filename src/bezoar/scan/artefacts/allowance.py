"""How much may still be looked at of one artefact, with all its members and what lies in them."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.scan.artefacts.limits import PICKLE_OPCODES, STREAM_BYTES


@dataclass(slots=True)
class Allowance:
    """What is left; shared by all streams of one file, so that many small ones are no way round.

    Attributes:
        content: bytes, after unpacking.
        opcodes: of pickles.
    """

    content: int = STREAM_BYTES
    opcodes: int = PICKLE_OPCODES
