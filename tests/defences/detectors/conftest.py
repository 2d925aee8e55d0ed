"""What the detectors of this folder are tried on."""

from __future__ import annotations

import pytest
from planted_networks import Planted, plant


@pytest.fixture(scope="session")
def planted() -> Planted:
    return plant()
