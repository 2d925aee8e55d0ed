"""The words around the code: every snippet runs, every command parses, every name exists."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import io
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import numpy as np
import pytest

from bezoar.attacks.backdoors.search import SearchSettings
from bezoar.cli.main import main, make_parser
from bezoar.cli.options import PLAN_OPTIONS
from bezoar.contracts import plugins
from bezoar.contracts.dataset import Dataset
from bezoar.contracts.records import Measurement, RunRecord, ThreatModel
from bezoar.contracts.reproduction import ItemRecord, read_item
from bezoar.evaluate.audit import run_audit
from bezoar.evaluate.backdoors.plan import DEFENCES, BackdoorPlan
from bezoar.evaluate.backdoors.run import run_backdoors
from bezoar.evaluate.backdoors.search import run_search
from bezoar.evaluate.circuit_backdoor_plan import CircuitBackdoorPlan
from bezoar.evaluate.circuit_backdoors import run_circuit_backdoor
from bezoar.evaluate.plan import AuditPlan
from bezoar.evaluate.studies import STUDIES
from bezoar.evaluate.studies.hqnn_settings import SCALES
from bezoar.evaluate.study import Statement
from bezoar.models.circuits import build_ansatz, build_circuit, build_encoding
from bezoar.models.white_box import WhiteBoxVictim
from bezoar.quantum import noise
from bezoar.quantum.distances import METRICS
from bezoar.quantum.state_encoder import StateEncoder
from bezoar.report.data import schema
from bezoar.report.reproduction_pages import write_pages

ROOT = Path(__file__).parent.parent
RUN = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "scan").glob("*.md")),
]
READ = [
    *RUN,
    *sorted((ROOT / "design").glob("*.md")),
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
]
REPRODUCTIONS = ROOT / "docs" / "reproductions"
GENERATED = [
    *sorted(REPRODUCTIONS.rglob("*.md")),
    *sorted((ROOT / "docs" / "scan" / "rules").glob("*.md")),
]

# Trainings in single precision differ between machines, by a test sample or two.
TOLERANCE = 0.05

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e-?\d+)?")


class Block(NamedTuple):
    language: str
    text: str


def blocks(page: Path, *languages: str) -> list[Block]:
    found = (Block(*match) for match in _FENCE.findall(page.read_text(encoding="utf-8")))
    return [block for block in found if not languages or block.language in languages]


def spans(page: Path) -> Iterator[str]:
    """The inline code of a page."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return (match.group(1) for match in re.finditer(r"`([^`\n]+)`", prose))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def rows(page: Path, section: str = "") -> list[list[str]]:
    """The cells of all table rows, or of those below one heading."""
    text = page.read_text(encoding="utf-8")
    if section:
        text = re.split(r"^#+ ", text.split(f"# {section}\n", 1)[1], flags=re.MULTILINE)[0]
    lines = text.splitlines()
    table = [line for line in lines if line.startswith("|") and not set(line) <= set("|- ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def first_cells(page: Path) -> set[str]:
    """What the first column of the tables names in code."""
    return {row[0].strip("`") for row in rows(page) if row[0].startswith("`")}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[RunRecord]]:
    """Runs that measure, together, all that can be measured, by the section that tells of them."""

    def out() -> Path:
        return tmp_path_factory.mktemp("run")

    small = BackdoorPlan(
        classes=("0", "1", "2"),
        image_size=8,
        samples=60,
        test_samples=40,
        validation=20,
        heads=("quantum",),
        width=3,
        layers=1,
        triggers=("patch:4",),
        rates=(0.3,),
        epochs=4,
        precision="float32",
        seeds=1,
    )
    watched = dataclasses.replace(
        small,
        curves=True,
        saliency=True,
        gradients=True,
        theory=True,
        defences=DEFENCES,
        retrain=True,
    )
    # Factors so large that one of them surely works.
    search = SearchSettings(population=4, generations=2, high=3.0)
    searched = run_search(small, search, out(), attacker_images=40)
    circuits = CircuitBackdoorPlan(data="iris", seeds=1, epochs=5)
    return {
        "Of audits": _audits(out),
        "Of backdoor runs": [run_backdoors(watched, out())],
        "Of searches": [searched],
        "Of circuit backdoors": [run_circuit_backdoor(circuits, out())],
    }


def _audits(out: Callable[[], Path]) -> list[RunRecord]:
    plain = AuditPlan(data="iris", attacks=("random", "quid"), ratios=(0.3,), seeds=2, epochs=2)
    watched = dataclasses.replace(plain, curves=True, attacker_states="bloch:30")
    hardened = dataclasses.replace(plain, ensemble="dpa:3")
    return [run_audit(plan, out()) for plan in (plain, watched, hardened)]


@pytest.mark.parametrize("page", [p for p in RUN if blocks(p, "python")], ids=name_of)
def test_python_runs_and_prints_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": page.stem}
    printed: str | None = None
    for block in blocks(page):
        if block.language == "python":
            assert not printed, f"nothing shows what is printed:\n{printed}"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(block.text, name_of(page), "exec"), namespace)  # noqa: S102 - ours
            printed = out.getvalue()
        elif block.language == "text":
            assert printed is not None, f"no Python before {block.text!r}"
            assert_alike(printed, block.text)
            printed = None
    assert not printed, f"nothing shows what is printed:\n{printed}"


def assert_alike(printed: str, shown: str) -> None:
    """The same but for spaces and, in numbers with a point, the tolerance."""
    assert _NUMBER.sub("#", printed).split() == _NUMBER.sub("#", shown).split()
    for ours, theirs in zip(_NUMBER.findall(printed), _NUMBER.findall(shown), strict=True):
        near = abs(float(ours) - float(theirs)) <= (TOLERANCE + 1e-9 if "." in theirs else 0)
        assert near, f"{ours} is not {theirs} in:\n{printed}"


@pytest.mark.parametrize("page", [p for p in READ if blocks(p, "console")], ids=name_of)
def test_command_lines_can_be_given(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(page, "console"):
        for line in block.text.splitlines():
            program, *words = shlex.split(line.removeprefix("$ "), comments=True)
            assert program in ("bezoar", "make", "pip", "python"), line
            if program == "bezoar":
                make_parser().parse_args(words)
            elif program == "make":
                assert words[0] in targets, line
            elif words[0].endswith(".py"):
                assert (ROOT / words[0]).is_file(), line


@pytest.mark.parametrize("page", READ, ids=name_of)
def test_options_and_commands_in_the_prose_exist(page: Path) -> None:
    commands = subcommands()
    inner = {
        f"{name} {within}": parser
        for name, outer in commands.items()
        for within, parser in subcommands(outer).items()
    }
    every = {option for parser in (commands | inner).values() for option in options_of(parser)}
    for span in spans(page):
        words = span.split()
        if words[0] == "bezoar" and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in commands, span
            name = " ".join(words[1:3]) if subcommands(commands[words[1]]) else words[1]
            known = options_of((commands | inner)[name])
            assert {w.partition("=")[0] for w in words[2:] if w.startswith("--")} <= known, span
        elif re.match(r"--[a-z]", words[0]) and page in RUN:
            assert words[0] in every, span


def subcommands(parser: Any = None) -> dict[str, Any]:
    """The parsers within a parser, by name."""
    actions = (parser or make_parser())._actions
    within = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    return {name: p for action in within for name, p in action.choices.items()}


def options_of(parser: Any) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("page", READ, ids=name_of)
def test_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r"\bbezoar(?:\.[A-Za-z_]\w*)+", text)):
        # Groups of entry points are no modules, nor is a file or the guide's own example.
        known = name.removeprefix("bezoar.") in (*plugins.KINDS, "json") or "my_attack" in name
        assert known or resolve(name) is not None, name
    for span in spans(page):
        if (
            re.fullmatch(r"\w[\w-]*/[\w./-]+\.(?:py|md|toml|json)", span)
            and "my_attack" not in span
        ):
            assert any((base / span).exists() for base in (ROOT, ROOT / "src" / "bezoar")), span


def resolve(name: str) -> Any:
    """The module or object of a dotted name."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    return None


@pytest.mark.parametrize("page", [*READ, *GENERATED], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        target, _, anchor = "".join(link).partition("#")
        if target.startswith("https://"):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as forges link to them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_page_is_in_its_index() -> None:
    for folder in ("docs", "design"):
        index = (ROOT / folder / "README.md").read_text(encoding="utf-8")
        for page in (ROOT / folder).glob("*.md"):
            assert page.name == "README.md" or f"]({page.name})" in index, page.name


def test_pictures_stay_small() -> None:
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 300_000, picture.name


def ours(kind: str) -> set[str]:
    """The parts of a kind that this package registers; other packages have pages of their own."""
    entries = distribution("bezoar").entry_points
    return {entry.name for entry in entries if entry.group == f"bezoar.{kind}"}


def test_attacks_are_told_with_their_threat_models() -> None:
    """A page that is there is right; adding an attack does not ask for one."""
    text = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(sections) == len(first_links(ROOT / "docs" / "attacks.md")) > 0
    circuit = build_circuit(build_encoding(), build_ansatz(), n_features=2)
    known: dict[str, Any] = {
        "encoder": StateEncoder(circuit=circuit.encoding()),
        "victim": WhiteBoxVictim(circuit=circuit),
        "test_data": Dataset(
            features=np.zeros((1, 2)),
            labels=np.zeros(1, dtype=np.int64),
            ids=np.zeros(1, dtype=np.int64),
            class_names=("a",),
        ),
    }
    for name, section in sections:
        attack_class = plugins.load("attacks", name)
        fields = {field.name for field in dataclasses.fields(attack_class)}
        settings = {key: value for key, value in known.items() if key in fields}
        where = f"{attack_class.__module__}.{attack_class.__qualname__}"
        assert f"`{where}`" in section, name
        assert threat_table(attack_class(ratio=0.1, **settings).threat_model) in section, name


def first_links(page: Path) -> set[str]:
    """What the first column of the tables links to on the same page."""
    return {m.group(1) for row in rows(page) if (m := re.fullmatch(r"\[`.+`\]\(#(.+)\)", row[0]))}


def threat_table(model: ThreatModel) -> str:
    told = {
        "wants": model.goal,
        "knows": "; ".join(model.knows),
        "changes": "; ".join(model.changes),
        "budget": model.budget,
        "trains models of its own": "yes" if model.needs_training else "no",
        "answered by": model.answered_by,
        "source": model.source,
    }
    return "\n".join(f"| {key} | {value} |" for key, value in told.items())


def test_every_option_is_told_with_its_default() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(ROOT / "docs" / "audit.md")}
    defaults = {field.name: field.default for field in dataclasses.fields(AuditPlan)}
    for option in PLAN_OPTIONS:
        flag = f"--{option.field.replace('_', '-')}"
        value = defaults[option.field]
        if isinstance(value, bool):
            assert told[flag] == ("yes" if value else "no"), flag
        elif value in (None, ()):
            assert told[flag], flag
        else:
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            assert told[flag].strip("`") == shown, flag


