"""Round trips, digests, constants and commands, as the rules find them in code."""

from __future__ import annotations

import ast

import pytest

from bezoar.scan.code.module import Module
from bezoar.scan.code.values import UNKNOWN_LITERAL
from bezoar.scan.rules.digests import compares_digest, is_digest_name
from bezoar.scan.rules.literals import given, leading_text
from bezoar.scan.rules.round_trips import own_output
from bezoar.scan.rules.shell_commands import fetched_url, shell_commands
from bezoar.scan.source import Source


def module_of(text: str) -> Module:
    return Module(Source(path="app.py", text=text, shown=text.split("\n")))


def reads_own(text: str, method: str = "load") -> bool:
    module = module_of("import io, pickle\n" + text)
    call = [each for each in module.calls if each.method == method][-1]
    return own_output(module, call.argument_node(0))


DUMP = " pickle.dump(x, open(p, 'wb'))\n"
READ = " pickle.load(open({}, 'rb'))\n"
BLOCKS = """\
P = 'a.pkl'
with open(P, 'wb') as f:
    pickle.dump(1, f)
with open('a.pkl', 'rb') as f:
    pickle.load(f)
"""
BUFFERS = """\
b = io.BytesIO()
pickle.dump(1, b)
c = io.BytesIO(b.getvalue())
pickle.load(c)
"""


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("def f(x, p):\n" + DUMP + READ.format("p"), True),
        ("def f(x, p, q):\n" + DUMP + READ.format("q"), False),
        ("def f(x, p):\n" + READ.format("p") + DUMP, False),
        ("def g(x, p):\n" + DUMP + "def f(p):\n" + READ.format("p"), False),
        (BLOCKS, True),
        (BUFFERS, True),
        ("b = io.BytesIO(x)\npickle.load(b)", False),
        ("f = f\npickle.load(f)", False),
    ],
)
def test_own_output(text: str, own: bool) -> None:
    assert reads_own(text) is own


@pytest.mark.parametrize(
    ("body", "compared"),
    [
        ("if hashlib.sha256(b).hexdigest() != wanted: raise ValueError", True),
        ("assert md5sum == expected", True),
        ("print(hashlib.sha256(b).hexdigest())", False),
        ("hmac.compare_digest(a, b)", True),
        ("verify_checksum(path, wanted)", True),
        ("check_shape(x)", False),
        ("if shape == other: pass", False),
        ("if meta['sha256'] == digest: pass", True),
    ],
)
def test_compares_digest(body: str, compared: bool) -> None:
    module = module_of(f"import hashlib, hmac\ndef f(b, a, wanted, path):\n    {body}\n")
    assert compares_digest(module, module.functions[0]) is compared
    assert compares_digest(module, None) is False


def test_digest_names() -> None:
    assert is_digest_name("expectedSha256")
    assert not is_digest_name("rehash")


@pytest.mark.parametrize(
    ("expression", "begins"),
    [
        ("'https://a.org/' + name", "https://a.org/"),
        ("f'https://a.org/{name}/x'", "https://a.org/"),
        ("f'{BASE}/x/{name}'", "https://b.org/x/"),
        ("BASE.rstrip('/') + '/x'", "https://b.org/x"),
        ("'https://a.org/%s' % name", "https://a.org/"),
        ("os.getenv('URL', 'https://c.org')", "https://c.org"),
        ("name", ""),
        ("f(name)", ""),
    ],
)
def test_leading_text(expression: str, begins: str) -> None:
    module = module_of(f"import os\nBASE = 'https://b.org'\nx = {expression}\n")
    statement = module.tree.body[-1]
    assert isinstance(statement, ast.Assign)
    assert leading_text(module, statement.value) == begins


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("f(flag=True)", True),
        ("f()", None),
        ("f(flag=other)", UNKNOWN_LITERAL),
        ("f(**options)", True),
        ("f(**others)", UNKNOWN_LITERAL),
        ("f(flag=default)", False),
    ],
)
def test_given(call: str, value: object) -> None:
    module = module_of(
        f"def g(other, others, default=False):\n    options = {{'flag': True}}\n    {call}\n"
    )
    (found,) = [each for each in module.calls if each.method == "f"]
    assert given(module, found, "flag") is value


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("import os\nos.system('wget -q https://a.org/x')", "https://a.org/x"),
        ("from subprocess import run\nrun(['curl', '-O', 'https://a.org/x'])", "https://a.org/x"),
        ("import os\nos.system(f'wget https://a.org/{n}')", "https://a.org/?"),
        ("import os\nos.system('ls https://a.org')", ""),
    ],
)
def test_fetched_url(text: str, url: str) -> None:
    (command,) = [command for _, command in shell_commands(module_of(text))]
    assert fetched_url(command) == url
