"""What calls give: sources, cleaners, functions of the project, and all others."""

from __future__ import annotations

import ast

from bezoar.scan.code import sources
from bezoar.scan.code.call import Call
from bezoar.scan.code.context import Context
from bezoar.scan.code.guards import key_of
from bezoar.scan.code.project import Summary
from bezoar.scan.code.values import (
    FIXED,
    UNKNOWN,
    Origin,
    Value,
    all_through,
    common_marks,
    constant,
    merged_origins,
    mixed,
)

#: Methods that put their arguments into the receiver.
_FILLING = frozenset({"append", "extend", "add", "insert", "update", "setdefault", "put", "write"})
#: Calls that take a function and its arguments, to call it later or elsewhere.
_HANDING = frozenset(
    {
        "partial",
        "enqueue",
        "submit",
        "add_task",
        "to_thread",
        "run_in_executor",
        "run_in_threadpool",
        "apply_async",
        "delay",
        "Thread",
        "Process",
        "Timer",
    }
)
#: What a call of an object calls: its own method, or that of a torch or Keras module.
_CALLED = ("__call__", "forward", "call")
#: Text methods whose result on a constant is worth knowing.
_TEXT_METHODS = frozenset({"strip", "lower", "upper", "rstrip", "lstrip", "format", "encode"})
_TOLD = {
    "request": "comes with the request",
    "network": "comes over the network",
    "cli": "comes from the command line",
    "env": "comes from the environment",
    "file": "is read from a file",
    "result": "comes from a backend",
}


