"""Reads users' code, notebooks, settings and model files without running them.

`bezoar.scan.scanner.scan` is the whole scanner; `bezoar.scan.rule` says what a rule is. The room
imports neither numpy nor torch.
"""
