"""Data sets in idx files, the format of MNIST and its relatives, from the user's own folder."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import Dataset, IntArray
from bezoar.contracts.errors import BezoarWarning, FileProblem
from bezoar.contracts.seeds import generator
from bezoar.data.split import stratified_positions

FOLDER_VARIABLE = "BEZOAR_DATA"

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

# SHA-256 of the official files, unpacked.
_MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def mnist(folder: str | os.PathLike[str] | None = None, *, train: bool = True) -> Dataset:
    """MNIST: handwritten digits, 60,000 images to train on or 10,000 to test on.

    Images are ``(sample, 1, 28, 28)`` in [0, 1]; ids are positions in the official file. A file
    that is not the official one, by its SHA-256, is read with a warning.

    Args:
        folder: holds ``MNIST/raw/train-images-idx3-ubyte`` and its kin, plain or ``.gz``, as
            torchvision lays them out; None for the folder that BEZOAR_DATA names.
        train: the train file, or else the test file.

    Raises:
        FileProblem: a file is missing, cut short or of another kind.

    Source: LeCun, Cortes and Burges, 1998.
    """
    return _mnist(folder, train=train, digits=range(10), n_samples=None, seed=0)


def mnist_4(
    folder: str | os.PathLike[str] | None = None,
    *,
    n_samples: int | None = 1000,
    seed: int = 0,
) -> Dataset:
    """MNIST-4: the digits 0 to 3 of MNIST's train file.

    Source: QUID (arXiv 2411.14412, section 5.1): 1000 samples of these classes. Which samples is
    not said there; we draw them at random, every class in proportion.

    Args:
        folder: as in `mnist`.
        n_samples: how many to draw; None takes all 24,754.
        seed: which ones.

    Returns:
        Images ``(sample, 1, 28, 28)`` in [0, 1]; ids are positions in the official train file.

    Raises:
        FileProblem: a file is missing, cut short or of another kind.
        InvalidArgument: more samples than there are, or fewer than 4.
    """
    return _mnist(folder, train=True, digits=range(4), n_samples=n_samples, seed=seed)


def find_idx(collection: str, name: str, *, folder: str | os.PathLike[str] | None = None) -> Path:
    """The path of ``folder/collection/raw/name``, or of the same with ``.gz``.

    Args:
        collection: the data set's folder, for example ``MNIST``; relatives share file names, so it
            is never guessed.
        name: for example ``train-images-idx3-ubyte``.
        folder: None for the folder that BEZOAR_DATA names.

    Raises:
        FileProblem: the folder is not known, or the file is not in it.
    """
    given = os.fspath(folder) if folder is not None else os.environ.get(FOLDER_VARIABLE, "")
    if not given:
        raise FileProblem(
            collection,
            f"its files are not found, as {FOLDER_VARIABLE} is not set",
            mend=f"set {FOLDER_VARIABLE} to the folder that holds {collection}/raw/{name}.gz",
        )
    plain = Path(given) / collection / "raw" / name
    for path in (plain, plain.with_name(f"{name}.gz")):
        if path.is_file():
            return path
    source = "folder" if folder is not None else FOLDER_VARIABLE
    raise FileProblem(
        plain,
        "does not exist, nor does the same with .gz",
        mend=f"let {source} name the folder that holds {collection}/raw/{name}.gz",
    )


def read_idx(path: str | os.PathLike[str], *, sha256: str | None = None) -> npt.NDArray[Any]:
    """Reads one idx file, plain or gzipped, into an array of the shape that its header tells.

    The format: two zero bytes, the type of the numbers, the number of axes, each axis as a 32-bit
    integer, then the numbers, all most significant byte first.

    Args:
        path: the file.
        sha256: what the unpacked file should hash to; another hash is a warning.

    Raises:
        FileProblem: missing, not idx, cut short, or longer than its header tells.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "labels")
        ...     _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        ...     read_idx(file).tolist()
        [7, 8, 9]
    """
    file = Path(path)
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not packed:
                return _parsed(file, raw, sha256)
            with gzip.GzipFile(fileobj=raw) as handle:
                return _parsed(file, handle, sha256)
    except FileProblem:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileProblem(
            file, f"is damaged or cut short ({error})", mend="copy it again"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileProblem(file, f"cannot be read ({reason})", mend="check the path") from error


def read_images(
    images: Path,
    labels: Path,
    *,
    class_names: Sequence[str],
    keep: Sequence[int] | None = None,
    n_samples: int | None = None,
    rng: np.random.Generator,
    sha256: Mapping[str, str] | None = None,
) -> Dataset:
    """Reads a pair of idx files: grey images of 8-bit pixels, and the label of each.

    Only the samples kept become floating point, so a few of many cost little memory.

    Args:
        images: holds ``(sample, height, width)``.
        labels: holds ``(sample,)``, codes into `class_names`.
        class_names: the name of each code.
        keep: the codes to keep, which become 0, 1, ... in this order; None keeps all.
        n_samples: how many to draw, every class in proportion; None takes all.
        rng: what to draw with; unused if all are taken.
        sha256: what files should hash to, by name without ``.gz``.

    Returns:
        Images ``(sample, 1, height, width)`` in [0, 1]; ids are positions in the files.

    Raises:
        FileProblem: as in `read_idx`, or the two files do not belong together.
        InvalidArgument: `n_samples` cannot be drawn.
    """
    known = sha256 or {}
    pixels = read_idx(images, sha256=known.get(images.name.removesuffix(".gz")))
    digits = read_idx(labels, sha256=known.get(labels.name.removesuffix(".gz")))
    _check_pair(images, pixels, labels, digits, len(class_names))
    codes = list(range(len(class_names)) if keep is None else keep)
    code_of = np.full(len(class_names), -1)
    code_of[codes] = np.arange(len(codes))
    ids = np.flatnonzero(code_of[digits] >= 0)
    if n_samples is not None:
        ids = ids[stratified_positions(digits[ids], n_samples, rng=rng)]
    scaled = pixels[ids][:, None].astype(np.float64)
    scaled /= 255
    return Dataset(
        features=scaled,
        labels=code_of[digits[ids]],
        ids=ids,
        class_names=tuple(class_names[code] for code in codes),
    )


def _mnist(
    folder: str | os.PathLike[str] | None,
    *,
    train: bool,
    digits: Sequence[int],
    n_samples: int | None,
    seed: int,
) -> Dataset:
    part = "train" if train else "t10k"
    return read_images(
        find_idx("MNIST", f"{part}-images-idx3-ubyte", folder=folder),
        find_idx("MNIST", f"{part}-labels-idx1-ubyte", folder=folder),
        class_names=[str(digit) for digit in range(10)],
        keep=digits,
        n_samples=n_samples,
        # The stream of load's n_samples, so that a name and a call give the same samples.
        rng=generator(seed, "data", "n_samples"),
        sha256=_MNIST,
    )


def _parsed(path: Path, handle: IO[bytes] | gzip.GzipFile, sha256: str | None) -> npt.NDArray[Any]:
    magic = handle.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not magic[3]:
        problem = "is empty" if not magic else "is not an idx file (wrong magic number)"
        raise FileProblem(path, problem, mend="name a file such as train-images-idx3-ubyte.gz")
    sizes = handle.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise FileProblem(path, "is cut short in its header", mend="copy it again")
    shape = tuple(np.frombuffer(sizes, dtype=">u4").tolist())
    kind = np.dtype(_TYPES[magic[2]])
    wanted = math.prod(shape) * kind.itemsize
    try:
        # One byte more than the header tells: enough to see that there is too much.
        content = handle.read(wanted + 1)
    except (MemoryError, OverflowError) as error:
        raise FileProblem(path, f"tells a shape beyond memory, {shape}") from error
    if len(content) != wanted:
        problem = (
            f"is cut short: {len(content)} of {wanted} bytes of data"
            if len(content) < wanted
            else f"holds more than the {wanted} bytes of data that its header tells"
        )
        raise FileProblem(path, problem, mend="copy it again")
    _compare(path, magic + sizes, content, sha256)
    return np.frombuffer(content, dtype=kind).reshape(shape)


def _compare(path: Path, header: bytes, content: bytes, sha256: str | None) -> None:
    if sha256 is None:
        return
    digest = hashlib.sha256(header)
    digest.update(content)
    if digest.hexdigest() != sha256:
        warnings.warn(
            f"{path}: is not the official file (SHA-256 {digest.hexdigest()[:16]}..., wanted "
            f"{sha256[:16]}...); results cannot be compared with published ones",
            BezoarWarning,
            stacklevel=2,
        )


def _check_pair(
    images: Path,
    pixels: npt.NDArray[Any],
    labels: Path,
    digits: IntArray,
    n_classes: int,
) -> None:
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise FileProblem(
            images, f"wanted 8-bit images (sample, height, width), got {pixels.shape}"
        )
    if digits.dtype.kind not in "iu" or digits.shape != pixels.shape[:1]:
        raise FileProblem(
            labels,
            f"wanted {len(pixels)} labels, one for each image, got shape {digits.shape}",
            mend="use the label file that belongs to the images",
        )
    if digits.min() < 0 or digits.max() >= n_classes:
        raise FileProblem(
            labels, f"wanted labels from 0 to {n_classes - 1}, got {digits.min()} to {digits.max()}"
        )
