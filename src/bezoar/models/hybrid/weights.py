"""Pretrained weights of a trunk: a file, torchvision's, a URL with a hash, or none; no pickle."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import torch
from torch import Tensor

from bezoar.contracts.errors import FileProblem, InvalidArgument, MissingExtra
from bezoar.contracts.files import make_folder
from bezoar.contracts.progress import Progress, silent
from bezoar.data.downloads import cache_folder, data_folder, downloaded
from bezoar.data.npz import read_arrays
from bezoar.models.hybrid.batch_norm import set_folded
from bezoar.models.hybrid.trunk import StagedTrunk

_PICKLES = (".pth", ".pt", ".th", ".bin", ".pkl", ".ckpt")
_SUFFIXES = (".safetensors", ".npz")
_HASH = "sha256="
_CONVERT = (
    "convert it where you trust it: safetensors.torch.save_file(torch.load(FILE, "
    "weights_only=True), 'weights.safetensors')"
)


def load_weights(
    trunk: StagedTrunk, weights: str, *, kind: str, progress: Progress = silent
) -> None:
    """Fills a trunk in place.

    Args:
        trunk: what to fill.
        weights: ``none``; a file ``.safetensors`` or ``.npz`` under the trunk's own names (for a
            ResNet those of torchvision; its classifier and stages that the trunk lacks are left
            out), or with biases of convolutions in place of batch norm ("folded"), which gives the
            same outputs; ``torchvision`` for its ImageNet weights (IMAGENET1K_V1); or
            ``https://.../name.safetensors#sha256=...``, fetched once.
        kind: the trunk in `NetworkSettings`.
        progress: told of a download.

    Raises:
        InvalidArgument: none of these, or a URL without a hash.
        FileProblem: missing, damaged, a pickle, or of another network.
        MissingExtra: ``torchvision`` without that package.
    """
    if weights == "none":
        return
    if not isinstance(weights, str) or not weights:
        raise InvalidArgument(
            "weights", wanted="none, a file, torchvision or a URL", got=repr(weights)
        )
    if weights == "torchvision":
        _fill(trunk, _from_torchvision(kind), weights)
        return
    path = _fetched(weights, progress) if "://" in weights else Path(weights)
    _fill(trunk, _read(path, trunk), path)


def _read(path: Path, trunk: StagedTrunk) -> dict[str, Tensor]:
    _check_suffix(path, path)
    if not path.is_file():
        raise FileProblem(path, "does not exist", mend="name a file of weights, or none")
    found = _read_npz(path, trunk) if path.suffix == ".npz" else _read_safetensors(path)
    return {name.removeprefix("module."): array for name, array in found.items()}


def _read_npz(path: Path, trunk: StagedTrunk) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {
                info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()
            }
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FileProblem(path, f"is damaged or no npz archive ({error})") from error
    # Nothing is unpacked that is larger than the largest of the trunk's arrays in float64.
    most = 8 * max((t.numel() for t in trunk.state_dict().values()), default=0) + 4096
    wanted = [name for name, size in sizes.items() if not _left_out(name) and size <= most]
    arrays = read_arrays(path, wanted)
    bad = [name for name, array in arrays.items() if array.dtype.kind not in "fiu"]
    if bad:
        raise FileProblem(path, f"holds {bad[0]}, which is not of numbers")
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if not _left_out(name)}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise FileProblem(path, f"is damaged or no safetensors file ({error})") from error


def _fill(trunk: StagedTrunk, found: dict[str, Tensor], source: object) -> None:
    """Puts arrays into the trunk, all of them or, on an error, none."""
    wanted = trunk.state_dict()
    folded = _is_folded(found, wanted)
    if folded:
        found = _unfolded(found)
    needed = [
        name
        for name in wanted
        if not name.endswith("num_batches_tracked")
        and not (folded and name.endswith(("running_mean", "running_var")))
        and not (folded and _is_norm_weight(name, wanted))
    ]
    missing = [name for name in needed if name not in found]
    if missing:
        raise FileProblem(
            source,
            f"lacks {_some(missing)}",
            mend="keep fewer stages, or name the trunk that the file is of",
        )
    foreign = [name for name in found if name not in wanted and not _beyond(name, trunk)]
    if foreign:
        raise FileProblem(
            source,
            f"holds {_some(foreign)}, which this trunk has not",
            mend="name the trunk that the file is of",
        )
    for name in needed:
        _check_array(name, found[name], wanted[name], source)
    with torch.no_grad():
        for name in needed:
            wanted[name].copy_(found[name])
    if folded:
        set_folded(trunk)


def _check_array(name: str, array: Tensor, wanted: Tensor, source: object) -> None:
    if array.shape != wanted.shape:
        raise FileProblem(
            source,
            f"holds {name} of shape {tuple(array.shape)}, this trunk has {tuple(wanted.shape)}",
            mend="name the trunk that the file is of",
        )
    if not torch.isfinite(array.to(wanted.dtype)).all():
        raise FileProblem(source, f"holds NaN or infinity in {name}")
    if name.endswith("running_var") and (array < 0).any():
        raise FileProblem(source, f"holds a negative variance in {name}")


def _is_folded(found: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether convolutions have biases where the trunk has batch norm behind them."""
    norms = {name for name in wanted if name.endswith("running_mean")}
    return bool(norms) and not norms & set(found) and any(_norm_of(name) for name in found)


