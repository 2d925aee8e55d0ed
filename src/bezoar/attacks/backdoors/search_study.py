"""A study in a SQLite file: one process at a time, and resumed exactly where it was."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bezoar.contracts.errors import FileProblem
from bezoar.contracts.files import make_folder
from bezoar.contracts.seeds import child_seed

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import NSGAIISampler


@contextlib.contextmanager
def opened_study(path: Path, name: str, *, n_objectives: int) -> Iterator[Study]:
    """The study called `name` in the file, new or as it was left; closed at the end.

    Trials that an interrupted process left unfinished are marked as failed, and count nothing.
    While it is open no other process can open a study in this file. The lock is SQLite's own on a
    file beside it, ``<path>.lock``; the system releases it when the process ends, however it ends.

    Args:
        path: of the SQLite file; made with its folder where it is missing.
        name: of the study.
        n_objectives: all are minimised.

    Raises:
        FileProblem: another process has it open, it cannot be written, or it is no study file.
    """
    import optuna

    path = Path(path).absolute()
    make_folder(path.parent)
    with _locked(path), _quiet():
        storage = _storage(path)
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                directions=[optuna.study.StudyDirection.MINIMIZE] * n_objectives,
                load_if_exists=True,
            )
            for trial in study.get_trials(deepcopy=False):
                if not trial.state.is_finished():
                    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


def nsga_ii(population: int, *, seed: int, n_done: int) -> NSGAIISampler:
    """The sampler for the trial after `n_done` finished ones.

    A new one for each trial, whose seed depends on `seed` and `n_done`: all that NSGA-II knows
    beside its random numbers are the finished trials, and these are in the file. So an interrupted
    search goes on with the very candidates that it would have had.

    Children come from simplex crossover (SPX) of three parents. Optuna's default, which swaps
    factors between two parents, repeats candidates (48 of 360) and gains less on random search.

    Args:
        population: candidates of a generation.
        seed: of the search.
        n_done: finished trials.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import NSGAIISampler
    from optuna.samplers.nsgaii import SPXCrossover

    class OrderedNSGAII(NSGAIISampler):
        """Parents in the order of their numbers, as they also come back from the file."""

        def select_parent(self, study: Study, generation: int) -> list[Any]:
            parents = super().select_parent(study, generation)
            return sorted(parents, key=lambda trial: trial.number)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        crossover = SPXCrossover()
    return OrderedNSGAII(
        population_size=population,
        crossover=crossover,
        seed=child_seed("nsga-ii", seed, n_done) % 2**32,
    )


def _storage(path: Path) -> Any:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import SQLAlchemyError

    url = URL.create("sqlite", database=str(path)).render_as_string()
    try:
        # Braces are optuna's template marks.
        storage = RDBStorage(url.replace("{", "{{").replace("}", "}}"))
        _write_ahead(storage)
    except (SQLAlchemyError, RuntimeError, AssertionError, ValueError) as error:
        raise FileProblem(
            path,
            f"cannot be used as the file of a search ({str(error).splitlines()[0]})",
            mend="name a file that does not exist, in a folder that you may write to",
        ) from error
    return storage


def _write_ahead(storage: Any) -> None:
    """A trial is a dozen commits; with a write-ahead log they need not wait for the disk.

    A killed process loses nothing by it; a power cut may lose the last trials, never the file.
    """
    from sqlalchemy import event, text

    with storage.engine.connect() as connection:
        granted = connection.execute(text("PRAGMA journal_mode=WAL")).scalar() == "wal"
    # What was opened before has the setting of before.
    storage.remove_session()
    storage.engine.dispose()
    if granted:
        event.listen(
            storage.engine,
            "connect",
            lambda connection, _record: connection.execute("PRAGMA synchronous=NORMAL"),
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    beside = path.with_name(path.name + ".lock")
    try:
        connection = sqlite3.connect(beside, timeout=0, isolation_level=None)
    except sqlite3.Error as error:
        raise _unusable(beside, error) from error
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise FileProblem(
                path, "is in use by another search", mend="wait for it, or name another file"
            ) from error
        raise _unusable(beside, error) from error
    except sqlite3.DatabaseError as error:
        raise _unusable(beside, error) from error
    finally:
        connection.close()


def _unusable(path: Path, error: Exception) -> FileProblem:
    return FileProblem(
        path, f"cannot be written ({error})", mend="choose a folder that you may write to"
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells of every trial otherwise."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)
