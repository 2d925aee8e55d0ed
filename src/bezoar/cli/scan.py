"""``bezoar scan``: is there anything unsafe in this code, its circuits and model files?"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from bezoar.cli.options import somebody_watches

NAME = "scan"
DESCRIPTION = """\
Examines Python files, notebooks, requirements, workflows, circuits and model files, and runs none
of them. Options may also stand in pyproject.toml under [tool.bezoar.scan]; those given here win.
A comment silences a finding: # qsa: ignore[QSA103] reason=why it is safe here

examples:
  bezoar scan .
  bezoar scan src notebooks --severity high
  bezoar scan . --format sarif --out bezoar.sarif
  bezoar scan . --diff origin/main
  bezoar scan --explain QSA103

exit codes: 0 nothing found, 1 findings, 2 failed, 3 nothing was examined, 4 usage
"""

#: Options that are settings of the scan, with what they take.
_SETTINGS = (
    ("select", "IDS", "only these rules: ids or how they begin, QSA1,QSA301"),
    ("ignore", "IDS", "all rules but these"),
    ("severity", "LEVEL", "findings of low, medium, high or critical and above (default: low)"),
    (
        "exclude",
        "PATTERNS",
        "files and folders that are left out, besides .git, .venv and the like",
    ),
    ("baseline", "FILE", "findings that are known and not told again"),
    ("diff", "REV", "only findings on lines that changed since this git revision"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders")
    parser.add_argument(
        "--format",
        default="text",
        metavar="NAME",
        help="text, concise, json, sarif, gitlab, junit or html (default: text)",
    )
    parser.add_argument("--out", metavar="FILE", help="write there, whole or not at all")
    for name, metavar, text in _SETTINGS:
        parser.add_argument(f"--{name}", metavar=metavar, help=text)
    parser.add_argument(
        "--import-sarif",
        metavar="FILE",
        action="append",
        help="merge what another tool found (ruff, bandit); may be given several times",
    )
    parser.add_argument(
        "--write-baseline", metavar="FILE", help="write all findings there, and tell none of them"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: as many as fit)")
    parser.add_argument("--no-cache", action="store_true", help="examine unchanged files again")
    parser.add_argument(
        "--config", metavar="FILE", help="the settings file (default: the nearest pyproject.toml)"
    )
    parser.add_argument("--explain", metavar="ID", help="tell what a rule means, and stop")
    parser.add_argument(
        "--colour",
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours of the text format (default: auto)",
    )


def run(options: argparse.Namespace) -> int:
    """Carries out the command."""
    from bezoar.contracts.errors import InvalidArgument, UnknownName
    from bezoar.report.scan import FORMATS
    from bezoar.scan.baseline import write_baseline
    from bezoar.scan.scanner import scan

    if options.explain is not None:
        return _explain(options)
    if not options.paths:
        raise InvalidArgument(
            "PATH", wanted="files or folders to scan", got="none", mend="bezoar scan ."
        )
    if options.format not in FORMATS:
        raise UnknownName("format", options.format, FORMATS)
    settings = _settings(options)
    if options.write_baseline:
        # What is known already belongs into the new file as well.
        settings = settings.but(baseline="")
    with _watched(options) as progress:
        record = scan(options.paths, settings, command=_command(options), progress=progress)
    if options.write_baseline:
        write_baseline(options.write_baseline, record.findings)
        count = len(record.findings)
        told = f"{count} finding{'' if count == 1 else 's'}"
        _print(f"{told} written to {options.write_baseline}\n")
        return 0
    _deliver(_rendered(record, options), options.out)
    if record.findings:
        return 1
    return 0 if record.n_files else 3


def _settings(options: argparse.Namespace) -> Any:
    from bezoar.contracts.errors import FileProblem
    from bezoar.scan.settings import ScanSettings, read_settings, settings_near

    if options.config is not None:
        file: Path | None = Path(options.config)
        table = read_settings(Path(options.config))
        if table is None:
            raise FileProblem(options.config, "has no table [tool.bezoar.scan]")
    else:
        table, file = settings_near(Path(options.paths[0]))
    given: dict[str, Any] = {
        name: getattr(options, name)
        for name in (*(each[0] for each in _SETTINGS), "import_sarif", "jobs")
        if getattr(options, name) is not None
    }
    if options.no_cache:
        given["cache"] = False
    written = {key.replace("-", "_"): value for key, value in table.items()}
    base = ScanSettings.from_settings(written, source=str(file))
    if file is not None:
        base = _from_folder(base, file.parent)
    return base.but(
        **{
            name: getattr(ScanSettings.from_settings(given, source="command line"), name)
            for name in given
        }
    )


def _from_folder(settings: Any, folder: Path) -> Any:
    """Settings whose files are told relative to the file that names them."""
    return settings.but(
        baseline=str(folder / settings.baseline) if settings.baseline else "",
        import_sarif=tuple(str(folder / file) for file in settings.import_sarif),
    )


def _watched(options: argparse.Namespace) -> Any:
    """A progress bar on a terminal, once the scan takes longer than a moment."""
    from bezoar.cli.slow_progress import slow_progress

    return slow_progress(somebody_watches() and not (options.out is None and _is_terminal()))


def _rendered(record: Any, options: argparse.Namespace) -> str:
    from bezoar.report.scan import render_scan

    colour = options.colour == "always" or (
        options.colour == "auto"
        and options.out is None
        and _is_terminal()
        and not os.environ.get("NO_COLOR")
    )
    width = shutil.get_terminal_size((100, 24)).columns
    return render_scan(record, options.format, colour=colour, width=width)


def _deliver(text: str, out: str | None) -> None:
    if out:
        from bezoar.contracts.files import write_text

        write_text(out, text)
    else:
        _print(text)


def _print(text: str) -> None:
    # What is written says that it is UTF-8, whatever the terminal is.
    if sys.stdout is not None:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _explain(options: argparse.Namespace) -> int:
    from bezoar.contracts.errors import UnknownName
    from bezoar.report import scan_explain
    from bezoar.scan.catalogue import all_rules
    from bezoar.scan.own_rules import OWN_RULES

    wanted = options.explain.upper()
    rules = {rule.id: rule for rule in all_rules()}
    own = {facts.id: facts for facts in OWN_RULES}
    if wanted not in rules and wanted not in own:
        raise UnknownName("explain", options.explain, sorted([*rules, *own]))
    rule = rules.get(wanted)

    def texts(kind: str) -> list[tuple[str, str, str]]:
        return [(e.name, e.code, e.file) for e in getattr(rule, kind)] if rule else []

    _print(
        scan_explain.terminal(
            rule.facts if rule else own[wanted],
            bad=texts("bad"),
            good=texts("good"),
            look_alikes=texts("look_alikes"),
            references=rule.references if rule else (),
            colour=_is_terminal() and options.colour != "never",
            width=shutil.get_terminal_size((100, 24)).columns,
        )
    )
    return 0


def _command(options: argparse.Namespace) -> str:
    parts = ["bezoar", "scan", *options.paths]
    for name in (*(each[0] for each in _SETTINGS), "jobs", "config"):
        value = getattr(options, name)
        if value is not None:
            parts += [f"--{name}", str(value)]
    for file in options.import_sarif or ():
        parts += ["--import-sarif", file]
    if options.no_cache:
        parts.append("--no-cache")
    return shlex.join(parts)
