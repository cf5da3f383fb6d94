"""Arithmetic, `&` and signs.   http://hl7.org/fhirpath/N1/#math http://hl7.org/fhirpath/N1/#datetime-arithmetic"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Context, Decimal, DecimalException
from typing import Any

from fhir_profiles.fhirpath import temporal, units
from fhir_profiles.fhirpath.code import EMPTY, NOTHING, Code, Frame, constant_code
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.units import Measure
from fhir_profiles.fhirpath.values import measure, moment, number, singleton

Builder = Callable[[Compiler, Code, Code], Code]
"""(compiler, left, right) -> code of `left operator right`."""

EXACT = Context(prec=34)
MAX_TEXT = 1_000_000
"""Characters of a computed text: an expression that doubles its input in a loop stops here."""
MAX_INTEGER = 2**31 - 1


def integer_or_decimal(value: int | Decimal) -> Node | None:
    """Item of a number; None (empty) where an Integer overflows."""
    if isinstance(value, Decimal):
        return (value, "System.Decimal", None)
    return (value, "System.Integer", None) if -MAX_INTEGER - 1 <= value <= MAX_INTEGER else None


def _numbers(left: Node, right: Node) -> tuple[int | Decimal, int | Decimal] | None:
    if SYSTEM.get(left[1]) in ("Integer", "Decimal") and SYSTEM.get(right[1]) in ("Integer", "Decimal"):
        one, other = number(left[0]), number(right[0])
        if one is not None and other is not None:
            return one, other
    return None


def _measures(left: Node, right: Node) -> tuple[Measure, Measure] | None:
    kinds = {SYSTEM.get(left[1]), SYSTEM.get(right[1])}
    if "Quantity" in kinds and kinds <= {"Quantity", "Integer", "Decimal"}:
        one, other = measure(left[0]), measure(right[0])
        if one is not None and other is not None:
            return one, other
    return None


def _exact(operation: Callable[[Decimal, Decimal], Decimal], one: int | Decimal, other: int | Decimal) -> Decimal:
    return operation(Decimal(one), Decimal(other))


def _moved(left: Node, right: Node, sign: int) -> Node | None:
    start, amount = moment(left), measure(right[0])
    if start is None or amount is None:
        return None
    unit = units.UCUM_CALENDAR.get(amount.unit, amount.unit)
    if unit not in units.CALENDAR:
        raise FhirPathError("execution", "only calendar durations can be added to dates and times")
    result = temporal.add(start, amount.value * sign, unit)
    return None if result is None else (str(result), f"System.{start.kind}", None)


def _sum(left: Node, right: Node, sign: int) -> Node | None:
    """Item of `left + right` or `left - right` (sign -1)."""
    if pair := _numbers(left, right):
        one, other = pair
        if isinstance(one, int) and isinstance(other, int):
            return integer_or_decimal(one + sign * other)
        return integer_or_decimal(_exact(EXACT.add if sign > 0 else EXACT.subtract, one, other))
    kind, second = SYSTEM.get(left[1]), SYSTEM.get(right[1])
    if kind == second == "String" and sign > 0:
        return (limited(left[0] + right[0]), "System.String", None)
    if kind in ("Date", "DateTime", "Time") and second == "Quantity":
        return _moved(left, right, sign)
    if measures := _measures(left, right):
        there = units.converted(measures[1], measures[0].unit)
        if there is None:
            return None
        return (Measure(EXACT.add(measures[0].value, sign * there.value), there.unit), "System.Quantity", None)
    raise FhirPathError("execution", f"{left[1]} and {right[1]} cannot be added or subtracted")


def limited(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise FhirPathError("execution", f"a text grew longer than {MAX_TEXT} characters")
    return text


def _product(left: Node, right: Node) -> Node | None:
    if pair := _numbers(left, right):
        one, other = pair
        if isinstance(one, int) and isinstance(other, int):
            return integer_or_decimal(one * other)
        return integer_or_decimal(_exact(EXACT.multiply, one, other))
    if measures := _measures(left, right):
        return (units.multiply(*measures), "System.Quantity", None)
    raise FhirPathError("execution", f"{left[1]} and {right[1]} cannot be multiplied")


def _quotient(left: Node, right: Node) -> Node | None:
    if pair := _numbers(left, right):
        return integer_or_decimal(_exact(EXACT.divide, *pair)) if pair[1] else None
    if measures := _measures(left, right):
        result = units.divide(*measures)
        return None if result is None else (result, "System.Quantity", None)
    raise FhirPathError("execution", f"{left[1]} and {right[1]} cannot be divided")


def _whole(left: Node, right: Node) -> Node | None:
    """`div`: the quotient without its fraction."""
    pair = _numbers(left, right)
    if pair is None:
        raise FhirPathError("execution", f"{left[1]} and {right[1]} cannot be divided")
    if not pair[1]:
        return None
    quotient = _exact(EXACT.divide, *pair).to_integral_value(ROUND_DOWN)
    return integer_or_decimal(int(quotient)) if abs(quotient) <= MAX_INTEGER else None


def _rest(left: Node, right: Node) -> Node | None:
    """`mod`, with the sign of the dividend."""
    pair = _numbers(left, right)
    if pair is None:
        raise FhirPathError("execution", f"{left[1]} and {right[1]} cannot be divided")
    one, other = pair
    if not other:
        return None
    rest = _exact(EXACT.remainder, one, other)
    return integer_or_decimal(int(rest) if isinstance(one, int) and isinstance(other, int) else rest)


def _arithmetic(operation: Callable[[Node, Node], Node | None]) -> Builder:
    def build(compiler: Compiler, left: Code, right: Code) -> Code:
        left_run, right_run = left.run, right.run

        def calculate(node: Node, frame: Frame) -> Nodes:
            one, other = singleton(left_run(node, frame)), singleton(right_run(node, frame))
            if one is None or other is None or one[0] is None or other[0] is None:
                return EMPTY
            try:
                result = operation(one, other)
            except DecimalException as error:
                raise FhirPathError("execution", "the result has too many digits") from error
            return EMPTY if result is None else [result]

        return Code(calculate, single=True)

    return build


def _concatenation(compiler: Compiler, left: Code, right: Code) -> Code:
    """`&`: empty counts as ''."""
    left_run, right_run = left.run, right.run

    def text(nodes: Nodes) -> str:
        item = singleton(nodes)
        if item is None or item[0] is None:
            return ""
        if not isinstance(item[0], str):
            raise FhirPathError("execution", f"& joins Strings, not {item[1]}")
        return item[0]

    def join(node: Node, frame: Frame) -> Nodes:
        return [(limited(text(left_run(node, frame)) + text(right_run(node, frame))), "System.String", None)]

    return Code(join, frozenset(("System.String",)), single=True)


def polarity(sign: str, operand: Code) -> Code:
    """Code of `-operand` or `+operand`."""
    run = operand.run

    def signed(node: Node, frame: Frame) -> Nodes:
        item = singleton(run(node, frame))
        if item is None:
            return EMPTY
        kind = SYSTEM.get(item[1])
        if kind == "Quantity":
            quantity = measure(item[0])
            if quantity is None:
                return EMPTY
            value: Any = Measure(-quantity.value, quantity.unit) if sign == "-" else quantity
            return [(value, "System.Quantity", None)]
        exact = number(item[0]) if kind in ("Integer", "Decimal") else None
        if exact is None:
            raise FhirPathError("execution", f"{sign} cannot stand before {item[1]}")
        return [(-exact if sign == "-" else exact, f"System.{kind}", None)]

    if operand.constant is not None and operand.constant:
        return constant_code(signed(NOTHING, None))  # type: ignore[arg-type]
    return Code(signed, single=True)


ARITHMETIC: dict[str, Builder] = {
    "+": _arithmetic(lambda left, right: _sum(left, right, 1)),
    "-": _arithmetic(lambda left, right: _sum(left, right, -1)),
    "*": _arithmetic(_product),
    "/": _arithmetic(_quotient),
    "div": _arithmetic(_whole),
    "mod": _arithmetic(_rest),
    "&": _concatenation,
}
