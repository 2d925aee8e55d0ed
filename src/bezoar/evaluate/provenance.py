"""With what a run was made."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("bezoar", "numpy", "scipy", "scikit-learn", "torch")


def versions() -> dict[str, str]:
    """Package to version, with Python and the system."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
