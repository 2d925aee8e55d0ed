"""Samples: reading, choosing, splitting, reducing and scaling them.

`load` takes a registered name or a file, `split` parts it, `make_reducer` and `AngleScaler` turn
the features into angles, both fitted on the training part alone. `pool_reducer` learns from a whole
data set without its labels, as papers do that draw small sets from latent features. Importing the
room loads numpy and nothing heavier.
"""

from bezoar.data.latent import pool_reducer
from bezoar.data.load import load
from bezoar.data.reduce import make_reducer
from bezoar.data.scale import AngleScaler
from bezoar.data.split import split
from bezoar.data.tabular import read_file, write_npz

__all__ = ["AngleScaler", "load", "make_reducer", "pool_reducer", "read_file", "split", "write_npz"]
