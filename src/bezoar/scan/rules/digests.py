"""Whether a function compares a digest or a signature before it trusts what it read."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from bezoar.scan.code.module import Function, Module

#: What is known of each function: it is asked for every load.
_COMPARING: Final[WeakKeyDictionary[Module, dict[Function | None, bool]]] = WeakKeyDictionary()
#: Words that name a digest or a signature, as parts of identifiers.
_WORDS = re.compile(
    r"sha\d*(?:sum)?|md5(?:sum)?|blake\w*|crc32|digest|checksum|hash|hashes|hexdigest|signature|hmac|fingerprint"
)
#: A function called like these compares by itself.
_CHECKS = re.compile(
    r"(?:verif|check|validat|assert|ensure|require|match)\w*_(?:\w+_)?"
    r"(?:sha\d*|md5|digest|checksum|hash|integrity|signature|hmac)(?![a-z])"
    r"|(?<![a-z])(?:sha\d*|md5|digest|checksum|hash|integrity|signature)_(?:ok|match\w*|check\w*|valid\w*)"
)


def is_digest_name(name: str) -> bool:
    """Whether an identifier names a digest.

    Example:
        >>> is_digest_name("EXPECTED_SHA256"), is_digest_name("model_hash"), is_digest_name("shape")
        (True, True, False)
    """
    return any(_WORDS.fullmatch(word) for word in _split(name))


def compares_digest(module: Module, function: Function | None) -> bool:
    """Whether the function (the top level for None) compares a digest, or calls what does."""
    known = _COMPARING.setdefault(module, {})
    if function not in known:
        known[function] = _does_compare(module, function)
    return known[function]


def _does_compare(module: Module, function: Function | None) -> bool:
    for call in module.calls_in(function):
        if call.method == "compare_digest" or call.method in ("verify", "verify_digest"):
            return True
        if _CHECKS.search(_snake(call.method)):
            return True
    return any(_compares(module, test) for test in module.comparisons_in(function))


def is_verified(module: Module, function: Function | None) -> bool:
    """Whether the function compares a digest, or one that calls it does so around the call."""
    if compares_digest(module, function):
        return True
    if function is None:
        return False
    callers = {
        call.function
        for call in module.calls
        if call.method == function.name and call.function is not function
    }
    return any(compares_digest(module, caller) for caller in callers)


def _compares(module: Module, test: ast.Compare) -> bool:
    if not isinstance(test.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
        return False
    return any(_is_digest(module, side) for side in (test.left, *test.comparators))


def _is_digest(module: Module, node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        func = node.func
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        if name in ("lower", "strip", "upper", "get") and isinstance(func, ast.Attribute):
            return _is_digest(module, func.value) or any(
                isinstance(each, ast.Constant) and is_digest_name(str(each.value))
                for each in node.args
            )
        return is_digest_name(_snake(name))
    if isinstance(node, ast.Name):
        return is_digest_name(node.id) or module.value(node).made_by.endswith("digest")
    if isinstance(node, ast.Attribute):
        return is_digest_name(node.attr)
    if isinstance(node, ast.Subscript):
        key = node.slice
        named = isinstance(key, ast.Constant) and is_digest_name(str(key.value))
        return named or _is_digest(module, node.value)
    return False


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _split(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", _snake(name)) if word]
