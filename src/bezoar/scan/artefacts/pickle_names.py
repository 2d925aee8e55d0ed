"""What a name means that a pickle imports: a list of ordinary ones decides, not a list of bad ones.

A name that is on no list is told as unknown. The list of dangerous ones only says which of the
others are known to run commands, open files or connections, or load more code.
"""

from __future__ import annotations

import re
from typing import Literal

Verdict = Literal["ordinary", "unknown", "brings code", "dangerous"]

#: Modules of which everything is dangerous that is not ordinary: they run programs, open files
#: and connections, import, evaluate, or unpickle again.
_DANGEROUS_MODULES = frozenset(
    (
        "__builtin__ __builtins__ _aix_support _ctypes _io _osx_support _pickle _posixsubprocess "
        "_pyrepl _socket _thread aiohttp asyncio bdb builtins cPickle cProfile cffi cgitb code "
        "codeop commands compileall ctypes dbm distutils doctest ensurepip fabric fileinput "
        "ftplib functools gc glob http httplib httpx idlelib imaplib imp importlib inspect io "
        "jsonpickle lib2to3 linecache logging marshal mmap modulefinder multiprocessing nt "
        "numexpr operator os paramiko pathlib pdb pexpect pickle pip pkgutil platform plistlib "
        "popen2 poplib posix posixpath profile psutil pty py_compile pydoc requests runpy "
        "sched setuptools shelve shutil signal site smtplib socket socketserver sqlite3 ssl "
        "subprocess sys sysconfig telnetlib tempfile test threading timeit tkinter trace types "
        "unittest urllib urllib2 urllib3 uu uvicorn venv webbrowser wsgiref xmlrpc yaml zipapp "
        "zipfile zipimport"
    ).split()
)

#: Parts of libraries that run code, read files or unpickle.
_DANGEROUS_PREFIXES = (
    "cloudpickle.load",
    "cloudpickle.cloudpickle.load",
    "dill._dill._eval_repr",
    "dill._dill._getattribute",
    "dill._dill.load",
    "dill.load",
    "dill.source",
    "dill.temp",
    "joblib._store_backends",
    "joblib.externals",
    "joblib.load",
    "joblib.memory",
    "joblib.numpy_pickle.load",
    "keras.models.load_model",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.fromfile",
    "numpy.genfromtxt",
    "numpy.lib.npyio",
    "numpy.lib._npyio_impl",
    "numpy.load",
    "numpy.memmap",
    "numpy.save",
    "numpy.testing",
    "pandas.eval",
    "pandas.core.computation",
    "pandas.io",
    "pandas.read_",
    "pennylane.data",
    "qiskit.qpy",
    "qiskit.utils",
    "sklearn.datasets",
    "sklearn.externals",
    "sympy.parsing",
    "sympy.sympify",
    "sympy.core.sympify",
    "sympy.utilities",
    "tensorflow.io",
    "tensorflow.keras.models.load_model",
    "tensorflow.python",
    "torch._dynamo",
    "torch._inductor",
    "torch.compile",
    "torch.distributed",
    "torch.fx",
    "torch.hub",
    "torch.jit",
    "torch.load",
    "torch.ops",
    "torch.package",
    "torch.save",
    "torch.serialization.load",
    "torch.testing",
    "torch.utils.bottleneck",
    "torch.utils.collect_env",
    "torch.utils.cpp_extension",
    "torch.utils.data.datapipes",
    "torch.utils.model_zoo",
)

#: Any part of a dotted name: ``torch.serialization.os.system`` is still ``os.system``.
_DANGEROUS_PARTS = frozenset(
    (
        "__builtin__ builtins ctypes eval exec execfile importlib import_module marshal nt os "
        "pickle popen posix pty shutil socket subprocess sys system"
    ).split()
)
_SPECIAL = re.compile(r"__\w+__\Z")
_SPECIAL_MODULES = frozenset(("__main__", "__mp_main__", "__torch__"))

#: What puts functions and classes together from code that the file carries.
_BRINGS_CODE = re.compile(
    r"(?:dill\._dill|cloudpickle\.cloudpickle(?:_fast)?|joblib\.externals\.cloudpickle\.\w+"
    r"|torch\.fx\.graph_module|torch\.fx\._lazy_graph_module)"
    r"\.(?!loads?\Z|_eval_repr\Z|_getattribute\Z|Unpickler\Z)\w+"
    r"|types\.(?:CodeType|FunctionType|LambdaType|MethodType)"
    # What dill and cloudpickle need for classes and for the names a function uses.
    r"|(?:builtins|__builtin__)\.(?:type|__main__)"
)

