"""The judge: measures, compares, reproduces. Attacks and defences never judge themselves."""
