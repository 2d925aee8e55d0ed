"""Where data comes from, by which stations, within one file."""

from __future__ import annotations

import pytest
from flow_probe import sight, sights

SOURCES = [
    ("sink(input())", "cli"),
    ("import sys\nsink(sys.argv[1])", "cli"),
    ("from sys import argv\nsink(argv[1])", "cli"),
    ("import sys\nfor line in sys.stdin:\n    sink(line)", "cli"),
    ("import os\nsink(os.environ['A'])", "env"),
    ("import os\nsink(os.environ.get('A', 1))", "env"),
    ("import os\nsink(os.getenv('A'))", "env"),
    ("from os import environ as e\nsink(e['A'])", "env"),
    ("sink(open('a').read())", "file"),
    ("with open('a') as f:\n    sink(f.read())", "file"),
    ("with open('a') as f, open('b') as g:\n    sink(g.read())", "file"),
    ("from pathlib import Path\nsink(Path('a').read_text())", "file"),
    ("import json\nwith open('a') as f:\n    sink(json.load(f)['k'])", "file"),
    ("import pandas as pd\nsink(pd.read_csv('a'))", "file"),
    ("import numpy as np\nsink(np.load('a.npy'))", "file"),
    ("import requests\nsink(requests.get(u).json())", "network"),
    ("import requests as r\ns = r.Session()\nsink(s.get(u).text)", "network"),
    ("import urllib.request\nsink(urllib.request.urlopen(u).read())", "network"),
    ("import argparse\np = argparse.ArgumentParser()\na = p.parse_args()\nsink(a.shots)", "cli"),
    ("from flask import request\nsink(request.json['a'])", "request"),
    ("from flask import request\nsink(request.args.get('a'))", "request"),
    ("import flask\nsink(flask.request.form['a'])", "request"),
    ("try:\n    go()\nexcept ValueError as error:\n    sink(str(error))", "error"),
    ("sink(job.result().get_counts())", "result"),
]


@pytest.mark.parametrize(
    ("text", "kind"), SOURCES, ids=[text.replace("\n", "; ") for text, _ in SOURCES]
)
def test_sources(text: str, kind: str) -> None:
    assert kind in sight(text).kinds


