"""Where data comes from, what cleans it, and what passes it on: tables by canonical name."""

from __future__ import annotations

from typing import Final

#: Calls whose result comes from outside. A name that ends with ``.*`` stands for all below it.
CALLS: Final[dict[str, str]] = {
    "input": "cli",
    "raw_input": "cli",
    "getpass.getpass": "cli",
    "argparse.ArgumentParser.parse_args": "cli",
    "argparse.ArgumentParser.parse_known_args": "cli",
    "docopt.docopt": "cli",
    "click.prompt": "cli",
    "typer.prompt": "cli",
    "os.getenv": "env",
    "os.environ.get": "env",
    "os.environ.setdefault": "env",
    "dotenv.get_key": "env",
    "dotenv.dotenv_values": "env",
    "decouple.config": "env",
    "requests.*": "network",
    "httpx.*": "network",
    "urllib.request.urlopen": "network",
    "urllib3.*": "network",
    "aiohttp.ClientSession.*": "network",
    "aiohttp.request": "network",
    "socket.socket.recv": "network",
    "socket.socket.recvfrom": "network",
    "websockets.connect": "network",
    "websocket.WebSocket.recv": "network",
    "zmq.Socket.recv": "network",
    "zmq.Socket.recv_json": "network",
    "boto3.client": "network",
    "ftplib.FTP.retrbinary": "network",
    "redis.Redis.get": "network",
    "flask.request.get_json": "request",
    "flask.request.get_data": "request",
    "tornado.web.RequestHandler.get_argument": "request",
    "tornado.web.RequestHandler.get_arguments": "request",
    "tornado.web.RequestHandler.get_body_argument": "request",
    "tornado.web.RequestHandler.get_query_argument": "request",
    "streamlit.text_input": "request",
    "streamlit.text_area": "request",
    "streamlit.number_input": "request",
    "streamlit.file_uploader": "request",
    "streamlit.chat_input": "request",
    "streamlit.sidebar.text_input": "request",
    "streamlit.sidebar.text_area": "request",
    "streamlit.sidebar.number_input": "request",
    "streamlit.sidebar.file_uploader": "request",
    "numpy.load": "file",
    "numpy.loadtxt": "file",
    "numpy.genfromtxt": "file",
    "numpy.fromfile": "file",
    "numpy.memmap": "file",
    "scipy.io.loadmat": "file",
    "pandas.read_*": "file",
    "polars.read_*": "file",
    "torch.load": "file",
    "joblib.load": "file",
    "h5py.File": "file",
    "csv.reader": "file",
    "csv.DictReader": "file",
    "toml.load": "file",
    "tomli.load": "file",
    "omegaconf.OmegaConf.load": "file",
    "hydra.compose": "file",
    "yacs.config.CfgNode.load_cfg": "file",
    "jsonlines.open": "file",
    "ruamel.yaml.YAML.load": "file",
    "tomllib.load": "file",
    "safetensors.torch.load_file": "file",
    "PIL.Image.open": "file",
    "cv2.imread": "file",
    "configparser.ConfigParser.get": "file",
    "fileinput.input": "file",
    "torchvision.datasets.ImageFolder": "file",
    "datasets.load_dataset": "file",
    "linecache.getline": "file",
}

#: Attributes that come from outside.
ATTRIBUTES: Final[dict[str, str]] = {
    "sys.argv": "cli",
    "sys.stdin": "cli",
    "os.environ": "env",
    "flask.request": "request",
    "quart.request": "request",
    "bottle.request": "request",
    "django.http.request": "request",
    "streamlit.query_params": "request",
}

#: Classes whose objects are a request, wherever a parameter is annotated with them.
REQUEST_TYPES: Final = frozenset(
    {
        "fastapi.Request",
        "fastapi.WebSocket",
        "fastapi.UploadFile",
        "fastapi.File",
        "flask.Request",
        "django.http.HttpRequest",
        "django.http.request.HttpRequest",
        "rest_framework.request.Request",
        "aiohttp.web.Request",
        "sanic.Request",
        "sanic.request.Request",
        "azure.functions.HttpRequest",
    }
)

