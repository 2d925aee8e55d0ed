"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples on every machine, and no limit on their time: a loaded machine is not a bug.
settings.register_profile(
    "bezoar", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("bezoar")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names a case by the length of its bytes: compressed files hold the time when they were
    made, and processes that collect the same tests must give them the same names.
    """
    return f"{len(val)}_bytes" if isinstance(val, bytes) else None
