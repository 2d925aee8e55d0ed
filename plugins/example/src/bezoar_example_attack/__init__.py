"""An attack for Bezoar that lives in a package of its own."""
