"""The front door: a command parses, calls one library function, renders, returns the exit code."""
