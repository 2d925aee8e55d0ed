"""What goes wrong, and how it is said.

Every message names the argument, what was wanted, what came, and the mend. The classes also
inherit the built-in kin, so ``except ValueError`` keeps working.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BezoarError(Exception):
    """Base of every error that Bezoar raises on purpose.

    ``exit_code`` is what the command line returns for it: 4 when the request itself was wrong,
    2 when the request was fine but could not be carried out.
    """

    exit_code = 2


class InvalidArgument(BezoarError, ValueError):
    """An argument or option has a value that cannot be used."""

    exit_code = 4

    def __init__(self, argument: str, *, wanted: str, got: object, mend: str = "") -> None:
        self.argument = argument
        super().__init__(_sentence(argument, wanted, got, mend))


class UnknownName(InvalidArgument, LookupError):
    """A name that is not in the list of known ones; the message lists them."""

    def __init__(self, argument: str, got: object, known: Iterable[str]) -> None:
        names = list(known)
        near = difflib.get_close_matches(str(got), names, n=1, cutoff=0.5)
        mend = f"did you mean {near[0]!r}?" if near else ""
        super().__init__(argument, wanted=f"one of {', '.join(names)}", got=repr(got), mend=mend)


class InvalidData(BezoarError, ValueError):
    """Data that cannot be learnt from: NaN, one class, wrong shape, too few samples."""

    def __init__(self, subject: str, *, wanted: str, got: object, mend: str = "") -> None:
        super().__init__(_sentence(subject, wanted, got, mend))


class FileProblem(BezoarError, OSError):
    """A file that cannot be read, understood or written."""

    def __init__(self, path: object, problem: str, *, mend: str = "") -> None:
        tail = f"; {mend}" if mend else ""
        super().__init__(f"{path}: {problem}{tail}")


class MissingExtra(BezoarError, ImportError):
    """An optional package is needed and absent; the message names the extra."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed; "
            f"install it with: pip install 'bezoar[{extra}]'"
        )


class BezoarWarning(UserWarning):
    """Something is allowed but likely not what was meant."""


def _sentence(subject: str, wanted: str, got: object, mend: str) -> str:
    tail = f"; {mend}" if mend else ""
    return f"{subject}: wanted {wanted}, got {got}{tail}"
