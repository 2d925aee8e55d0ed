"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples on every machine, and no limit on their time: a loaded machine is not a bug.
settings.register_profile(
    "bezoar", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("bezoar")
