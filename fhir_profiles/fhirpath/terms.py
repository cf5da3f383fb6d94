"""Syntax tree to closures: what makes the code of each kind of term, `TERMS`, and the compiler that has them all.

http://hl7.org/fhirpath/N1/#expressions
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fhir_profiles.fhirpath import syntax
from fhir_profiles.fhirpath.arithmetic import polarity
from fhir_profiles.fhirpath.code import EMPTY, NOTHING, Code, Frame, Types, constant_code, empty_code, this_code
from fhir_profiles.fhirpath.compiler import Compiler, Terms
from fhir_profiles.fhirpath.constants import constant
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions import check_arguments
from fhir_profiles.fhirpath.operators import binary
from fhir_profiles.fhirpath.temporal import read_moment
from fhir_profiles.fhirpath.type_operations import type_operation
from fhir_profiles.fhirpath.types import ABSTRACT, SYSTEM, Node, Nodes, TypeSystem
from fhir_profiles.fhirpath.units import Measure
from fhir_profiles.fhirpath.values import singleton

DATED = ("Date", "DateTime", "Time")
EMPTY_OF_EMPTY = frozenset(
    ("where", "select", "repeat", "ofType", "as", "first", "last", "tail", "skip", "take", "resolve", "extension")
)
"""Functions whose result is known where the path before them cannot match: `Practitioner.telecom.where(...)`."""


def compiler_of(types: TypeSystem, *, strict: bool) -> Compiler:
    return Compiler(types, TERMS, strict=strict)


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


TERMS: Terms = {
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
