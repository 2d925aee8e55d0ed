"""What must start fast stays free of what is heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "torch", "scipy", "sklearn", "pyarrow")


@pytest.mark.parametrize(
    "module",
    ["code_findings", "errors", "records", "files", "plugins", "progress", "revision"],
)
def test_the_array_free_part_imports_nothing_heavy(module: str) -> None:
    code = (
        f"import sys, bezoar.contracts.{module}; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