def test_the_plan_file_names_every_option_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(ROOT / "docs" / "audit.md", "toml")
    keys = re.findall(r"^(?:# )?([\w-]+) =", block.text, re.MULTILINE)
    named = {key.replace("-", "_") for key in keys}
    assert named == {field.name for field in dataclasses.fields(AuditPlan)}
    AuditPlan.from_settings(tomllib.loads(block.text), source="docs/audit.md")
    Path("plan.toml").write_text(block.text, encoding="utf-8")
    short = ["--seeds", "1", "--epochs", "1", "--ratios", "0.3"]
    assert main(["audit", "--plan", "plan.toml", "--out", "out", *short]) in (0, 1)
    assert Path("out", "report.html").is_file()


def test_the_record_page_names_all_that_a_record_holds(
    records: dict[str, list[RunRecord]],
) -> None:
    page = ROOT / "docs" / "record.md"
    text = page.read_text(encoding="utf-8")
    fields = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows(page))))
    assert fields >= set(schema()["properties"])
    every = [record for some in records.values() for record in some]
    assert {table.name for record in every for table in record.tables} <= fields
    assert {exhibit.name for record in every for exhibit in record.exhibits} <= fields
    assert {record.kind for record in every} <= set(re.findall(r"`([\w-]+)`", text))
    for section, some in records.items():
        told = _told_metrics(page, section)
        measured = [m for record in some for m in record.measurements]
        if section == "Of searches":
            # What the verification measured is told where backdoor runs are.
            verified = [m for m in measured if m.tags.get("verified")]
            measured = [m for m in measured if not m.tags.get("verified")]
            _check_units(_told_metrics(page, "Of backdoor runs"), verified)
        _check_units(told, measured)
        assert {m.metric for m in measured} == told.keys(), section
        for m in measured:
            for tag in m.tags:
                assert re.search(rf"\b{tag}\b", text), tag
            if "stage" in m.tags:
                stage = str(m.tags["stage"]).partition(" ")[0]
                assert stage in told["wall_seconds"][3] or section == "Of searches", stage


