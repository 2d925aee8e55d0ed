"""No token is shown anywhere: not in any format, not in the cache, not in a baseline."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scan_projects import notebook, scanned, write

from bezoar.contracts.code_findings import Place, ScanRecord
from bezoar.report import scan_text
from bezoar.scan.baseline import write_baseline
from bezoar.scan.catalogue import all_rules
from bezoar.scan.examples import filled
from bezoar.scan.framing import excerpt, masked

IBM = filled("{{ibm-token}}")
CLOUD = filled("{{ibm-cloud-key}}")
AWS_KEY = filled("{{aws-key}}")
AWS_SECRET = filled("{{aws-secret}}")
OTHER = filled("{{hex-64}}")
SECRETS = (IBM, CLOUD, AWS_KEY, AWS_SECRET, OTHER)

HALF = f'"{IBM[:64]}"\n         "{IBM[64:]}"'

FILES = {
    "plain.py": f"from qiskit import IBMQ\nIBMQ.save_account('{IBM}')\n",
    "halves.py": f"from qiskit import IBMQ\nIBMQ.save_account({HALF})\n",
    "named.py": "import requests, pickle\nfrom qiskit_ibm_runtime import QiskitRuntimeService\n"
    f"TOKEN = '{CLOUD}'\nservice = QiskitRuntimeService(token=TOKEN, verify=False)\n"
    "data = requests.get('http://jobs.internal.net',"
    f" headers={{'Authorization': 'apiKey {OTHER}'}},"
    " verify=False)\npickle.loads(data.content)\n",
    "one_line.py": "import boto3\n"
    f"s = boto3.client('braket', aws_access_key_id='{AWS_KEY}',"
    f" aws_secret_access_key='{AWS_SECRET}')\n",
    "around.py": "import pickle\n"
    f"ibm_token = '{IBM}'\nmodel = pickle.load(open('m.pkl', 'rb'))\nionq_key = '{OTHER}'\n",
    "config.py": f"X = '{CLOUD}'\n\n\ndef token():\n    return '{IBM}'\n",
    "uses.py": "from config import X, token\nfrom qiskit_ibm_runtime import QiskitRuntimeService\n"
    "QiskitRuntimeService(token=X)\nQiskitRuntimeService(token=token())\n",
    "fetch.py": "import requests\n\n\ndef fetch(u):\n"
    f"    return requests.get(u, headers={{'x': 'apiKey {OTHER}'}}).content\n",
    "parse.py": "import pickle\nfrom fetch import fetch\npickle.loads(fetch('https://a.b/c'))\n",
    "broken.py": f"from qiskit import IBMQ\nIBMQ.save_account('{IBM}'\n\ndef (\n",
    "comment.py": f"# ibm_token = '{IBM}'\nimport pickle\npickle.load(f)  # key {CLOUD}\n",
    "tests/test_a.py": f"import pickle\ntoken = '{OTHER}'; pickle.load(f)\n",
    "long.py": "x = 1; " * 200 + f"import pickle; ibm_token = '{IBM}'; pickle.load(f)\n",
    "nb.ipynb": notebook(
        f"from qiskit import IBMQ\nIBMQ.save_account('{IBM}')",
        ("markdown", f"My IBM token is {IBM}"),
        f"%env QISKIT_IBM_TOKEN={CLOUD}",
        f"!curl -H 'Authorization: apiKey {OTHER}' http://api.jobs.net",
        f"ibm_token = '{IBM}'\ndef (",
        "import pickle\npickle.load(f)",
    ),
    "settings.json": json.dumps({"ibm_token": IBM, "aws_secret_access_key": AWS_SECRET}),
    ".env": f"QISKIT_IBM_TOKEN={CLOUD}\nAWS_ACCESS_KEY_ID={AWS_KEY}\nIONQ_API_KEY={OTHER}\n",
    "conf.yml": f"ibm:\n  token: {IBM}\n",
    "run.sh": f"export IBM_TOKEN={IBM}\ncurl http://x.net -H 'Authorization: apiKey {OTHER}'\n",
    "Dockerfile": f"FROM python:3.11\nENV QISKIT_IBM_TOKEN={CLOUD}\nRUN pip install qiskit\n",
    ".github/workflows/ci.yml": "on: pull_request\njobs:\n  a:\n    runs-on: x\n    env:\n"
    f"      IBM_TOKEN: {IBM}\n    steps:\n      - uses: a/b@main\n"
    f"        with: {{token: {CLOUD}}}\n",
    "pyproject.toml": f"[project\nibm_token = '{IBM}'\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with tokens of all kinds, wherever people leave them."""
    folder = tmp_path_factory.mktemp("secrets")
    write(folder, FILES)
    outputs = json.loads(FILES["nb.ipynb"])
    outputs["cells"][0]["outputs"] = [{"output_type": "stream", "text": [f"token: {CLOUD}\n"]}]
    write(folder, {"nb.ipynb": json.dumps(outputs, indent=1)})
    return folder


