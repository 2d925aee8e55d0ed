"""What all manifests of a project say together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bezoar.scan.manifests.reading import Manifest, read_manifest
from bezoar.scan.manifests.requirement import Requirement
from bezoar.scan.project_facts import ProjectFacts

#: Packages that serve HTTP, or are run by what does.
_SERVERS = frozenset(
    {
        "bottle",
        "cherrypy",
        "django",
        "fastapi",
        "flask",
        "gradio",
        "gunicorn",
        "hypercorn",
        "litestar",
        "quart",
        "sanic",
        "starlette",
        "streamlit",
        "uvicorn",
        "waitress",
    }
)
_SERVICE_FILES = ("dockerfile", "containerfile", "procfile", "docker-compose", "compose.y")
_RANGE_FIRST = ("pyproject", "setup-cfg", "environment", "dockerfile")


def project_facts(documents: Sequence[tuple[str, str, str]]) -> ProjectFacts:
    """Joins manifests to the facts that rules ask for.

    Args:
        documents: path, kind and text of every manifest; ``setup.py`` may be among them with
            any kind. A file that cannot be read adds nothing.

    Example:
        >>> facts = project_facts([("requirements.txt", "requirements", "torch>=2.6")])
        >>> facts.requirements["torch"], facts.is_library
        ('>=2.6', False)
    """
    read = [(path, kind, read_manifest(path, kind, text)) for path, kind, text in documents]
    services = [path for path, _, _ in read if _is_service_file(path)]
    package = any(manifest.is_package for _, _, manifest in read)
    return ProjectFacts(
        requirements=_narrowest([manifest for _, kind, manifest in read if _installs(kind)]),
        python_requires=_python(read),
        is_library=package and all("/" in path for path in services),
        is_service=bool(services) or any(_serves(manifest) for _, _, manifest in read),
    )


def _installs(kind: str) -> bool:
    """CI may install other versions than the project runs with."""
    return kind not in ("github-workflow", "gitlab-ci")


def _is_service_file(path: str) -> bool:
    """A Dockerfile deep in a project is often there for tests or docs alone."""
    folder, _, name = path.lower().rpartition("/")
    shallow = folder.count("/") == 0 and not folder.startswith((".", "docs", "test", "ci"))
    return shallow and name.startswith(_SERVICE_FILES)


def _serves(manifest: Manifest) -> bool:
    return any(
        each.name in _SERVERS and each.group in ("main", "lock") for each in manifest.requirements
    )


def _narrowest(manifests: Sequence[Manifest]) -> dict[str, str]:
    """Lock files win; then one exact version; then all ranges together."""
    locked: dict[str, list[str]] = {}
    exact: dict[str, list[str]] = {}
    ranges: dict[str, list[str]] = {}
    for each in _requirements(manifests):
        if each.group == "lock":
            locked.setdefault(each.name, []).append(each.specifier)
        elif each.pinned:
            exact.setdefault(each.name, []).append(each.specifier)
        else:
            ranges.setdefault(each.name, []).append(each.specifier)
    joined = {name: ",".join(dict.fromkeys(filter(None, all_))) for name, all_ in ranges.items()}
    return (
        joined
        | {n: _lowest(e) for n, e in exact.items()}
        | {n: _lowest(e) for n, e in locked.items()}
    )


def _requirements(manifests: Sequence[Manifest]) -> Iterator[Requirement]:
    for manifest in manifests:
        for each in manifest.requirements:
            if each.name and not each.url and not each.filled_in:
                yield each


def _lowest(specifiers: list[str]) -> str:
    """Of several exact versions the oldest: a rule that trusts it errs on the safe side."""
    from packaging.version import InvalidVersion, Version

    def age(specifier: str) -> tuple[int, Version]:
        try:
            return 1, Version(specifier.partition(",")[0].lstrip("= "))
        except InvalidVersion:
            return 0, Version("0")

    return min(specifiers, key=age) if len(specifiers) > 1 else specifiers[0]


def _python(read: Sequence[tuple[str, str, Manifest]]) -> str:
    """The word of the file that packaging itself would follow."""
    for wanted in ("setup.py", *_RANGE_FIRST):
        for path, kind, manifest in read:
            if manifest.python_requires and wanted in (kind, path.rpartition("/")[2]):
                return manifest.python_requires
    return ""
