"""Keras models (.keras, .h5): layers whose code lies in the configuration.

A Lambda layer keeps Python's own byte code, marshalled and in base64, inside the JSON that
describes the model; loading the model runs it. HDF5 keeps that JSON as one plain text, so that it
is found without reading the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bezoar.scan.artefacts.byte_stream import ByteStream, StreamDamaged, StreamTooLong
from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.limits import MIB, STREAM_BYTES
from bezoar.scan.artefacts.pickle_names import verdict

_CHUNK = 4 * MIB
#: How much of a chunk is looked at again with the next one, so that no match is cut in two.
_OVERLAP = 1024

_LAMBDA = re.compile(
    rb'"class_name":\s{0,8}"__lambda__"|"function_type":\s{0,8}"lambda"'
    rb'|"module":\s{0,8}"([A-Za-z_][\w.]{0,200})"'
)


def keras_issues(stream: ByteStream, *, member: str = "") -> Iterator[Issue]:
    """Code in a model's configuration.

    Args:
        stream: the configuration, or the HDF5 file that holds it.
        member: the name for messages, "" for the file itself.
    """
    kept, before = b"", 0
    try:
        while chunk := stream.up_to(_CHUNK):
            window = kept + chunk
            for match in _LAMBDA.finditer(window):
                message = _what(match)
                if message:
                    yield Issue(
                        topic="dangerous-pickle",
                        severity="critical" if match.group(1) else "high",
                        message=message,
                        member=member,
                        offset=before + match.start(),
                        remedy="build the model in code and load weights alone, from safetensors",
                    )
                    return
            kept = window[-_OVERLAP:]
            before += len(window) - len(kept)
    except (StreamTooLong, StreamDamaged):
        message = f"only its first {STREAM_BYTES // MIB} MiB were looked at for code"
        yield Issue(topic="unreadable", severity="low", message=message, member=member)


def _what(match: re.Match[bytes]) -> str:
    module = match.group(1)
    if module is None:
        return "a Lambda layer carries marshalled Python code, which loading the model runs"
    name = module.decode("ascii")
    if name.split(".")[0] in ("builtins", "keras") or verdict(f"{name}.x") != "dangerous":
        return ""
    return f"its configuration takes a layer or function from the module {shown(name)}"
