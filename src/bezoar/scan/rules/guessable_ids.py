"""Ids that somebody else can guess: counters, lengths, time stamps, random numbers of `random`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from bezoar.scan.rules.literals import assigned
from bezoar.scan.rules.services import function_named

if TYPE_CHECKING:
    from bezoar.scan.code.module import Module

#: Calls by canonical name and what they make of an id.
_WEAK_CALLS: Final = {
    "time.time": "the time",
    "time.time_ns": "the time",
    "time.strftime": "the time",
    "time.monotonic": "the time",
    "time.perf_counter": "the time",
    "datetime.datetime.now": "the time",
    "datetime.datetime.utcnow": "the time",
    "datetime.datetime.today": "the time",
    "datetime.date.today": "the time",
    "django.utils.timezone.now": "the time",
    "pandas.Timestamp.now": "the time",
    "uuid.uuid1": "`uuid1`, which is the time and the machine's address",
    "itertools.count": "a counter",
    "os.getpid": "the process id",
}
_WEAK_PREFIXES: Final = ("random.", "numpy.random.")
_STRONG: Final = re.compile(
    r"uuid\.uuid4|uuid4|secrets\.|os\.urandom|urandom|SystemRandom|nanoid|shortuuid|ulid|cuid|"
    r"token_hex|token_urlsafe|get_random_string|ObjectId|uuid7|uuid5|uuid3",
)
_COUNTER: Final = re.compile(
    r"(?:\w*_)?(?:counter|count|next_id|last_id|seq|sequence|number|serial|idx)"
)
_FORMS: Final = frozenset("str int hex round abs float format repr bin oct hash".split())
_FORM_METHODS: Final = frozenset(
    "strftime timestamp isoformat hexdigest digest encode decode replace upper lower zfill join "
    "format rstrip strip split total_seconds date time".split()
)
_DEPTH = 4


def weakness(module: Module, node: ast.expr, counted: frozenset[str], depth: int = _DEPTH) -> str:
    """What makes an id guessable, in words; "" where it is random, foreign or not known.

    Args:
        module: the file.
        node: what the id is made from.
        counted: what `counters` says of the file.
        depth: how many assignments are followed.

    Example:
        ``f"job_{int(time.time())}"`` is made of the time, ``str(len(jobs) + 1)`` of a counter.
    """
    if _is_strong(module, node, depth):
        return ""
    return _weak(module, node, counted, depth)


def _is_strong(module: Module, node: ast.expr, depth: int) -> bool:
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            name = module.name_of(each.func) or ast.unparse(each.func)
            if _STRONG.search(name):
                return True
            if module.value(each.func).made_by.startswith("random.SystemRandom"):
                return True
        elif isinstance(each, ast.Name | ast.Attribute) and depth:
            made = assigned(module, each)
            known = made is not None and not _contains(made, each)
            if known and made is not None and _is_strong(module, made, depth - 1):
                return True
    return False


def _weak(module: Module, node: ast.expr, counted: frozenset[str], depth: int) -> str:
    if isinstance(node, ast.Call):
        return _weak_call(module, node, counted, depth)
    if isinstance(node, ast.Name | ast.Attribute):
        return _weak_name(module, node, counted, depth)
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.FormattedValue | ast.Tuple | ast.IfExp):
        # The one part that can be guessed is what tells two ids apart.
        children = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
        found = [_weak(module, each, counted, depth) for each in children]
        return next((each for each in found if each), "")
    if isinstance(node, ast.Subscript) and ast.unparse(node) in counted:
        return "a counter"
    if isinstance(node, ast.BoolOp | ast.Subscript | ast.Await | ast.NamedExpr):
        inner = node.values[-1] if isinstance(node, ast.BoolOp) else node.value
        return _weak(module, inner, counted, depth)
    return ""


def _weak_call(module: Module, node: ast.Call, counted: frozenset[str], depth: int) -> str:
    name = module.name_of(node.func)
    if name in _WEAK_CALLS:
        return _WEAK_CALLS[name]
    if name.startswith(_WEAK_PREFIXES):
        return "numbers of `random`, which are not made for secrets"
    if name == "len":
        return "the number of jobs so far"
    if name == "next":
        return "a counter"
    own = function_named(module, name)
    if own is not None and depth:
        returned = [weakness(module, each, counted, depth - 1) for each, _ in own.returns]
        return returned[0] if returned and all(returned) else ""
    inner = _converted(node, name)
    found = [_weak(module, each, counted, depth) for each in inner]
    if "hashlib." in name and not all(map(_is_told, inner)):
        # A hash of something that the client sent is as hard to guess as that.
        return ""
    return next((each for each in found if each), "")


def _converted(node: ast.Call, name: str) -> list[ast.expr]:
    """What a call writes in another form: `str(x)`, `x.strftime(...)`, `md5(x).hexdigest()`."""
    func = node.func
    inner = [
        each.elt if isinstance(each, ast.GeneratorExp | ast.ListComp) else each
        for each in node.args
    ]
    if name in _FORMS or name.startswith(("hashlib.", "base64.", "zlib.", "binascii.")):
        return inner
    if isinstance(func, ast.Attribute) and func.attr in _FORM_METHODS:
        return [func.value, *inner]
    return []


def _is_told(node: ast.expr) -> bool:
    """Whether an expression is made of calls, constants and loops alone, not of data."""
    called = {
        each
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        for each in ast.walk(call.func)
    }
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name) and each not in called]
    return all(re.search(r"time|stamp|now|count|seq|number|date", each.id) for each in names)


def _weak_name(
    module: Module, node: ast.Name | ast.Attribute, counted: frozenset[str], depth: int
) -> str:
    name = node.id if isinstance(node, ast.Name) else node.attr
    if ast.unparse(node) in counted or ("job" in name and _COUNTER.fullmatch(name)):
        return "a counter"
    if isinstance(node, ast.Attribute) and not _is_own(node):
        # Such as the microsecond of now().
        return _weak(module, node.value, counted, depth) if isinstance(node.value, ast.Call) else ""
    if depth == 0:
        return ""
    made = assigned(module, node)
    if made is None or _contains(made, node):
        return ""
    return _weak(module, made, counted, depth - 1)


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _contains(outer: ast.expr, inner: ast.expr) -> bool:
    wanted = ast.unparse(inner)
    return any(
        isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each) == wanted
        for each in ast.walk(outer)
    )


def counters(module: Module) -> frozenset[str]:
    """What the program adds one to, as it is written: `n += 1`, `self.n = self.n + 1`."""
    found: set[str] = set()
    for each in module.nodes(ast.AugAssign, ast.Assign):
        if isinstance(each, ast.AugAssign):
            by_one = isinstance(each.value, ast.Constant) and each.value.value == 1
            if isinstance(each.op, ast.Add) and by_one:
                found.add(ast.unparse(each.target))
        elif isinstance(each, ast.Assign) and isinstance(each.value, ast.BinOp):
            target = each.targets[0]
            if isinstance(each.value.op, ast.Add) and _contains(each.value, target):
                found.add(ast.unparse(target))
    return frozenset(found)
