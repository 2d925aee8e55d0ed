"""``bezoar``: the commands, and how errors are told."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from bezoar._version import __version__
from bezoar.cli import audit, backdoor, listing, poison, report, reproduce, scan
from bezoar.contracts.errors import BezoarError, BezoarWarning

NOTHING_FOUND, FINDINGS, FAILED, NOTHING_DONE, USAGE = range(5)

_COMMANDS = (audit, backdoor, poison, reproduce, scan, listing, report)

_DESCRIPTION = """\
Can the training data of your quantum machine-learning model be poisoned, has it been, and what
can you do about it?

exit codes: 0 nothing found, 1 findings, 2 failed, 3 nothing was done, 4 usage
"""


class _Parser(argparse.ArgumentParser):
    """argparse with our exit code for usage."""

    def error(self, message: str) -> NoReturn:
        _say(f"{message} (see {self.prog} --help)")
        raise SystemExit(USAGE)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog="bezoar",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"bezoar {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", parser_class=_Parser
    )
    for module in _COMMANDS:
        summary = (module.__doc__ or "").splitlines()[0].partition(": ")[2].rstrip(".")
        command = commands.add_parser(
            module.NAME,
            help=summary,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; every failure is one line on stderr.

    With ``BEZOAR_TRACEBACK=1`` in the environment, failures keep their traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        # What a terminal cannot show is told as an escape, not by a failure.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return NOTHING_DONE
    try:
        with _warnings_in_one_line():
            return _written_out(options.run(options))
    except BezoarError as error:
        _maybe_traceback()
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted; what was finished is kept, the same command continues", FAILED)
    except BrokenPipeError:
        _forget_output()
        return NOTHING_FOUND
    except OSError as error:
        _maybe_traceback()
        with suppress(OSError):
            # What could not leave is not tried again at the exit.
            _written_out(FAILED)
        return _fail(f"the system refused: {error}", FAILED)
    except Exception as error:  # noqa: BLE001 - the last door before a user
        _maybe_traceback()
        return _fail(
            f"unexpected {type(error).__name__}: {error}; "
            "BEZOAR_TRACEBACK=1 shows where, please report it",
            FAILED,
        )


def _written_out(code: int) -> int:
    """`code`, when all that was printed has left; at its exit Python has its own words and code.

    Raises:
        OSError: it cannot leave.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
    except OSError:
        _forget_output()
        raise
    return code


def _forget_output() -> None:
    """The reader went away (head, less): not our failure, and nobody to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    _say(message)
    return code


def _say(message: str) -> None:
    # There is no stream at all when the caller has closed it.
    if sys.stderr is not None:
        sys.stderr.write(f"bezoar: {' '.join(message.split())}\n")


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Tells each of our warnings once, without where in our code it was raised."""
    told: set[str] = set()
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, BezoarWarning):
                show_others(message, category, *where)
            elif str(message) not in told:
                told.add(str(message))
                _say(f"warning: {message}")

        warnings.simplefilter("always", BezoarWarning)
        warnings.showwarning = show
        yield


def _maybe_traceback() -> None:
    if os.environ.get("BEZOAR_TRACEBACK") == "1":
        raise  # noqa: PLE0704 - called from an except block
