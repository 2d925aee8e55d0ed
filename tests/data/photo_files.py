"""Small image files for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def save(path: Path, colour=(255, 0, 0), size=(10, 8), **settings) -> Path:
    """One plain image; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **settings)
    return path


def lay(folder: Path, counts: dict[str, int], prefix: str = "") -> Path:
    """A folder for each class with so many plain images, image k of grey level k."""
    for name, count in counts.items():
        for k in range(count):
            save(folder / prefix / name / f"{k:03}.png", (k, k, k))
    return folder


def levels(features: np.ndarray) -> list[int]:
    """The grey level of each plain image."""
    return np.rint(features[:, 0, 0, 0] * 255).astype(int).tolist()
