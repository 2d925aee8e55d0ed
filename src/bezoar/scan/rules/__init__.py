"""The rules, one file each: text, examples and check."""