def _told_metrics(page: Path, section: str) -> dict[str, list[str]]:
    """By metric the row that tells of it."""
    found = [row for row in rows(page, section) if len(row) == 5 and row[0] != "metric"]
    return {name: row for row in found for name in re.findall(r"`(\w+)`", row[0])}


def _check_units(told: dict[str, list[str]], measured: list[Measurement]) -> None:
    for m in measured:
        assert m.metric in told
        _, unit, better, _, _ = told[m.metric]
        assert (unit, better) == (m.unit, m.better), m.metric


def test_the_plan_file_of_backdoor_runs_holds_the_defaults() -> None:
    (block,) = blocks(ROOT / "docs" / "backdoors.md", "toml")
    keys = re.findall(r"^(?:# )?([\w-]+) =", block.text, re.MULTILINE)
    named = {key.replace("-", "_") for key in keys}
    assert named == {field.name for field in dataclasses.fields(BackdoorPlan)}
    plan = BackdoorPlan.from_settings(tomllib.loads(block.text), source="docs/backdoors.md")
    assert plan == BackdoorPlan()


def test_the_page_of_reproductions_names_all_that_there_is() -> None:
    page = ROOT / "docs" / "reproduce.md"
    first = first_cells(page)
    assert {item.name for study in STUDIES.values() for item in study.items} <= first
    assert {*STUDIES, *SCALES} <= first
    assert set(get_args(get_type_hints(Statement)["kind"])) <= first
    fields = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows(page))))
    assert fields >= {field.name for field in dataclasses.fields(ItemRecord)}
    assert options_of(subcommands()["reproduce"]) - {"-h", "--help"} <= first


