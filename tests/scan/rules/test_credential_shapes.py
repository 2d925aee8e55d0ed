"""What counts as a token, and that no message shows one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.scan.code.module import Module
from bezoar.scan.documents import Document
from bezoar.scan.project_facts import ProjectFacts
from bezoar.scan.rules.credentials import described, entropy, looks_random, tokens_in
from bezoar.scan.rules.links import host_of, is_public_host, is_remote
from bezoar.scan.rules.qsa301_hard_coded_token import check, check_document
from bezoar.scan.source import Source

HEX = hashlib.sha512(b"made up for this test").hexdigest()
TEXT = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=200)


def module_of(text: str, path: str = "app.py") -> Module:
    return Module(Source(path=path, text=text, shown=text.split("\n")))


@given(TEXT)
def test_any_text_is_looked_at_without_an_error(text: str) -> None:
    looks_random(text)
    list(tokens_in(text, text))
    assert entropy(text) >= 0


@given(TEXT)
def test_any_text_in_code_is_looked_at(text: str) -> None:
    for hit in check(module_of(f"token = {text!r}\n# token = {text!r}\n")):
        assert hit.secret
        assert hit.secret in text


@given(st.text(alphabet="0123456789abcdef", min_size=20, max_size=128))
def test_a_description_shows_four_characters(token: str) -> None:
    shown = described(token)
    assert token not in shown
    assert f'"{token[:4]}..."' in shown
    assert hashlib.sha256(token.encode()).hexdigest()[:8] in shown


@pytest.mark.parametrize(
    "text",
    [
        "YOUR_API_TOKEN_FOR_IBM_QUANTUM",
        "<your token of 44 characters>",
        "x" * 44,
        "abc" * 20,
        "bert-base-multilingual-cased-v2",
        "s3://bucket/some/long/path/of/mine",
        "0" * 128,
        "short1A",
    ],
)
def test_placeholders_and_words_are_no_tokens(text: str) -> None:
    assert not looks_random(text)
    assert not list(tokens_in(text, "token"))


@pytest.mark.parametrize("context", ["SHA512 = ", "checksum", "expected_digest"])
def test_a_digest_of_128_characters_is_no_token(context: str) -> None:
    assert not list(tokens_in(HEX, context))
    assert list(tokens_in(HEX, "save_account"))


def test_messages_and_findings_hold_no_token() -> None:
    hits = list(check(module_of(f"from qiskit import IBMQ\nIBMQ.save_account('{HEX}')\n")))
    assert [hit.secret for hit in hits] == [HEX]
    assert HEX not in hits[0].message
    assert "128 characters" in hits[0].message


def test_a_token_in_two_pieces_is_one() -> None:
    text = f"token = ('{HEX[:64]}'\n         '{HEX[64:]}')\n"
    assert [hit.secret for hit in check(module_of(text))] == [HEX]


def test_settings_are_read_line_by_line(tmp_path) -> None:
    document = Document(
        path="config.json",
        kind="settings",
        text=f'{{\n "ibm_token": "{HEX}",\n "other": 1\n}}',
        file=tmp_path / "config.json",
        project=ProjectFacts(),
    )
    (hit,) = check_document(document)
    assert isinstance(hit.where, tuple)
    assert hit.where[0] == 2
    assert hit.secret == HEX


@given(TEXT)
def test_hosts_of_any_text(text: str) -> None:
    host = host_of(text)
    assert "/" not in host
    is_public_host(host)
    is_remote(text)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("http://yann.lecun.com/exdb", True),
        ("http://user:pw@data.lab.org:80/x", True),
        ("http://localhost:5000", False),
        ("http://127.0.0.1/x", False),
        ("http://queue:8080", False),
        ("http://a.svc.cluster.local", False),
        ("http://api.example.com", False),
        ("http://{host}:5000", False),
        ("http://[::1]:80", False),
    ],
)
def test_public_hosts(url: str, public: bool) -> None:
    assert is_public_host(host_of(url)) is public
