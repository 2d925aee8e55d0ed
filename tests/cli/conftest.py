"""What the tests of the command share."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Terminal


@pytest.fixture
def bezoar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Terminal:
    """The command, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BEZOAR_TRACEBACK", raising=False)
    return Terminal(capsys)
