"""Scores of how suspicious each sample is."""
