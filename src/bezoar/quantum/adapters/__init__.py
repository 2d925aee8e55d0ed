"""Circuits and noise models to and from PennyLane, Qiskit, Aer and OpenQASM 3.

Import the module that you need: `pennylane`, `qiskit` and `aer` want their packages only when
called.
"""