class Calls:
    """Reads calls in the current scope of a `Context`."""

    def __init__(self, reader: Context) -> None:
        """Calls of `reader`'s file."""
        self._reader = reader

    def value(self, node: ast.Call) -> Value:
        """Reads the call, remembers it for the rules, and tells what it gives."""
        reader = self._reader
        func = node.func
        receiver = None
        if isinstance(func, ast.Attribute):
            receiver = reader.value(func.value)
            reader.values[func] = receiver
            method = func.attr
        elif isinstance(func, ast.Name):
            method = func.id
        else:
            receiver = reader.value(func)
            method = ""
        name = self._name(func, receiver, method)
        args = tuple(reader.value(each) for each in node.args)
        keywords = self._keywords(node)
        has_star = any(isinstance(each, ast.Starred) for each in node.args) or any(
            each.arg is None for each in node.keywords
        )
        call = Call(
            node, name, method, receiver, args, keywords, has_star, reader.function, UNKNOWN
        )
        call.result = self._result(call)
        reader.found[node] = call
        return call.result

    def _keywords(self, node: ast.Call) -> dict[str, Value]:
        keywords: dict[str, Value] = {}
        for each in node.keywords:
            value = self._reader.value(each.value)
            if each.arg is not None:
                keywords[each.arg] = value
            elif isinstance(value.parts, dict):
                keywords.update({k: v for k, v in value.parts.items() if isinstance(k, str)})
            else:
                keywords[f"**{len(keywords)}"] = value
        return keywords

    def _name(self, func: ast.expr, receiver: Value | None, method: str) -> str:
        reader = self._reader
        name = reader.name_of(func)
        if name:
            return name
        if isinstance(func, ast.Name):
            found = reader.scope.find(func.id)
            return self._called(found.type) if isinstance(found, Value) and found.type else ""
        if receiver is None or not method:
            return ""
        if receiver.type:
            return self._method(receiver, method)
        if receiver.made_by in sources.ATTRIBUTES:
            return f"{receiver.made_by}.{method}"
        return f"?.{method}"

    def _method(self, receiver: Value, method: str) -> str:
        """A method, or the object that is kept under this name and called."""
        name = self._reader.project.method_name(receiver.type, method)
        if ":" not in name or self._reader.functions.summary_of(name) is not None:
            return name
        kept = self._reader.project.attribute(receiver, method)
        return self._called(kept.type) if isinstance(kept, Value) and kept.type else name

    def _called(self, kind: str) -> str:
        """What a call of an object of this class calls."""
        if ":" not in kind:
            return f"{kind}.__call__"
        names = [self._reader.project.method_name(kind, method) for method in _CALLED]
        known = (each for each in names if self._reader.functions.summary_of(each) is not None)
        return next(known, names[0])

    # -- results -----------------------------------------------------------------------------

    def _result(self, call: Call) -> Value:
        name = call.name
        if call.method in _HANDING:
            self._handed(call)
        if ":" in name:
            return self._project(call)
        inputs = [*call.args, *call.keywords.values()]
        if call.receiver is not None and not _is_draw(call):
            inputs.insert(0, call.receiver)
        if sources.is_clean(name):
            return FIXED if all(each.fixed for each in inputs) else Value(made_by=name)
        if call.method in _FILLING and call.receiver is not None:
            self._fill(call)
        literal = self._literal(call)
        if literal is not None:
            return literal
        if name == "open" or name.endswith("pathlib.Path.open"):
            return self._opened(call, inputs)
        kind = self._source(call)
        if not kind and call.method == "get" and _is_fixed_table(call.receiver):
            return mixed([call.receiver or UNKNOWN, *call.args[1:]])
        found = self._mixture(call, inputs)
        return self._with_origin(found, kind, call) if kind else found

    def _mixture(self, call: Call, inputs: list[Value]) -> Value:
        name, method = call.name, call.method
        kind = sources.RESULT_TYPES.get(name, "")
        if method in ("fit", "partial_fit") and name.startswith("sklearn.") and call.receiver:
            # An estimator of scikit-learn gives itself back.
            kind = call.receiver.type
        elif not kind and method[:1].isupper() and not name.startswith("?"):
            kind = name
        fixed = bool(name) and not name.startswith("?") and all(each.fixed for each in inputs)
        fixed = fixed or (name.startswith("?") and bool(inputs) and all(v.fixed for v in inputs))
        origins = merged_origins(inputs)
        marks = self._marks(call, inputs)
        through = all_through(inputs)
        if "." in name and not name.startswith("?"):
            through |= {name}
        elif name.startswith("?"):
            through |= {name} if method in sources.METHOD_MARKS else frozenset()
        if not origins and not kind and not marks and not through:
            return Value(fixed=fixed, made_by=name)
        return Value(
            fixed=fixed, origins=origins, type=kind, made_by=name, through=through, marks=marks
        )

    def _marks(self, call: Call, inputs: list[Value]) -> frozenset[str]:
        marks = common_marks(inputs) - {"size", "length"}
        name, method = call.name, call.method
        own = sources.MARKS.get(name)
        if name == "re.sub" and not (call.args and sources.keeps_only_listed(call.args[0].literal)):
            own = None
        if own is None and (name.startswith("?") or (call.receiver is not None)):
            own = sources.METHOD_MARKS.get(method)
        if own is None and method in sources.TRANSFORM_METHODS:
            own = sources.TRANSFORMERS.get(name.split(".")[-2] if "." in name else "")
        if own is None and method in ("min", "minimum", "maximum", "max") and len(call.args) > 1:
            own = ("range",)
        if own is None and method == "read" and call.args:
            own = ("size",)
        if own is None and sources.is_checker(method):
            own = ("checked",)
        if call.receiver is not None and call.receiver.type.startswith("enum."):
            own = ("listed",)
        return marks.union(own) if own else marks

    def _literal(self, call: Call) -> Value | None:
        """The result of a harmless method of a constant text."""
        receiver = call.receiver
        if receiver is None or not isinstance(receiver.literal, str):
            return None
        if call.method not in _TEXT_METHODS or call.keywords or call.has_star:
            return None
        literals = [each.literal for each in call.args]
        if not all(isinstance(each, str | int) for each in literals):
            return None
        if len(receiver.literal) > 1000:
            return FIXED
        if call.method == "encode":
            return constant(receiver.literal.encode(errors="replace"))
        if call.method == "format":
            return FIXED
        try:
            return constant(getattr(receiver.literal, call.method)(*literals))
        except TypeError:
            return None

    def _opened(self, call: Call, inputs: list[Value]) -> Value:
        mode = call.argument(1, "mode")
        written = (
            mode is not None and isinstance(mode.literal, str) and set(mode.literal) & set("wax")
        )
        if written and "+" not in str(mode.literal if mode else ""):
            return Value(type="file", made_by="open.write", through=all_through(inputs))
        found = Value(type="file", made_by="open", origins=merged_origins(inputs))
        return self._with_origin(found, "file", call)

    def _source(self, call: Call) -> str:
        kind = sources.call_source(call.name)
        if kind:
            return kind
        if call.method in sources.RESULT_METHODS:
            return "result"
        if call.method in sources.READ_METHODS and call.receiver is not None:
            if call.receiver.type in sources.PATH_TYPES:
                return "file"
            if not call.receiver.origins and call.method in ("read_text", "read_bytes"):
                return "file"
        if call.name.endswith("rfile.read") or call.method in ("recv", "recv_json", "recvfrom"):
            return "network"
        if call.name in ("json.load", "yaml.safe_load", "yaml.load", "toml.load") and not (
            call.args and call.args[0].origins
        ):
            return "file"
        return ""

    def _with_origin(self, value: Value, kind: str, call: Call) -> Value:
        if any(origin.kind == kind for origin in value.origins):
            return value
        step = self._reader.step(call.node, f"{_TOLD[kind]}, by {call.name.lstrip('?.')}")
        return value.replaced(
            origins=value.origins | {Origin(kind, (step,))}, fixed=False, made_by=call.name
        )

    def _fill(self, call: Call) -> None:
        """`items.append(tainted)`: the list holds it from now on."""
        func = call.node.func
        key = key_of(func.value) if isinstance(func, ast.Attribute) else ""
        receiver = call.receiver
        if not key or receiver is None:
            return
        inputs = [*call.args, *call.keywords.values()]
        if any(each.origins for each in inputs) or (receiver.fixed and not _all_fixed(inputs)):
            scope = self._reader.scope
            found = mixed([receiver, *inputs], type=receiver.type)
            scope.keep(key, found)

    # -- functions of the project ------------------------------------------------------------

    def _project(self, call: Call) -> Value:
        reader = self._reader
        reader.project.refer(call.name)
        facts = reader.project.class_named(call.name)
        if facts is not None:
            return self._made(call, facts.is_enum)
        summary = reader.functions.summary_of(call.name)
        bound = self._bound(call, summary.params if summary else ())
        reader.functions.passes(call, bound)
        # The callee may have been read on this occasion, with these very arguments.
        summary = reader.functions.summary_of(call.name)
        if summary is None:
            return mixed([*([call.receiver] if call.receiver else []), *call.args])
        self._check_arguments(call, summary)
        return self._substituted(call, summary, bound)

    def _handed(self, call: Call) -> None:
        """A function that is handed on with its arguments: `partial(f, x)`, `queue.enqueue(f, x)`,
        `Thread(target=f, args=(x,))`, `f.delay(x)`.
        """
        target = call.keywords.get("target")
        if target is not None and ":" in target.made_by:
            given = call.keywords.get("args")
            parts = given.parts if given is not None else None
            self._calls(call, target.made_by, parts if isinstance(parts, tuple) else ())
        elif call.method == "delay" and call.receiver is not None and ":" in call.receiver.made_by:
            self._calls(call, call.receiver.made_by, call.args)
        else:
            for position, value in enumerate(call.args[:2]):
                if ":" in value.made_by:
                    self._calls(call, value.made_by, call.args[position + 1 :])
                    return

    def _calls(self, call: Call, callee: str, given: tuple[Value, ...]) -> None:
        summary = self._reader.functions.summary_of(callee)
        if summary is not None:
            bound = dict(zip(summary.params, given, strict=False))
            bound.update((k, v) for k, v in call.keywords.items() if k in summary.params)
            self._reader.functions.passes(call, bound, callee=callee)

    def _made(self, call: Call, is_enum: bool) -> Value:
        """An object of a class of the project."""
        reader = self._reader
        inputs = [*call.args, *call.keywords.values()]
        init = reader.project.method_name(call.name, "__init__")
        summary = reader.functions.summary_of(init)
        if summary is not None:
            reader.functions.passes(call, self._bound(call, summary.params), callee=init)
        keep = reader.project.is_record(call.name)
        found = mixed(inputs, type=call.name) if keep else Value(type=call.name)
        parts = {key: each for key, each in call.keywords.items() if not key.startswith("**")}
        found = found.replaced(made_by=call.name, fixed=_all_fixed(inputs))
        if keep and parts and not call.has_star:
            found = found.replaced(parts=parts)
        return found.marked("listed", "path", "size") if is_enum else found

    def _bound(self, call: Call, params: tuple[str, ...]) -> dict[str, Value]:
        """Parameter to the value of its argument."""
        bound = dict(zip(params, call.args, strict=False)) if not call.has_star else {}
        bound.update((key, each) for key, each in call.keywords.items() if key in params)
        if call.has_star:
            whole = mixed([*call.args, *call.keywords.values()])
            for name in params:
                bound.setdefault(name, whole)
        return bound

    def _check_arguments(self, call: Call, summary: Summary) -> None:
        """`validate(x)` that came back: x has been checked."""
        if not summary.checks:
            return
        names = dict(zip(summary.params, call.node.args, strict=False))
        names.update((each.arg, each.value) for each in call.node.keywords if each.arg)
        for param, marks in summary.checks.items():
            node = names.get(param)
            if node is not None:
                for mark in marks:
                    self._reader.mark(node, mark)

    def _substituted(self, call: Call, summary: Summary, bound: dict[str, Value]) -> Value:
        """The summary's result with the arguments in place of the parameters."""
        result = summary.result
        reader = self._reader
        given: list[Value] = []
        own: list[Origin] = []
        for origin in result.origins:
            if origin.kind == "parameter" and origin.function == summary.name:
                if origin.name in bound:
                    given.append(bound[origin.name])
            else:
                message = f"comes back from {call.method or 'the call'}()"
                own.append(origin.then(reader.step(call.node, message)))
        origins = merged_origins([Value(origins=frozenset(own)), *given])
        marks = result.marks | (common_marks(given) if given and not own else frozenset())
        fixed = not own and all(each.fixed for each in given) and (result.fixed or bool(given))
        return Value(
            result.literal,
            fixed=fixed,
            origins=origins,
            type=result.type,
            made_by=call.name if not result.made_by else result.made_by,
            through=all_through([result, *given]),
            marks=marks,
            parts=result.parts,
        )


def _is_draw(call: Call) -> bool:
    """Whether the receiver is a generator of random numbers, which decides nothing."""
    if call.method in sources.DRAWS:
        return bool(call.args)
    return call.method in sources.NUMBER_DRAWS and call.name.startswith(("?", "random.", "numpy."))


def _is_fixed_table(value: Value | None) -> bool:
    """A dict of the program, whose rows are constants whoever chooses among them."""
    return value is not None and value.fixed and (value.parts is not None or value.type == "dict")


def _all_fixed(values: list[Value]) -> bool:
    return all(each.fixed for each in values)
