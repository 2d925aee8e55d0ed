"""The committed pages of the rules are what the tool writes."""

from __future__ import annotations

import importlib.util
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rule_pages", ROOT / "tools" / "rule_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tool: ModuleType) -> dict[str, str]:
    return tool.pages()


def test_the_committed_pages_are_those_of_the_rules(
    tool: ModuleType, pages: dict[str, str]
) -> None:
    committed = {file.name: file.read_text(encoding="utf-8") for file in tool.FOLDER.iterdir()}
    stale = sorted(name for name in pages.keys() | committed.keys() if name not in pages)
    wrong = sorted(name for name, text in pages.items() if committed.get(name) != text)
    assert not stale + wrong, f"run python tools/rule_pages.py: {', '.join(stale + wrong)}"


def test_stale_pages_are_removed(
    tool: ModuleType, pages: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "FOLDER", tmp_path / "rules")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "qsa999.md").write_text("of a rule that has gone")
    assert tool.main() == 0
    assert {file.name for file in (tmp_path / "rules").iterdir()} == pages.keys()


def test_the_table_leads_to_every_page(pages: dict[str, str]) -> None:
    linked = re.findall(r"\]\((\w+\.md)\)", pages["README.md"])
    assert sorted(linked) == sorted(pages.keys() - {"README.md"})
    assert linked == sorted(linked), "the groups are in order, and so are the rules in each"


def test_pages_are_whole(pages: dict[str, str]) -> None:
    """Every fence closes, and no example breaks out of its own."""
    parser = MarkdownIt("commonmark").enable("table")
    for name, text in pages.items():
        tokens = parser.parse(text)
        headings = [
            inline.content
            for token, inline in pairwise(tokens)
            if token.type == "heading_open" and token.tag in ("h1", "h2")
        ]
        assert text.endswith("\n"), name
        assert not re.search(r"\{\{[a-z]", text), f"{name}: a placeholder was left"
        if name == "README.md":
            continue
        assert headings[0].startswith(name.removesuffix(".md").upper()), name
        assert len(headings) == len(set(headings)), name
        assert {"Why it matters", "What to do"} <= set(headings), name
        alone = name.startswith(("qsa0", "qsa9"))
        assert ("Leave it out" in headings) is alone, name
        assert ("Silence one finding" in headings) is not alone, name
