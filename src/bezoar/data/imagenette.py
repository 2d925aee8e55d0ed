"""Imagenette: ten classes of ImageNet's photographs, in the published layouts."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.errors import FileProblem
from bezoar.contracts.progress import Progress, silent
from bezoar.data.downloads import DataFolder, data_folder, downloaded
from bezoar.data.official import Archive, tell_partial
from bezoar.data.photos import PHOTO_SIZE, Photos, class_photos
from bezoar.data.resizing import check_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One published or customary version of the photographs.

    Attributes:
        collection: its folder, which holds ``train/`` and ``val/``.
        side: of its smaller image sides, in pixels.
        source: where it is published; None for a version that is not.
    """

    collection: str
    side: int
    source: Archive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoSet:
    """A published set of photographs, one folder for each class; calling it reads some of them.

    Attributes:
        title: how messages call the data set.
        classes: the folder of each class and its name, in the order of the codes.
        n_train, n_test: how many images the published parts have.
        releases: the versions, by `Release.side` upwards.
    """

    title: str
    classes: tuple[tuple[str, str], ...]
    n_train: int
    n_test: int
    releases: tuple[Release, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each code."""
        return tuple(name for _, name in self.classes)

    @property
    def description(self) -> str:
        """One line for listings."""
        return f"{self.title}: {len(self.classes)} classes of photographs, downloaded."

    def __call__(
        self,
        *,
        size: int = PHOTO_SIZE,
        train: bool = True,
        n_samples: int | None = None,
        classes: Sequence[str] | None = None,
        seed: int = 0,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
    ) -> Dataset:
        """Reads the train or the test part; only the images that are drawn are opened.

        Args:
            size: width and height to return, in pixels.
            train: the train part, or else the test part, which is published as validation.
            n_samples, classes, seed: as in `bezoar.data.photos.Photos.dataset`.
            folder: where the versions lie; None for BEZOAR_DATA, else our cache, which downloads
                fill.
            progress: told of downloads and images.

        Returns:
            RGB images ``(sample, 3, size, size)`` of float32 in [0, 1].

        Raises:
            FileProblem: nothing is there and cannot be had, or a file is damaged.
            UnknownName, InvalidArgument: as in `bezoar.data.photos.Photos.dataset`.
        """
        photos = self.photos(check_size(size), train=train, folder=folder, progress=progress)
        return photos.dataset(
            size=size, classes=classes, n_samples=n_samples, seed=seed, progress=progress
        )

    def photos(
        self,
        size: int = PHOTO_SIZE,
        *,
        train: bool = True,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
    ) -> Photos:
        """The image files of a part, of the smallest version that has `size` pixels a side.

        Where no version there is large enough the largest is taken. Fewer images than published
        are used as what they are, with a `BezoarWarning` that tells so. Arguments and errors as in
        `__call__`.
        """
        where = data_folder(folder)
        release = self._found(size, where)
        if where.may_download and (release is None or release.side < size):
            release = self._download(size, where.path, progress)
        if release is None:
            raise FileProblem(
                where.path / self.releases[-1].collection,
                "does not exist",
                mend=f"let {where.told_by} name the folder that holds it or one of "
                f"{', '.join(r.collection for r in self.releases[:-1])}, unpacked from "
                f"{' or '.join(r.source.url for r in self.releases if r.source)}",
            )
        part = where.path / release.collection / ("train" if train else "val")
        codes = {name: code for code, (name, _) in enumerate(self.classes)}
        photos = class_photos(part, codes, self.class_names)
        n_official = self.n_train if train else self.n_test
        subject = f"{self.title} {'train' if train else 'test'}"
        if len(photos) > n_official:
            raise FileProblem(
                part,
                f"is not the published part: {len(photos):,} images, where {subject} has "
                f"{n_official:,}",
                mend="give your own images by the path of their folder",
            )
        if len(photos) < n_official:
            tell_partial(subject, len(photos), n_official)
        return photos

    def _found(self, size: int, where: DataFolder) -> Release | None:
        there = [r for r in self.releases if (where.path / r.collection).is_dir()]
        enough = [r for r in there if r.side >= size]
        return enough[0] if enough else there[-1] if there else None

    def _download(self, size: int, folder: Path, progress: Progress) -> Release:
        published = [r for r in self.releases if r.source is not None]
        release = next((r for r in published if r.side >= size), published[-1])
        source = release.source
        if source is None or (folder / release.collection).is_dir():
            return release
        layout = f"{release.collection}/train/{self.classes[0][0]}/ and its kin"
        with (
            downloaded(
                source.url,
                source.known_hash,
                title=self.title,
                layout=layout,
                folder=folder,
                progress=progress,
            ) as file,
            # Unpacked beside its place, so that the folder appears whole, by one renaming.
            tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder) as temporary,
        ):
            try:
                _unpack(file, source, Path(temporary))
                Path(temporary, source.inside).rename(folder / release.collection)
            except (tarfile.TarError, zlib.error, EOFError, FileNotFoundError) as error:
                raise FileProblem(
                    source.url, f"is not the archive that was wanted ({error})"
                ) from error
        return release


def _unpack(file: Path, source: Archive, target: Path) -> None:
    """Takes image files alone out of an archive, under the names that they should have."""
    wanted = re.compile(rf"{re.escape(source.inside)}/(?:train|val)/n\d{{8}}/[\w.-]+\.JPEG")
    with tarfile.open(file, "r:gz") as packed:
        for member in packed:
            if not (member.isfile() and wanted.fullmatch(member.name)):
                continue
            content = packed.extractfile(member)
            if content is None:
                continue
            path = target / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("wb") as handle:
                shutil.copyfileobj(content, handle)


# Howard, https://github.com/fastai/imagenette: ten classes of ImageNet that are easy to tell apart.
# The version of 224 pixels is a customary re-encoding and is not published.
IMAGENETTE = PhotoSet(
    title="Imagenette",
    classes=(
        ("n01440764", "tench"),
        ("n02102040", "English springer"),
        ("n02979186", "cassette player"),
        ("n03000684", "chain saw"),
        ("n03028079", "church"),
        ("n03394916", "French horn"),
        ("n03417042", "garbage truck"),
        ("n03425413", "gas pump"),
        ("n03445777", "golf ball"),
        ("n03888257", "parachute"),
    ),
    n_train=9469,
    n_test=3925,
    releases=(
        Release(
            collection="imagenette2-160",
            side=160,
            source=Archive(
                url="https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
                known_hash="md5:e793b78cc4c9e9a4ccc0c1155377a412",
                inside="imagenette2-160",
            ),
        ),
        Release(collection="imagenette2-224", side=224),
        Release(
            collection="imagenette2-320",
            side=320,
            source=Archive(
                url="https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
                known_hash="md5:3df6f0d01a2c9592104656642f5e78a3",
                inside="imagenette2-320",
            ),
        ),
        Release(
            collection="imagenette2",
            side=1024,
            source=Archive(
                url="https://s3.amazonaws.com/fast-ai-imageclas/imagenette2.tgz",
                known_hash="md5:fe2fc210e6bb7c5664d602c3cd71e612",
                inside="imagenette2",
            ),
        ),
    ),
)
