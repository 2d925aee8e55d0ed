"""Ways to harm. Every attack declares its threat model and returns the truth beside the data."""
