"""Ways to notice, remove and survive poisoning. They see data, never the truth."""