def _unfolded(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Biases of convolutions under the names of biases of their batch norms."""
    return {_norm_of(name) or name: array for name, array in found.items()}


def _norm_of(name: str) -> str | None:
    """``layer1.0.bn2.bias`` for ``layer1.0.conv2.bias``; None for what is no such bias."""
    stem, _, last = name.rpartition(".")
    head, _, part = stem.rpartition(".")
    if last != "bias":
        return None
    if part.startswith("conv"):
        return f"{head}.bn{part[4:]}.bias".removeprefix(".")
    return f"{head}.1.bias" if stem.endswith("downsample.0") else None


def _is_norm_weight(name: str, wanted: dict[str, Tensor]) -> bool:
    return name.endswith(".weight") and name.replace(".weight", ".running_mean") in wanted


def _left_out(name: str) -> bool:
    return name.removeprefix("module.").startswith("fc.")


def _beyond(name: str, trunk: StagedTrunk) -> bool:
    """Whether an array is of a later stage than the trunk has."""
    last = trunk.stage_names[-1] if trunk.stage_names else ""
    stage = name.partition(".")[0]
    number, own = stage.removeprefix("layer"), last.removeprefix("layer")
    return (
        stage.startswith("layer") and number.isdigit() and own.isdigit() and int(number) > int(own)
    )


def _from_torchvision(kind: str) -> dict[str, Tensor]:
    if not kind.startswith("resnet-"):
        raise InvalidArgument("weights", wanted="none or a file for this trunk", got="torchvision")
    try:
        from torchvision import models  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError) as error:
        # Built for another torch, it fails with RuntimeError.
        raise MissingExtra("torchvision", "torchvision", "weights torchvision") from error
    name = kind.replace("-", "")
    try:
        state = models.get_model(name, weights="IMAGENET1K_V1").state_dict()
    except OSError as error:
        raise FileProblem(
            f"torchvision's {name}",
            f"could not be fetched ({error})",
            mend="connect to the network, or name a file of weights",
        ) from error
    return {name: array for name, array in state.items() if not _left_out(name)}


def _fetched(url: str, progress: Progress) -> Path:
    """Where the file of `url` lies, after a download if need be; its hash is checked each time."""
    parts = urlsplit(url)
    digest = parts.fragment.removeprefix(_HASH).lower()
    hashed = parts.fragment.startswith(_HASH) and len(digest) == 64
    if parts.scheme != "https" or not hashed or set(digest) - set("0123456789abcdef"):
        raise InvalidArgument(
            "weights",
            wanted="a URL such as https://host/name.safetensors#sha256=<64 digits>",
            got=repr(url),
            mend="append the hash of the file, so that no other file is taken for it",
        )
    name = Path(parts.path).name
    _check_suffix(Path(name), url)
    layout = f"weights/{digest[:16]}-{name}"
    cache = cache_folder() / "datasets"
    for folder in (data_folder().path, cache):
        file = folder / layout
        if file.is_file() and _sha256(file) == digest:
            return file
    plain = parts._replace(fragment="").geturl()
    with downloaded(
        plain, f"sha256:{digest}", title=name, layout=layout, folder=cache, progress=progress
    ) as temporary:
        make_folder((cache / layout).parent)
        return temporary.replace(cache / layout)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _check_suffix(path: Path, told: object) -> None:
    if path.suffix in _PICKLES:
        raise FileProblem(told, "is a pickle, which may run code when it is read", mend=_CONVERT)
    if path.suffix not in _SUFFIXES:
        raise FileProblem(
            told, f"is no file {' or '.join(_SUFFIXES)}", mend="convert it to safetensors"
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
