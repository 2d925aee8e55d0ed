"""Flows through several files, with their stations in the right order."""

from __future__ import annotations

import pytest
from flow_probe import sight, sights


def test_a_flow_through_three_files() -> None:
    files = {
        "reader.py": "import os\n\n\ndef read():\n    return os.environ['A']\n",
        "middle.py": (
            "from reader import read\n\n\ndef get():\n    value = read()\n    return value\n"
        ),
        "app.py": "from middle import get\n\nsink(get())\n",
    }
    found = sight(files)
    assert found.kinds == {"env"}
    assert found.way[0] == ("reader.py", 5)
    assert ("middle.py", 5) in found.way
    assert found.way[-1] == ("app.py", 3)
    assert [path for path, _ in found.way] == sorted(
        (path for path, _ in found.way), key=["reader.py", "middle.py", "app.py"].index
    )
    assert found.flow[0].code == "return os.environ['A']"


def test_a_sink_in_another_file_than_the_source() -> None:
    files = {
        "work.py": "def run(v):\n    sink(v)\n",
        "app.py": "from flask import request\nfrom work import run\n\nrun(request.args)\n",
    }
    found = sight(files)
    assert found.path == "work.py"
    assert found.way == [("app.py", 4), ("app.py", 4), ("work.py", 2)]
    assert [step.place.column for step in found.flow][:2] == [5, 1]


def test_a_sink_two_calls_away() -> None:
    files = {
        "low.py": "def run(v):\n    sink(v)\n",
        "work.py": "from low import run\n\ndef start(w):\n    run(w)\n",
        "app.py": "from flask import request\nfrom work import start\nstart(request.args)\n",
    }
    found = sight(files)
    assert found.kinds >= {"request"}
    assert found.way[0] == ("app.py", 3)
    assert found.way[-1] == ("low.py", 2)


def test_files_that_import_each_other() -> None:
    files = {
        "a.py": "from flask import request\nimport b\n\ndef read():\n    return request.args\n\n"
        "def go():\n    b.run(read())\n",
        "b.py": "import a\n\ndef run(v):\n    sink(v)\n\ndef other():\n    sink(a.read())\n",
    }
    assert [each.kinds >= {"request"} for each in sights(files)] == [True, True]


def test_constants_of_another_file() -> None:
    files = {
        "config.py": "LIMIT = 4\nNAME = 'a' + 'b'\nTABLE = {'k': 'v'}\n",
        "app.py": (
            "import config\nfrom config import NAME as n\nsink(config.LIMIT)\n"
            "sink(n)\nsink(config.TABLE)\n"
        ),
    }
    limit, name, table = sights(files)
    assert (limit.literal, name.literal) == (4, "ab")
    assert table.fixed


def test_a_source_in_a_constant_of_another_file() -> None:
    files = {
        "config.py": "import os\nTOKEN = os.environ['TOKEN']\n",
        "app.py": "from config import TOKEN\nsink(TOKEN)\n",
    }
    found = sight(files)
    assert found.kinds == {"env"}
    assert found.way[0] == ("config.py", 2)


def test_checks_of_another_file() -> None:
    files = {
        "checks.py": (
            "import math\n\ndef look(v):\n    if not math.isfinite(v):\n        raise ValueError\n"
        ),
        "app.py": (
            "import os\nfrom checks import look\nx = float(os.environ['A'])\nlook(x)\nsink(x)\n"
        ),
    }
    assert "finite" in sight(files).marks


def test_a_method_of_a_class_of_another_file() -> None:
    files = {
        "store.py": "class Store:\n    def __init__(self, path):\n        self.path = path\n"
        "    def load(self):\n        return open(self.path).read()\n",
        "app.py": "from store import Store\nstore = Store('a')\nsink(store.load())\n",
    }
    assert "file" in sight(files).kinds


def test_a_base_class_of_another_file() -> None:
    files = {
        "base.py": "class Base:\n    def load(self):\n        return open('a').read()\n",
        "app.py": (
            "from base import Base\nclass Child(Base):\n    def go(self):\n"
            "        sink(self.load())\n"
        ),
    }
    assert sight(files).kinds == {"file"}


def test_parameters_that_only_get_constants_from_other_files() -> None:
    files = {
        "work.py": "def run(v):\n    sink(v)\n",
        "app.py": "from work import run\nrun('a')\n",
        "more.py": "import work\nwork.run(2)\n",
    }
    assert sights(files) == []
    assert len(sights(files | {"more.py": "import work\nwork.run(other())\n"})) == 1


MODELS = [
    ("theta: float", "number", "finite range"),
    ("theta: float = Field(ge=-4, le=4)", "range", "finite"),
    ("theta: float = Field(ge=-4, le=4, allow_inf_nan=False)", "range finite", ""),
    ("theta: Annotated[float, Field(gt=0, lt=1)]", "range", ""),
    ("theta: confloat(ge=0, le=1)", "range", ""),
    ("theta: FiniteFloat", "finite", "range"),
    ("theta: Literal[1, 2]", "listed", ""),
    ("theta: str = Field(max_length=10)", "size", ""),
    ("theta: str = Field(pattern='^a$')", "listed", ""),
    ("theta: list[float]", "number", "size"),
    ("theta: Kind", "listed", ""),
    (
        "theta: float\n\n    @field_validator('theta')\n    def look(cls, v):\n        return v",
        "checked",
        "",
    ),
]


