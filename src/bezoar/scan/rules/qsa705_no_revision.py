"""QSA705: models and data sets from a hub without a revision."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bezoar.scan.code.values import UNKNOWN_LITERAL
from bezoar.scan.rule import Example, Hit, Rule
from bezoar.scan.rules.digests import is_verified
from bezoar.scan.rules.literals import default_of, given
from bezoar.scan.rules.shell_commands import checks_sums, shell_commands

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call, Module

#: Functions of Hugging Face's libraries, with the name of the argument that says what to fetch.
_HUB_CALLS: dict[str, str] = {
    "huggingface_hub.hf_hub_download": "repo_id",
    "huggingface_hub.snapshot_download": "repo_id",
    "huggingface_hub.cached_download": "url",
    "huggingface_hub.from_pretrained_keras": "pretrained_model_name_or_path",
    "datasets.load_dataset": "path",
    "datasets.load_dataset_builder": "path",
    "evaluate.load": "path",
    "sentence_transformers.SentenceTransformer": "model_name_or_path",
    "sentence_transformers.CrossEncoder": "model_name",
    "transformers.pipeline": "model",
}
_HUB_PACKAGES = ("transformers", "diffusers", "peft", "huggingface_hub", "sentence_transformers")
#: Readers of local files, by the name that `load_dataset` knows them by.
_LOCAL_BUILDERS = frozenset(
    "csv json text parquet arrow pandas imagefolder audiofolder webdataset sql xml".split()
)
_GDOWN = frozenset({"gdown.download", "gdown.download_folder", "gdown.cached_download"})
_GDOWN_COMMAND = re.compile(r"^\s*[!%]?\s*gdown\s")
_KAGGLE = frozenset(
    {
        "kagglehub.dataset_download",
        "kagglehub.model_download",
        "kagglehub.load_dataset",
        "kagglehub.dataset_load",
    }
)
#: Folders that people keep their own models in: `checkpoints/best` is no repository.
_FOLDERS = frozenset(
    "model models checkpoint checkpoints ckpt ckpts output outputs result results run runs data "
    "dataset datasets weights saved save saved_model saved_models artifacts tmp logs pretrained "
    "trained finetuned fine_tuned content root home users".split()
)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?\Z")
_MOVING = frozenset({"main", "master", "latest", "HEAD", ""})
_COMMIT_OR_TAG = re.compile(r":(?!main\b|master\b)[\w./-]+\Z")


def check(module: Module) -> Iterator[Hit]:
    """Calls that fetch whatever a hub has today."""
    for call in module.calls:
        message = (
            _hub_message(module, call)
            or _torch_hub_message(module, call)
            or _drive_message(module, call)
            or _kaggle_message(module, call)
        )
        if not message or is_verified(module, call.function):
            continue
        trusts = given(module, call, "trust_remote_code") is True
        if trusts:
            message = message[:-1] + ", and runs the code in it."
        yield Hit(where=call.node, message=message, severity="high" if trusts else None)
    for where, command in shell_commands(module):
        if _GDOWN_COMMAND.search(command) and not checks_sums(module):
            yield Hit(
                where=where,
                message="`gdown` takes whatever Google Drive holds today: no hash is compared.",
            )


def _hub_message(module: Module, call: Call) -> str:
    keyword = _HUB_CALLS.get(call.name)
    if keyword is None:
        if call.method != "from_pretrained" or not call.name.startswith(_HUB_PACKAGES):
            return ""
        keyword = "pretrained_model_name_or_path"
    revision = given(module, call, "revision")
    if revision is UNKNOWN_LITERAL or (revision is not None and revision not in _MOVING):
        return ""
    if given(module, call, "local_files_only") is True or _names_revision(call):
        return ""
    position = None if call.name == "transformers.pipeline" else 0
    node = call.argument_node(position, keyword)
    name = None if node is None else default_of(module, node)
    if not isinstance(name, str):
        # hf_hub_download fetches whatever it is given; other functions take folders as well.
        if node is None or not call.name.startswith("huggingface_hub.hf_hub"):
            return ""
        name = ast.unparse(node)
    elif not _is_repository(module, call, name):
        return ""
    return f"`{call.method}` takes whatever `{name[:60]}` holds today: no `revision` is given."


def _names_revision(call: Call) -> bool:
    """Whether the argument is given at all, as the result of something that is not known."""
    node = call.argument_node(None, "revision")
    return node is not None and not isinstance(node, ast.Constant | ast.Name)


def _is_repository(module: Module, call: Call, name: str) -> bool:
    """Whether a text is a name on the hub and not a folder."""
    if not _REPOSITORY.match(name) or (
        call.name.startswith("datasets.") and name in _LOCAL_BUILDERS
    ):
        return False
    if name.partition("/")[0].lower() in _FOLDERS:
        return False
    if "/" in name and re.search(r"\.(?:pt|pth|bin|h5|ckpt|json|csv|safetensors|py)\Z", name):
        return False
    if "/" not in name and not re.search(r"[-_\d]", name) and call.method == "from_pretrained":
        return False
    return not _saved_here(module, name)


def _saved_here(module: Module, name: str) -> bool:
    """`model.save_pretrained("vqc-head")` in the same file: a folder."""
    for call in module.calls:
        if call.method in ("save_pretrained", "save_model", "save_to_disk"):
            node = call.argument_node(0, "save_directory")
            if node is not None and default_of(module, node) == name:
                return True
    return False


def _torch_hub_message(module: Module, call: Call) -> str:
    if call.name != "torch.hub.load" or given(module, call, "source") == "local":
        return ""
    node = call.argument_node(0, "repo_or_dir", "github")
    name = None if node is None else default_of(module, node)
    if not isinstance(name, str) or _COMMIT_OR_TAG.search(name):
        return ""
    if not re.match(r"[\w-]+/[\w.-]+(?::\w+)?\Z", name):
        return ""
    return f"`torch.hub.load` runs the code that `{name}` holds today: no commit is named."


def _drive_message(module: Module, call: Call) -> str:
    if call.name not in _GDOWN:
        return ""
    if any(given(module, call, name) not in (None, "") for name in ("hash", "md5")):
        return ""
    node = call.argument_node(0, "url", "id")
    what = "a file on Google Drive" if node is None else f"`{ast.unparse(node)[:60]}`"
    return f"`{call.method}` takes whatever {what} holds today: no hash is compared."


def _kaggle_message(module: Module, call: Call) -> str:
    if call.name not in _KAGGLE:
        return ""
    node = call.argument_node(0 if call.name.endswith("_download") else 1, "handle")
    name = None if node is None else default_of(module, node)
    if not isinstance(name, str) or "/versions/" in name:
        return ""
    if call.name.endswith("model_download") and re.search(r"/\d+\Z", name):
        return ""
    return f"`{call.method}` takes whatever version of `{name[:60]}` is the newest."


RULE = Rule(
    id="QSA705",
    title="Remote model or data set without a revision",
    severity="medium",
    confidence="medium",
    cwe=(494,),
    frameworks=("any",),
    why=(
        "A name on a hub is a pointer that its owner can move. Backbones of hybrid networks, "
        "molecules and images are fetched by name, so a training run of tomorrow may use another "
        "model, with a backdoor that no measure of accuracy shows, and no result can be repeated. "
        "`torch.hub.load` and `trust_remote_code=True` even run the code of the repository."
    ),
    remedy=(
        "Name a commit (revision='<40 hex>', 'owner/repo:<commit>', '/versions/3'), or compare a "
        "SHA-256 of what came."
    ),
    bad=(
        Example(
            name="a backbone and a data set by name",
            code="""\
