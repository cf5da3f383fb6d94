"""Existence.   http://hl7.org/fhirpath/N1/#existence"""

from __future__ import annotations

from collections.abc import Callable

from fhir_profiles.fhirpath.code import Code, Frame, Types, boolean_code, exists_of, truth_of
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.filtering import indexed, where_code
from fhir_profiles.fhirpath.functions.registry import Build, Function, Table
from fhir_profiles.fhirpath.operators import distinct_code
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.values import Distinct, distinct


def _empty(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    exists = exists_of(source)
    return _certain(lambda node, frame: not exists(node, frame))


def _certain(truth: Callable[[Node, Frame], bool]) -> Code:
    """A Boolean that is never empty."""
    code = boolean_code(truth)
    code.exists = lambda node, frame: True
    return code


def _exists(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    found = where_code(compiler, source, arguments[0]) if arguments else source
    return _certain(exists_of(found))


def _not(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    truth = truth_of(source)

    def negated(node: Node, frame: Frame) -> bool | None:
        result = truth(node, frame)
        return None if result is None else not result

    return boolean_code(negated)


def _all(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    criteria, run = compiler.compile(arguments[0], source.types), source.run
    truth = indexed(truth_of(criteria), arguments[0])
    return _certain(lambda node, frame: all(truth(item, frame, index) for index, item in enumerate(run(node, frame))))


def _of_booleans(name: str, decide: Callable[[list[bool]], bool]) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        run = source.run

        def decided(node: Node, frame: Frame) -> bool:
            found = run(node, frame)
            if any(SYSTEM.get(item[1]) != "Boolean" for item in found):
                raise FhirPathError("execution", f"{name}() expects Booleans")
            return decide([item[0] for item in found if item[0] is not None])

        return _certain(decided)

    return {name: Function(0, 0, build)}


def _subset(name: str, contained: Callable[[Nodes, Nodes], bool]) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        run, other = source.run, compiler.compile(arguments[0], scope).run
        return _certain(lambda node, frame: contained(run(node, frame), other(node, frame)))

    return {name: Function(1, 1, build)}


def _within(inner: Nodes, outer: Nodes) -> bool:
    known = Distinct(outer)
    return all(item in known for item in inner)


def _count(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    run = source.run

    def count(node: Node, frame: Frame) -> Nodes:
        return [(len(run(node, frame)), "System.Integer", None)]

    return Code(
        count,
        frozenset(("System.Integer",)),
        single=True,
        exists=lambda node, frame: True,
        scalar=lambda node, frame: len(run(node, frame)),
    )


def _distinct(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return distinct_code(source)


def _is_distinct(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    run = source.run

    def is_distinct(node: Node, frame: Frame) -> bool:
        found = run(node, frame)
        return len(distinct(found)) == len(found)

    return _certain(is_distinct)


def _has_value(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """https://hl7.org/fhir/R4/fhirpath.html#functions: a single primitive that has a value."""
    if source.scalar is not None:
        scalar = source.scalar
        return _certain(lambda node, frame: scalar(node, frame) is not None)
    run = source.run

    def has_value(node: Node, frame: Frame) -> bool:
        found = run(node, frame)
        return len(found) == 1 and found[0][0] is not None and found[0][0].__class__ is not dict

    return _certain(has_value)


def _trees(build: Build, least: int = 0, most: int | None = None) -> Function:
    return Function(least, least if most is None else most, build)


EXISTENCE: Table = {
    "empty": _trees(_empty),
    "exists": _trees(_exists, 0, 1),
    "not": _trees(_not),
    "all": _trees(_all, 1),
    "count": _trees(_count),
    "distinct": _trees(_distinct),
    "isDistinct": _trees(_is_distinct),
    "hasValue": _trees(_has_value),
    **_of_booleans("allTrue", all),
    **_of_booleans("anyTrue", any),
    **_of_booleans("allFalse", lambda values: not any(values)),
    **_of_booleans("anyFalse", lambda values: not all(values)),
    **_subset("subsetOf", _within),
    **_subset("supersetOf", lambda outer, inner: _within(inner, outer)),
}
