"""The idx format of MNIST and its relatives: where such files lie, and what they hold."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.errors import FileProblem

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def find_idx(
    folder: str | os.PathLike[str], collection: str, name: str, *, packed_first: bool = False
) -> Path | None:
    """The path of ``folder/collection/raw/name``, or of the same with ``.gz``; None if not there.

    Args:
        folder: holds one folder for each collection, as torchvision lays them out.
        collection: the data set's folder, for example ``MNIST``; relatives share file names, so it
            is never guessed.
        name: for example ``train-images-idx3-ubyte``.
        packed_first: where both are there, the ``.gz``, and not the plain file.
    """
    plain = Path(folder) / collection / "raw" / name
    candidates = [plain, plain.with_name(f"{name}.gz")]
    if packed_first:
        candidates.reverse()
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Reads one idx file, plain or gzipped, into an array of the shape that its header tells.

    The format: two zero bytes, the type of the numbers, the number of axes, each axis as a 32-bit
    integer, then the numbers, all most significant byte first.

    Args:
        path: the file.

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
                return _parsed(file, raw)
            with gzip.GzipFile(fileobj=raw) as handle:
                return _parsed(file, handle)
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
    images: Path, labels: Path, *, n_labels: int, first_label: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Reads a pair of idx files: grey images of 8-bit pixels, and the label of each.

    Args:
        images: holds ``(sample, height, width)``.
        labels: holds ``(sample,)``.
        n_labels: how many different labels there may be.
        first_label: the smallest one.

    Returns:
        The images ``(sample, height, width)``, and their labels ``(sample,)`` as the file has them.

    Raises:
        FileProblem: as in `read_idx`, or the two files do not belong together.
    """
    pixels, marks = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise FileProblem(
            images, f"wanted 8-bit images (sample, height, width), got {pixels.shape}"
        )
    if marks.dtype != np.uint8 or marks.shape != pixels.shape[:1]:
        raise FileProblem(
            labels,
            f"wanted {len(pixels)} labels of 8 bits, one for each image, got shape {marks.shape}",
            mend="use the label file that belongs to the images",
        )
    last = first_label + n_labels - 1
    if marks.min() < first_label or marks.max() > last:
        raise FileProblem(
            labels,
            f"wanted labels from {first_label} to {last}, got {marks.min()} to {marks.max()}",
        )
    return pixels, marks


def idx_sha256(array: npt.NDArray[np.uint8]) -> str:
    """SHA-256 of the plain idx file that holds `array`, 8-bit numbers.

    Example:
        >>> idx_sha256(np.zeros((2, 2), np.uint8))[:8]
        'e8503f67'
    """
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    digest = hashlib.sha256(header)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _parsed(path: Path, handle: IO[bytes] | gzip.GzipFile) -> npt.NDArray[Any]:
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
    return np.frombuffer(content, dtype=kind).reshape(shape)
