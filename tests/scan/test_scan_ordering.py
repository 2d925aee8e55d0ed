"""What is imported is read before what imports it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scan_projects import notebook

from bezoar.scan.code.project import ModuleIndex
from bezoar.scan.ordering import imported_files, in_layers

graphs = st.dictionaries(
    st.integers(0, 9).map(str), st.lists(st.integers(0, 9).map(str), max_size=4), max_size=10
)


@given(graphs)
def test_every_file_is_in_one_layer(graph: dict[str, list[str]]) -> None:
    paths = sorted(graph)
    known = {path: [each for each in graph[path] if each in graph] for path in paths}
    layers = in_layers(paths, known)
    assert sorted(path for layer in layers for path in layer) == paths


@given(graphs)
def test_without_circles_what_is_imported_comes_first(graph: dict[str, list[str]]) -> None:
    known = {
        path: [each for each in graph[path] if each in graph and each < path] for path in graph
    }
    layers = in_layers(sorted(known), known)
    depth = {path: number for number, layer in enumerate(layers) for path in layer}
    for path, needed in known.items():
        assert all(depth[each] < depth[path] for each in needed)


def test_a_long_chain_and_a_large_circle() -> None:
    chain = {str(number): [str(number + 1)] for number in range(5000)}
    assert len(in_layers([*chain, "5000"], chain)) == 5001
    circle = {str(number): [str((number + 1) % 5000)] for number in range(5000)}
    assert sum(map(len, in_layers(list(circle), circle))) == 5000


FILES = ["app.py", "pkg/__init__.py", "pkg/io_.py", "pkg/deep/net.py", "tools.py", "run.ipynb"]


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("app.py", "import tools, os", {"tools.py"}),
        ("app.py", "import tools as t", {"tools.py"}),
        ("app.py", "import pkg.io_", {"pkg/io_.py"}),
        ("app.py", "from pkg import io_", {"pkg/__init__.py", "pkg/io_.py"}),
        ("app.py", "from pkg import (\n    io_,\n)", {"pkg/__init__.py"}),
        ("app.py", "def f():\n    from tools import a", {"tools.py"}),
        ("pkg/io_.py", "from . import deep", {"pkg/__init__.py"}),
        ("pkg/deep/net.py", "from ..io_ import load", {"pkg/io_.py"}),
        ("pkg/deep/net.py", "from ..... import load", set()),
        ("tools.py", "import tools", set()),
        ("app.py", "x = 'import'\nimport\nfrom\nfrom . import\nimport ,", set()),
        (
            "run.ipynb",
            notebook("import tools\nfrom pkg.io_ import load"),
            {"tools.py", "pkg/io_.py"},
        ),
    ],
)
def test_imports_by_their_look(path: str, text: str, wanted: set[str]) -> None:
    assert imported_files(path, text, ModuleIndex(FILES)) == wanted
