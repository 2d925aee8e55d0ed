"""Backdoors: triggers, and the poisoning that teaches a model to obey them."""

from bezoar.attacks.backdoors.backdoor import Backdoor, Challenge
from bezoar.attacks.backdoors.blend import Blend
from bezoar.attacks.backdoors.colour import ColourShift
from bezoar.attacks.backdoors.feature import FeatureTrigger
from bezoar.attacks.backdoors.none import NoTrigger
from bezoar.attacks.backdoors.patch import Patch
from bezoar.attacks.backdoors.qcolor import QColor
from bezoar.attacks.backdoors.sig import Sinusoid
from bezoar.attacks.backdoors.transforms import PoisonedDataset, TriggerTransform
from bezoar.attacks.backdoors.trigger import (
    CoveringTrigger,
    FittedTrigger,
    Trigger,
    describe_trigger,
    trigger_named,
)
from bezoar.attacks.backdoors.wanet import WaNet

__all__ = [
    "Backdoor",
    "Blend",
    "Challenge",
    "ColourShift",
    "CoveringTrigger",
    "FeatureTrigger",
    "FittedTrigger",
    "NoTrigger",
    "Patch",
    "PoisonedDataset",
    "QColor",
    "Sinusoid",
    "Trigger",
    "TriggerTransform",
    "WaNet",
    "describe_trigger",
    "trigger_named",
]
