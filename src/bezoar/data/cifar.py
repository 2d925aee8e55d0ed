"""CIFAR-10, from the published binary version or a smaller npz; the pickled version is not read."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bezoar.contracts.dataset import IntArray
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import write_whole
from bezoar.contracts.progress import Progress, silent
from bezoar.data.downloads import data_folder, downloaded
from bezoar.data.npz import read_arrays
from bezoar.data.official import Archive, OfficialFile, check_official, tell_partial
from bezoar.data.pixels import Pixels

_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_SUBSET = "cifar10/cifar10_subset.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class CifarFiles:
    """The files of CIFAR-10's binary version, in ``collection/``.

    Each file is a row of records of 3,073 bytes: the label, then the red, green and blue plane,
    each row by row. Where these files are not, ``cifar10/cifar10_subset.npz`` is taken, with arrays
    ``x_train``, ``x_test`` ``(sample, 32, 32, 3)`` and ``y_train``, ``y_test``, all uint8.

    Attributes:
        title: how messages call the data set.
        collection: its folder.
        class_names: the name of each label, from 0 up.
        train, test: the files of each part.
        source: the published archive.
    """

    title: str
    collection: str
    class_names: tuple[str, ...]
    train: tuple[OfficialFile, ...]
    test: tuple[OfficialFile, ...]
    source: Archive

    def read(
        self,
        *,
        train: bool = True,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
    ) -> Pixels:
        """Reads, checks and, if it may, downloads the train or the test part.

        Fewer images than the official number are used as what they are, with a `BezoarWarning`
        that tells so.

        Args:
            train: the train part, or else the test part.
            folder: where to look; None for BEZOAR_DATA, else our cache, which downloads fill.
            progress: told of downloads.

        Raises:
            FileProblem: a file is missing and cannot be had, is cut short, or is altered.
        """
        wanted = self.train if train else self.test
        part = "train" if train else "test"
        where = data_folder(folder)
        subset = where.path / _SUBSET
        if not self._present(wanted, where.path) and subset.is_file():
            images, labels = _read_subset(subset, part)
        else:
            if where.may_download and not self._present(wanted, where.path):
                self._download(where.path, progress)
            self._refuse_absent(wanted, where.path, where.told_by)
            images, labels = self._read_records(wanted, where.path, part)
        if labels.max() >= len(self.class_names):
            raise FileProblem(
                where.path / self.collection,
                f"holds the label {labels.max()}, where {self.title} has 0 to "
                f"{len(self.class_names) - 1}",
            )
        n_official = sum(official.n_items for official in wanted)
        if len(images) < n_official:
            tell_partial(f"{self.title} {part}", len(images), n_official)
        return Pixels(images=images, labels=labels.astype(np.int64), class_names=self.class_names)

    def _read_records(
        self, wanted: tuple[OfficialFile, ...], folder: Path, part: str
    ) -> tuple[npt.NDArray[np.uint8], IntArray]:
        tables = []
        for official in wanted:
            path = folder / self.collection / official.name
            content = _content(path)
            n_items, rest = divmod(len(content), _RECORD)
            if rest or not n_items:
                raise FileProblem(
                    path,
                    f"is cut short: {len(content):,} bytes are not a whole number of images"
                    if content
                    else "is empty",
                    mend="copy it again",
                )
            digest = hashlib.sha256(content).hexdigest()
            check_official(path, official, n_items, digest, subject=f"{self.title} {part}")
            tables.append(np.frombuffer(content, np.uint8).reshape(n_items, _RECORD))
        table = np.concatenate(tables)
        return table[:, 1:].reshape(-1, *_SHAPE), table[:, 0]

    def _present(self, wanted: tuple[OfficialFile, ...], folder: Path) -> bool:
        return all((folder / self.collection / official.name).is_file() for official in wanted)

    def _refuse_absent(self, wanted: tuple[OfficialFile, ...], folder: Path, told_by: str) -> None:
        for official in wanted:
            path = folder / self.collection / official.name
            if not path.is_file():
                raise FileProblem(
                    path,
                    "does not exist",
                    mend=f"let {told_by} name the folder that holds {self.collection}/, unpacked "
                    f"from {Path(self.source.url).name}; the pickled version is not read",
                )

    def _download(self, folder: Path, progress: Progress) -> None:
        source = self.source
        with downloaded(
            source.url,
            source.known_hash,
            title=self.title,
            layout=f"{self.collection}/{self.train[0].name} and its kin",
            folder=folder,
            progress=progress,
        ) as file:
            try:
                with tarfile.open(file, "r:gz") as packed:
                    for official in (*self.train, *self.test):
                        _unpack(packed, source, official, folder / self.collection)
            except (tarfile.TarError, zlib.error, EOFError, KeyError) as error:
                raise FileProblem(
                    source.url, f"is not the archive that was wanted ({error})"
                ) from error


def _unpack(packed: tarfile.TarFile, source: Archive, official: OfficialFile, target: Path) -> None:
    content = packed.extractfile(f"{source.inside}/{official.name}")
    if content is None:
        raise KeyError(official.name)
    with content:
        write_whole(target / official.name, lambda handle: shutil.copyfileobj(content, handle))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileProblem(path, f"cannot be read ({error.strerror or error})") from error


def _read_subset(path: Path, part: str) -> tuple[npt.NDArray[np.uint8], IntArray]:
    arrays: dict[str, npt.NDArray[Any]] = read_arrays(path, [f"x_{part}", f"y_{part}"])
    images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if (
        images.dtype != np.uint8
        or labels.dtype != np.uint8
        or not len(images)
        or images.shape != (len(images), 32, 32, 3)
        or labels.shape != images.shape[:1]
    ):
        raise FileProblem(
            path,
            f"wanted 8-bit images (sample, 32, 32, 3) and one 8-bit label for each, got "
            f"{images.shape} of {images.dtype} and {labels.shape} of {labels.dtype}",
        )
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels
