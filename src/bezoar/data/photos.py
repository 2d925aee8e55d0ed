"""Folders of image files, one folder for each class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bezoar.contracts.dataset import Dataset, IntArray
from bezoar.contracts.errors import BezoarWarning, FileProblem
from bezoar.contracts.progress import Progress, silent
from bezoar.data.labels import natural_order
from bezoar.data.pixels import drawn
from bezoar.data.resizing import read_square

PHOTO_SIZE = 64

_ENDINGS = (
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff",
    ".webp",
)  # fmt: skip
_TRAIN = ("train", "training")
_TEST = ("test", "testing", "val", "valid", "validation")
_CLUTTER = ("desktop.ini", "thumbs.db")
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photos:
    """The image files of one part of a data set, none of them opened yet.

    Attributes:
        paths: ``(sample,)``, sorted by class and then by name.
        labels: ``(sample,)`` codes into `class_names`.
        class_names: the name of each code.
    """

    paths: tuple[Path, ...]
    labels: IntArray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def dataset(
        self,
        *,
        size: int,
        classes: Sequence[str] | None = None,
        n_samples: int | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Dataset:
        """Some of the images, in [0, 1]; only these are opened.

        Args:
            size: width and height, in pixels.
            classes: the classes to keep, which get the codes 0, 1, ... in this order; None for all.
            n_samples: how many to draw, every class in proportion; None takes all.
            seed: which ones; the stream is that of ``bezoar.data.load``.
            progress: told after each image.

        Returns:
            RGB images ``(sample, 3, size, size)`` of float32; ids are positions in `paths`.

        Raises:
            UnknownName, InvalidData, InvalidArgument: as in `bezoar.data.pixels.Pixels.dataset`.
            FileProblem: files that are no images; the message names them.
        """
        ids, codes, names = drawn(
            self.labels, self.class_names, classes=classes, n_samples=n_samples, seed=seed
        )
        images = np.empty((len(ids), 3, size, size), np.float32)
        refused: list[FileProblem] = []
        for i, path in enumerate(self.paths[k] for k in ids):
            try:
                np.divide(read_square(path, size), np.float32(255), out=images[i])
            except FileProblem as error:
                refused.append(error)
            progress("read images", i + 1, len(ids))
        _refuse(refused)
        return Dataset(features=images, labels=codes, ids=ids, class_names=names)


def folder_photos(folder: str | os.PathLike[str], *, train: bool = True) -> Photos:
    """The images in a folder whose sub-folders are the classes, or are train and test parts of it.

    With the sub-folder ``train`` and none but ``val``, ``test`` or their like beside it, the
    classes are looked for inside these. Class names are in natural order; files are sorted by
    name, so ids stay the same on every machine. Hidden files are passed over; files that are not
    named like images, and folders inside classes, are left out with a `BezoarWarning` that names
    them.

    Args:
        folder: holds a folder for each class, or a folder for each part.
        train: the train part (all there is, where the folder has no parts), or else the test part.

    Raises:
        FileProblem: no folder, no test part, fewer than two classes, a class without images, or a
            test class that the train part does not have.
    """
    root = Path(folder)
    parts = _parts(root)
    if not train and len(parts) < 2:
        raise FileProblem(
            root, "has no test part", mend="lay it out as train/CLASS/ and test/CLASS/"
        )
    names = _class_folders(parts[0])
    codes = {name: code for code, name in enumerate(names)}
    if train:
        return class_photos(parts[0], codes, names)
    found = _class_folders(parts[1])
    strangers = [name for name in found if name not in codes]
    if strangers:
        raise FileProblem(
            parts[1], f"has the class {strangers[0]!r}, which {parts[0].name} does not have"
        )
    return class_photos(parts[1], {name: codes[name] for name in found}, names)


def has_parts(folder: str | os.PathLike[str]) -> bool:
    """Whether an image folder has a test part.

    Raises:
        FileProblem: no folder, or one that cannot be read.
    """
    return len(_parts(Path(folder))) > 1


def class_photos(folder: Path, codes: Mapping[str, int], class_names: Sequence[str]) -> Photos:
    """The image files in some sub-folders of `folder`.

    Args:
        folder: holds the sub-folders.
        codes: which sub-folders to read, in this order, and the code of the images in each.
        class_names: the name of each code.

    Raises:
        FileProblem: a sub-folder cannot be read, or holds no image file.
    """
    paths: list[Path] = []
    labels: list[int] = []
    left_out: list[str] = []
    for name, code in codes.items():
        n_before = len(paths)
        for entry in _visible(folder / name):
            if entry.suffix.lower() in _ENDINGS and entry.is_file():
                paths.append(entry)
            else:
                left_out.append(str(entry.relative_to(folder)))
        if len(paths) == n_before:
            raise FileProblem(
                folder / name,
                f"holds no image file ({', '.join(_ENDINGS)})",
                mend="add images of this class or remove the folder",
            )
        labels += [code] * (len(paths) - n_before)
    if left_out:
        warnings.warn(
            f"{folder}: left out as no image files: {_listed(left_out)}",
            BezoarWarning,
            stacklevel=2,
        )
    return Photos(
        paths=tuple(paths),
        labels=np.array(labels, dtype=np.int64),
        class_names=tuple(class_names),
    )


def _parts(root: Path) -> list[Path]:
    """The folder of the train part and, where there is one, that of the test part."""
    if not root.is_dir():
        problem = "is no folder" if root.exists() else "does not exist"
        raise FileProblem(root, problem, mend="name a folder with a sub-folder for each class")
    folders = {entry.name.lower(): entry for entry in _visible(root) if entry.is_dir()}
    train = [folders[name] for name in _TRAIN if name in folders]
    if not train or set(folders) - {*_TRAIN, *_TEST}:
        return [root]
    # Where there are both, the test part is the one to measure on.
    return [train[0], *(folders[name] for name in _TEST if name in folders)][:2]


def _class_folders(folder: Path) -> list[str]:
    found = [entry.name for entry in _visible(folder) if entry.is_dir()]
    if len(found) < 2:
        raise FileProblem(
            folder,
            f"has {len(found)} sub-folders with images, at least two were wanted",
            mend="put the images of each class into a folder of their own",
        )
    for name in found:
        if not name.isprintable():
            raise FileProblem(folder / name, "is no name for a class", mend="rename the folder")
    return [found[i] for i in natural_order(found)]


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder, by name; the hidden files of file managers are no odd ones."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise FileProblem(folder, f"cannot be read ({error.strerror or error})") from error
    return sorted(entry for entry in entries if entry.name.lower() not in _CLUTTER)


def _refuse(refused: list[FileProblem]) -> None:
    if not refused:
        return
    if len(refused) == 1:
        raise refused[0]
    raise FileProblem(
        f"{len(refused)} files",
        _listed([str(error) for error in refused]),
        mend="remove or replace them",
    )


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
