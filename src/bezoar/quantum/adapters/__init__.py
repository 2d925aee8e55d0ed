"""Circuits and noise models to and from PennyLane, Qiskit and OpenQASM 3.

Import the module that you need: `pennylane` and `qiskit` want their packages only when called.
"""
