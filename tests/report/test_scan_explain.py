from __future__ import annotations

import dataclasses

import pytest
from markdown_it import MarkdownIt
from scan_records import HOSTILE, RULES, make_rule

from bezoar.report import scan_explain
from bezoar.report.scan_cwe import cwe_title

EXAMPLES = {
    "bad": [
        ("A pickle of weights", "import pickle\nw = pickle.load(f)  # <- here\n", "app.py"),
        ("A token in a cell", '# %%\nsave_account("{{ibm-token}}")  # <- here', "train.ipynb"),
    ],
    "good": [("Arrays alone", 'import numpy as np\nw = np.load("w.npz")', "app.py")],
    "look_alikes": [("A round trip of `pickle`", "pickle.loads(pickle.dumps(x))", "app.py")],
    "references": ["CVE-2025-2000", "LintQ <https://arxiv.org/abs/2310.00718>"],
}


def test_the_terminal_shows_why_examples_and_mend() -> None:
    text = scan_explain.terminal(RULES[1], colour=False, width=72, **EXAMPLES)
    assert text.startswith("QSA201 high: Pickle of parameters, models or data sets\n")
    for line in (
        "Reported: A pickle of weights",
        "    w = pickle.load(f)  # <- here",
        "Mended: Arrays alone",
        "Not reported:",
        "  - A round trip of `pickle`",
        "help: Store arrays with numpy.savez and read them with",
        "  LintQ https://arxiv.org/abs/2310.00718",
    ):
        assert line in text.splitlines()
    assert all(len(line) <= 72 for line in text.splitlines())
    assert "\x1b[" in scan_explain.terminal(RULES[1], colour=True, width=72, **EXAMPLES)


def test_the_page_is_markdown_with_every_example() -> None:
    page = scan_explain.markdown(RULES[0], **EXAMPLES)
    html = MarkdownIt("commonmark").enable("table").render(page)
    assert "<h1>QSA103: Untrusted OpenQASM" in html
    assert html.count("<pre>") == 5
    assert f">{cwe_title(22)}</a>" in html
    assert "&lt;ibm-token&gt;" in html
    assert "{{" not in page
    assert "# qsa: ignore[QSA103] reason=" in page


def test_a_rule_without_extras_has_a_page() -> None:
    page = scan_explain.markdown(RULES[3], bad=[], good=[])
    assert "## Reported" not in page
    assert "| Tags |" not in page
    assert "Read more" not in scan_explain.terminal(
        RULES[3], bad=[], good=[], colour=False, width=80
    )


@pytest.mark.parametrize("text", [*HOSTILE, "````\n# %%\n", "</div>\n\n# Head"])
def test_no_text_breaks_out(text: str) -> None:
    rule = dataclasses.replace(make_rule("QSA201", text), remedy=text, tags=(text,))
    example = [(text, text, text)]
    page = scan_explain.markdown(
        rule, bad=example, good=example, look_alikes=example, references=[text]
    )
    html = MarkdownIt("commonmark").enable("table").render(page)
    assert "<script" not in html
    assert "<b>" not in html
    assert html.count("<h1>") == 1
    shown = scan_explain.terminal(
        rule, bad=example, good=example, references=[text], colour=False, width=60
    )
    assert "\x1b" not in shown
    shown.encode()
