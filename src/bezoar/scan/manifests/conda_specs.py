"""What conda writes for a package and its versions."""

from __future__ import annotations

import re

from bezoar.scan.manifests.requirement import LONGEST, Requirement, normalised, requirement

#: Packages that conda and PyPI call differently.
_ON_PYPI = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-base": "tensorflow",
    "msgpack-python": "msgpack",
    "jupyter-server": "jupyter-server",
}
_SPEC = re.compile(
    r"(?:[\w./-]+::)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*"
    r"(?:(?P<one>=)(?!=)\s*(?P<version>[^=\s,|<>!]+)(?:=(?P<build>\S+))?|(?P<rest>[=<>!~].*))?\Z"
)


def conda_requirement(text: str) -> Requirement | None:
    """Reads one entry of ``dependencies`` or of ``conda install``.

    Example:
        >>> [conda_requirement(t).specifier for t in ("qiskit=0.45", "numpy=1.26.4=py311_0")]
        ['==0.45.*', '==1.26.4']
        >>> conda_requirement("conda-forge::pytorch>=2.1").name
        'torch'
    """
    text = " ".join(text.split())
    match = _SPEC.match(text) if len(text) <= LONGEST else None
    if match is None:
        # `numpy 1.26.*`, as conda itself prints it.
        name, _, version = text.rpartition("::")[2].partition(" ")
        if not version or not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            return None
        parts = version.split()
        return _named(name, _with_operator(parts[0]), text)
    if match["one"]:
        return _named(match["name"], _prefix(match["version"], match["build"]), text)
    if match["rest"]:
        found = requirement(match["name"] + match["rest"].partition("|")[0])
        return None if found is None else _named(match["name"], found.specifier, text)
    return _named(match["name"], "", text)


def _named(name: str, specifier: str, text: str) -> Requirement:
    plain = normalised(name)
    return Requirement(name=_ON_PYPI.get(plain, plain), specifier=specifier, text=text)


def _prefix(version: str, build: str | None) -> str:
    """``=1.2`` admits every 1.2 of any patch; with a build it is one version."""
    if version == "*":
        return ""
    if build:
        return f"=={version}"
    return f"=={version.removesuffix('.*').removesuffix('*')}.*"


def _with_operator(version: str) -> str:
    if version == "*":
        return ""
    return version if version[0] in "<>=!~" else f"=={version}"