from datasets import load_dataset
from huggingface_hub import hf_hub_download
from transformers import AutoModel, AutoTokenizer

encoder = AutoModel.from_pretrained("bert-base-uncased")  # <- here
tokenizer = AutoTokenizer.from_pretrained("owner/quantum-bert", revision="main")  # <- here
images = load_dataset("ylecun/mnist")  # <- here
weights = hf_hub_download(repo_id="owner/vqc-head", filename="head.safetensors")  # <- here
""",
        ),
        Example(
            name="code of a repository",
            code="""\
import torch
import transformers

BACKBONE = "pytorch/vision"

net = torch.hub.load(BACKBONE, "resnet18", pretrained=True)  # <- here
dino = torch.hub.load(  # <- here
    "facebookresearch/dinov2:main",
    "dinov2_vits14",
)
model = transformers.AutoModel.from_pretrained("owner/q-net", trust_remote_code=True)  # <- here
""",
        ),
        Example(
            name="Google Drive and Kaggle, in a notebook",
            file="data.ipynb",
            code="""\
# %%
import gdown
import kagglehub
# %%
url = f"https://drive.google.com/uc?id={file_id}"
gdown.download(url, "weights.npy", quiet=False)  # <- here
path = kagglehub.dataset_download("owner/breast-histology")  # <- here
# %%
!gdown --id 1aBcD -O weights.npz  # <- here
""",
        ),
        Example(
            name="a wrapper with a default, imported late",
            code="""\
