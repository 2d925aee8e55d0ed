"""The templates for CI: they parse, have least rights, and every command in them works."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from bezoar._version import __version__
from bezoar.scan.scanner import scan
from bezoar.scan.settings import ScanSettings

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
SCHEMAS = ROOT / "tests" / "report" / "data"
CLEAN = "import json\n\nsettings = json.loads('{}')\n"
UNSAFE = 'import pickle\n\nweights = pickle.load(open("weights.pkl", "rb"))\n'

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def parsed(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return parsed("examples/ci/github-actions.yml")


@pytest.fixture(scope="module")
def pipeline() -> dict[str, Any]:
    return parsed("examples/ci/gitlab-ci.yml")["bezoar-scan"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text(UNSAFE)
    return folder


@pytest.fixture
def run(project: Path, tmp_path: Path) -> Run:
    """Runs a line as CI does: by bash -e in the checkout, with `bezoar` on the path."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }

    def run(line: str, *, by: str = "bash", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [by, "-e", "-c", line],
            cwd=project,
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def valid(file: Path, schema: str) -> Any:
    """The JSON in a file, which fits a schema."""
    content = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(json.loads((SCHEMAS / schema).read_text("utf-8"))).validate(content)
    return content


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def commands(workflow: dict[str, Any]) -> list[str]:
    return [step["run"] for step in steps(workflow) if "bezoar scan" in step.get("run", "")]


# -- GitHub ----------------------------------------------------------------------------------


def test_actions_are_pinned_as_our_own_are() -> None:
    pinned = re.compile(r"uses: (\S+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$")

    def pins(file: str) -> dict[str, str]:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        found = [pinned.search(line) for line in lines if "uses:" in line]
        assert all(found), file
        return {match[1]: match[2] for match in found if match}

    ours, template = pins(".github/workflows/ci.yml"), pins("examples/ci/github-actions.yml")
    assert template.keys() == {
        "actions/checkout",
        "actions/setup-python",
        "github/codeql-action/upload-sarif",
    }
    assert {name: template[name] for name in ours if name in template}.items() <= ours.items()


def test_the_workflow_has_the_least_rights(workflow: dict[str, Any]) -> None:
    text = (CI / "github-actions.yml").read_text(encoding="utf-8")
    # YAML 1.1 reads the key `on` as true.
    (events,) = [part for key, part in workflow.items() if not isinstance(key, str)]
    assert workflow["permissions"] == {}
    assert [job["permissions"] for job in workflow["jobs"].values()] == [
        {"contents": "read", "security-events": "write"}
    ]
    assert set(events) == {"push", "pull_request"}
    assert "secrets." not in text
    # Expressions in command lines are where strangers' branch names get in.
    assert not any("${{" in step.get("run", "") for step in steps(workflow))
    (checkout,) = [step for step in steps(workflow) if "checkout" in step.get("uses", "")]
    assert checkout["with"] == {"persist-credentials": False}


def test_findings_are_uploaded_before_they_fail(workflow: dict[str, Any]) -> None:
    order = [step.get("uses", step.get("run", "")) for step in steps(workflow)]
    (upload,) = [place for place, what in enumerate(order) if "upload-sarif" in what]
    first, last = commands(workflow)
    assert order.index(first) < upload < order.index(last) == len(order) - 1


def test_the_workflow_on_code_with_a_finding(
    workflow: dict[str, Any], run: Run, project: Path
) -> None:
    first, last = commands(workflow)
    assert run(first).returncode == 0
    (upload,) = [step for step in steps(workflow) if "upload-sarif" in step.get("uses", "")]
    log = valid(project / upload["with"]["sarif_file"], "sarif-schema-2.1.0.json")
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["QSA201"]
    done = run(last)
    assert done.returncode == 1
    # What was written is not read as code of the project.
    assert "1 finding: 1 high." in done.stdout


def test_the_workflow_on_clean_code(workflow: dict[str, Any], run: Run, project: Path) -> None:
    (project / "app.py").write_text(CLEAN)
    assert [run(line).returncode for line in commands(workflow)] == [0, 0]


def test_a_scan_that_fails_stops_the_job(
    workflow: dict[str, Any], pipeline: dict[str, Any], run: Run, project: Path
) -> None:
    (project / "pyproject.toml").write_text("[tool.bezoar.scan]\nseverity = 'worst'\n")
    for line in (commands(workflow)[0], pipeline["script"][0]):
        assert run(line).returncode == 1
    assert sorted(file.name for file in project.iterdir()) == ["app.py", "pyproject.toml"]


# -- GitLab ----------------------------------------------------------------------------------


def test_the_pipeline_writes_its_reports(pipeline: dict[str, Any], run: Run, project: Path) -> None:
    assert [run(line).returncode for line in pipeline["script"]] == [0, 0, 1]
    reports = pipeline["artifacts"]["reports"]
    assert pipeline["artifacts"]["when"] == "always"
    report = valid(project / reports["sast"], "gitlab-sast.json")
    assert [each["location"]["file"] for each in report["vulnerabilities"]] == ["app.py"]
    suite = ET.parse(project / reports["junit"]).getroot()  # noqa: S314 - our own
    assert len(list(suite.iter("failure"))) == 1
    assert "1 finding: 1 high." in run(pipeline["script"][-1]).stdout
    (project / "app.py").write_text(CLEAN)
    assert run(pipeline["script"][-1]).returncode == 0


# -- pre-commit ------------------------------------------------------------------------------


def test_the_hooks_are_what_pre_commit_wants() -> None:
    hooks = {hook["id"]: hook for hook in parsed(".pre-commit-hooks.yaml")}
    assert hooks.keys() == {"bezoar-scan", "bezoar-scan-installed"}
    (repository,) = parsed("examples/ci/pre-commit-config.yaml")["repos"]
    (local,) = repository["hooks"]
    assert repository["repo"] == "local"
    for hook in (*hooks.values(), local):
        assert {"id", "name", "entry", "language"} <= hook.keys()
        assert hook["entry"] == local["entry"]
        # pre-commit would otherwise give files, and scan a part of the project.
        assert hook["pass_filenames"] is False
    assert hooks["bezoar-scan"]["language"] == local["language"] == "system"
    assert hooks["bezoar-scan-installed"]["language"] == "python"


def test_the_hook_tells_what_a_commit_changes(run: Run, project: Path) -> None:
    (hook, *_) = parsed(".pre-commit-hooks.yaml")
    (project / "new.py").write_text(CLEAN)
    author = "-c user.name=A -c user.email=a@example.org -c commit.gpgsign=false"
    run(f"git init -q . && git add app.py && git {author} commit -q -m first")
    # The finding of the last commit is not this one's.
    assert run(hook["entry"]).returncode == 0
    (project / "new.py").write_text(f"# A comment\n{UNSAFE}")
    run("git add new.py")
    done = run(hook["entry"])
    assert done.returncode == 1
    assert "new.py:4:" in done.stdout
    assert "app.py" not in done.stdout


# -- any shell -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "told", "files"),
    [
        ("", 1, "QSA201", {"scan.sarif", "scan.html"}),
        ("app.py", 1, "QSA201", {"scan.sarif", "scan.html"}),
        ("clean", 0, "nothing found", {"scan.sarif"}),
        ("empty", 3, "is empty the right folder?", {"scan.sarif"}),
        ("missing", 2, "the scan failed", set()),
        (". --severity worst", 4, "an option or a path is wrong", set()),
    ],
)
def test_the_script(
    arguments: str, code: int, told: str, files: set[str], run: Run, project: Path
) -> None:
    for folder in ("clean", "empty"):
        (project / folder).mkdir()
    (project / "clean" / "app.py").write_text(CLEAN)
    script = shlex.quote(str(CI / "scan.sh"))
    done = run(f"sh {script} {arguments}", by="sh", BEZOAR_OUT="reports out")
    assert done.returncode == code
    assert told in done.stdout + done.stderr
    assert {file.name for file in (project / "reports out").iterdir()} == files


