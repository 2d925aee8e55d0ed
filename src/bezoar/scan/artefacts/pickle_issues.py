"""What is to be said of pickles that were followed: dangers, code of their own, unknown names."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.scan.artefacts.issues import Issue, shown
from bezoar.scan.artefacts.limits import CONSTANT_BYTES, MIB
from bezoar.scan.artefacts.pickle_names import Verdict, is_tensor_name, verdict
from bezoar.scan.artefacts.pickles import Pickles

_NAMES_SHOWN = 4
#: What only TorchScript's own writer writes.
_TORCHSCRIPT = ("__torch__.", "torch.jit._pickle.")
_TORCH_REMEDY = (
    "keep weights as safetensors, or load with torch.load(..., weights_only=True) on torch 2.6 "
    "or newer"
)


def issues_of(found: Pickles, *, in_torch_archive: bool = False) -> Iterator[Issue]:
    """What is to be said of the pickles of one stream."""
    dangers = list(_dangers(found))
    yield from dangers
    if not dangers and found.walks and (found.walks[0].opcodes > 1 or not found.problem):
        yield _plain(found, in_torch_archive or found.is_torch)
    if found.problem:
        yield Issue(
            topic="unreadable",
            severity="medium",
            message=f"the pickle cannot be followed to its end: {found.problem}",
            member=found.member,
            offset=found.problem_at,
        )
    for inner in found.buried:
        if inner.is_cut:
            yield Issue(
                topic="unreadable",
                severity="medium",
                message=f"a pickle in the pickle is longer than {CONSTANT_BYTES // MIB} MiB",
                member=found.member,
                offset=inner.place,
            )
    if found.trailing is not None:
        yield Issue(
            topic="unreadable",
            severity="low",
            message="bytes follow the end of the pickle that are no pickle",
            member=found.member,
            offset=found.trailing,
        )


def _by_verdict(found: Pickles) -> dict[Verdict, dict[str, int]]:
    sorted_names: dict[Verdict, dict[str, int]] = {}
    for name, offset in found.names().items():
        sorted_names.setdefault(verdict(name), {})[name] = offset
    return sorted_names


def _dangers(found: Pickles) -> Iterator[Issue]:
    names = _by_verdict(found)
    called = found.called()
    bad = names.get("dangerous", {})
    if bad:
        does = "calls" if called & bad.keys() else "imports"
        listed = _listed(sorted(bad, key=lambda name: (name not in called, bad[name])))
        yield Issue(
            topic="dangerous-pickle",
            severity="critical",
            message=f"loading it {does} {listed}",
            member=found.member,
            offset=min(bad.values()),
        )
    for offset, what in found.oddities()[:1]:
        yield Issue(
            topic="dangerous-pickle",
            severity="critical",
            message=f"{what} while it is loaded" if "loaded" not in what else what,
            member=found.member,
            offset=offset,
        )
    own = names.get("brings code", {})
    if own:
        yield Issue(
            topic="dangerous-pickle",
            severity="high",
            message=f"it carries code of its own, put together by {_listed(list(own))}",
            member=found.member,
            offset=min(own.values()),
        )


def _plain(found: Pickles, is_torch: bool) -> Issue:
    names = _by_verdict(found)
    unknown = list(names.get("unknown", {}))
    unknown += [f"extension {code}" for walk in found.walks for code in walk.extensions]
    if any(name.startswith(_TORCHSCRIPT) for name in names.get("ordinary", ())):
        message = "it is TorchScript; torch.jit.load reads it without Python's pickle"
        return Issue(topic="pickle", severity="low", message=message, member=found.member)
    only_tensors = is_torch and not unknown and all(map(is_tensor_name, names.get("ordinary", ())))
    kind = "a torch file, which is a pickle" if is_torch else "a pickle"
    if unknown:
        message = f"it is {kind}, and imports names that are not known here: {_listed(unknown)}"
    elif only_tensors:
        message = f"it is {kind}; this one holds tensors only"
    else:
        message = f"it is {kind}; what this one imports belongs to the usual libraries"
    return Issue(
        topic="pickle",
        severity="low" if only_tensors else "medium",
        message=message,
        member=found.member,
        remedy=_TORCH_REMEDY if is_torch else None,
    )


def _listed(names: list[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{listed} and {more} more" if more > 0 else listed
