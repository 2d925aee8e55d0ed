"""Quantum computers by their calibration: tables of errors, circuits in a device's own gates."""
