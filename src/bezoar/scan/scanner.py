"""The whole scanner: files in, a `ScanRecord` out."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from bezoar._version import __version__
from bezoar.contracts.code_findings import (
    CodeFinding,
    Place,
    RuleFacts,
    ScanRecord,
    Skipped,
    Suppressed,
    at_least,
    ordered,
)
from bezoar.contracts.errors import InvalidArgument
from bezoar.contracts.progress import Progress, silent
from bezoar.contracts.revision import commit
from bezoar.scan.artefacts import artefact_kind
from bezoar.scan.baseline import read_baseline, split_known
from bezoar.scan.catalogue import all_rules, is_selected, selected
from bezoar.scan.changes import changed_lines
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.examination import Examined
from bezoar.scan.files import (
    HEAD_BYTES,
    MAX_CODE_BYTES,
    MAX_DOCUMENT_BYTES,
    Candidate,
    candidates,
    read_text,
)
from bezoar.scan.framing import fingerprinted
from bezoar.scan.imported import read_sarif, without_duplicates
from bezoar.scan.manifests.facts import project_facts
from bezoar.scan.manifests.kinds import document_kind
from bezoar.scan.ordering import imported_files
from bezoar.scan.own_rules import BAD_SUPPRESSION, OWN_RULES, UNREADABLE, UNUSED_SUPPRESSION
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rounds import examined_project
from bezoar.scan.settings import ScanSettings
from bezoar.scan.suppressions import Suppression
from bezoar.scan.workload import Job, Setting, Workforce

_MANIFESTS = frozenset(
    {"requirements", "pyproject", "setup-cfg", "environment", "lock", "dockerfile"}
)


def scan(
    paths: Sequence[Path | str],
    settings: ScanSettings | None = None,
    *,
    root: Path | str | None = None,
    command: str = "",
    progress: Progress = silent,
) -> ScanRecord:
    """Examines files and folders without running anything in them.

    Args:
        paths: files and folders.
        settings: the options; defaults without.
        root: the folder that paths are told relative to; the current one where all of `paths`
            lie below it, else what they have in common.
        command: the command line, for the record.
        progress: is told how many files are done.

    Raises:
        FileProblem: one of `paths`, the baseline or an imported file cannot be read.
        InvalidArgument: an option names no rule or revision, or there are no paths.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> text = "import pickle\\nmodel = pickle.load(open('model.pkl', 'rb'))\\n"
        >>> _ = (folder / "app.py").write_text(text)
        >>> record = scan([folder], ScanSettings(select=("QSA2",), cache=False), root=folder)
        >>> [(finding.rule, finding.place.path, finding.place.line) for finding in record.findings]
        [('QSA201', 'app.py', 2)]
    """
    return _Scan(paths, settings or ScanSettings(), root, command, progress).record()


class _Scan:
    """One scan, step by step."""

    def __init__(
        self,
        paths: Sequence[Path | str],
        settings: ScanSettings,
        root: Path | str | None,
        command: str,
        progress: Progress,
    ) -> None:
        if not paths:
            raise InvalidArgument("paths", wanted="files or folders", got="none")
        self._began = time.monotonic()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._paths = [Path(path) for path in paths]
        self._settings = settings
        self._root = Path(root).absolute() if root is not None else _common_root(self._paths)
        self._command = command
        self._progress = progress
        self._rules = selected(all_rules(), settings.select, settings.ignore)
        self._skipped: list[Skipped] = []
        # Asked first: a mistake in an option must not cost the time of a scan.
        self._baseline = read_baseline(settings.baseline) if settings.baseline else None
        self._changed = changed_lines(self._root, settings.diff) if settings.diff else None
        self._imported = [
            finding for file in settings.import_sarif for finding in read_sarif(file, self._root)
        ]

    def record(self) -> ScanRecord:
        """Scans, and writes down what came of it."""
        jobs = self._jobs()
        results = self._examined(jobs)
        findings, suppressed = self._judged(results)
        weaknesses = {rule.id: set(rule.cwe) for rule in self._rules}
        told = [*findings, *(each.finding for each in suppressed)]
        imported = [
            each
            for each in without_duplicates(told, self._imported, weaknesses)
            if self._is_told(each)
        ]
        known: list[CodeFinding] = []
        if self._baseline is not None:
            findings, known = split_known([*findings, *imported], self._baseline)
        else:
            findings = [*findings, *imported]
        suppressed += [
            Suppressed(finding=each, reason="known when the baseline was written", by="baseline")
            for each in known
        ]
        facts = tuple(self._facts())
        return ScanRecord(
            findings=ordered(findings),
            suppressed=tuple(suppressed),
            rules=facts,
            root=str(self._root),
            n_files=len(results),
            n_lines=sum(each.n_lines for each in results),
            skipped=tuple(sorted(self._skipped, key=lambda each: each.path)),
            notes=tuple(self._notes(len(results))),
            version=__version__,
            commit=commit(self._root, digits=40),
            started=self._started,
            wall_seconds=round(time.monotonic() - self._began, 3),
            command=self._command,
        )

    # -- files -------------------------------------------------------------------------------

    def _jobs(self) -> list[Job]:
        # As in .gitignore: `data/` and `./data` are the folder `data`.
        exclude = [each.removeprefix("./").rstrip("/") for each in self._settings.exclude]
        found: list[tuple[Candidate, str | None]] = []
        for candidate in candidates(self._paths, self._root, exclude, self._skip):
            kind = self._kind(candidate)
            if kind is not None:
                found.append((candidate, kind))
        self._facts_by_folder = self._project_facts(found)
        return [
            Job(
                path=candidate.path,
                within=candidate.within,
                file=candidate.file,
                kind=None if kind == "code" else kind,  # type: ignore[arg-type]
                facts=self._facts_of(candidate.path),
                n_bytes=candidate.n_bytes,
            )
            for candidate, kind in found
        ]

    def _skip(self, path: str, reason: str) -> None:
        self._skipped.append(Skipped(path=path, reason=reason))

    def _kind(self, candidate: Candidate) -> str | None:
        path = PurePosixPath(candidate.path)
        if path.suffix in (".py", ".pyw", ".ipynb"):
            return "code"
        kind = document_kind(path.name, path.parent.parts)
        if kind is not None and (kind != "settings" or candidate.n_bytes <= MAX_DOCUMENT_BYTES):
            return kind
        try:
            with candidate.file.open("rb") as handle:
                head = handle.read(HEAD_BYTES)
        except OSError as error:
            self._skip(candidate.path, f"cannot be read: {error.strerror or error}")
            return None
        return "artefact" if artefact_kind(candidate.file, head) is not None else None

    def _project_facts(
        self, found: Sequence[tuple[Candidate, str | None]]
    ) -> dict[str, ProjectFacts]:
        """Folder to what the manifests in it say; a folder ``requirements`` counts as its
        parent.
        """
        texts: dict[str, list[tuple[str, str, str]]] = {}
        for candidate, kind in found:
            path = PurePosixPath(candidate.path)
            if kind in _MANIFESTS or path.name == "setup.py":
                folder = path.parent
                if folder.name in ("requirements", "docker", "deploy"):
                    folder = folder.parent
                try:
                    text = read_text(candidate.file, MAX_DOCUMENT_BYTES)
                except (OSError, ValueError):
                    # The file's own examination tells of it.
                    continue
                kind_text = "setup-py" if path.name == "setup.py" else str(kind)
                texts.setdefault(folder.as_posix(), []).append((candidate.path, kind_text, text))
        facts = {folder: project_facts(each) for folder, each in texts.items()}
        facts.setdefault("", ProjectFacts())
        return facts

    def _facts_of(self, path: str) -> str:
        """The nearest folder at or above a file that has manifests."""
        for folder in PurePosixPath(path).parents:
            if folder.as_posix() in self._facts_by_folder:
                return folder.as_posix()
        return ""

    # -- examination -------------------------------------------------------------------------

    def _examined(self, jobs: Sequence[Job]) -> list[Examined]:
        code = {job.path: job for job in jobs if job.kind is None}
        others = [job for job in jobs if job.kind is not None]
        dependencies = self._dependencies(code)
        setting = Setting(
            rules=tuple(rule.id for rule in self._rules),
            facts=self._facts_by_folder,
            dependencies=dependencies,
            cache=_cache_file() if self._settings.cache else None,
        )
        n_bytes = sum(min(job.n_bytes, 2**20) for job in jobs)
        with Workforce(
            setting,
            self._rules,
            n_jobs=self._settings.jobs,
            n_bytes=n_bytes,
        ) as force:
            results = [
                *force.examine([(job, Knowledge()) for job in others]),
                *examined_project(
                    list(code),
                    lambda work: force.examine([(code[path], known) for path, known in work]),
                    dependencies,
                    progress=self._progress,
                ).values(),
            ]
        return sorted(results, key=lambda each: each.path)

    def _dependencies(self, code: Mapping[str, Job]) -> dict[str, frozenset[str]]:
        index = ModuleIndex(code)
        found = dict.fromkeys(code, frozenset[str]())
        for path, job in code.items():
            # Its own examination tells of what is wrong; a huge notebook does without this help.
            with contextlib.suppress(OSError, ValueError):
                found[path] = imported_files(path, read_text(job.file, MAX_CODE_BYTES), index)
        return found

    # -- judgement ---------------------------------------------------------------------------

    def _judged(self, results: Sequence[Examined]) -> tuple[list[CodeFinding], list[Suppressed]]:
        """What is told and what comments silence, with findings about those comments."""
        kept: list[CodeFinding] = []
        silenced: list[Suppressed] = []
        for result in results:
            findings = fingerprinted(result.findings)
            used: set[int] = set()
            for finding, line in zip(findings, (each.line for each in result.found), strict=True):
                position = _silencer(finding, line, result.suppressions)
                if position is None:
                    if self._is_told(finding):
                        kept.append(finding)
                    continue
                used.add(position)
                reason = result.suppressions[position].reason
                silenced.append(Suppressed(finding=finding, reason=reason, by="comment"))
            about = [each for each in self._about_comments(result, used) if self._is_told(each)]
            kept += fingerprinted(about)
        return kept, silenced

    def _about_comments(self, result: Examined, used: set[int]) -> list[CodeFinding]:
        found = []
        ids = {rule.id for rule in self._rules}
        for position, suppression in enumerate(result.suppressions):
            place = result.suppression_places[position]
            if suppression.problem:
                text = f"this comment {suppression.problem}"
                found.append(_own(BAD_SUPPRESSION, place, text))
            elif position not in used and ids.issuperset(suppression.rules):
                # Of rules that were not asked nobody knows whether they would have found it.
                text = f"nothing of {', '.join(suppression.rules)} is found here any more"
                found.append(_own(UNUSED_SUPPRESSION, place, text))
        return found

    def _is_told(self, finding: CodeFinding) -> bool:
        settings = self._settings
        ours = finding.tool == "bezoar"
        if ours and not is_selected(finding.rule, settings.select, settings.ignore):
            return False
        if not at_least(finding.severity, settings.severity):
            return False
        path = finding.place.path
        for pattern, ids in settings.per_file_ignores.items():
            if fnmatch.fnmatchcase(path, pattern) and any(finding.rule.startswith(i) for i in ids):
                return False
        return self._changed is None or _touches(finding, self._changed)

    # -- the record --------------------------------------------------------------------------

    def _facts(self) -> list[RuleFacts]:
        settings = self._settings
        own = [
            facts for facts in OWN_RULES if is_selected(facts.id, settings.select, settings.ignore)
        ]
        return sorted([*own, *(rule.facts for rule in self._rules)], key=lambda each: each.id)

    def _notes(self, n_examined: int) -> list[str]:
        notes = []
        if n_examined == 0:
            notes.append("nothing was examined: no Python, notebook, settings or model files")
        if self._changed is not None:
            notes.append(f"only lines that changed since {self._settings.diff} are told")
        if self._settings.severity != "low":
            notes.append(f"findings below {self._settings.severity} are not told")
        return notes


def _silencer(finding: CodeFinding, line: int, suppressions: Sequence[Suppression]) -> int | None:
    """The comment that silences a finding; one with a mistake silences nothing."""
    for position, suppression in enumerate(suppressions):
        if suppression.problem or finding.rule not in suppression.rules:
            continue
        if suppression.covers in (0, line):
            return position
    return None


def _own(facts: RuleFacts, place: Place, message: str) -> CodeFinding:
    return CodeFinding(
        rule=facts.id,
        severity=facts.severity,
        confidence=facts.confidence,
        subject=str(place),
        message=message,
        remedy=facts.remedy,
        place=place,
    )


def _touches(finding: CodeFinding, changed: Mapping[str, set[int] | None]) -> bool:
    """Whether the finding, or a station of its flow, is on a changed line."""
    if finding.rule == UNREADABLE.id and finding.place.path in changed:
        # Which line broke a file, its parser only guesses.
        return True
    for place in (finding.place, *(step.place for step in finding.flow)):
        lines = changed.get(place.path, set())
        if lines is None:
            return True
        last = max(place.file_line, place.file_line + place.end_line - place.line)
        if any(number in lines for number in range(place.file_line, last + 1)):
            return True
    return False


def _common_root(paths: Sequence[Path]) -> Path:
    here = Path.cwd()
    absolute = [path.absolute() for path in paths]
    if all(path == here or here in path.parents for path in absolute):
        return here
    folders = [path if path.is_dir() else path.parent for path in absolute]
    return Path(os.path.commonpath(folders))


def _cache_file() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("bezoar") / "scan.sqlite"