#: How `x`, which came from the environment, comes to the sink; the lines of the stations.
READ = "import os\nx = os.environ['A']\n"
WAYS = [
    ("sink(x)", [2, 3]),
    ("y = x\nsink(y)", [2, 3, 4]),
    ("y = x.strip().lower()\nsink(y)", [2, 3, 4]),
    ("a, b = x.split(':')\nsink(b)", [2, 3, 4]),
    ("a, b = 1, x\nsink(b)", [2, 3, 4]),
    ("a, *b = x.split()\nsink(b)", [2, 3, 4]),
    ("items = []\nitems.append(x)\nsink(items)", [2, 5]),
    ("d = {}\nd['k'] = x\nsink(d)", [2, 5]),
    ("d = {'k': x}\nsink(d['k'])", None),
    ("d = dict(k=x)\nsink(d['k'])", None),
    ("class A: pass\na = A()\na.k = x\nsink(a.k)", None),
    ("sink([v for v in x.split()])", [2, 3, 3]),
    ("sink({k: v for k, v in zip(x, x)})", [2, 3, 3]),
    ("sink(sum(v for v in x))", [2, 3, 3]),
    ("sink(f'a {x}')", [2, 3]),
    ("sink('a %s' % x)", [2, 3]),
    ("sink('a {}'.format(x))", [2, 3]),
    ("sink('a' + x)", [2, 3]),
    ("sink(','.join([x]))", [2, 3]),
    ("sink(x if ok else 'b')", [2, 3]),
    ("sink(x or 'b')", [2, 3]),
    ("sink(int(x))", [2, 3]),
    ("for v in x.split():\n    sink(v)", None),
    ("for i, v in enumerate(x):\n    sink(v)", None),
    ("for k, v in parse(x).items():\n    sink(v)", None),
    ("while (v := next(x)):\n    sink(v)", None),
    ("if ok:\n    y = x\nelse:\n    y = 'b'\nsink(y)", None),
    ("try:\n    y = x\nexcept E:\n    y = ''\nsink(y)", None),
    ("try:\n    y = ''\nfinally:\n    y = x\nsink(y)", None),
    ("with tool(x) as y:\n    sink(y)", None),
    ("y = ''\ny += x\nsink(y)", None),
    ("def f(v):\n    return v\nsink(f(x))", None),
    ("def f(v):\n    sink(v)\nf(x)", None),
    ("def f(v):\n    sink(v)\nf(v=x)", None),
    ("def f(a, b):\n    sink(b)\nf(*[1, x])", None),
    ("def f(a, b):\n    sink(b)\nf(**{'a': 1, 'b': x})", None),
    ("def f():\n    sink(x)\nf()", None),
    ("def f():\n    def g():\n        sink(x)\n    g()\nf()", None),
    ("def f(v):\n    def g():\n        sink(v)\n    g()\nf(x)", None),
    ("f = lambda v: v\nsink(f(x))", None),
    (
        (
            "class A:\n    def __init__(self, v):\n        self.v = v\n"
            "    def go(self):\n        sink(self.v)\nA(x).go()"
        ),
        None,
    ),
    (
        (
            "class A:\n    def set(self, v):\n        self.v = v\n"
            "    def go(self):\n        sink(self.v)\na = A()\na.set(x)\na.go()"
        ),
        None,
    ),
    ("class A:\n    v = x\n    def go(self):\n        sink(self.v)", None),
    ("class A:\n    @staticmethod\n    def f(v):\n        return v\nsink(A.f(x))", None),
    ("class A:\n    @classmethod\n    def f(cls, v):\n        return v\nsink(A.f(x))", None),
    (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    v: str\na = A(x)\nsink(a.v)",
        None,
    ),
    (
        (
            "from dataclasses import dataclass\n@dataclass\nclass A:\n    v: str\n"
            "a = A(v=x)\nsink(a.v)"
        ),
        None,
    ),
    ("@deco\ndef f(v):\n    sink(v)\nf(x)", None),
    ("async def f(v):\n    return v\nasync def g():\n    sink(await f(x))", None),
    ("def f(v):\n    yield v\nfor w in f(x):\n    sink(w)", None),
    ("def f(v):\n    yield from v\nsink(list(f(x)))", None),
    ("def f(n, v):\n    if n:\n        return f(n - 1, v)\n    return v\nsink(f(3, x))", None),
    ("def f(v):\n    return g(v)\ndef g(v):\n    return f(v) if v else v\nsink(f(x))", None),
    ("y = [x][0]\nsink(y)", None),
    ("def f(v=x):\n    sink(v)", None),
    ("class A:\n    @property\n    def v(self):\n        return x\nsink(A().v)", None),
    ("import functools\ndef f(v):\n    sink(v)\nfunctools.partial(f, x)()", None),
    ("def f(v):\n    sink(v)\nqueue.enqueue(f, x)", None),
    ("def f(v):\n    sink(v)\nloop.run_in_executor(None, f, x)", None),
    ("def f(v):\n    sink(v)\nf.delay(x)", None),
    (
        "from threading import Thread\ndef f(v):\n    sink(v)\nThread(target=f, args=(x,)).start()",
        None,
    ),
    ("class M(Module):\n    def forward(self, v):\n        sink(v)\nm = M()\nm(x)", None),
    (
        (
            "class M:\n    def __call__(self, v):\n        sink(v)\n"
            "class N:\n    def __init__(self):\n        self.m = M()\n"
            "    def go(self):\n        self.m(x)\nN().go()"
        ),
        None,
    ),
    ("y = sorted([x])\nsink(y)", None),
    ("import numpy as np\nsink(np.array([float(v) for v in x.split(',')]))", None),
    ("global_ = None\ndef f():\n    global global_\n    global_ = x\nf()\nsink(global_)", None),
    ("match x:\n    case str() as y:\n        sink(y)", None),
    ("sink(*[x])", None),
    ("print(sink(x))", None),
    ("assert sink(x)", None),
    ("return_ = [sink(v) for v in [x]]", None),
]


