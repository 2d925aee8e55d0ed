"""Backdoors in the circuit itself, not in the training data."""