#: Methods whose result comes from a quantum backend, whatever the receiver is called.
RESULT_METHODS: Final = frozenset({"get_counts", "get_memory", "quasi_dists", "measurement_counts"})

#: Methods that read an object which came from a file or path: what they give is file content.
READ_METHODS: Final = frozenset({"read", "readline", "readlines", "read_text", "read_bytes"})

#: Objects of these classes name a file; reading them is a file source.
PATH_TYPES: Final = frozenset(
    {"pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePath"}
)

#: Calls whose result says nothing of where its arguments came from.
CLEAN: Final = frozenset(
    {
        "len",
        "isinstance",
        "issubclass",
        "hash",
        "id",
        "type",
        "callable",
        "hasattr",
        "bool",
        "any",
        "all",
        "uuid.uuid4",
        "uuid.uuid1",
        "time.time",
        "datetime.datetime.now",
        "secrets.token_hex",
        "secrets.token_urlsafe",
        "os.path.exists",
        "os.path.isfile",
        "os.path.getsize",
        "numpy.isfinite",
        "numpy.isnan",
        "math.isfinite",
        "math.isnan",
        "numpy.shape",
        "numpy.ndim",
        "hmac.compare_digest",
    }
)
CLEAN_PREFIXES: Final = ("hashlib.", "zlib.crc32")

#: What a call does to its first argument (or receiver), as marks on the result.
MARKS: Final[dict[str, tuple[str, ...]]] = {
    "float": ("number",),
    "int": ("number", "finite"),
    "round": ("number",),
    "fractions.Fraction": ("number", "finite"),
    "decimal.Decimal": ("number",),
    "numpy.clip": ("range",),
    "numpy.tanh": ("range",),
    "numpy.sin": ("range",),
    "numpy.cos": ("range",),
    "numpy.arctan": ("range",),
    "numpy.arcsin": ("range",),
    "numpy.arccos": ("range",),
    "numpy.mod": ("range",),
    "numpy.remainder": ("range",),
    "numpy.fmod": ("range",),
    "numpy.nan_to_num": ("finite",),
    "math.tanh": ("range", "number"),
    "math.atan": ("range", "number"),
    "math.sin": ("range", "number"),
    "math.cos": ("range", "number"),
    "math.fmod": ("range", "number"),
    "math.floor": ("finite", "number"),
    "math.ceil": ("finite", "number"),
    "torch.clamp": ("range",),
    "torch.clip": ("range",),
    "torch.tanh": ("range",),
    "torch.sigmoid": ("range",),
    "torch.atan": ("range",),
    "torch.sin": ("range",),
    "torch.cos": ("range",),
    "torch.remainder": ("range",),
    "torch.fmod": ("range",),
    "torch.softmax": ("range",),
    "torch.nn.functional.softmax": ("range",),
    "torch.nn.functional.sigmoid": ("range",),
    "torch.nn.functional.tanh": ("range",),
    "torch.nn.functional.normalize": ("range",),
    "torch.nan_to_num": ("finite",),
    "tensorflow.clip_by_value": ("range",),
    "tensorflow.tanh": ("range",),
    "tensorflow.sigmoid": ("range",),
    "tensorflow.math.tanh": ("range",),
    "tensorflow.math.sigmoid": ("range",),
    "jax.numpy.clip": ("range",),
    "jax.numpy.tanh": ("range",),
    "jax.numpy.arctan": ("range",),
    "jax.numpy.nan_to_num": ("finite",),
    "jax.nn.sigmoid": ("range",),
    "scipy.special.expit": ("range",),
    "sklearn.utils.check_array": ("finite", "checked"),
    "sklearn.utils.check_X_y": ("finite", "checked"),
    "sklearn.utils.validation.check_array": ("finite", "checked"),
    "numpy.asarray_chkfinite": ("finite",),
    "sklearn.preprocessing.minmax_scale": ("range",),
    "sklearn.preprocessing.normalize": ("range", "finite", "norm"),
    "os.path.basename": ("path",),
    "ntpath.basename": ("path",),
    "werkzeug.secure_filename": ("path", "listed"),
    "werkzeug.utils.secure_filename": ("path", "listed"),
    "pathvalidate.sanitize_filename": ("path", "listed"),
    "slugify.slugify": ("path", "listed"),
    "django.utils.text.slugify": ("path", "listed"),
    "django.utils.text.get_valid_filename": ("path", "listed"),
    "uuid.UUID": ("path", "listed", "size"),
    "re.sub": ("path", "listed"),
    "re.fullmatch": ("listed",),
    "shlex.quote": ("listed",),
    "ast.literal_eval": ("literal",),
}

