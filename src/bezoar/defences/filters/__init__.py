"""Removal of suspicious samples."""

from bezoar.defences.filters.removal import remove_most_suspicious

__all__ = ["remove_most_suspicious"]
