"""QSA907: a model file whose header does not fit what is in it."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Hit, Rule


def check_document(document: Document) -> Iterator[Hit]:
    """Reports headers that lie, and models that name files outside their folder."""
    from bezoar.scan.artefacts.hits import hits

    return hits(document, "malformed")


RULE = Rule(
    id="QSA907",
    title="Model file whose header does not fit its content",
    severity="medium",
    confidence="high",
    cwe=(20, 22),
    frameworks=("any",),
    why="""\
Formats without code are safe as long as readers check them. Reported are:

- safetensors: a header longer than the file or the format allows, no JSON, a name twice, tensors
  that overlap, leave gaps or do not fill their bytes;
- `.npy` and `.npz`: a header that is no dictionary of constants, is longer than numpy accepts, or
  promises more numbers than there are: a few bytes that ask for terabytes;
- ZIP-based models (`.npz`, `.pt`, `.keras`): a member twice, or under another name than the table
  of contents says, so that a scanner and a loader read different things;
- QPY: an impossible version or number of circuits;
- ONNX: fields that claim more bytes than there are; data files outside the model's own folder
  (high), which the loader then opens; operators of unknown domains, which need a library of code
  (low).""",
    remedy="do not load it; fetch it again and compare its digest, or write it again",
    bad=(),
    good=(),
    look_alikes=(),
    references=(
        "safetensors, format <https://github.com/huggingface/safetensors#format>",
        "numpy.lib.format <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>",
        "CVE-2024-27318, ONNX external data <https://nvd.nist.gov/vuln/detail/CVE-2024-27318>",
    ),
    check_document=check_document,
)