#: The same by method, for receivers whose class is not known (arrays, tensors, frames).
METHOD_MARKS: Final[dict[str, tuple[str, ...]]] = {
    "clip": ("range",),
    "clamp": ("range",),
    "tanh": ("range",),
    "sigmoid": ("range",),
    "atan": ("range",),
    "arctan": ("range",),
    "softmax": ("range",),
    "nan_to_num": ("finite",),
    "dropna": ("finite",),
    "fillna": ("finite",),
    "interpolate": ("finite",),
    "hex": ("path", "listed"),
    "hexdigest": ("path", "listed"),
}

#: scikit-learn transformers and what their output is: bounded, or refused when not finite.
TRANSFORMERS: Final[dict[str, tuple[str, ...]]] = {
    "MinMaxScaler": ("range",),
    "MaxAbsScaler": ("range",),
    "QuantileTransformer": ("range",),
    "Normalizer": ("range", "finite", "norm"),
    "Binarizer": ("range", "finite"),
    "KBinsDiscretizer": ("range", "finite"),
    "OneHotEncoder": ("range", "finite"),
    "OrdinalEncoder": ("finite",),
    "LabelEncoder": ("finite",),
    "SimpleImputer": ("finite",),
    "KNNImputer": ("finite",),
    "IterativeImputer": ("finite",),
    "PCA": ("finite",),
    "KernelPCA": ("finite",),
    "TruncatedSVD": ("finite",),
    "FastICA": ("finite",),
    "NMF": ("finite",),
    "LinearDiscriminantAnalysis": ("finite",),
    "SelectKBest": ("finite",),
    "PolynomialFeatures": ("finite",),
}
TRANSFORM_METHODS: Final = frozenset({"fit_transform", "transform"})

#: The class of what a function gives, where the name of the function does not say it.
RESULT_TYPES: Final[dict[str, str]] = {
    "open": "file",
    "pathlib.Path.open": "file",
    "pathlib.Path.cwd": "pathlib.Path",
    "pathlib.Path.home": "pathlib.Path",
    "pathlib.Path.resolve": "pathlib.Path",
    "pathlib.Path.joinpath": "pathlib.Path",
    "pathlib.Path.expanduser": "pathlib.Path",
    "pathlib.Path.absolute": "pathlib.Path",
    "pathlib.Path.with_suffix": "pathlib.Path",
    "pathlib.Path.with_name": "pathlib.Path",
    "io.BytesIO": "io.BytesIO",
    "io.StringIO": "io.StringIO",
    "qiskit.QuantumCircuit.from_qasm_str": "qiskit.QuantumCircuit",
    "qiskit.QuantumCircuit.from_qasm_file": "qiskit.QuantumCircuit",
    "qiskit.qasm2.loads": "qiskit.QuantumCircuit",
    "qiskit.qasm2.load": "qiskit.QuantumCircuit",
    "qiskit.qasm3.loads": "qiskit.QuantumCircuit",
    "qiskit.qasm3.load": "qiskit.QuantumCircuit",
    "qiskit.QuantumCircuit.copy": "qiskit.QuantumCircuit",
    "qiskit.QuantumCircuit.compose": "qiskit.QuantumCircuit",
    "qiskit.QuantumCircuit.decompose": "qiskit.QuantumCircuit",
    "qiskit.QuantumCircuit.inverse": "qiskit.QuantumCircuit",
    "qiskit.QuantumCircuit.assign_parameters": "qiskit.QuantumCircuit",
    "qiskit.QuantumCircuit.bind_parameters": "qiskit.QuantumCircuit",
    "qiskit.transpile": "qiskit.QuantumCircuit",
    "qiskit_aer.Aer.get_backend": "qiskit_aer.AerSimulator",
    "qiskit.BasicAer.get_backend": "qiskit.BasicAer.Backend",
    "pennylane.device": "pennylane.device",
    "logging.getLogger": "logging.Logger",
    "argparse.ArgumentParser.parse_args": "argparse.Namespace",
    "requests.get": "requests.Response",
    "requests.post": "requests.Response",
    "requests.request": "requests.Response",
    "requests.session": "requests.Session",
    "aiohttp.ClientSession.__aenter__": "aiohttp.ClientSession",
    "zlib.decompressobj": "zlib.decompressobj",
    "socket.create_connection": "socket.socket",
    "torch.nn.Module.to": "torch.nn.Module",
    "fastapi.FastAPI": "fastapi.FastAPI",
    "re.compile": "re.Pattern",
    "boto3.client": "boto3.client",
    "tarfile.open": "tarfile.TarFile",
    "tarfile.TarFile.open": "tarfile.TarFile",
    "qiskit.IBMQ.load_account": "qiskit.IBMQ.Provider",
    "qiskit.IBMQ.get_provider": "qiskit.IBMQ.Provider",
    "qiskit.IBMQ.Provider.get_backend": "qiskit.IBMQ.Backend",
}