@pytest.mark.parametrize(
    ("declared", "has", "has_not"), MODELS, ids=[each[0].replace("\n", ";") for each in MODELS]
)
def test_limits_of_a_model_in_another_file(declared: str, has: str, has_not: str) -> None:
    files = {
        "schemas.py": "from enum import Enum\nfrom typing import Annotated, Literal\n"
        "from pydantic import BaseModel, Field, FiniteFloat, confloat, field_validator\n"
        f"class Kind(Enum):\n    A = 'a'\n\nclass Job(BaseModel):\n    {declared}\n",
        "app.py": "from fastapi import FastAPI\nfrom schemas import Job\napp = FastAPI()\n"
        "@app.post('/jobs')\ndef submit(job: Job):\n    sink(job.theta)\n",
    }
    found = sight(files)
    assert found.kinds == {"request"}
    assert set(has.split()) <= found.marks, found
    assert not set(has_not.split()) & found.marks, found


HANDLERS = [
    "from fastapi import FastAPI\napp = FastAPI()\n@app.post('/a')\ndef run(x: str):\n    sink(x)",
    (
        "from fastapi import APIRouter\nr = APIRouter()\n@r.get('/a')\n"
        "async def run(x: int = 3):\n    sink(x)"
    ),
    (
        "from fastapi import FastAPI, Request\napp = FastAPI()\n"
        "@app.post('/a')\nasync def run(request: Request):\n"
        "    sink(await request.json())"
    ),
    (
        "import fastapi\napp = fastapi.FastAPI()\n@app.post('/a')\n"
        "def run(x=fastapi.Body(...)):\n    sink(x)"
    ),
    (
        "from fastapi import FastAPI, UploadFile\napp = FastAPI()\n"
        "@app.post('/a')\nasync def run(f: UploadFile):\n"
        "    sink(await f.read())"
    ),
    (
        "def make():\n    from fastapi import FastAPI\n    app = FastAPI()\n"
        "    @app.post('/a')\n    def run(x: str):\n        sink(x)\n"
        "    return app"
    ),
    (
        "from flask import Flask\napp = Flask(__name__)\n@app.route('/a/<x>')\n"
        "def run(x):\n    sink(x)"
    ),
    (
        "from flask import Blueprint, request\nbp = Blueprint('a', __name__)\n"
        "@bp.post('/a')\ndef run():\n"
        "    sink(request.get_json(force=True)['x'])"
    ),
    (
        "from flask.views import MethodView\nfrom flask import request\n"
        "class Jobs(MethodView):\n    def post(self):\n"
        "        sink(request.json)"
    ),
    (
        "from flask_restful import Resource\nclass Jobs(Resource):\n"
        "    def get(self, name):\n        sink(name)"
    ),
    (
        "from django.http import JsonResponse\nimport json\ndef run(request):\n"
        "    sink(json.loads(request.body))"
    ),
    (
        "from django.views import View\nclass Jobs(View):\n"
        "    def post(self, request):\n        sink(request.POST['a'])"
    ),
    (
        "from rest_framework.views import APIView\nclass Jobs(APIView):\n"
        "    def post(self, request):\n        sink(request.data['a'])"
    ),
    (
        "from rest_framework.decorators import api_view\n@api_view(['POST'])\n"
        "def run(request):\n    sink(request.data)"
    ),
    "import json\ndef lambda_handler(event, context):\n    sink(json.loads(event['body']))",
    (
        "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('a')\n"
        "@mcp.tool()\ndef run(x: str):\n    sink(x)"
    ),
    (
        "from aiohttp import web\nroutes = web.RouteTableDef()\n"
        "@routes.post('/a')\nasync def run(request):\n"
        "    sink(await request.json())"
    ),
    (
        "import tornado.web\nclass Jobs(tornado.web.RequestHandler):\n"
        "    def post(self):\n        sink(self.request.body)"
    ),
    (
        "from rest_framework.views import APIView\nclass Jobs(APIView):\n"
        "    def post(self, request):\n        sink(self.request.data)"
    ),
    "import streamlit as st\nsink(st.text_input('a'))",
]


@pytest.mark.parametrize("text", HANDLERS, ids=[each.partition("\n")[0] for each in HANDLERS])
def test_handlers_get_what_a_client_sends(text: str) -> None:
    assert "request" in sight(text).kinds


COMMANDS = [
    "import click\n@click.command()\n@click.option('--x')\ndef run(x):\n    sink(x)",
    "import typer\napp = typer.Typer()\n@app.command()\ndef run(x: str):\n    sink(x)",
    (
        "import argparse\ndef main():\n    p = argparse.ArgumentParser()\n"
        "    p.add_argument('x')\n    args = p.parse_args()\n    run(args)\n"
        "def run(args):\n    sink(args.x)"
    ),
    (
        "import argparse\ndef options():\n"
        "    return argparse.ArgumentParser().parse_args()\nsink(options().x)"
    ),
    "import sys\ndef main(argv):\n    sink(argv[1])\nmain(sys.argv)",
]


@pytest.mark.parametrize("text", COMMANDS)
def test_commands_get_what_a_user_writes(text: str) -> None:
    assert "cli" in sight(text).kinds


def test_what_a_framework_fills_in_comes_from_no_client() -> None:
    text = """
        from fastapi import BackgroundTasks, Depends, FastAPI
        app = FastAPI()
        def database():
            return Database()
        @app.post('/a')
        def run(tasks: BackgroundTasks, db=Depends(database)):
            sink(tasks)
            sink(db)
    """
    assert [each.kinds & {"request"} for each in sights(text)] == [set(), set()]