def embeddings(sentences, name="all-MiniLM-L6-v2"):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(name).encode(sentences)  # <- here


def fetch(repo, name):
    from huggingface_hub import hf_hub_download as get

    return get(repo, name)  # <- here
""",
        ),
    ),
    good=(
        Example(
            name="a commit",
            code="""\
import torch
from datasets import load_dataset
from transformers import AutoModel

COMMIT = "86b5e0934494bd15c9632b12f734a8a67f723594"

encoder = AutoModel.from_pretrained("bert-base-uncased", revision=COMMIT)
images = load_dataset("ylecun/mnist", revision="77f3279092a1c1579b2250db8eafed0ad422088c")
net = torch.hub.load("pytorch/vision:v0.19.0", "resnet18", weights="DEFAULT")
""",
        ),
    ),
    look_alikes=(
        Example(
            name="folders of its own",
            code="""\
from transformers import AutoModel, AutoModelForSequenceClassification

model = AutoModel.from_pretrained("./model")
other = AutoModel.from_pretrained("checkpoints/best")
again = AutoModel.from_pretrained(args.model_path)
model.save_pretrained("vqc-head-1")
back = AutoModelForSequenceClassification.from_pretrained("vqc-head-1")
offline = AutoModel.from_pretrained("bert-base-uncased", local_files_only=True)
""",
        ),
        Example(
            name="data sets from files and from other libraries",
            code="""\
import seaborn as sns
import torch
import torchvision
from datasets import load_dataset
from efficientnet_pytorch import EfficientNet
from sklearn.datasets import fetch_openml

table = load_dataset("csv", data_files="data.csv")
iris = sns.load_dataset("iris")
mnist = torchvision.datasets.MNIST("data", download=True)
x, y = fetch_openml("mnist_784", version=1, return_X_y=True)
net = EfficientNet.from_pretrained("efficientnet-b0")
local = torch.hub.load("./yolov5", "custom", source="local", path="best.pt")
""",
        ),
        Example(
            name="a revision that comes from the settings, a hash that is compared",
            code="""\
import hashlib

import gdown
from huggingface_hub import snapshot_download

folder = snapshot_download("owner/vqc-head", revision=settings.commit)
gdown.cached_download(URL, "head.npz", hash="sha256:" + DIGEST)


def fetch(url, target, sha256):
    gdown.download(url, target)
    with open(target, "rb") as f:
        if hashlib.sha256(f.read()).hexdigest() != sha256:
            raise ValueError(target)
""",
        ),
        Example(
            name="Kaggle with a version, and comments",
            code="""\
import kagglehub

# net = torch.hub.load("pytorch/vision", "resnet18")
path = kagglehub.dataset_download("owner/breast-histology/versions/2")
""",
        ),
    ),
    references=(
        (
            "Hugging Face: download files at a commit "
            "<https://huggingface.co/docs/huggingface_hub/guides/download>"
        ),
        "torch.hub <https://docs.pytorch.org/docs/stable/hub.html>",
    ),
    check=check,
    keywords=(
        "from_pretrained",
        "huggingface_hub",
        "load_dataset",
        "gdown",
        "torch.hub",
        "hub.load",
        "kagglehub",
        "sentence_transformers",
        "pipeline",
        "evaluate",
    ),
    tags=("supply chain",),
)
