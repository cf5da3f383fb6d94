"""Syntax tree to closures, with the types that can be told before there is data.

Where the types are known, a path is a chain of dict accesses; a branch that cannot match the start type
(`Practitioner.name` of a Patient) disappears.   http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fhir_profiles.fhirpath import syntax
from fhir_profiles.fhirpath.arithmetic import polarity
from fhir_profiles.fhirpath.code import (
    EMPTY,
    NOTHING,
    Code,
    Frame,
    Types,
    constant_code,
    empty_code,
    this_code,
)
from fhir_profiles.fhirpath.constants import constant
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions import check_arguments
from fhir_profiles.fhirpath.operators import binary
from fhir_profiles.fhirpath.paths import extendable, following_code, path_code
from fhir_profiles.fhirpath.temporal import read_moment
from fhir_profiles.fhirpath.type_operations import type_operation
from fhir_profiles.fhirpath.types import ABSTRACT, SYSTEM, Node, Nodes, Step, TypeSystem
from fhir_profiles.fhirpath.units import Measure
from fhir_profiles.fhirpath.values import singleton

DATED = ("Date", "DateTime", "Time")


EMPTY_OF_EMPTY = frozenset(
    ("where", "select", "repeat", "ofType", "as", "first", "last", "tail", "skip", "take", "resolve", "extension")
)
"""Functions whose result is known where the path before them cannot match: `Practitioner.telecom.where(...)`."""


class Compiler:
    """Compiles one expression."""

    def __init__(self, types: TypeSystem, *, strict: bool) -> None:
        self.types = types
        self.strict = strict
        """Refuse what cannot mean anything: unknown elements, `as` of several items, skip() of unordered items."""
        self.uses_frame = False
        """Whether an evaluation needs a Frame."""

    def refuse(self, message: str) -> Code:
        """Empty, or an error when strict."""
        if self.strict:
            raise FhirPathError("semantic", message)
        return empty_code()

    def compile(self, tree: syntax.Ast, scope: Types) -> Code:
        """Code of a tree; `scope` are the types of `$this`."""
        return _COMPILERS[type(tree)](self, tree, scope)

    def member(self, of: Code, name: str) -> Code:
        """Code of `of.name`."""
        if of.types is None:
            return self._unknown_member(of, name)
        found = {each: step for each in of.types if (step := self.types.steps(each).get(name)) is not None}
        if not found and not any(each in SYSTEM for each in of.types):
            return self.refuse(f"{' or '.join(sorted(of.types))} has no element {name!r}") if of.types else empty_code()
        if len(of.types) == 1:
            (only,) = of.types
            step = found.get(only)
            if step is not None and not self.types.is_primitive(only) and only not in ABSTRACT:
                return self._extended(of, step)
        return self._unknown_member(of, name, found)

    def _extended(self, of: Code, step: Step) -> Code:
        if of.steps is not None and (not of.steps or extendable(of.steps[-1])):
            return path_code((*of.steps, step))
        return following_code(of, step)

    def _unknown_member(self, of: Code, name: str, found: dict[str, Step] | None = None) -> Code:
        run, child = of.run, self.child_of

        def follow(node: Node, frame: Frame) -> Nodes:
            out: Nodes = []
            for item in run(node, frame):
                child(item, name, out)
            return out

        if found is None:
            return Code(follow, None, ordered=of.ordered)
        types = {fhir_type for step in found.values() for fhir_type in step.choices.values()}
        types |= {f"System.{SYSTEM[each]}" for each in of.types or () if name == "value" and each in SYSTEM}
        single = of.single and not any(step.many for step in found.values())
        return Code(follow, None if types & set(ABSTRACT) else frozenset(types), single=single, ordered=of.ordered)

    def child_of(self, item: Node, name: str, out: Nodes) -> None:
        """Appends the children of that name; those of a primitive are in its sibling."""
        value, fhir_type, sibling = item
        if value.__class__ is dict:
            step = self.types.steps(fhir_type).get(name)
            if step is not None:
                step.collect(value, out)
        elif name == "value":
            if value is not None and fhir_type in SYSTEM and fhir_type[:7] != "System.":
                out.append((value, f"System.{SYSTEM[fhir_type]}", None))
        elif sibling.__class__ is dict:
            step = self.types.steps(fhir_type).get(name)
            if step is not None:
                step.collect(sibling, out)
        elif hasattr(value, "reflected"):
            value.reflected(name, out)


def _literal(compiler: Compiler, tree: syntax.Literal, scope: Types) -> Code:
    value: Any = tree.value
    if tree.type in DATED and read_moment(value, tree.type) is None:
        raise FhirPathError("syntax", f"@{value} is no {tree.type}")
    if tree.type == "Quantity":
        assert tree.unit is not None
        value = Measure(Decimal(value), tree.unit)
    return constant_code([(value, f"System.{tree.type}", None)])


def _empty(compiler: Compiler, tree: syntax.Empty, scope: Types) -> Code:
    return empty_code()


def _variable(compiler: Compiler, tree: syntax.Variable, scope: Types) -> Code:
    if tree.name == "this":
        return this_code(scope)
    compiler.uses_frame = True
    if tree.name == "total":
        return Code(lambda node, frame: frame.total)
    types = frozenset(("System.Integer",))
    return Code(lambda node, frame: [(frame.index, "System.Integer", None)], types, single=True)


def _constant(compiler: Compiler, tree: syntax.Constant, scope: Types) -> Code:
    return constant(compiler, tree.name)


def _member(compiler: Compiler, tree: syntax.Member, scope: Types) -> Code:
    if tree.of is None:
        if tree.name[:1].isupper() and compiler.types.exists(tree.name):
            return _type_name(compiler, tree.name, scope)
        return compiler.member(this_code(scope), tree.name)
    if tree == syntax.Member(syntax.Member(None, "FHIR"), tree.name) and compiler.types.exists(tree.name):
        return _type_name(compiler, tree.name, scope)
    return compiler.member(compiler.compile(tree.of, scope), tree.name)


def _type_name(compiler: Compiler, name: str, scope: Types) -> Code:
    """A path may start with the type of its context.   http://hl7.org/fhirpath/N1/#path-selection"""
    is_a = compiler.types.is_a
    if scope is not None:
        fitting = frozenset(each for each in scope if is_a(each, name))
        if fitting == scope:
            return this_code(scope)
        if not fitting:
            return compiler.refuse(f"the context is {' or '.join(sorted(scope))}, not {name}")

    def run(node: Node, frame: Frame) -> Nodes:
        return [node] if node is not NOTHING and is_a(node[1], name) else EMPTY

    return Code(run, None if name in ABSTRACT else frozenset((name,)), single=True)


