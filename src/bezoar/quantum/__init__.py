"""Circuits and how to run them."""
