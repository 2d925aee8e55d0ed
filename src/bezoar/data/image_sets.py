"""Image data sets by name, and the small sets that papers draw from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from bezoar.contracts.dataset import Dataset
from bezoar.contracts.progress import Progress, silent
from bezoar.data.cifar import CifarFiles
from bezoar.data.idx_files import IdxFiles
from bezoar.data.official import Archive, OfficialFile
from bezoar.data.pixels import Pixels


class ImageFiles(Protocol):
    """Files that hold images with labels, in one part to train on and one to test on."""

    @property
    def title(self) -> str:
        """How messages call the data set."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each code."""
        ...

    def read(
        self,
        *,
        train: bool = True,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
    ) -> Pixels:
        """All images of a part."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """A published image data set; calling it reads it.

    Attributes:
        files: where it is published and what its files hold.
    """

    files: ImageFiles

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each code."""
        return self.files.class_names

    @property
    def description(self) -> str:
        """One line for listings."""
        return f"{self.files.title}: {len(self.class_names)} classes of images, downloaded."

    def pixels(
        self,
        *,
        train: bool = True,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
    ) -> Pixels:
        """All images as 8-bit numbers; arguments and errors as in `ImageFiles.read`."""
        return self.files.read(train=train, folder=folder, progress=progress)

    def __call__(
        self,
        *,
        n_samples: int | None = None,
        folder: str | os.PathLike[str] | None = None,
        seed: int = 0,
        train: bool = True,
        progress: Progress = silent,
    ) -> Dataset:
        """Reads the train or the test part.

        Args:
            n_samples: how many to draw, every class in proportion; None takes all.
            folder: where the files are; None for BEZOAR_DATA, else our cache, which downloads
                fill.
            seed: which samples are drawn.
            train: the train part, or else the test part.
            progress: told of downloads.

        Returns:
            Images ``(sample, channel, height, width)`` in [0, 1]; ids are positions in the
            official file.

        Raises:
            FileProblem: a file is missing and cannot be had, is cut short, or is altered.
            InvalidArgument: `n_samples` cannot be drawn.
        """
        pixels = self.pixels(train=train, folder=folder, progress=progress)
        return pixels.dataset(n_samples=n_samples, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSubset:
    """Some classes of an image data set; calling it draws samples from the train part.

    Attributes:
        pool: the whole data set; reducers that need no labels may learn from all of it.
        classes: the classes to keep, which get the codes 0, 1, ... in this order.
    """

    pool: ImageSet
    classes: tuple[str, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each code."""
        return self.classes

    @property
    def description(self) -> str:
        """One line for listings."""
        return f"1000 images of {self.pool.files.title}: {', '.join(self.classes)}."

    def __call__(
        self,
        *,
        n_samples: int | None = 1000,
        folder: str | os.PathLike[str] | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Dataset:
        """Draws samples of the classes; arguments and errors as in `ImageSet.__call__`."""
        pixels = self.pool.pixels(folder=folder, progress=progress)
        return pixels.dataset(classes=self.classes, n_samples=n_samples, seed=seed)


_DIGITS = tuple("0123456789")


def _pair(
    part: str, n_items: int, images: tuple[str, str], labels: tuple[str, str]
) -> tuple[OfficialFile, OfficialFile]:
    """Images and labels of a part; hashes as (unpacked, packed)."""
    image_file, label_file = (
        OfficialFile(
            name=f"{part}-{kind}-ubyte",
            n_items=n_items,
            sha256=hashes[0],
            packed_sha256=hashes[1],
        )
        for kind, hashes in (("images-idx3", images), ("labels-idx1", labels))
    )
    return image_file, label_file


# LeCun, Cortes and Burges, 1998. Handwritten digits.
MNIST = ImageSet(
    files=IdxFiles(
        title="MNIST",
        collection="MNIST",
        class_names=_DIGITS,
        source="https://ossci-datasets.s3.amazonaws.com/mnist",
        train=_pair(
            "train",
            60_000,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            (
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
        ),
        test=_pair(
            "t10k",
            10_000,
            (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            (
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    )
)

# Xiao, Rasul and Vollgraf, arXiv 1708.07747. Pictures of clothes.
FASHION_MNIST = ImageSet(
    files=IdxFiles(
        title="Fashion-MNIST",
        collection="FashionMNIST",
        class_names=(
            "t-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        source="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        train=_pair(
            "train",
            60_000,
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            (
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
        ),
        test=_pair(
            "t10k",
            10_000,
            (
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            (
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    )
)

# Clanuwat et al., arXiv 1812.01718. Cursive Japanese characters. No one has published the hashes
# of the unpacked train files.
KUZUSHIJI_MNIST = ImageSet(
    files=IdxFiles(
        title="KMNIST",
        collection="KMNIST",
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        source="http://codh.rois.ac.jp/kmnist/dataset/kmnist",
        train=_pair(
            "train",
            60_000,
            ("", "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            ("", "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        ),
        test=_pair(
            "t10k",
            10_000,
            (
                "76fbd229ce87db80dd281af5e6670de4ad0e42fb30a7bd643972994c47c1f42e",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            (
                "a11dc742be8e781a40a92f53d6a4957e7b7d36df2faa097659131ebfd8fd60c6",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        ),
    )
)

# Cohen et al., arXiv 1702.05373. Handwritten letters, upper and lower case as one class. The files
# hold the images with rows and columns exchanged, and labels from 1.
EMNIST_LETTERS = ImageSet(
    files=IdxFiles(
        title="EMNIST Letters",
        collection="EMNIST",
        class_names=tuple("abcdefghijklmnopqrstuvwxyz"),
        source=Archive(
            url="https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
            known_hash="sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
            inside="gzip",
            suffix=".gz",
        ),
        first_label=1,
        transposed=True,
        train=_pair(
            "emnist-letters-train",
            124_800,
            ("7a786db773b2096a7b9a3f3275388a27711f4451548c3ca8be96f09ae94371ae", ""),
            ("e8e94c3f4353d5532fd9604b939cb4c76e7847945b9b0d9ff7884d881dead6bc", ""),
        ),
        test=_pair(
            "emnist-letters-test",
            20_800,
            ("d5895e82d14765b22a84342337bc5c25f1affd61cc97d3821d4e65504bbf8dbc", ""),
            ("22dbcde0a929a7f166bdac863b9195b2994d840a1e082f8f6daaeac5606376a6", ""),
        ),
    )
)

# Krizhevsky, Learning multiple layers of features from tiny images, 2009. Small photographs.
CIFAR_10 = ImageSet(
    files=CifarFiles(
        title="CIFAR-10",
        collection="cifar-10-batches-bin",
        class_names=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        source=Archive(
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            known_hash="sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            inside="cifar-10-batches-bin",
        ),
        train=tuple(
            OfficialFile(name=f"data_batch_{i}.bin", n_items=10_000, sha256=sha256)
            for i, sha256 in enumerate(
                (
                    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
                ),
                start=1,
            )
        ),
        test=(
            OfficialFile(
                name="test_batch.bin",
                n_items=10_000,
                sha256="8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            ),
        ),
    )
)

# QUID (arXiv 2411.14412, section 5.1): 1000 samples of these classes. Which samples is not said
# there; ours are drawn at random, every class in proportion.
MNIST_4 = ImageSubset(pool=MNIST, classes=("0", "1", "2", "3"))
MNIST_10 = ImageSubset(pool=MNIST, classes=_DIGITS)
FASHION_4 = ImageSubset(pool=FASHION_MNIST, classes=("shirt", "sneaker", "bag", "ankle boot"))
KUZUSHIJI_4 = ImageSubset(pool=KUZUSHIJI_MNIST, classes=("tsu", "ha", "ma", "wo"))
LETTERS_4 = ImageSubset(pool=EMNIST_LETTERS, classes=("a", "b", "c", "d"))
