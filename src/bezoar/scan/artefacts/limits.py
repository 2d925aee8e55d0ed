"""How much of an artefact is looked at. Counts, never seconds: equal files give equal findings."""

from __future__ import annotations

MIB = 1024 * 1024

#: Bytes that `artefact_kind` is shown of every file.
HEAD_BYTES = 4096

#: Bytes that are looked at of a member of an archive to tell what it is; a tar archive's mark ends
#: at byte 262.
MEMBER_HEAD_BYTES = 512

#: Bytes that are read of one artefact, what its members and its packing hold included.
STREAM_BYTES = 256 * MIB

#: The part of a long pickled text or byte string that is kept to be looked into, and how many
#: such strings of one pickle are looked into.
CONSTANT_BYTES = MIB
BURIED_PICKLES = 64

#: Pickle opcodes in one artefact.
PICKLE_OPCODES = 1_000_000

#: Names that are kept of one pickle; beyond that, only dangerous ones are, as many again.
PICKLE_NAMES = 10_000

#: Pickles one after the other in one stream; torch's old format has five.
PICKLES_IN_ONE_STREAM = 64

#: Pickles within pickles, archives within archives.
NESTING = 3

#: Members of an archive: the most that a ZIP archive without the 64-bit extension can have.
ARCHIVE_MEMBERS = 65_535

#: Bytes of a ZIP archive's table of contents; 65,535 members with names of 200 characters fit.
ARCHIVE_TABLE_BYTES = 16 * MIB

#: An archive is a bomb when it grows to more than `BOMB_BYTES` and by more than `BOMB_RATIO`.
BOMB_BYTES = 256 * MIB
BOMB_RATIO = 100

#: numpy's own limit on the header of an .npy file (numpy.lib.format, max_header_size).
NPY_HEADER_BYTES = 10_000

#: The format's own limit on the header of a safetensors file is 100 MB; more than this is not
#: read here, because a table of a million tensors is shorter.
SAFETENSORS_HEADER_BYTES = 16 * MIB
SAFETENSORS_FORMAT_LIMIT = 100_000_000

#: Fields of an ONNX file, and graphs within graphs.
ONNX_FIELDS = 2_000_000
ONNX_DEPTH = 32

#: Bytes of an OpenQASM file that are read.
OPENQASM_BYTES = 8 * MIB

#: Quantum bits of one OpenQASM file. The largest machine that IBM announced has 1,121.
OPENQASM_QUBITS = 10_000

#: Classical bits, or elements of an array.
OPENQASM_BITS = 1_000_000

#: Operations after all definitions and loops are written out, and how many times more that must
#: be than what the file itself holds: a long file is not a bomb.
OPENQASM_OPERATIONS = 1_000_000
OPENQASM_RATIO = 100

#: Definitions that use definitions, blocks in blocks, parentheses in parentheses.
OPENQASM_NESTING = 100

#: Bytes of a QPY file that are searched for expressions, and how many of these are looked at.
QPY_BYTES = 16 * MIB
QPY_EXPRESSIONS = 10_000
QPY_EXPRESSION_BYTES = 64 * 1024
