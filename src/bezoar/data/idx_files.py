"""Image data sets that are published as pairs of idx files."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import make_folder, write_whole
from bezoar.contracts.progress import Progress, silent
from bezoar.data.downloads import DataFolder, data_folder, downloaded
from bezoar.data.idx import find_idx, idx_sha256, read_images
from bezoar.data.official import Archive, OfficialFile, check_official, tell_partial
from bezoar.data.pixels import Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class IdxFiles:
    """The files of one data set, in ``collection/raw/``, plain or ``.gz``.

    Attributes:
        title: how messages call the data set.
        collection: its folder, as torchvision names it.
        class_names: the name of each label, from `first_label` up.
        train, test: images and labels of each part.
        source: the address of a folder that holds each file as ``.gz``, or an archive of them.
        size: height and width of the images.
        first_label: the smallest label in the files.
        transposed: whether the files hold each image with rows and columns exchanged.
    """

    title: str
    collection: str
    class_names: tuple[str, ...]
    train: tuple[OfficialFile, OfficialFile]
    test: tuple[OfficialFile, OfficialFile]
    source: str | Archive
    size: tuple[int, int] = (28, 28)
    first_label: int = 0
    transposed: bool = False

    def read(
        self,
        *,
        train: bool = True,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
    ) -> Pixels:
        """Reads, checks and, if it may, downloads the train or the test pair.

        A pair with fewer images than the official one is used as what it is, with a
        `BezoarWarning` that tells so.

        Args:
            train: the train pair, or else the test pair.
            folder: where to look; None for BEZOAR_DATA, else our cache, which downloads fill.
            progress: told of downloads.

        Raises:
            FileProblem: a file is missing and cannot be had, is cut short, or is altered.
        """
        pair = self.train if train else self.test
        where = data_folder(folder)
        images, labels = (self._path(official, where, progress) for official in pair)
        pixels, marks = read_images(
            images, labels, n_labels=len(self.class_names), first_label=self.first_label
        )
        if pixels.shape[1:] != self.size:
            wanted = " x ".join(map(str, self.size))
            raise FileProblem(
                images,
                f"wanted images of {wanted} pixels, got {pixels.shape[1]} x {pixels.shape[2]}",
                mend=f"use the files of {self.title}",
            )
        subject = f"{self.title} {'train' if train else 'test'}"
        for path, official, content in zip((images, labels), pair, (pixels, marks), strict=True):
            digest = idx_sha256(content)
            if not check_official(path, official, len(content), digest, subject=subject):
                tell_partial(subject, len(content), official.n_items)
                break
        upright = pixels.transpose(0, 2, 1) if self.transposed else pixels
        return Pixels(
            images=np.ascontiguousarray(upright)[:, None],
            labels=marks.astype(np.int64) - self.first_label,
            class_names=self.class_names,
        )

    def _path(self, official: OfficialFile, where: DataFolder, progress: Progress) -> Path:
        # Where only the packed hash is known, only the .gz can be checked.
        found = self._found(official, where.path)
        if found is None and where.may_download:
            self._download(official, where.path, progress)
            found = self._found(official, where.path)
        if found is None:
            wanted = f"{self.collection}/raw/{official.name}"
            raise FileProblem(
                where.path / wanted,
                "does not exist, nor does the same with .gz",
                mend=f"let {where.told_by} name the folder that holds {wanted}.gz",
            )
        return found

    def _found(self, official: OfficialFile, folder: Path) -> Path | None:
        return find_idx(folder, self.collection, official.name, packed_first=not official.sha256)

    def _download(self, official: OfficialFile, folder: Path, progress: Progress) -> None:
        raw = folder / self.collection / "raw"
        if isinstance(self.source, Archive):
            title = self.title
            url, known_hash = self.source.url, self.source.known_hash
        else:
            title = f"{self.title}/{official.name}"
            url = f"{self.source}/{official.name}.gz"
            known_hash = f"sha256:{official.packed_sha256}"
        with downloaded(
            url,
            known_hash,
            title=title,
            layout=f"{self.collection}/raw/{official.name}.gz",
            folder=folder,
            progress=progress,
        ) as file:
            if isinstance(self.source, Archive):
                _unpack(file, self.source, raw, [*self.train, *self.test])
            else:
                make_folder(raw)
                file.replace(raw / f"{official.name}.gz")


def _unpack(file: Path, archive: Archive, raw: Path, wanted: list[OfficialFile]) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            for official in wanted:
                member = f"{archive.inside}/{official.name}{archive.suffix}"
                with packed.open(member) as content:
                    write_whole(
                        raw / f"{official.name}{archive.suffix}",
                        lambda handle, content=content: shutil.copyfileobj(content, handle),
                    )
    except (zipfile.BadZipFile, KeyError) as error:
        raise FileProblem(archive.url, f"is not the archive that was wanted ({error})") from error
