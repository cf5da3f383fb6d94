"""How a function is declared: its number of arguments and what builds its code; helpers that most of them share."""

from __future__ import annotations

from collections.abc import Callable
from decimal import DecimalException
from typing import Any, NamedTuple

from fhir_profiles.fhirpath.code import EMPTY, Code, Frame, Types
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.values import measure, number, singleton

Build = Callable[[Compiler, Code, tuple[Ast, ...], Types], Code]


class Function(NamedTuple):
    least: int
    most: int
    """Number of arguments."""
    build: Build


Table = dict[str, Function]

_ACCEPTED: dict[str, frozenset[str]] = {
    "String": frozenset(("String",)),
    "Integer": frozenset(("Integer",)),
    "Boolean": frozenset(("Boolean",)),
    "number": frozenset(("Integer", "Decimal")),
    "quantity": frozenset(("Quantity",)),
    "measurable": frozenset(("Integer", "Decimal", "Quantity")),
    "any": frozenset(("String", "Integer", "Boolean", "Decimal", "Date", "DateTime", "Time", "Quantity")),
}


def value_of(nodes: Nodes, expected: str, name: str) -> Any:
    """The single value in Python's terms (str, int, Decimal, bool, Measure), None for none.
    Raises: FhirPathError for several items or another type."""
    node = singleton(nodes)
    if node is None or node[0] is None:
        return None
    kind = SYSTEM.get(node[1])
    if kind in ("Date", "DateTime", "Time") and expected == "String" and node[1][:7] != "System.":
        return node[0]  # FHIR's own dates are texts in JSON, and profiles take them for Strings
    if kind not in _ACCEPTED[expected]:
        raise FhirPathError("execution", f"{name}() expects {expected}, not {node[1]}")
    if kind in ("Integer", "Decimal"):
        return number(node[0])
    return measure(node[0]) if kind == "Quantity" else node[0]


def scalar(
    name: str,
    function: Callable[..., Node | None],
    of: str = "String",
    arguments: tuple[str, ...] = (),
    *,
    optional: int = 0,
    result: str | None = "String",
) -> Table:
    """A function of one value and single arguments: empty as soon as one of them is empty.

    `function` takes the values and gives an item or None; `result` is the System type, None if it depends."""

    def build(compiler: Compiler, source: Code, trees: tuple[Ast, ...], scope: Types) -> Code:
        if compiler.strict:
            _check_source(source, of, name)
        run = source.run
        runs = [(compiler.compile(tree, scope).run, expected) for tree, expected in zip(trees, arguments, strict=False)]

        def call(node: Node, frame: Frame) -> Nodes:
            value = value_of(run(node, frame), of, name)
            if value is None:
                return EMPTY
            values = []
            for argument, expected in runs:
                given = value_of(argument(node, frame), expected, name)
                if given is None:
                    return EMPTY
                values.append(given)
            try:
                found = function(value, *values)
            except DecimalException as error:
                raise FhirPathError("execution", f"{name}() has no result for such a number") from error
            return EMPTY if found is None else [found]

        return Code(call, None if result is None else frozenset((f"System.{result}",)), single=True)

    return {name: Function(len(arguments) - optional, len(arguments), build)}


def _check_source(source: Code, expected: str, name: str) -> None:
    """What can be told to be wrong before there is data."""
    kinds = source.kinds
    if kinds and not kinds & _ACCEPTED[expected]:
        raise FhirPathError("semantic", f"{name}() expects {expected}, not {' or '.join(sorted(source.types or ()))}")


def text(value: str) -> Node:
    return (value, "System.String", None)


def integer(value: int) -> Node:
    return (value, "System.Integer", None)


def truth(value: bool) -> Node:
    return (value, "System.Boolean", None)
