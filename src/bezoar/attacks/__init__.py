"""Ways to harm. Every attack declares its threat model and returns the truth beside the data."""

from bezoar.attacks.poisoning.bilevel import BiLevel, BiLevelRandom
from bezoar.attacks.poisoning.protected_release import ProtectedRelease, ReleaseKey
from bezoar.attacks.poisoning.quid import QUID
from bezoar.attacks.poisoning.random_flip import RandomFlip, UniformRelabel

__all__ = [
    "QUID",
    "BiLevel",
    "BiLevelRandom",
    "ProtectedRelease",
    "RandomFlip",
    "ReleaseKey",
    "UniformRelabel",
]
