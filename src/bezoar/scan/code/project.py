"""What files of one project know of each other: modules, classes, summaries of functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from bezoar.scan.code.values import Value

#: Top-level packages that a folder of the same name does not hide: a scan of a project that has a
#: folder `qiskit/` of examples must not lose Qiskit.
_FRAMEWORKS = frozenset(
    [
        "qiskit",
        "pennylane",
        "cirq",
        "torch",
        "numpy",
        "scipy",
        "sklearn",
        "pandas",
        "tensorflow",
        "jax",
        "flask",
        "fastapi",
        "django",
        "braket",
        "torchquantum",
        "tensorcircuit",
        "pickle",
        "joblib",
        "json",
        "os",
        "sys",
        "requests",
        "qiskit_aer",
        "math",
        "qiskit_ibm_runtime",
        "qiskit_machine_learning",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFacts:
    """A field of a data model: its class and what its declaration checks."""

    type: str = ""
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFacts:
    """What other files want to know of a class.

    Attributes:
        name: canonical, ``app/schemas.py:Job``.
        bases: canonical names.
        fields: declared fields of a data model by name.
        is_model: it validates its fields when it is made (pydantic).
        is_enum: calling it accepts its members alone.
        methods: names of its own methods.
    """

    name: str
    bases: tuple[str, ...] = ()
    fields: Mapping[str, FieldFacts] = field(default_factory=dict)
    is_model: bool = False
    is_enum: bool = False
    methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a call of a function does, in terms of its parameters.

    Attributes:
        name: canonical, ``app/io.py:load``.
        params: the names of its parameters, without ``self``.
        result: what it gives; ``parameter`` origins stand for its parameters.
        checks: parameter to the marks it has after a call that came back.
    """

    name: str
    params: tuple[str, ...]
    result: Value
    checks: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def says_something(self) -> bool:
        """Whether it differs from what is assumed of any unknown function."""
        result = self.result
        return bool(
            self.checks
            or result.fixed
            or result.type
            or result.marks
            or result.through
            or any(origin.kind != "parameter" for origin in result.origins)
            or self.params
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """What one file tells the others.

    Attributes:
        classes, summaries: what it declares.
        constants: its top-level variables that are constants or come from outside.
        aliases: names that it imports from elsewhere in the project and thereby offers.
    """

    classes: tuple[ClassFacts, ...] = ()
    summaries: tuple[Summary, ...] = ()
    constants: Mapping[str, Value] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Knowledge:
    """What is known of the project while a file is read.

    Attributes:
        classes, summaries, constants, aliases: by canonical name.
        inputs: function to parameter to what callers in other files pass.
    """

    classes: dict[str, ClassFacts] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, dict[str, Value]] = field(default_factory=dict)

    def learn(self, exports: Exports) -> None:
        """Adds what a file exports, in place of what was known of it."""
        self.classes.update((each.name, each) for each in exports.classes)
        self.summaries.update((each.name, each) for each in exports.summaries)
        self.constants.update(exports.constants)
        self.aliases.update(exports.aliases)


class ModuleIndex:
    """Finds the file that an import means."""

    def __init__(self, paths: Iterable[str]) -> None:
        """An index over the paths of all Python files of the project."""
        self._files: dict[tuple[str, ...], list[str]] = {}
        for path in paths:
            parts = PurePosixPath(path).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            for start in range(max(0, len(parts) - 6), len(parts)):
                self._files.setdefault(parts[start:], []).append(path)

    def find(self, module: str, importer: str, level: int = 0) -> str:
        """The path of a module as `importer` names it, "" for one outside of the project."""
        if level:
            return self._relative(module, importer, level)
        parts = tuple(module.split("."))
        if parts[0] in _FRAMEWORKS:
            return ""
        found = self._files.get(parts)
        if not found:
            return ""
        here = PurePosixPath(importer).parent.parts
        return min(found, key=lambda path: (_distance(here, path), len(path), path))

    def _relative(self, module: str, importer: str, level: int) -> str:
        folder = PurePosixPath(importer).parent.parts
        if level > len(folder) + 1:
            return ""
        base = folder[: len(folder) - (level - 1)]
        parts = (*base, *(module.split(".") if module else ()))
        for path in self._files.get(parts[-6:], ()):
            if PurePosixPath(path).with_suffix("").parts in (parts, (*parts, "__init__")):
                return path
        return ""


def _distance(here: tuple[str, ...], path: str) -> int:
    """How far apart two folders are: steps up and down the tree."""
    there = PurePosixPath(path).parent.parts
    shared = 0
    for ours, theirs in zip(here, there, strict=False):
        if ours != theirs:
            break
        shared += 1
    return len(here) + len(there) - 2 * shared
