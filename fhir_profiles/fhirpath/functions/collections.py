"""Subsetting and combining.   http://hl7.org/fhirpath/N1/#subsetting http://hl7.org/fhirpath/N1/#combining"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key

from fhir_profiles.fhirpath import syntax
from fhir_profiles.fhirpath.code import EMPTY, Code, Frame, Run, Types, exists_of
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.registry import Function, Table, value_of
from fhir_profiles.fhirpath.operators import joined_types, union
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.types import Node, Nodes
from fhir_profiles.fhirpath.values import Distinct, order, singleton


def _part(name: str, take: Callable[[Nodes], Nodes], *, single: bool) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        _check_order(compiler, source, name)
        run = source.run
        return Code(lambda node, frame: take(run(node, frame)), source.types, single or source.single)

    return {name: Function(0, 0, build)}


def _check_order(compiler: Compiler, source: Code, name: str) -> None:
    if compiler.strict and not source.ordered:
        raise FhirPathError("semantic", f"{name}() of items that have no order")


def _single(nodes: Nodes) -> Nodes:
    singleton(nodes)
    return nodes


def _counted(name: str, take: Callable[[Nodes, int], Nodes]) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        _check_order(compiler, source, name)
        run, number = source.run, compiler.compile(arguments[0], scope).run

        def part(node: Node, frame: Frame) -> Nodes:
            count = value_of(number(node, frame), "Integer", name)
            return EMPTY if count is None else take(run(node, frame), max(count, 0))

        return Code(part, source.types, source.single)

    return {name: Function(1, 1, build)}


def _with_other(
    name: str, combine: Callable[[Nodes, Nodes], Nodes], types: Callable[[Code, Code], Types] = joined_types
) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        other = compiler.compile(arguments[0], scope)
        run, other_run = source.run, other.run
        return Code(lambda node, frame: combine(run(node, frame), other_run(node, frame)), types(source, other))

    return {name: Function(1, 1, build)}


def _intersect(left: Nodes, right: Nodes) -> Nodes:
    if not left or not right:
        return EMPTY
    there = Distinct(right)
    return Distinct(item for item in left if item in there).items


def _exclude(left: Nodes, right: Nodes) -> Nodes:
    there = Distinct(right)
    return [item for item in left if item not in there]


def _union(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return union(compiler, source, compiler.compile(arguments[0], scope))


def _first(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    _check_order(compiler, source, "first")
    run = source.run
    return Code(lambda node, frame: run(node, frame)[:1], source.types, single=True, exists=exists_of(source))


def _by_key(one: tuple[Node, Node], other: tuple[Node, Node]) -> int:
    return order(one[0], other[0]) or 0


_BY_KEY = cmp_to_key(_by_key)


def _sort_key(tree: Ast) -> tuple[Ast, bool]:
    """The expression of a sort key, and whether it is descending."""
    if isinstance(tree, syntax.Polarity):
        return tree.operand, tree.sign == "-"
    return tree, False


def _sort(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """sort(key, -descending key ...), of FHIRPath's later releases: http://hl7.org/fhirpath/#sort
    `-` before a key turns the order round; items without a key come first either way."""
    run = source.run
    keys: list[tuple[Run, bool]] = []
    for tree in arguments or (syntax.Variable("this"),):
        key, descending = _sort_key(tree)
        keys.append((compiler.compile(key, source.types).run, descending))

    def sort(node: Node, frame: Frame) -> Nodes:
        found = list(run(node, frame))
        for key_run, descending in reversed(keys):
            rows = [(singleton(key_run(item, frame)), item) for item in found]
            keyed = [(key, item) for key, item in rows if key is not None]
            keyed.sort(key=_BY_KEY, reverse=descending)
            found = [item for key, item in rows if key is None] + [item for _, item in keyed]
        return found

    return Code(sort, source.types, source.single)


def _join(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    run = source.run
    separator = compiler.compile(arguments[0], scope).run if arguments else None

    def join(node: Node, frame: Frame) -> Nodes:
        found = run(node, frame)
        if any(item[0] is not None and not isinstance(item[0], str) for item in found):
            raise FhirPathError("execution", "join() expects Strings")
        between = value_of(separator(node, frame), "String", "join") if separator is not None else ""
        if not found or between is None:
            return EMPTY
        return [(between.join(item[0] for item in found if item[0] is not None), "System.String", None)]

    return Code(join, frozenset(("System.String",)), single=True)


COLLECTIONS: Table = {
    "first": Function(0, 0, _first),
    **_part("last", lambda nodes: nodes[-1:], single=True),
    **_part("tail", lambda nodes: nodes[1:], single=False),
    **_part("single", _single, single=True),
    **_counted("skip", lambda nodes, count: nodes[count:]),
    **_counted("take", lambda nodes, count: nodes[:count]),
    **_with_other("intersect", _intersect, lambda left, right: left.types),
    **_with_other("exclude", _exclude, lambda left, right: left.types),
    **_with_other("combine", lambda left, right: left + right),
    "union": Function(1, 1, _union),
    "sort": Function(0, 10, _sort),
    "join": Function(0, 1, _join),
}
