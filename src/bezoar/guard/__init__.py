"""Checks, while a program runs, of what goes into a quantum encoding.

``bezoar.guard`` needs numpy alone. PennyLane, Qiskit, torch and jax are recognised where the
program has imported them.
"""

from bezoar.guard.checking import Violation, find_violations
from bezoar.guard.decorating import guard, guard_module
from bezoar.guard.guarding import check_circuit, guarding
from bezoar.guard.limits import LARGEST_ANGLE, Limits
from bezoar.guard.refusing import Action, GuardError, GuardLog, GuardWarning, check

__all__ = [
    "LARGEST_ANGLE",
    "Action",
    "GuardError",
    "GuardLog",
    "GuardWarning",
    "Limits",
    "Violation",
    "check",
    "check_circuit",
    "find_violations",
    "guard",
    "guard_module",
    "guarding",
]
