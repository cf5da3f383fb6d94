"""Tree navigation, reflection and the clock.   http://hl7.org/fhirpath/N1/#tree-navigation
http://hl7.org/fhirpath/N1/#reflection http://hl7.org/fhirpath/N1/#current-date-and-time-functions"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from fhir_profiles.fhirpath.code import Code, Frame, Types
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.registry import Function, Table
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.types import Node, Nodes, TypeSystem


def children_of(types: TypeSystem, item: Node, out: Nodes) -> None:
    """Appends all children of an item; those of a primitive are the id and extensions of its sibling."""
    value, fhir_type, sibling = item
    holder = value if value.__class__ is dict else sibling
    if holder.__class__ is not dict:
        return
    members = types.member_steps(fhir_type)
    for name in holder:
        known = members.get(name)
        # The sibling of a member that is there too was collected with it.
        if known is not None and (known[0] == name or known[0] not in holder):
            known[1].collect(holder, out)


def _children(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    run, types = source.run, compiler.types

    def children(node: Node, frame: Frame) -> Nodes:
        out: Nodes = []
        for item in run(node, frame):
            children_of(types, item, out)
        return out

    return Code(children, ordered=False)


def _descendants(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """Every item below, once for each place where it is: unlike repeat(children()), equal items stay."""
    run, types = source.run, compiler.types

    def descendants(node: Node, frame: Frame) -> Nodes:
        out: Nodes = []
        level = run(node, frame)
        while level:
            below: Nodes = []
            for item in level:
                children_of(types, item, below)
            out.extend(below)
            level = below
        return out

    return Code(descendants, ordered=False)


class TypeInfo(NamedTuple):
    """SimpleTypeInfo or ClassInfo."""

    namespace: str
    name: str

    def reflected(self, name: str, out: Nodes) -> None:
        """Appends the property of that name."""
        if name in self._fields:
            out.append((getattr(self, name), "System.String", None))


def _type(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    run = source.run

    def info(node: Node, frame: Frame) -> Nodes:
        found: Nodes = []
        for _, fhir_type, _ in run(node, frame):
            system = fhir_type[:7] == "System."
            named = TypeInfo("System", fhir_type[7:]) if system else TypeInfo("FHIR", fhir_type)
            found.append((named, "TypeInfo", None))
        return found

    return Code(info, None, source.single)


def _clock(name: str, fhir_type: str, text: Callable[[datetime], str]) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        compiler.uses_frame = True

        def read(node: Node, frame: Frame) -> Nodes:
            now = frame.environment.now
            if now is None:
                raise FhirPathError("execution", f"{name}() needs the time in the environment")
            return [(text(now), fhir_type, None)]

        return Code(read, frozenset((fhir_type,)), single=True)

    return {name: Function(0, 0, build)}


def _now(now: datetime) -> str:
    zoned: Any = now if now.tzinfo is not None else now.astimezone()
    return str(zoned.isoformat(timespec="milliseconds"))


NAVIGATION: Table = {
    "children": Function(0, 0, _children),
    "descendants": Function(0, 0, _descendants),
    "type": Function(0, 0, _type),
    **_clock("now", "System.DateTime", _now),
    **_clock("today", "System.Date", lambda now: now.date().isoformat()),
    **_clock("timeOfDay", "System.Time", lambda now: now.time().isoformat(timespec="milliseconds")),
}