_PLAIN_TYPES = (
    "bool bytearray bytes complex dict float frozenset int list long object range set slice str "
    "tuple unicode xrange"
)
_TORCH_TYPES = (
    "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage "
    "ComplexFloatStorage DoubleStorage FloatStorage HalfStorage IntStorage LongStorage "
    "QInt32Storage QInt8Storage QUInt8Storage ShortStorage Size Tensor bfloat16 bool "
    "channels_last complex128 complex32 complex64 contiguous_format device double dtype float "
    "float16 float32 float64 half int int16 int32 int64 int8 long per_channel_affine "
    "per_tensor_affine preserve_format qint32 qint8 quint8 short sparse_coo sparse_csr strided "
    "uint16 uint32 uint64 uint8"
)
_LOWER = r"(?:[a-z_][a-z0-9_]*\.)*"
_CLASS = r"_?[A-Z]\w*"
_SKLEARN = (
    "_loss calibration cluster compose covariance cross_decomposition decomposition "
    "discriminant_analysis dummy ensemble feature_extraction feature_selection gaussian_process "
    "impute isotonic kernel_approximation kernel_ridge linear_model manifold metrics mixture "
    "model_selection multiclass multioutput naive_bayes neighbors neural_network pipeline "
    "preprocessing random_projection semi_supervised svm tree"
)
_ACTIVATIONS = "relu gelu tanh sigmoid elu selu softmax silu leaky_relu softplus sin cos"
_PENNYLANE = "ops templates measurements tape wires operation pauli"


def _either(names: str) -> str:
    return "(?:" + "|".join(re.escape(name) for name in names.split()) + ")"


#: What a file of tensors needs, and what `torch.load(weights_only=True)` accepts.
_TENSORS = re.compile(
    "|".join(
        (
            r"torch\._utils\._rebuild_\w+",
            r"torch\._tensor\._rebuild_from_type_v2",
            r"torch\.storage\.(?:UntypedStorage|TypedStorage|_load_from_bytes)",
            rf"torch\.{_either(_TORCH_TYPES)}",
            r"torch\.nn\.parameter\.(?:Parameter|Buffer)",
            r"torch\.serialization\._get_layout",
            r"collections\.OrderedDict",
        )
    )
)

