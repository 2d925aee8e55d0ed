"""QSA902: a model or data file that is a pickle."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Hit, Rule


def check_document(document: Document) -> Iterator[Hit]:
    """Reports pickles that QSA901 has nothing against."""
    from bezoar.scan.artefacts.hits import hits

    return hits(document, "pickle")


RULE = Rule(
    id="QSA902",
    title="Model or data file kept as a pickle",
    severity="medium",
    confidence="high",
    cwe=(502,),
    frameworks=("any",),
    why="""\
This pickle does nothing that is known to be bad. The format is the trouble: whoever can change the
file, in the repository, on the shared disk or on the way, can make every loader run code, and no
reader notices. The next file of that name is loaded as this one was.

The message says which names the file imports that are on no list of ordinary ones. They may be
your own classes. Loading then needs the very code that wrote it, and calls it.

A torch file that holds tensors alone is of low severity: `torch.load(..., weights_only=True)`
reads it without running anything on torch 2.6 and newer.""",
    remedy=(
        "keep parameters as safetensors, or as .npz and read them with allow_pickle=False; "
        "scikit-learn models with skops"
    ),
    bad=(),
    good=(),
    look_alikes=(),
    references=(
        "The pickle module, warning <https://docs.python.org/3/library/pickle.html>",
        "torch.load <https://docs.pytorch.org/docs/stable/generated/torch.load.html>",
        "safetensors <https://github.com/huggingface/safetensors>",
        "scikit-learn, model persistence <https://scikit-learn.org/stable/model_persistence.html>",
    ),
    check_document=check_document,
)
