"""The files of a project, read until what they know of each other no longer changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bezoar.contracts.progress import Progress, silent
from bezoar.scan.code.project import Knowledge, Summary
from bezoar.scan.code.values import Value, joined
from bezoar.scan.examination import Examined, Parameters
from bezoar.scan.ordering import in_layers

#: Flows through more files than this many rounds are not followed further.
MAX_ROUNDS = 3

#: Origins that are worth reading a file again for. The environment is what whoever runs the
#: program says, and a setting read from it (a backend's name) soon is everywhere.
_FOLLOWED = frozenset({"request", "network", "cli", "file"})

#: Examines files, each with what it should know; gives the results in any order.
Examine = Callable[[Sequence[tuple[str, Knowledge]]], Iterable[Examined]]


def examined_project(
    paths: Sequence[str],
    examine: Examine,
    dependencies: Mapping[str, Collection[str]],
    *,
    progress: Progress = silent,
) -> dict[str, Examined]:
    """Every file, examined with what the others export and pass.

    The first round goes in the order of imports, so that most of what a file uses is known when
    it is read. Further rounds repeat the files for which that has changed since: circles of
    imports, and functions that other files call with something from outside.

    Args:
        paths: the files.
        examine: examines some of them.
        dependencies: path to the files that it seems to import.
        progress: is told of each file that is done.
    """
    results: dict[str, Examined] = {}
    known: dict[str, State] = {}
    done = 0
    for layer in in_layers(paths, dependencies):
        work = [(path, _knowledge(dependencies.get(path, ()), results, {})) for path in layer]
        given = dict(work)
        for result in examine(work):
            results[result.path] = result
            known[result.path] = _state(result, given[result.path])
            done += 1
            progress("files", done, len(paths))
    for number in range(2, MAX_ROUNDS + 1):
        work = _changed(paths, results, known, dependencies)
        for count, result in enumerate(examine(work), 1):
            results[result.path] = result
            progress(f"flows across files, round {number}", count, len(work))
        if not work:
            break
    _drop_constant(results)
    _drop_refuted(results)
    return results


def _changed(
    paths: Sequence[str],
    results: Mapping[str, Examined],
    known: dict[str, State],
    dependencies: Mapping[str, Collection[str]],
) -> list[tuple[str, Knowledge]]:
    """The files that would be read differently now, with what they should know."""
    inputs = _inputs(results.values())
    work = []
    for path in paths:
        result = results[path]
        used = {name.partition(":")[0] for name in result.references}
        used.update(dependencies.get(path, ()))
        knowledge = _knowledge(used, results, inputs.get(path, {}))
        state = _state(result, knowledge)
        if state != known[path]:
            known[path] = state
            work.append((path, knowledge))
    return work


def _inputs(results: Iterable[Examined]) -> dict[str, dict[str, dict[str, Value]]]:
    """Path to function to parameter: what callers in other files pass."""
    found: dict[str, dict[str, dict[str, Value]]] = {}
    for result in results:
        for name, params in result.passed.items():
            path = name.partition(":")[0]
            if path == result.path:
                continue
            for param, (_, _, value) in params.items():
                if value is not None and _from_outside(value):
                    given = found.setdefault(path, {}).setdefault(name, {})
                    given[param] = joined(given.get(param), value)
    return found


def _from_outside(value: Value) -> bool:
    return any(origin.kind in _FOLLOWED for origin in value.origins)


def _knowledge(
    used: Iterable[str],
    results: Mapping[str, Examined],
    inputs: dict[str, dict[str, Value]],
) -> Knowledge:
    """The exports of the files that one file uses, and of those that they build on."""
    knowledge = Knowledge(inputs=inputs)
    waiting = set(used)
    seen: set[str] = set()
    for _ in range(3):
        new = sorted(each for each in waiting - seen if each in results)
        if not new:
            break
        seen.update(new)
        waiting = set()
        for each in new:
            exports = results[each].exports
            knowledge.learn(exports)
            waiting.update(target.partition(":")[0] for target in exports.aliases.values())
            for facts in exports.classes:
                waiting.update(base.partition(":")[0] for base in facts.bases if ":" in base)
    return knowledge


#: What of the knowledge makes a difference, comparable.
State = tuple[object, ...]


def _state(result: Examined, knowledge: Knowledge) -> State:
    """What `knowledge` says of the names that the file uses, as far as it is worth a reading."""
    names = result.references
    whole = tuple(name for name in names if name.endswith(":"))
    classes = _with_bases(names, knowledge)

    def matters(name: str) -> bool:
        owner = name.rpartition(".")[0] if "." in name.partition(":")[2] else ""
        return name in names or owner in classes or name.startswith(whole)

    return (
        tuple(sorted(classes)),
        tuple(
            sorted(
                (name, *_gist(each.result), *_checks(each))
                for name, each in knowledge.summaries.items()
                if matters(name)
            )
        ),
        tuple(sorted((n, *_gist(value)) for n, value in knowledge.constants.items() if matters(n))),
        tuple(sorted(item for item in knowledge.aliases.items() if matters(item[0]))),
        tuple(
            sorted(
                (name, param, *_gist(value))
                for name, params in knowledge.inputs.items()
                for param, value in params.items()
            )
        ),
    )


def _with_bases(names: Iterable[str], knowledge: Knowledge) -> set[str]:
    found = {name for name in names if name in knowledge.classes}
    waiting = list(found)
    while waiting:
        for base in knowledge.classes[waiting.pop()].bases:
            if base in knowledge.classes and base not in found:
                found.add(base)
                waiting.append(base)
    return found


def _gist(value: Value) -> State:
    """Kinds of origins, class and marks: what a rule decides by."""
    kinds = {origin.kind for origin in value.origins} & _FOLLOWED
    return tuple(sorted(kinds)), value.type, tuple(sorted(value.marks)), value.fixed


def _checks(summary: Summary) -> State:
    return tuple(sorted((param, *sorted(marks)) for param, marks in summary.checks.items()))


def state_of(knowledge: Knowledge) -> State:
    """All that is known, comparable and in every detail: a key for results."""
    return (
        tuple(
            (
                name,
                each.bases,
                tuple((key, f.type, *sorted(f.marks)) for key, f in each.fields.items()),
                each.is_model,
                each.is_enum,
                tuple(sorted(each.methods)),
            )
            for name, each in sorted(knowledge.classes.items(), key=lambda item: item[0])
        ),
        tuple(
            (name, each.params, *_told(each.result), *_checks(each))
            for name, each in sorted(knowledge.summaries.items(), key=lambda item: item[0])
        ),
        tuple(
            (name, *_told(value))
            for name, value in sorted(knowledge.constants.items(), key=lambda item: item[0])
        ),
        tuple(sorted(knowledge.aliases.items())),
        tuple(
            (name, param, *_told(value))
            for name, params in sorted(knowledge.inputs.items())
            for param, value in sorted(params.items(), key=lambda item: item[0])
        ),
    )


def _told(value: Value) -> State:
    return (
        tuple(sorted((*origin.key, str(origin.steps)) for origin in value.origins)),
        value.type,
        tuple(sorted(value.marks)),
        tuple(sorted(value.through)),
        value.fixed,
        repr(value.literal),
    )


def _drop_constant(results: Mapping[str, Examined]) -> None:
    """Drops findings that rest on parameters for which every known caller passes constants."""
    calls: dict[tuple[str, str], list[int]] = {}
    for result in results.values():
        for name, params in result.passed.items():
            for param, (n_calls, n_fixed, _) in params.items():
                counts = calls.setdefault((name, param), [0, 0])
                counts[0] += n_calls
                counts[1] += n_fixed
    for result in results.values():
        result.found = [each for each in result.found if not _all_constant(each.rests_on, calls)]


def _drop_refuted(results: Mapping[str, Examined]) -> None:
    """Drops findings that a fact which another file states speaks against."""
    stated = frozenset().union(*(result.stated for result in results.values()))
    for result in results.values():
        result.found = [each for each in result.found if stated.isdisjoint(each.unless)]


def _all_constant(parameters: Parameters, calls: Mapping[tuple[str, str], Sequence[int]]) -> bool:
    return bool(parameters) and all(
        each in calls and calls[each][0] == calls[each][1] for each in parameters
    )