#: What numbers, tables and plain models of the usual libraries need. Classes only where their
#: making runs nothing that the file could choose, and the few functions that rebuild arrays.
_ORDINARY = re.compile(
    "|".join(
        (
            rf"(?:builtins|__builtin__)\.{_either(_PLAIN_TYPES)}",
            r"collections\.(?:Counter|OrderedDict|defaultdict|deque)",
            r"(?:copyreg|copy_reg)\.(?:_reconstructor|__newobj__)",
            r"_codecs\.encode",
            r"array\.(?:array|_array_reconstructor)",
            r"datetime\.(?:date|datetime|time|timedelta|timezone)",
            r"(?:decimal\.Decimal|fractions\.Fraction|uuid\.UUID|random\.Random|re\._compile)",
            r"(?:types\.SimpleNamespace|argparse\.Namespace)",
            r"pathlib\.(?:Pure)?(?:Posix|Windows)?Path",
            r"(?:pathlib\._local)\.(?:Pure)?(?:Posix|Windows)?Path",
            # numpy
            r"numpy\.(?:core|_core)\.multiarray\.(?:_reconstruct|scalar)",
            r"numpy\.(?:core|_core)\.(?:numeric\._frombuffer|_internal\._reconstruct)",
            r"numpy\.(?:ndarray|dtype|matrix|recarray|bool_?|str_|bytes_|void|generic)",
            r"numpy\.(?:u?int|float|complex)(?:8|16|32|64|80|96|128|256|512|_|c|p)?",
            r"numpy\.(?:datetime64|timedelta64|longdouble|clongdouble|double|single|half)",
            rf"numpy\.dtypes\.{_CLASS}",
            r"numpy\.(?:matrixlib\.defmatrix\.matrix|rec(?:ords)?\.recarray)",
            r"numpy\.ma\.(?:MaskedArray|core\.(?:MaskedArray|_mareconstruct))",
            r"numpy\.random\._pickle\.__(?:randomstate|generator|bit_generator)_ctor",
            r"numpy\.random\.(?:_mt19937|_pcg64|_philox|_sfc64)\.(?:MT19937|PCG64|Philox|SFC64)",
            r"numpy\.random\.bit_generator\.(?:SeedSequence|__pyx_unpickle_SeedSequence)",
            # torch
            rf"torch\.nn\.modules\.{_LOWER}{_CLASS}",
            rf"torch\.optim\.{_LOWER}{_CLASS}",
            r"torch\.nn\.utils\.rnn\.PackedSequence",
            r"torch\.utils\.data\.dataset\.(?:TensorDataset|Subset|ConcatDataset)",
            rf"torch\.(?:nn\.functional\.|_C\._nn\.)?{_either(_ACTIVATIONS)}",
            # scikit-learn, scipy, pandas
            rf"sklearn\.{_either(_SKLEARN)}\.{_LOWER}(?:{_CLASS}|__pyx_unpickle_\w+|newObj)",
            r"sklearn\.utils\._bunch\.Bunch",
            r"sklearn\.utils\.(?:deprecation|_bunch)\.Bunch",
            r"scipy\.sparse\.(?:_?[a-z]+\.)?[a-z]+_(?:matrix|array)",
            r"pandas\.core\.(?:frame\.DataFrame|series\.Series|indexes\.base\._new_Index)",
            rf"pandas\.(?:(?:arrays|core\.dtypes)\.)?(?:DataFrame|Series|{_CLASS}(?:Index|Array|Dtype))",
            r"pandas\.Index",
            r"pyarrow\.lib\.(?:_restore_array|type_for_alias|py_buffer)",
            rf"pandas\.core\.(?:internals|indexes|arrays)\.{_LOWER}{_CLASS}",
            r"pandas\._libs\.(?:internals\._unpickle_block|arrays\.__pyx_unpickle_NDArrayBacked)",
            r"pandas\._libs\.internals\.(?:BlockPlacement|BlockManager)",
            r"joblib\.numpy_pickle\.NumpyArrayWrapper",
            r"sklearn\.externals\.joblib\.numpy_pickle\.NumpyArrayWrapper",
            # quantum libraries
            r"pennylane\.numpy\.tensor\.tensor",
            rf"pennylane\.{_either(_PENNYLANE)}\.{_LOWER}{_CLASS}",
            rf"qiskit\.(?:circuit|quantum_info|result)\.{_LOWER}{_CLASS}",
            rf"qiskit\._accelerate\.{_LOWER}{_CLASS}",
            rf"qiskit\.(?:circuit|_accelerate)\.{_LOWER}{_CLASS}\.(?:_from_owned|_reconstruct)",
            rf"cirq\.(?:ops|circuits|devices|study)\.{_LOWER}{_CLASS}",
            r"sympy\.core\.(?:symbol\.Symbol|numbers\.[A-Z]\w*|add\.Add|mul\.Mul|power\.Pow)",
            # TorchScript names its own classes so; Python cannot import them.
            r"__torch__\..*",
            r"torch\.jit\._pickle\.(?:build_\w+list|restore_type_tag)",
        )
    )
)


#: Harmless when what they are given is a name, which is then judged itself; the machine that
#: follows the pickle reports every other use.
ONLY_WITH_NAMES = frozenset(
    (
        "__builtin__.getattr",
        "__builtin__.setattr",
        "builtins.getattr",
        "builtins.setattr",
        "functools.partial",
    )
)


def verdict(name: str) -> Verdict:
    """What importing `name` means.

    Example:
        >>> verdict("collections.OrderedDict"), verdict("posix.system"), verdict("nets.MyNet")
        ('ordinary', 'dangerous', 'unknown')
        >>> verdict("torch.serialization.os.system"), verdict("dill._dill._create_code")
        ('dangerous', 'brings code')
    """
    if name in ONLY_WITH_NAMES or is_tensor_name(name) or _ORDINARY.fullmatch(name):
        return "ordinary"
    if _BRINGS_CODE.fullmatch(name):
        return "brings code"
    parts = name.split(".")
    if parts[0] in _DANGEROUS_MODULES or not _DANGEROUS_PARTS.isdisjoint(parts):
        return "dangerous"
    if any(_SPECIAL.match(part) and part not in _SPECIAL_MODULES for part in parts):
        return "dangerous"
    # ``layers.torch.load`` is ``torch.load``.
    tails = (".".join(parts[at:]) for at in range(len(parts)))
    return "dangerous" if any(t.startswith(_DANGEROUS_PREFIXES) for t in tails) else "unknown"


def is_tensor_name(name: str) -> bool:
    """Whether a file of tensors needs this and `torch.load(weights_only=True)` accepts it."""
    return _TENSORS.fullmatch(name) is not None
