"""The work of a scan, done here or spread over processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bezoar._version import __version__
from bezoar.contracts.errors import BezoarError
from bezoar.scan.cache import Cache, key_of
from bezoar.scan.catalogue import all_rules
from bezoar.scan.code.project import Knowledge, ModuleIndex
from bezoar.scan.documents import Document, DocumentKind
from bezoar.scan.examination import Examined, examine_code, examine_document, unreadable
from bezoar.scan.files import (
    MAX_CODE_BYTES,
    MAX_DOCUMENT_BYTES,
    MAX_NOTEBOOK_BYTES,
    read_text,
)
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rounds import state_of
from bezoar.scan.rule import Rule

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

#: Smaller trees are read faster than a process starts.
_MIN_BYTES_TO_SPREAD = 1_500_000
#: Files of one piece of work: enough to pay for handing it over.
_CHUNK = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file to examine; the fields are those of `Candidate`, with its kind and whose facts."""

    path: str
    within: str
    file: Path
    kind: DocumentKind | None
    facts: str
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all jobs of a scan share.

    Attributes:
        rules: ids of the rules that are asked.
        facts: folder to what its manifests say.
        dependencies: every file of code with the files that it seems to import.
        cache: the file of the cache, None without.
    """

    rules: tuple[str, ...]
    facts: Mapping[str, ProjectFacts]
    dependencies: Mapping[str, frozenset[str]]
    cache: Path | None


@dataclass(slots=True)
class _Worker:
    """One process's share of a scan."""

    setting: Setting
    rules: tuple[Rule, ...]
    index: ModuleIndex
    cache: Cache | None
    ruleset: str = ""

    def examine(self, job: Job, knowledge: Knowledge) -> Examined:
        """One file, from the cache where it is known."""
        try:
            text = self._text(job)
        except ValueError as error:
            return unreadable(job.path, str(error))
        except OSError as error:
            return unreadable(job.path, f"cannot be read: {error.strerror or error}")
        facts = self.setting.facts[job.facts]
        if job.kind is not None:
            document = Document(
                path=job.path, kind=job.kind, text=text, file=job.file, project=facts
            )
            return examine_document(document, self.rules)
        key = ""
        if self.cache is not None:
            key = key_of(
                __version__,
                self.ruleset,
                job.path,
                job.within,
                text.encode(errors="replace"),
                facts,
                sorted(self.setting.dependencies[job.path]),
                state_of(knowledge),
            )
            known = self.cache.get(key)
            if known is not None:
                return known
        result = examine_code(
            job.path,
            text,
            self.rules,
            project=facts,
            index=self.index,
            knowledge=knowledge,
            within=job.within,
        )
        if self.cache is not None:
            self.cache.put([(key, result)])
        return result

    def _text(self, job: Job) -> str:
        if job.kind == "artefact":
            return ""
        if job.kind is not None:
            return read_text(job.file, MAX_DOCUMENT_BYTES)
        notebook = job.path.endswith(".ipynb")
        return read_text(job.file, MAX_NOTEBOOK_BYTES if notebook else MAX_CODE_BYTES)


def _state_of_code(rules: Sequence[Rule]) -> tuple[tuple[str, int, int], ...]:
    """The files of the scanner and of rules of others, each with its size and time: what they
    found before they changed is not what they find.
    """
    files = {str(file) for file in Path(__file__).parent.rglob("*.py")}
    for rule in rules:
        for check in (rule.check, rule.check_document):
            module = sys.modules.get(getattr(check, "__module__", ""))
            files.add(getattr(module, "__file__", None) or "")
    found = []
    for file in sorted(files - {""}):
        with contextlib.suppress(OSError):
            facts = os.stat(file)  # noqa: PTH116 - a hundred of them, at every start
            found.append((file, facts.st_size, facts.st_mtime_ns))
    return tuple(found)


def _worker(setting: Setting, rules: Sequence[Rule]) -> _Worker:
    return _Worker(
        setting=setting,
        rules=tuple(rules),
        index=ModuleIndex(setting.dependencies),
        cache=Cache(setting.cache) if setting.cache is not None else None,
        ruleset="" if setting.cache is None else key_of(setting.rules, _state_of_code(rules)),
    )


# A worker process serves one scan; the pool's initialiser is the only way to hand it its share.
_HERE: list[_Worker] = []


def _start(setting: Setting) -> None:
    # Ctrl-C goes to all processes of a terminal: this one ends silently, the first one says it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    wanted = set(setting.rules)
    _HERE.append(_worker(setting, [rule for rule in all_rules() if rule.id in wanted]))


def _chunk(work: Sequence[tuple[Job, Knowledge]]) -> list[Examined]:
    return [_HERE[-1].examine(job, knowledge) for job, knowledge in work]


class Workforce:
    """Examines files, in this process or several; a context that ends the others."""

    def __init__(
        self,
        setting: Setting,
        rules: Sequence[Rule],
        *,
        n_jobs: int,
        n_bytes: int,
    ) -> None:
        """A workforce.

        Args:
            setting: what the files share.
            rules: the rules that are asked.
            n_jobs: processes, 0 for as many as there are processors.
            n_bytes: how much there is to read in all.
        """
        n_processes = n_jobs or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        self._own: _Worker | None = None
        if n_processes > 1 and n_bytes > _MIN_BYTES_TO_SPREAD:
            # Loaded where there is something to spread: most scans are over sooner.
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            self._pool = ProcessPoolExecutor(
                n_processes,
                mp_context=get_context("spawn"),
                initializer=_start,
                initargs=(setting,),
            )
        else:
            self._own = _worker(setting, rules)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._own is not None and self._own.cache is not None:
            self._own.cache.close()

    def examine(self, work: Sequence[tuple[Job, Knowledge]]) -> Iterator[Examined]:
        """Every job's result, in any order."""
        if self._own is not None:
            for job, knowledge in work:
                yield self._own.examine(job, knowledge)
            return
        if self._pool is None:
            return
        from concurrent.futures import FIRST_COMPLETED, wait
        from concurrent.futures.process import BrokenProcessPool

        # The largest first, so that no process is left with one of them at the end.
        ordered = sorted(work, key=lambda each: -each[0].n_bytes)
        chunks: Iterable[Sequence[tuple[Job, Knowledge]]] = (
            ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)
        )
        waiting: set[Future[list[Examined]]] = {self._pool.submit(_chunk, c) for c in chunks}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                try:
                    yield from future.result()
                except BrokenProcessPool as error:
                    raise BezoarError(
                        "a process of the scan was ended from outside, often for want of memory;"
                        " scan with --jobs 1"
                    ) from error