@pytest.mark.parametrize("name", STUDIES)
def test_the_committed_pages_are_those_of_their_records(name: str, tmp_path: Path) -> None:
    items = tuple(item.name for item in STUDIES[name].items)
    committed = {
        path.relative_to(REPRODUCTIONS / name): path.read_bytes()
        for path in (REPRODUCTIONS / name).rglob("*")
        if path.suffix in (".md", ".svg", ".png", ".json") and "cells" not in path.parts
    }
    assert {str(path.parent) for path in committed} == {".", *items}
    for item in items:
        record = read_item(REPRODUCTIONS / name / item)
        assert not record.quick, item
        assert len(record.seeds) >= STUDIES[name].analysed_seeds, item
        for picture in (None, *record.pictures):
            file = Path(item, "result.json" if picture is None else picture.file)
            (tmp_path / item).mkdir(exist_ok=True)
            shutil.copy(REPRODUCTIONS / name / file, tmp_path / file)
    (tmp_path / write_pages(tmp_path, items)).unlink()
    written = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert written == committed


def test_the_pages_name_what_is_there() -> None:
    docs = ROOT / "docs"
    assert {c.partition(":")[0] for c in first_cells(docs / "noise.md")} >= {
        "none",
        *noise._PRESETS,
    }
    assert first_cells(docs / "distances.md") == set(METRICS)
    assert first_cells(docs / "data.md") >= ours("datasets")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(kind in readme for kind in plugins.KINDS)
    assert all(f"`bezoar {command}" in readme for command in subcommands())