def _call(compiler: Compiler, tree: syntax.Call, scope: Types) -> Code:
    function = check_arguments(tree.name, len(tree.arguments))
    source = this_code(scope) if tree.of is None else compiler.compile(tree.of, scope)
    if source.constant == EMPTY and tree.name in EMPTY_OF_EMPTY and not compiler.strict:
        return empty_code()
    return function.build(compiler, source, tree.arguments, scope)


def _indexer(compiler: Compiler, tree: syntax.Indexer, scope: Types) -> Code:
    source, position = compiler.compile(tree.of, scope), compiler.compile(tree.index, scope)
    run, index_run = source.run, position.run

    def item_at(node: Node, frame: Frame) -> Nodes:
        index = singleton(index_run(node, frame))
        if index is None:
            return EMPTY
        if SYSTEM.get(index[1]) != "Integer":
            raise FhirPathError("execution", "an index is an Integer")
        found = run(node, frame)
        return [found[index[0]]] if 0 <= index[0] < len(found) else EMPTY

    return Code(item_at, source.types, single=True)


def _polarity(compiler: Compiler, tree: syntax.Polarity, scope: Types) -> Code:
    return polarity(tree.sign, compiler.compile(tree.operand, scope))


def _type_operation(compiler: Compiler, tree: syntax.TypeOperation, scope: Types) -> Code:
    return type_operation(compiler, tree.operator, compiler.compile(tree.operand, scope), tree.type)


def _binary(compiler: Compiler, tree: syntax.Binary, scope: Types) -> Code:
    return binary(compiler, tree.operator, compiler.compile(tree.left, scope), compiler.compile(tree.right, scope))


_COMPILERS: dict[type, Callable[[Compiler, Any, Types], Code]] = {
    syntax.Literal: _literal,
    syntax.Empty: _empty,
    syntax.Variable: _variable,
    syntax.Constant: _constant,
    syntax.Member: _member,
    syntax.Call: _call,
    syntax.Indexer: _indexer,
    syntax.Polarity: _polarity,
    syntax.TypeOperation: _type_operation,
    syntax.Binary: _binary,
}