def pieces() -> set[str]:
    """What must not be seen: every run of twelve characters after the first four of a secret."""
    return {
        secret[start : start + 12] for secret in SECRETS for start in range(4, len(secret) - 11)
    }


def leaks(text: str) -> set[str]:
    """What of the secrets is in a text."""
    return {piece for piece in pieces() if piece in text}


def test_the_project_is_full_of_them(project: Path) -> None:
    record = scanned(project)
    files = {each.place.path for each in record.findings if each.rule == "QSA301"}
    assert len(files) >= 10
    assert {each.rule for each in record.findings} >= {"QSA001", "QSA201", "QSA301", "QSA305"}


@pytest.fixture(
    scope="module",
    params=[(), ("QSA2", "QSA0"), ("QSA301",), ("QSA304", "QSA305", "QSA7", "QSA0")],
    ids=str,
)
def record(project: Path, request: pytest.FixtureRequest) -> ScanRecord:
    """A scan with all rules, or without the one that looks for tokens."""
    return scanned(project, select=request.param)


@pytest.mark.parametrize("form", ["data", "sarif", "gitlab", "junit", "html"])
def test_no_format_shows_one(record: ScanRecord, form: str) -> None:
    assert not leaks(import_module(f"bezoar.report.scan_{form}").render(record))


@pytest.mark.parametrize("concise", [False, True])
def test_no_terminal_shows_one(record: ScanRecord, concise: bool) -> None:
    for width in (60, 100, 1000):
        text = scan_text.render(record, colour=True, width=width, concise=concise)
        assert not leaks(text)
    assert not leaks(repr(record))


def test_neither_the_cache_nor_a_baseline_holds_one(project: Path, own_cache: Path) -> None:
    record = scanned(project, cache=True)
    scanned(project, cache=True)
    kept = b"".join(file.read_bytes() for file in own_cache.rglob("*") if file.is_file())
    assert len(kept) > 10_000
    assert not leaks(kept.decode("latin-1"))
    file = write_baseline(own_cache / "baseline.json", record.findings)
    assert not leaks(file.read_text())


def test_a_masked_line_keeps_its_length_and_its_columns(project: Path) -> None:
    record = scanned(project, select=("QSA301", "QSA304", "QSA201"))
    for finding in record.findings:
        if finding.place.cell is not None or finding.place.path == "long.py":
            continue
        lines = (project / finding.place.path).read_text().split("\n")
        for number, line in enumerate(finding.code, finding.code_line):
            if len(line) < 400:
                assert len(line) == len(lines[number - 1])
    (plain,) = [each for each in record.findings if each.place.path == "plain.py"]
    assert plain.code[1] == f"IBMQ.save_account('{IBM[:4]}{'*' * 124}')"
    assert "128 characters" in plain.message


def test_what_rules_say_of_themselves_is_not_masked() -> None:
    for rule in all_rules():
        assert masked(rule.remedy) == rule.remedy


WORDS = [
    "from qiskit_machine_learning.neural_networks import EstimatorQNN as network2",
    "path = 'results/mnist4_latent_space/run_12/model_weights_v2.npz'",
    "https://docs.quantum.ibm.com/api/qiskit/0.45/qiskit.circuit.QuantumCircuit",
    "strongly_entangling_layers_with_reuploading_3(weights, n_wires=16)",
    "x = 'OPENQASM 2.0; include \"qelib1.inc\"; qreg q[12]; creg c[12];'",
    "ibm-q-research-2/main/hub-group-project-7",
    "0123456789012345678901234567890123456789",
]


@pytest.mark.parametrize("text", WORDS)
def test_ordinary_code_is_not_masked(text: str) -> None:
    assert masked(text) == text


@given(st.text(max_size=80), st.text(min_size=5, max_size=40), st.text(max_size=80))
def test_a_known_secret_is_masked_in_place(before: str, secret: str, after: str) -> None:
    text = f"{before}{secret}{after}"
    shown = masked(text, [secret])
    assert len(shown) == len(text)
    if secret not in secret[:4] + "*" * (len(secret) - 4):
        assert secret not in shown
    assert masked(shown, [secret]).count("*") >= shown.count("*")


@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(0, 2))
def test_a_piece_of_a_long_line_begins_where_it_says(column: int, length: int, at: int) -> None:
    code = ["before", "behind"]
    line = "".join(chr(0x100 + number % 5000) for number in range(length))
    code.insert(at, line)
    place = Place(path="a.py", line=10 + at, column=column, end_line=10 + at, end_column=column)
    lines, first = excerpt(code, 10, place)
    assert len(lines) == 3
    assert len(lines[at]) <= 402
    position = column - first
    assert position >= 0
    if column <= length and 0 < position < len(lines[at]) - 1:
        assert lines[at][position] == line[column - 1]
    if column <= length:
        assert position < len(lines[at])
