"""What a scan is asked for, and how ``[tool.bezoar.scan]`` says it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bezoar.contracts.code_findings import SEVERITIES
from bezoar.contracts.errors import FileProblem, InvalidArgument, UnknownName
from bezoar.contracts.records import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """The options of a scan; the command line and the settings file give the same ones.

    Attributes:
        select: ids of rules, or how they begin; empty for all.
        ignore: ids that are left out.
        severity: findings below it are not told.
        exclude: patterns of files and folders that are not examined, besides the usual ones.
        per_file_ignores: pattern of paths to ids that are left out there.
        baseline: file of findings that are known already; "" for none.
        import_sarif: SARIF files of other tools whose findings are merged.
        diff: git revision; only findings on lines that changed since are told; "" for all.
        jobs: processes; 0 for as many as there are processors.
        cache: remembers what unchanged files gave.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Severity = "low"
    exclude: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    baseline: str = ""
    import_sarif: tuple[str, ...] = ()
    diff: str = ""
    jobs: int = 0
    cache: bool = True

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise UnknownName("severity", self.severity, SEVERITIES)
        if not isinstance(self.jobs, int) or isinstance(self.jobs, bool) or self.jobs < 0:
            raise InvalidArgument("jobs", wanted="an integer of 0 or more", got=repr(self.jobs))

    @classmethod
    def from_settings(cls, given: Mapping[str, Any], *, source: str) -> Self:
        """Settings from plain values, lists as tuples.

        Raises:
            InvalidArgument: a key is unknown or a value has the wrong form.
        """
        known = {each.name: each for each in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for key, value in given.items():
            name = key.replace("-", "_")
            if name not in known:
                raise UnknownName(f"{source}: option", key, [k.replace("_", "-") for k in known])
            values[name] = _converted(name, value, source)
        return cls(**values)

    def but(self, **changes: Any) -> Self:
        """A copy with other options."""
        return dataclasses.replace(self, **changes)


_TEXTS = ("severity", "baseline", "diff")
_LISTS = ("select", "ignore", "exclude", "import_sarif")


def _converted(name: str, value: Any, source: str) -> Any:
    where = f"{source}: {name.replace('_', '-')}"
    if name in _LISTS:
        return _texts(value, where)
    if name in _TEXTS:
        if not isinstance(value, str):
            raise InvalidArgument(where, wanted="a text", got=repr(value))
        return value
    if name == "per_file_ignores":
        if not isinstance(value, Mapping):
            raise InvalidArgument(where, wanted="a table of patterns", got=repr(value))
        return {str(key): _texts(each, f"{where}.{key}") for key, each in value.items()}
    if name == "cache" and not isinstance(value, bool):
        raise InvalidArgument(where, wanted="true or false", got=repr(value))
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(each.strip() for each in value.split(",") if each.strip())
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise InvalidArgument(where, wanted="a list of texts", got=repr(value))


def settings_near(start: Path) -> tuple[dict[str, Any], Path | None]:
    """The table ``[tool.bezoar.scan]`` of the next ``pyproject.toml`` at or above `start`.

    Raises:
        FileProblem: the file is not TOML, or the table is none.
    """
    folder = start.resolve()
    if not folder.is_dir():
        folder = folder.parent
    for each in (folder, *folder.parents):
        file = each / "pyproject.toml"
        if file.is_file():
            table = read_settings(file)
            if table is not None:
                return table, file
        if (each / ".git").exists():
            break
    return {}, None


def read_settings(file: Path) -> dict[str, Any] | None:
    """The table of one file, None where it has none.

    Raises:
        FileProblem: the file cannot be read or is not TOML, or the table is none.
    """
    try:
        whole = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileProblem(file, f"cannot be read as TOML ({error})", mend="mend it") from error
    tool = whole.get("tool")
    bezoar = tool.get("bezoar") if isinstance(tool, dict) else None
    table = bezoar.get("scan") if isinstance(bezoar, dict) else None
    if table is not None and not isinstance(table, dict):
        raise FileProblem(file, "has tool.bezoar.scan, but not as a table")
    return table
