"""Constants are put together, and what checks a value is remembered where it holds."""

from __future__ import annotations

import math

import pytest
from flow_probe import UNKNOWN, sight, sights

CONSTANTS = [
    ("sink('a')", "a"),
    ("A = 'a'\nsink(A)", "a"),
    ("A = 'a'\nB = A\nsink(B)", "a"),
    ("A = 'a' + 'b'\nsink(A)", "ab"),
    ("sink('a' 'b')", "ab"),
    ("A = 'x'\nsink(f'{A}-{1}')", "x-1"),
    ("sink('ab' * 2)", "abab"),
    ("sink(2 ** 10)", 1024),
    ("sink(-4)", -4),
    ("N = 3\nsink(2 * N + 1)", 7),
    ("sink(1 / 0)", UNKNOWN),
    ("sink(10 ** 500)", UNKNOWN),
    ("sink('a' * 10_000_000)", UNKNOWN),
    ("T = {'k': 'v'}\nsink(T['k'])", "v"),
    ("T = ['a', 'b']\nsink(T[1])", "b"),
    ("T = ('a', 'b')\nsink(T[-1])", "b"),
    ("a, b = 1, 2\nsink(b)", 2),
    ("(a, b), c = (1, 2), 3\nsink(b)", 2),
    ("a = b = 5\nsink(a)", 5),
    ("def f():\n    return 4\nsink(f())", 4),
    ("x = None\nsink(x)", None),
    ("class C:\n    N = 7\nsink(C.N)", 7),
    ("sink(b'ab')", b"ab"),
    ("A = ' a '\nsink(A.strip())", "a"),
    ("sink(True)", True),
    ("if c:\n    x = 1\nelse:\n    x = 1\nsink(x)", 1),
    ("if c:\n    x = 1\nelse:\n    x = 2\nsink(x)", UNKNOWN),
    ("x = 1\nx += other\nsink(x)", UNKNOWN),
    ("x = 1\nfor x in y:\n    pass\nsink(x)", UNKNOWN),
    ("x: int = 3\nsink(x)", 3),
    ("(n := 3)\nsink(n)", 3),
    ("def f(a=2):\n    sink(a)", UNKNOWN),
    ("x = 1\ndel x\nx = 2\nsink(x)", 2),
]


@pytest.mark.parametrize(
    ("text", "literal"), CONSTANTS, ids=[text.replace("\n", "; ") for text, _ in CONSTANTS]
)
def test_constants(text: str, literal: object) -> None:
    found = sight(text).literal
    assert found == literal
    assert type(found) is type(literal)


FIXED = [
    "sink([1, 2, 3])",
    "sink(','.join(['a', 'b']))",
    "sink({'a': 1}.get(user))",
    "T = {'a': 1}\nsink(T[user])",
    "for x in ('a', 'b'):\n    sink(x)",
    "for i, x in enumerate(['a']):\n    sink(x)",
    "import numpy as np\nsink(np.linspace(0, np.pi, 5))",
    "sink([x * 2 for x in range(5)])",
    "sink('%s' % 'a')",
    "sink('{}'.format(1))",
    "import math\nsink(math.pi / 2)",
]


@pytest.mark.parametrize("text", FIXED)
def test_what_is_made_of_constants_is_fixed(text: str) -> None:
    assert sight(text).fixed


@pytest.mark.parametrize(
    "text", ["sink(user)", "sink([1, user])", "sink(f'{user}')", "sink(a.b(1))"]
)
def test_what_is_not_known_is_not_fixed(text: str) -> None:
    assert not sight(text).fixed