def test_the_script_says_that_bezoar_is_missing(run: Run, project: Path) -> None:
    script = shlex.quote(str(CI / "scan.sh"))
    done = run(f"sh {script}", by="/bin/sh", PATH="/usr/bin:/bin")
    assert done.returncode == 127
    assert "is it installed?" in done.stderr


# -- all of them -----------------------------------------------------------------------------


def test_our_own_rules_find_nothing_in_the_templates(tmp_path: Path) -> None:
    """Each where it is copied to, since the name says what a file is."""
    for source, target in (
        ("github-actions.yml", ".github/workflows/scan.yml"),
        ("gitlab-ci.yml", ".gitlab-ci.yml"),
        ("pre-commit-config.yaml", ".pre-commit-config.yaml"),
        ("bezoar-requirements.txt", "ci/bezoar-requirements.txt"),
        ("scan.sh", "ci/scan.sh"),
    ):
        file = tmp_path / target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((CI / source).read_bytes())
    record = scan([tmp_path], ScanSettings(cache=False), root=tmp_path)
    assert [str(finding.place) for finding in record.findings] == []
    assert record.n_files == 5


def requirements() -> tuple[str, dict[str, str]]:
    """The wheel and the pinned packages."""
    lines = (CI / "bezoar-requirements.txt").read_text(encoding="utf-8").splitlines()
    wheel, *rest = [line for line in lines if line and not line.startswith("#")]
    return wheel, dict(line.split("==") for line in rest)


def test_what_is_to_be_installed_is_what_we_test() -> None:
    wheel, packages = requirements()
    assert wheel == f"./ci/bezoar-{__version__}-py3-none-any.whl"
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    assert {f"{name}=={version}" for name, version in packages.items()} <= set(pinned)


def test_a_scan_needs_no_more_than_that(run: Run, project: Path) -> None:
    """Every format and every rule, where nothing else can be imported."""
    names = {"bezoar", *requirements()[1]}
    (project / "requirements.txt").write_text("qiskit>=0.40\n")
    code = f"""
import sys
from importlib import metadata
for top, names in metadata.packages_distributions().items():
    if not {{name.lower() for name in names}} & {names!r}:
        sys.modules.setdefault(top, None)
from bezoar.cli.main import main
codes = [main(["scan", "app.py", "requirements.txt", "--format", name, "--out", "report"])
         for name in "text concise json sarif gitlab junit html".split()]
assert codes == [1] * 7, codes
assert main(["scan", "--explain", "QSA103"]) == 0
"""
    done = run(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}")
    assert done.returncode == 0, done.stderr


def test_the_page_shows_the_templates() -> None:
    page = (ROOT / "docs" / "scan" / "ci.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(examples/ci/[\w.-]+)`", page):
        assert (ROOT / name).is_file(), name
    templates = "".join(
        (CI / name).read_text(encoding="utf-8")
        for name in ("github-actions.yml", "gitlab-ci.yml", "pre-commit-config.yaml")
    )
    for block in re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yaml.safe_load(block)
        if '--diff "$BASE"' not in block:
            for line in block.splitlines():
                assert line in templates, line
