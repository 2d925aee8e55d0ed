"""The project as one file sees it: modules, classes, and what imports mean."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bezoar.scan.code import declarations
from bezoar.scan.code.declarations import ClassDeclaration
from bezoar.scan.code.names import STAR_EXPORTS, canonical
from bezoar.scan.code.project import ClassFacts, Knowledge, ModuleIndex
from bezoar.scan.code.values import Origin, Value


class ProjectView:
    """What the file at `path` can know of the project while it is read.

    Attributes:
        path: the file.
        knowledge: what is known of the other files.
        classes: the classes of the file itself, by canonical name.
        references: what it uses of other files.
        imports: canonical names of all that it imports.
    """

    def __init__(self, path: str, index: ModuleIndex, knowledge: Knowledge) -> None:
        """A view of the project whose modules `index` finds."""
        self.path = path
        self.knowledge = knowledge
        self.classes: dict[str, ClassDeclaration] = {}
        self.references: set[str] = set()
        self.imports: set[str] = set()
        self._index = index

    def refer(self, name: str) -> None:
        """Remembers that the file uses something of another file."""
        if not name.startswith(f"{self.path}:"):
            self.references.add(name)

    # -- names -------------------------------------------------------------------------------

    def member(self, owner: str, name: str) -> str:
        """The canonical name of a member of a module or class of the project."""
        path, _, inner = owner.partition(":")
        if inner:
            return self.method_name(owner, name)
        if path.endswith("__init__.py"):
            module = f"{path.removesuffix('/__init__.py').replace('/', '.')}.{name}"
            found = self._index.find(module, self.path)
            if found:
                return f"{found}:"
        return self._declared_as(f"{path}:{name}")

    def _declared_as(self, name: str) -> str:
        """Where a name that a module only passes on is declared."""
        for _ in range(5):
            target = self.knowledge.aliases.get(name, name)
            if target == name:
                break
            name = target
        return name

    def method_name(self, owner: str, method: str) -> str:
        """The canonical name of a method, that of the base class which has it."""
        if ":" not in owner:
            return canonical(f"{owner}.{method}")
        outer = ""
        for facts in self._lineage(owner):
            if method in facts.methods:
                return f"{facts.name}.{method}"
            outer = outer or next((b for b in facts.bases if b and ":" not in b), "")
        return canonical(f"{outer}.{method}") if outer else f"{owner}.{method}"

    # -- classes -----------------------------------------------------------------------------

    def class_named(self, name: str) -> ClassFacts | None:
        """The class of the project with that canonical name."""
        declared = self.classes.get(name)
        return declared.facts if declared else self.knowledge.classes.get(name)

    def is_record(self, name: str) -> bool:
        """Whether objects of the class are little more than their arguments."""
        return any(facts.is_model or facts.is_enum or facts.fields for facts in self._lineage(name))

    def enum_marks(self, name: str) -> frozenset[str]:
        """The marks of a value that is declared to be a member of an enumeration."""
        facts = self.class_named(name) if ":" in name else None
        is_enum = facts is not None and facts.is_enum
        return frozenset({"listed", "path", "size"}) if is_enum else frozenset()

    def attribute(self, base: Value, name: str) -> Value | str | None:
        """An attribute of an object of a class of the project.

        Returns:
            Its value; the canonical name of the method that is called so; None for what no class
            says.
        """
        for facts in self._lineage(base.type):
            declared = self.classes.get(facts.name)
            # A default is only one of the values of a field that is filled from outside.
            filled = name in facts.fields and (base.origins or base.parts)
            if declared is not None and name in declared.attributes and not filled:
                return declared.attributes[name]
            self.refer(facts.name)
            if name in facts.fields:
                return self._field(facts, base, name)
            if name in declarations.HANDLER_ATTRIBUTES and declarations.is_handler(facts.bases):
                return Value(origins=frozenset({Origin("request")}), made_by=f"self.{name}")
            if name in facts.methods:
                return f"{facts.name}.{name}"
        return None

    def _field(self, facts: ClassFacts, base: Value, name: str) -> Value:
        declared = facts.fields[name]
        part = base.parts.get(name) if isinstance(base.parts, dict) else None
        source = part or base
        own = part.marks if part else frozenset()
        return Value(
            origins=source.origins,
            fixed=source.fixed,
            type=declared.type,
            through=source.through,
            marks=declared.marks
            | own
            | (base.marks & {"checked"})
            | self.enum_marks(declared.type),
        )

    def _lineage(self, name: str) -> Iterator[ClassFacts]:
        """A class of the project and those that it builds on."""
        seen = [name]
        for each in seen:
            facts = self.class_named(each)
            if facts is not None:
                yield facts
                seen += [base for base in facts.bases if ":" in base and base not in seen]

    # -- imports -----------------------------------------------------------------------------

    def aliases(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
        """The names that an import statement brings, with what they stand for."""
        if isinstance(node, ast.Import):
            yield from self._modules(node)
        else:
            yield from self._members(node)

    def _modules(self, node: ast.Import) -> Iterator[tuple[str, str]]:
        for each in node.names:
            self.imports.add(canonical(each.name))
            # `import a.b` brings a, `import a.b as c` brings a.b.
            module = each.name if each.asname else each.name.partition(".")[0]
            path = self._index.find(module, self.path)
            known = path and path != self.path
            yield each.asname or module, f"{path}:" if known else canonical(module)

    def _members(self, node: ast.ImportFrom) -> Iterator[tuple[str, str]]:
        module = node.module or ""
        path = self._index.find(module, self.path, node.level)
        named = f"{'.' * node.level}{module}" if node.level and not path else module
        self.imports.add(canonical(named))
        for each in node.names:
            if each.name == "*":
                yield from self._star(named, path)
            else:
                yield each.asname or each.name, self._imported(node, path, named, each.name)

    def _imported(self, node: ast.ImportFrom, path: str, module: str, name: str) -> str:
        """What a name stands for that is imported from a module or folder."""
        inner = ""
        if not path or path.endswith("__init__.py"):
            submodule = f"{node.module}.{name}" if node.module else name
            if node.module or node.level:
                inner = self._index.find(submodule, self.path, node.level)
        if inner:
            return f"{inner}:"
        if path and path != self.path:
            return self._declared_as(f"{path}:{name}")
        target = canonical(f"{module}.{name}")
        self.imports.add(target)
        return target

    def _star(self, module: str, path: str) -> Iterator[tuple[str, str]]:
        if not path:
            for name in STAR_EXPORTS.get(canonical(module), ()):
                yield name, canonical(f"{module}.{name}")
            return
        prefix = f"{path}:"
        self.references.add(prefix)
        tables = (self.knowledge.classes, self.knowledge.summaries, self.knowledge.constants)
        for table in tables:
            for name in table:
                if name.startswith(prefix) and "." not in name[len(prefix) :]:
                    yield name[len(prefix) :], name
