"""Ways to harm. Every attack declares its threat model and returns the truth beside the data."""

from bezoar.attacks.poisoning.bilevel import BiLevel, BiLevelRandom
from bezoar.attacks.poisoning.gradient_canceling import GradientCanceling
from bezoar.attacks.poisoning.influence import Influence
from bezoar.attacks.poisoning.kkt import KKT
from bezoar.attacks.poisoning.loss_flip import LossFlip
from bezoar.attacks.poisoning.min_max import MinMax
from bezoar.attacks.poisoning.protected_release import ProtectedRelease, ReleaseKey
from bezoar.attacks.poisoning.quid import QUID
from bezoar.attacks.poisoning.random_flip import RandomFlip, UniformRelabel

__all__ = [
    "KKT",
    "QUID",
    "BiLevel",
    "BiLevelRandom",
    "GradientCanceling",
    "Influence",
    "LossFlip",
    "MinMax",
    "ProtectedRelease",
    "RandomFlip",
    "ReleaseKey",
    "UniformRelabel",
]
