"""Bezoar: measure, mount and detect poisoning of quantum machine-learning models.

``import bezoar`` loads nothing heavy; import the room that you need, for example
``from bezoar.models import QNNClassifier`` or ``from bezoar.attacks import QUID``.
"""

from bezoar._version import __version__

__all__ = ["__version__"]
