"""Math functions, boundaries and precision.   http://hl7.org/fhirpath/N1/#math
http://hl7.org/fhirpath/#lowboundaryprecision-integer-decimal--date--datetime--time (of later releases)"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from fhir_profiles.fhirpath import temporal, units
from fhir_profiles.fhirpath.arithmetic import MAX_INTEGER, integer_or_decimal
from fhir_profiles.fhirpath.code import EMPTY, Code, Frame, Types
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.registry import Function, Table, integer, scalar, value_of
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.units import Measure
from fhir_profiles.fhirpath.values import measure, moment, number, singleton

EXACT = Context(prec=28)
MAX_DIGITS = 31


def _decimal(value: Decimal) -> Node | None:
    return (value, "System.Decimal", None) if value.is_finite() else None


def _abs(value: Any) -> Node | None:
    if isinstance(value, Measure):
        return (Measure(abs(value.value), value.unit), "System.Quantity", None)
    return integer_or_decimal(abs(value))


def _to_integer(rounding: str) -> Callable[[int | Decimal], Node | None]:
    def rounded(value: int | Decimal) -> Node | None:
        whole = Decimal(value).to_integral_value(rounding)
        return integer(int(whole)) if abs(whole) <= MAX_INTEGER else None

    return rounded


def _round(value: int | Decimal, precision: int = 0) -> Node | None:
    if precision < 0:
        raise FhirPathError("execution", "round() expects a precision of at least 0")
    if precision > MAX_DIGITS:
        return _decimal(Decimal(value))
    return _decimal(Decimal(value).quantize(Decimal(1).scaleb(-precision), ROUND_HALF_UP, Context(prec=60)))


def _ln(value: int | Decimal) -> Node | None:
    return _decimal(EXACT.ln(Decimal(value))) if value > 0 else None


def _log(value: int | Decimal, base: int | Decimal) -> Node | None:
    if value <= 0 or base <= 0 or base == 1:
        return None
    ratio = Context(prec=40).divide(Context(prec=40).ln(Decimal(value)), Context(prec=40).ln(Decimal(base)))
    return _decimal(EXACT.plus(ratio))


def _exp(value: int | Decimal) -> Node | None:
    return _decimal(EXACT.exp(Decimal(value)))


def _power(value: int | Decimal, exponent: int | Decimal) -> Node | None:
    try:
        result = EXACT.power(Decimal(value), Decimal(exponent))
    except InvalidOperation:
        return None
    whole = isinstance(value, int) and isinstance(exponent, int) and exponent >= 0
    return integer_or_decimal(int(result)) if whole and abs(result) <= MAX_INTEGER else _decimal(result)


def _sqrt(value: int | Decimal) -> Node | None:
    return _decimal(EXACT.sqrt(Decimal(value))) if value >= 0 else None


def _decimal_boundary(value: Decimal, precision: int, *, high: bool) -> Decimal | None:
    """The value plus or minus half of its last digit, rounded outwards."""
    if not 0 <= precision <= MAX_DIGITS:
        return None
    exact = Context(prec=80)
    half = Decimal(5).scaleb(int(value.as_tuple().exponent) - 1)
    moved = exact.add(value, half) if high else exact.subtract(value, half)
    return moved.quantize(Decimal(1).scaleb(-precision), ROUND_CEILING if high else ROUND_FLOOR, exact)


def _boundary_of(item: Node, precision: int | None, *, high: bool) -> Node | None:
    kind = SYSTEM.get(item[1])
    if kind in ("Integer", "Decimal"):
        exact = number(item[0])
        found = None if exact is None else _decimal_boundary(Decimal(exact), _or(precision, 8), high=high)
        return None if found is None else _decimal(found)
    if kind == "Quantity":
        quantity = measure(item[0])
        edge = None if quantity is None else _decimal_boundary(quantity.value, _or(precision, 8), high=high)
        if quantity is None or edge is None:
            return None
        return (Measure(edge, quantity.unit), "System.Quantity", None)
    if kind in ("Date", "DateTime", "Time"):
        start = moment(item)
        # FHIR's own dates stay dates; a dateTime of any precision becomes an instant.
        if start is not None and kind == "DateTime" and precision is None:
            start = start._replace(kind="DateTime")
        end = None if start is None else temporal.boundary(start, precision, high=high)
        return None if end is None else (str(end), f"System.{end.kind}", None)
    raise FhirPathError("execution", f"{item[1]} has no boundaries")


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _boundary(name: str, *, high: bool) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        run = source.run
        precision = compiler.compile(arguments[0], scope).run if arguments else None

        def boundary(node: Node, frame: Frame) -> Nodes:
            item = singleton(run(node, frame))
            if item is None or item[0] is None:
                return EMPTY
            digits = value_of(precision(node, frame), "Integer", name) if precision is not None else None
            found = _boundary_of(item, digits, high=high)
            return EMPTY if found is None else [found]

        return Code(boundary, single=True)

    return {name: Function(0, 1, build)}


def _precision(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """Digits of a date, dateTime or time; digits after the point of a Decimal."""
    run = source.run

    def precision(node: Node, frame: Frame) -> Nodes:
        item = singleton(run(node, frame))
        if item is None or item[0] is None:
            return EMPTY
        kind = SYSTEM.get(item[1])
        if kind in ("Integer", "Decimal"):
            exact = number(item[0])
            return EMPTY if exact is None else [integer(max(0, -int(Decimal(exact).as_tuple().exponent)))]
        if kind in ("Date", "DateTime", "Time"):
            start = moment(item)
            return EMPTY if start is None else [integer(temporal.digits(start))]
        raise FhirPathError("execution", f"{item[1]} has no precision")

    return Code(precision, frozenset(("System.Integer",)), single=True)


def _comparable(left: Measure, right: Measure) -> Node:
    return (units.comparable(left, right), "System.Boolean", None)


MATH: Table = {
    **scalar("abs", _abs, "measurable", result=None),
    **scalar("ceiling", _to_integer(ROUND_CEILING), "number", result="Integer"),
    **scalar("floor", _to_integer(ROUND_FLOOR), "number", result="Integer"),
    **scalar("truncate", _to_integer(ROUND_DOWN), "number", result="Integer"),
    **scalar("round", _round, "number", ("Integer",), optional=1, result="Decimal"),
    **scalar("exp", _exp, "number", result="Decimal"),
    **scalar("ln", _ln, "number", result="Decimal"),
    **scalar("log", _log, "number", ("number",), result="Decimal"),
    **scalar("power", _power, "number", ("number",), result=None),
    **scalar("sqrt", _sqrt, "number", result="Decimal"),
    **_boundary("lowBoundary", high=False),
    **_boundary("highBoundary", high=True),
    "precision": Function(0, 0, _precision),
    **scalar("comparable", _comparable, "quantity", ("quantity",), result="Boolean"),
}
