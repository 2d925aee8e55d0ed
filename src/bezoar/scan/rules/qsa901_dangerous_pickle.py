"""QSA901: a model file that runs commands or carries code of its own."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.documents import Document
from bezoar.scan.rule import Hit, Rule


def check_document(document: Document) -> Iterator[Hit]:
    """Reports pickles that reach beyond data, and Keras configurations with code."""
    from bezoar.scan.artefacts.hits import hits

    return hits(document, "dangerous-pickle")


RULE = Rule(
    id="QSA901",
    title="Model file that runs code when it is loaded",
    severity="critical",
    confidence="high",
    cwe=(502, 94),
    frameworks=("any",),
    why="""\
Trained parameters, data sets and whole hybrid models travel as pickles: `.pkl`, `.joblib`,
`.dill`, `.pt`, object arrays in `.npy` and `.npz`. A pickle is a program. Loading it imports and
calls what it names, before anybody sees the numbers, with the rights of the training job and next
to its provider token.

The file is not loaded here. Its opcodes are followed with symbols in place of objects, also in
compressed files, in members of archives, in joblib's stream behind its arrays, in pickles that
follow one another and in pickles inside byte strings. What is reported:

- names that run programs, open files or connections, import, evaluate or unpickle (`os.system`,
  `builtins.eval`, `torch.load`, and `torch.serialization.os.system`, which is the first one
  again): critical;
- what no honest pickle does: a name that is computed, a call of something that a call returned,
  a change to attributes of an imported class: critical;
- functions and classes that the file carries as byte code (`dill`, `cloudpickle`), and Lambda
  layers of Keras: high, because the code runs when the model does;
- modules such as `os` in a Keras configuration: critical.

A list of ordinary names decides: what numpy, torch, scikit-learn, pandas, PennyLane and Qiskit
need for arrays, layers, estimators and circuits. Names on neither list are told by QSA902.""",
    remedy=(
        "do not load the file; get the weights as safetensors or .npz without objects, "
        "from a source whose digest you know"
    ),
    bad=(),
    good=(),
    look_alikes=(),
    references=(
        "The pickle module, warning <https://docs.python.org/3/library/pickle.html>",
        "CVE-2025-32434 <https://nvd.nist.gov/vuln/detail/CVE-2025-32434>",
        "CVE-2025-1550, Keras <https://nvd.nist.gov/vuln/detail/CVE-2025-1550>",
    ),
    check_document=check_document,
)