@pytest.mark.parametrize(
    ("text", "lines"), WAYS, ids=[text.replace("\n", "; ") for text, _ in WAYS]
)
def test_the_way_to_the_sink(text: str, lines: list[int] | None) -> None:
    found = sight(READ + text)
    assert "env" in found.kinds, found
    stations = found.lines
    assert stations[0] == 2, found.flow
    assert stations[-1] == found.line
    places = [(step.place.line, step.place.column) for step in found.flow]
    assert len(set(places)) == len(places), "a station is told twice"
    if lines is not None:
        assert stations == lines


CLEAN = [
    "x = 'b'\nsink(x)",
    "sink(len(x))",
    "sink(x is None)",
    "sink(isinstance(x, str))",
    "y = x\ny = 1\nsink(y)",
    "if ok:\n    x = 'a'\nelse:\n    x = 'b'\nsink(x)",
    "T = {'a': 1}\nsink(T[x])",
    "T = {'a': 1}\nsink(T.get(x))",
    "def f(v):\n    return 1\nsink(f(x))",
    "def f(x):\n    sink(x)\nf('a')",
    "def f():\n    x = 'a'\n    sink(x)\nf()",
    "import hashlib\nsink(hashlib.sha256(x.encode()).hexdigest())",
    "d = {'k': x, 'other': 1}\nsink(d['other'])",
    "a, b = x, 1\nsink(b)",
    "[x for x in x]\nsink('a')",
    "f = lambda x: sink(x)\nf('a')",
    (
        "class A:\n    def __init__(self, v):\n        self.v = v\n"
        "        self.w = 1\n    def go(self):\n        sink(self.w)\nA(x).go()"
    ),
    "for x in ['a', 'b']:\n    sink(x)",
]


@pytest.mark.parametrize("text", CLEAN, ids=[each.replace("\n", "; ") for each in CLEAN])
def test_what_does_not_come_from_outside(text: str) -> None:
    assert not {kind for each in sights(READ + text) for kind in each.kinds} & {"env"}


def test_stations_tell_line_column_and_code() -> None:
    found = sight("import os\nname = os.environ['A']\n\ndef f(v):\n    sink(v)\n\nf(name)\n")
    assert [(step.place.line, step.place.column, step.code) for step in found.flow] == [
        (2, 8, "name = os.environ['A']"),
        (7, 1, "f(name)"),
        (5, 5, "sink(v)"),
    ]
    assert found.flow[-1].place.symbol == "f"


def test_the_shortest_of_several_ways_is_told() -> None:
    text = READ + "y = x\nz = y\nsink(z + x)"
    assert sight(text).lines == [2, 5]


def test_a_parameter_stays_a_parameter_until_somebody_calls() -> None:
    assert sight("def f(v):\n    sink(v)").kinds == {"parameter"}


def test_findings_on_parameters_that_only_get_constants_are_dropped() -> None:
    assert sights("def f(v):\n    sink(v)\nf('a')\nf('b')") == []
    (kept,) = sights("def f(v):\n    sink(v)\nf('a')\nf(other())")
    assert kept.line == 2
    assert len(sights("def f(v):\n    sink(v)")) == 1


def test_many_sources_of_one_value_stay_few() -> None:
    lines = ["import os", "x = []"]
    for number in range(60):
        lines += [f"def f{number}(a{number}):", f"    x.append(a{number})", "    return x"]
    lines.append("sink(x)")
    assert len(sights("\n".join(lines))) == 1