#: Code between a source and the sink; the marks that must and must not be there at the sink.
SOURCE = "import math, os, json\nimport numpy as np\nx = float(os.environ['X'])\n"
MARKED = [
    ("", "number", "finite range"),
    ("if not math.isfinite(x):\n    raise ValueError", "finite", "range"),
    ("if math.isnan(x) or math.isinf(x):\n    raise ValueError", "finite", ""),
    ("assert np.isfinite(x).all()", "finite", ""),
    ("assert math.isfinite(x) and abs(x) < 4", "finite range", ""),
    ("if x > 4:\n    raise ValueError", "range", "finite"),
    ("if not -4 <= x <= 4:\n    raise ValueError", "range", ""),
    ("if x in (1.0, 2.0):\n    print('big')", "", "listed"),
    ("if x > 4:\n    x = 4.0", "range", ""),
    ("x = min(x, 4)", "range", ""),
    ("x = max(0, min(x, 4))", "range", ""),
    ("x = np.clip(x, 0, 4)", "range", ""),
    ("x = np.tanh(x) * math.pi", "range", ""),
    ("x = np.nan_to_num(x)", "finite", ""),
    ("x = x % (2 * math.pi)", "range", ""),
    ("if x not in (1.0, 2.0):\n    raise ValueError", "listed", ""),
    ("if x in (1.0, 2.0):\n    pass\nelse:\n    raise ValueError", "listed", ""),
    ("assert isinstance(x, float)", "number", "range"),
    ("validate_angle(x)", "checked", ""),
    ("x = check_angle(x)", "checked", ""),
    ("if not is_valid(x):\n    raise ValueError", "checked", ""),
    ("if not math.isfinite(x):\n    import sys\n    sys.exit(1)", "finite", ""),
    ("while not math.isfinite(x):\n    x = float(input())", "", ""),
    ("try:\n    check(x)\nexcept ValueError:\n    raise", "checked", ""),
    (
        "def ensure(v):\n    if not math.isfinite(v):\n        raise ValueError\nensure(x)",
        "finite",
        "",
    ),
    ("def bounded(v):\n    return max(-1, min(v, 1))\nx = bounded(x)", "range", ""),
    ("x = 3.0 if x > 3 else x", "range", ""),
    ("if math.isfinite(x):\n    pass", "", "range"),
    ("match x:\n    case 1.0 | 2.0:\n        pass\n    case _:\n        raise ValueError", "", ""),
]


@pytest.mark.parametrize(
    ("check", "has", "has_not"), MARKED, ids=[each[0].replace("\n", "; ") for each in MARKED]
)
def test_marks_of_checks(check: str, has: str, has_not: str) -> None:
    found = sight(f"{SOURCE}{check}\nsink(x)")
    assert set(has.split()) <= found.marks, found
    assert not set(has_not.split()) & found.marks, found
    if "listed" not in has:
        assert found.kinds & {"env", "cli"}


def test_a_check_holds_in_its_branch_alone() -> None:
    text = f"""{SOURCE}
if x in (1.0, 2.0):
    sink(x)
sink(x)
if x in TABLE and math.isfinite(x):
    sink(x)
else:
    sink(x)
"""
    inside, after, both, neither = (each.marks for each in sights(text))
    assert "listed" in inside
    assert "listed" not in after
    assert {"listed", "finite"} <= both
    assert "listed" not in neither


def test_a_check_before_an_early_return() -> None:
    text = """
        import os
        def run():
            name = os.environ["NAME"]
            if name not in ALLOWED:
                return None
            sink(name)
        """
    assert "listed" in sight(text).marks


def test_a_check_of_another_value_marks_nothing() -> None:
    text = (
        f"{SOURCE}y = float(os.environ['Y'])\nif not math.isfinite(y):\n"
        f"    raise ValueError\nsink(x)"
    )
    assert "finite" not in sight(text).marks


def test_a_new_value_loses_the_marks_of_the_old_one() -> None:
    text = f"{SOURCE}assert -1 < x < 1\nx = float(os.environ['Z'])\nsink(x)"
    assert "range" not in sight(text).marks


def test_a_length_that_is_capped() -> None:
    text = """
        import flask
        text = flask.request.data
        if len(text) > 1000:
            flask.abort(413)
        sink(text)
    """
    found = sight(text)
    assert "size" in found.marks
    assert found.kinds == {"request"}


def test_constants_are_what_python_says() -> None:
    assert sight("sink(3.0 * 2)").literal == math.prod([3.0, 2])
