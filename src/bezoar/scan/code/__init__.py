"""Python code read as data: names, values and flows, without running a line of it."""
