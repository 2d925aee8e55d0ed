"""Trainable circuits."""

from bezoar.quantum.ansatze.ansatz import Ansatz
from bezoar.quantum.ansatze.layered import EfficientSU2, RealAmplitudes, StronglyEntangling
from bezoar.quantum.ansatze.sim import SimCircuit

__all__ = ["Ansatz", "EfficientSU2", "RealAmplitudes", "SimCircuit", "StronglyEntangling"]
