"""A self-contained page from a template, and the policy that allows nothing but its own parts."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from bezoar.report.wording import sentence

#: The style sheets of every page, in their order.
REPORT_STYLES = ("palette.css", "chart.css", "report.css")

_UNIT = re.compile(r"(?<=\d) %")


def fill(template: str, view: Mapping[str, Any], *, styles: Sequence[str], rules: str = "") -> str:
    """The page from `template`, a whole HTML document.

    Nothing in it comes from elsewhere: its content security policy allows its own style sheet and
    script by their hashes and forbids every request. All text of `view` is escaped.

    Args:
        template: the name of the template.
        view: what it prints.
        styles: the names of its style sheets, joined in that order.
        rules: style rules of this page alone, made without any text of a record.
    """
    style = "".join(source(name) for name in styles) + rules
    script = source("report.js")
    page = (
        _environment()
        .get_template(template)
        .render(
            view,
            style=Markup(style),  # noqa: S704 - our own files and counted ids, no text of the record
            script=Markup(script),  # noqa: S704
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )
    return page + "\n"


@functools.cache
def _environment() -> jinja2.Environment:
    """Compiles each template once, which takes longer than filling it."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bezoar.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_typeset,
    )
    environment.filters["opened"] = sentence
    return environment


def source(name: str) -> str:
    """The text of one of our templates, style sheets or scripts."""
    loader = jinja2.PackageLoader("bezoar.report")
    return loader.get_source(jinja2.Environment(autoescape=True), name)[0]


def _typeset(value: object) -> object:
    """Keeps a number and its % on one line; absent values print as nothing."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNIT.sub("\N{NO-BREAK SPACE}%", value)
    return "" if value is None else value


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