#: Functions of checks by the start of their name, where their body is not known.
CHECKERS: Final = (
    "validate",
    "check",
    "ensure",
    "verify",
    "sanitize",
    "sanitise",
    "assert",
    "require",
    "clean_",
    "guard",
    "is_valid",
    "is_safe",
    "is_allowed",
)


#: Draws: what comes out is one of the arguments, whoever's generator it is.
DRAWS: Final = frozenset({"choice", "choices", "sample", "permutation", "shuffle"})
#: Draws of a generator that is called so: numbers that nobody outside decides.
NUMBER_DRAWS: Final = frozenset(
    {
        "random",
        "randint",
        "randrange",
        "uniform",
        "normal",
        "integers",
        "standard_normal",
        "normalvariate",
        "gauss",
        "rand",
        "randn",
    }
)


def keeps_only_listed(pattern: object) -> bool:
    """Whether ``re.sub(pattern, "", text)`` leaves listed characters alone.

    Example:
        >>> keeps_only_listed("[^a-z0-9]"), keeps_only_listed(r"\\s+")
        (True, False)
    """
    return isinstance(pattern, str) and pattern.lstrip("(").startswith(("[^", r"\W", r"\D"))


def call_source(name: str) -> str:
    """The kind of origin of what a call gives, "" for none.

    Example:
        >>> call_source("requests.get"), call_source("pandas.read_csv"), call_source("print")
        ('network', 'file', '')
    """
    kind = CALLS.get(name)
    if kind is not None:
        return kind
    head, dot, method = name.rpartition(".")
    if not dot:
        return ""
    kind = CALLS.get(f"{head}.*")
    if kind is None and method.startswith("read_"):
        kind = CALLS.get(f"{head}.read_*")
    if kind is None and "." in head:
        root = head.partition(".")[0]
        kind = CALLS.get(f"{root}.*") if root in ("requests", "httpx", "urllib3") else None
    return kind or ""


def is_clean(name: str) -> bool:
    """Whether a call's result says nothing of its arguments' origins."""
    return name in CLEAN or name.startswith(CLEAN_PREFIXES)


def is_checker(name: str) -> bool:
    """Whether a function is called like one that checks its argument.

    Example:
        >>> is_checker("validate_features"), is_checker("_check"), is_checker("checkpoint")
        (True, True, False)
    """
    plain = name.lstrip("_").lower()
    return plain.startswith(CHECKERS) and not plain.startswith(("checkpoint", "checksum"))
