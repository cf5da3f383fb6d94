"""Conversion: toX() and convertsToX().   http://hl7.org/fhirpath/N1/#conversion"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fhir_profiles.fhirpath.arithmetic import MAX_INTEGER
from fhir_profiles.fhirpath.code import EMPTY, Code, Frame, Types
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.functions.registry import Function, Table
from fhir_profiles.fhirpath.parser import CALENDAR_UNITS
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.temporal import read_moment
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.units import Measure, converted
from fhir_profiles.fhirpath.values import measure, number, singleton, text_of

_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}\Z")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?\Z")
_QUANTITY = re.compile(r"([+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?)\s*(?:'([^']+)'|([a-z]+))?\Z")

Convert = Callable[[Any, str], Any]
"""(value as in the item, its System type) -> value of the wanted type, or None."""


def _to_boolean(value: Any, kind: str) -> bool | None:
    if kind == "Boolean":
        return bool(value)
    if kind == "String":
        return _BOOLEANS.get(value.lower())
    exact = number(value) if kind in ("Integer", "Decimal") else None
    return bool(exact) if exact is not None and exact in (0, 1) else None


def _to_integer(value: Any, kind: str) -> int | None:
    if kind == "Boolean":
        return int(value)
    if kind == "Integer":
        return int(value)
    if kind != "String" or not _INTEGER.match(value):
        return None
    return int(value) if -MAX_INTEGER - 1 <= int(value) <= MAX_INTEGER else None


def _to_decimal(value: Any, kind: str) -> Decimal | None:
    if kind == "Boolean":
        return Decimal("1.0" if value else "0.0")
    if kind == "String":
        return Decimal(value) if _DECIMAL.match(value) else None
    exact = number(value) if kind in ("Integer", "Decimal") else None
    return None if exact is None else Decimal(exact)


def _to_text(value: Any, kind: str) -> str | None:
    return text_of((value, f"System.{kind}", None))


def _to_moment(wanted: str, accepted: tuple[str, ...]) -> Convert:
    def convert(value: Any, kind: str) -> str | None:
        if kind not in accepted or not isinstance(value, str):
            return None
        if wanted == "Date" and kind == "DateTime":
            value = value.partition("T")[0]
        value = value.removeprefix("T") if wanted == "Time" else value
        return value if read_moment(value, wanted) is not None else None

    return convert


def _to_quantity(value: Any, kind: str) -> Measure | None:
    if kind == "Boolean":
        return Measure(Decimal("1.0" if value else "0.0"), "1")
    if kind in ("Integer", "Decimal", "Quantity"):
        return measure(value)
    found = _QUANTITY.match(value) if kind == "String" else None
    if found is None:
        return None
    amount, code, word = found.groups()
    if word is not None and word not in CALENDAR_UNITS:
        return None
    return Measure(Decimal(amount), CALENDAR_UNITS[word] if word else code or "1")


def _conversion(wanted: str, convert: Convert) -> Table:
    def converted_item(nodes: Nodes) -> Any:
        item = singleton(nodes)
        kind = SYSTEM.get(item[1]) if item is not None else None
        return None if item is None or item[0] is None or kind is None else convert(item[0], kind)

    def build_to(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        run = source.run

        def to(node: Node, frame: Frame) -> Nodes:
            value = converted_item(run(node, frame))
            return EMPTY if value is None else [(value, f"System.{wanted}", None)]

        return Code(to, frozenset((f"System.{wanted}",)), single=True)

    def build_test(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        run = source.run

        def converts(node: Node, frame: Frame) -> Nodes:
            found = run(node, frame)
            return [(converted_item(found) is not None, "System.Boolean", None)] if found else EMPTY

        return Code(converts, frozenset(("System.Boolean",)), single=True)

    return {f"to{wanted}": Function(0, 0, build_to), f"convertsTo{wanted}": Function(0, 0, build_test)}


def _quantity_in_unit(table: Table) -> Table:
    """toQuantity(unit) and convertsToQuantity(unit) convert to the unit too."""

    def in_unit(name: str) -> Function:
        plain = table[name]

        def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
            if not arguments:
                return plain.build(compiler, source, (), scope)
            quantity = table["toQuantity"].build(compiler, source, (), scope).run
            unit = compiler.compile(arguments[0], scope).run

            def convert(node: Node, frame: Frame) -> Nodes:
                found, wanted = singleton(quantity(node, frame)), singleton(unit(node, frame))
                if found is None or wanted is None:
                    return EMPTY
                there = converted(found[0], CALENDAR_UNITS.get(str(wanted[0]), str(wanted[0])))
                if name == "convertsToQuantity":
                    return [(there is not None, "System.Boolean", None)]
                return EMPTY if there is None else [(there, "System.Quantity", None)]

            return Code(convert, single=True)

        return Function(0, 1, build)

    return {name: in_unit(name) for name in table}


CONVERSION: Table = {
    **_conversion("Boolean", _to_boolean),
    **_conversion("Integer", _to_integer),
    **_conversion("Decimal", _to_decimal),
    **_conversion("String", _to_text),
    **_conversion("Date", _to_moment("Date", ("String", "Date", "DateTime"))),
    **_conversion("DateTime", _to_moment("DateTime", ("String", "Date", "DateTime"))),
    **_conversion("Time", _to_moment("Time", ("String", "Time"))),
    **_quantity_in_unit(_conversion("Quantity", _to_quantity)),
}
