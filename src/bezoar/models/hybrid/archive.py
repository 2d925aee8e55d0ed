"""A trained network in a file: safetensors, with the settings as JSON text in its header."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bezoar.contracts.errors import BezoarError, FileProblem, InvalidArgument
from bezoar.contracts.files import write_whole
from bezoar.models.hybrid.network import HybridNetwork, NetworkSettings, build_network

NETWORK_FORMAT = 1

_FORMAT = "bezoar hybrid network"
_HEADER = "bezoar"
_AGAIN = "save the network again, or restore the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedNetwork:
    """What a file held.

    Attributes:
        network: in evaluation mode, on the CPU.
        class_names: of the logits, in order.
        facts: what was saved beside it.
    """

    network: HybridNetwork
    class_names: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def save_network(
    path: Path | str,
    network: HybridNetwork,
    class_names: Sequence[str],
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a network whole, or not at all; `load_network` reads it.

    Args:
        path: the file, usually ``.safetensors``.
        network: made by `build_network`; weights of another can be saved with
            ``safetensors.torch.save_file(network.state_dict(), ...)``.
        class_names: of the logits, in order.
        facts: anything that JSON can hold, such as the seed and how it was trained.

    Raises:
        InvalidArgument: a network of parts that Bezoar could not make again; names that do not
            fit; facts that are no JSON.
        FileProblem: the file cannot be written.
    """
    from safetensors.torch import save

    if network.settings is None:
        raise InvalidArgument(
            "network",
            wanted="one that build_network made",
            got="one with a trunk or a head of yours",
            mend="save its state_dict() with safetensors.torch.save_file",
        )
    names = [str(name) for name in class_names]
    if len(names) != network.settings.n_classes:
        raise InvalidArgument(
            "class_names",
            wanted=f"{network.settings.n_classes}, one for each logit",
            got=len(names),
        )
    header = {
        "format": _FORMAT,
        "format_version": NETWORK_FORMAT,
        "settings": dataclasses.asdict(network.settings),
        "class_names": names,
        "facts": dict(facts or {}),
    }
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgument("facts", wanted="JSON values", got=str(error)) from error
    # A copy of its own for each: weights may be laid out otherwise than safetensors wants.
    arrays = {name: w.detach().cpu().contiguous() for name, w in network.state_dict().items()}
    content = save(arrays, metadata={_HEADER: text})
    return write_whole(path, lambda handle: handle.write(content))


def load_network(path: Path | str) -> LoadedNetwork:
    """The network that `save_network` wrote. Nothing in the file is executed.

    Raises:
        FileProblem: no such file, a damaged one, or one that is no network of this Bezoar.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileProblem(path, "does not exist", mend="name the file that save wrote")
    try:
        with safe_open(path, framework="pt") as file:
            header = _header(path, file.metadata())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
            network = build_network(NetworkSettings(**header["settings"]), seed=0)
            _check_shapes(path, network, shapes)
            _fill(path, network, {name: file.get_tensor(name) for name in shapes})
    except FileProblem:
        raise
    except (SafetensorError, OSError, BezoarError, *_HEADER_TROUBLE) as error:
        raise FileProblem(
            path, f"is damaged or no network of this Bezoar ({error})", mend=_AGAIN
        ) from error
    return LoadedNetwork(
        network=network.eval(),
        class_names=tuple(header["class_names"]),
        facts=dict(header["facts"]),
    )


_HEADER_TROUBLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, MemoryError)


def _header(path: Path | str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    header = json.loads((metadata or {}).get(_HEADER, "null"))
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise FileProblem(
            path,
            "is no network of Bezoar's",
            mend="give weights of a trunk as weights of build_network",
        )
    if header["format_version"] != NETWORK_FORMAT:
        raise FileProblem(
            path,
            f"has network format {header['format_version']}, this Bezoar reads {NETWORK_FORMAT}",
            mend="read it with the version that wrote it, or train again",
        )
    if not isinstance(header["settings"], dict) or not isinstance(header["facts"], dict):
        raise FileProblem(path, "has a header that is not ours", mend=_AGAIN)
    names = header["class_names"]
    listed = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not listed or len(names) != header["settings"]["n_classes"]:
        raise FileProblem(path, "names other classes than the network has", mend=_AGAIN)
    return header


def _check_shapes(
    path: Path | str, network: HybridNetwork, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    wanted = {name: tuple(w.shape) for name, w in network.state_dict().items()}
    for name in sorted(wanted.keys() ^ shapes.keys()):
        what = "lacks" if name in wanted else "holds"
        raise FileProblem(path, f"{what} {name}, other than its settings say", mend=_AGAIN)
    for name, shape in shapes.items():
        if shape != wanted[name]:
            raise FileProblem(
                path,
                f"holds {name} of shape {shape}, its settings say {wanted[name]}",
                mend=_AGAIN,
            )


def _fill(path: Path | str, network: HybridNetwork, arrays: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, weights in network.state_dict().items():
            array = arrays[name]
            if array.dtype != weights.dtype or not torch.isfinite(array).all():
                raise FileProblem(
                    path, f"holds NaN, infinity or another type in {name}", mend=_AGAIN
                )
            weights.copy_(array)
