"""Running circuits: a slow, obviously right reference, and the fast engine held against it."""
