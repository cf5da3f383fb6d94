"""The operators.   http://hl7.org/fhirpath/N1/#operations"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Context, Decimal, DecimalException
from typing import TYPE_CHECKING, Any

from fhir_profiles.fhirpath import temporal, units
from fhir_profiles.fhirpath.code import (
    EMPTY,
    Code,
    Frame,
    Scalar,
    Truth,
    boolean_code,
    constant_code,
    empty_code,
    exists_of,
    truth_of,
)
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.paths import path_code
from fhir_profiles.fhirpath.types import ABSTRACT, SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.units import Measure
from fhir_profiles.fhirpath.values import (
    distinct,
    equal,
    equal_collections,
    equivalent_collections,
    measure,
    moment,
    number,
    order,
    singleton,
)

if TYPE_CHECKING:
    from fhir_profiles.fhirpath.compiler import Compiler

EXACT = Context(prec=34)
MAX_TEXT = 1_000_000
"""Characters of a computed text: an expression that doubles its input in a loop stops here."""
MAX_INTEGER = 2**31 - 1


# --- equality and order ---------------------------------------------------------------------------------------------


def _single_constant(code: Code, *kinds: str) -> Node | None:
    """The item of a literal of one of the System types."""
    if code.constant is not None and len(code.constant) == 1 and SYSTEM.get(code.constant[0][1]) in kinds:
        return code.constant[0]
    return None


def _equals(left: Code, right: Code) -> Truth:
    """Truth of `left = right`."""
    for one, other in ((left, right), (right, left)):
        literal = _single_constant(other, "String", "Boolean")
        if literal is not None and one.is_kind(SYSTEM[literal[1]]):
            return _equals_plain(one, literal[0])
    left_run, right_run = left.run, right.run
    if right.constant is not None and len(right.constant) == 1:
        only = right.constant[0]

        def equals_constant(node: Node, frame: Frame) -> bool | None:
            found = left_run(node, frame)
            if len(found) == 1:
                return equal(found[0], only)
            return False if found else None

        return equals_constant
    return lambda node, frame: equal_collections(left_run(node, frame), right_run(node, frame))


def _equals_plain(code: Code, wanted: str | bool) -> Truth:
    """Truth of an equality of texts or of Booleans, whose JSON can be compared as it is."""
    if code.scalar is not None:
        scalar = code.scalar

        def scalar_equals(node: Node, frame: Frame) -> bool | None:
            value = scalar(node, frame)
            return None if value is None else bool(value == wanted)

        return scalar_equals
    run = code.run

    def equals(node: Node, frame: Frame) -> bool | None:
        found = run(node, frame)
        if len(found) == 1:
            value = found[0][0]
            return None if value is None else bool(value == wanted)
        return False if found else None

    return equals


def _negated(truth: Truth) -> Truth:
    def negated(node: Node, frame: Frame) -> bool | None:
        result = truth(node, frame)
        return None if result is None else not result

    return negated


def _equal(compiler: Compiler, left: Code, right: Code) -> Code:
    return boolean_code(_equals(left, right))


def _not_equal(compiler: Compiler, left: Code, right: Code) -> Code:
    return boolean_code(_negated(_equals(left, right)))


def _equivalent(compiler: Compiler, left: Code, right: Code) -> Code:
    one, other = left.run, right.run
    return boolean_code(lambda node, frame: equivalent_collections(one(node, frame), other(node, frame)))


def _not_equivalent(compiler: Compiler, left: Code, right: Code) -> Code:
    one, other = left.run, right.run
    return boolean_code(lambda node, frame: not equivalent_collections(one(node, frame), other(node, frame)))


_ACCEPTED: dict[str, frozenset[int]] = {
    "<": frozenset((-1,)),
    "<=": frozenset((-1, 0)),
    ">": frozenset((1,)),
    ">=": frozenset((1, 0)),
}


def _comparison(accepted: frozenset[int]) -> Builder:
    def build(compiler: Compiler, left: Code, right: Code) -> Code:
        limit = _single_constant(right, "Integer")
        if limit is not None and left.scalar is not None and left.is_kind("Integer"):
            return boolean_code(_compares_integer(left.scalar, accepted, limit[0]))
        left_run, right_run = left.run, right.run

        def compares(node: Node, frame: Frame) -> bool | None:
            one, other = singleton(left_run(node, frame)), singleton(right_run(node, frame))
            if one is None or other is None:
                return None
            result = order(one, other)
            return None if result is None else result in accepted

        return boolean_code(compares)

    return build


def _compares_integer(scalar: Scalar, accepted: frozenset[int], limit: int) -> Truth:
    def compares(node: Node, frame: Frame) -> bool | None:
        value = scalar(node, frame)
        return None if value is None else ((value > limit) - (value < limit)) in accepted

    return compares


# --- Boolean logic: http://hl7.org/fhirpath/N1/#boolean-logic ---------------------------------------------------------


def _and(compiler: Compiler, left: Code, right: Code) -> Code:
    one, other = truth_of(left), truth_of(right)

    def both(node: Node, frame: Frame) -> bool | None:
        first = one(node, frame)
        if first is False:
            return False
        second = other(node, frame)
        if second is False:
            return False
        return None if first is None or second is None else True

    return boolean_code(both)


def _or(compiler: Compiler, left: Code, right: Code) -> Code:
    one, other = truth_of(left), truth_of(right)

    def either(node: Node, frame: Frame) -> bool | None:
        first = one(node, frame)
        if first:
            return True
        second = other(node, frame)
        if second:
            return True
        return None if first is None or second is None else False

    return boolean_code(either)


def _xor(compiler: Compiler, left: Code, right: Code) -> Code:
    one, other = truth_of(left), truth_of(right)

    def exclusive(node: Node, frame: Frame) -> bool | None:
        first, second = one(node, frame), other(node, frame)
        return None if first is None or second is None else first is not second

    return boolean_code(exclusive)


def _implies(compiler: Compiler, left: Code, right: Code) -> Code:
    one, other = truth_of(left), truth_of(right)

    def implied(node: Node, frame: Frame) -> bool | None:
        first = one(node, frame)
        if first is False:
            return True
        second = other(node, frame)
        if second:
            return True
        return second if first else None

    return boolean_code(implied)


# --- collections ----------------------------------------------------------------------------------------------------


def joined_types(left: Code, right: Code) -> frozenset[str] | None:
    return None if left.types is None or right.types is None else left.types | right.types


def union(compiler: Compiler, left: Code, right: Code) -> Code:
    """`left | right` without duplicates."""
    if left.constant is not None and not left.constant:
        left, right = right, left
    if right.constant is not None and not right.constant:
        return distinct_code(left)
    if left.constant is not None and right.constant is not None:
        return constant_code(distinct(left.constant + right.constant))
    one, other = left.run, right.run
    one_exists, other_exists = exists_of(left), exists_of(right)

    def both(node: Node, frame: Frame) -> Nodes:
        first, second = one(node, frame), other(node, frame)
        return distinct(first + second if first and second else first or second)

    def exists(node: Node, frame: Frame) -> bool:
        return one_exists(node, frame) or other_exists(node, frame)

    return Code(both, joined_types(left, right), exists=exists, distinct=True)


def distinct_code(source: Code) -> Code:
    """The items of another code, equal ones once."""
    if source.single or source.distinct or source.constant == EMPTY:
        return source
    run = source.run

    def once(node: Node, frame: Frame) -> Nodes:
        return distinct(run(node, frame))

    return Code(once, source.types, exists=exists_of(source), distinct=True, ordered=source.ordered)


def _in(compiler: Compiler, left: Code, right: Code) -> Code:
    run = left.run
    if right.constant is not None and all(each[1] == "System.String" for each in right.constant):
        texts = {each[0] for each in right.constant}
        if left.is_kind("String") and left.scalar is not None and texts:
            scalar = left.scalar

            def in_texts(node: Node, frame: Frame) -> bool | None:
                value = scalar(node, frame)
                return None if value is None else value in texts

            return boolean_code(in_texts)
    others = right.run

    def contained(node: Node, frame: Frame) -> bool | None:
        item = singleton(run(node, frame))
        if item is None:
            return None
        return any(equal(item, other) for other in others(node, frame))

    return boolean_code(contained)


def _contains(compiler: Compiler, left: Code, right: Code) -> Code:
    return _in(compiler, right, left)


# --- arithmetic: http://hl7.org/fhirpath/N1/#math ---------------------------------------------------------------------


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
        return constant_code(signed(("", "", None), None))  # type: ignore[arg-type]
    return Code(signed, single=True)


# --- types: http://hl7.org/fhirpath/N1/#types -------------------------------------------------------------------------


def known_type(compiler: Compiler, name: str) -> str:
    """The type of a specifier.   Raises: FhirPathError for an unknown one."""
    found = compiler.types.qualified(name)
    if found is None:
        raise FhirPathError("semantic", f"there is no type {name!r}")
    return found


def is_type(compiler: Compiler, source: Code, name: str) -> Code:
    """Code of `source is name`."""
    wanted, is_a = known_type_or_none(compiler, name), compiler.types.is_a
    if wanted is None:
        run = source.run
        return boolean_code(lambda node, frame: None if singleton(run(node, frame)) is None else False)
    if source.referred_type is not None:
        return boolean_code(_refers_to(source, wanted, is_a))
    if source.types is not None and source.single:
        fitting = [is_a(each, wanted) for each in source.types]
        if all(fitting) or not any(fitting):
            answer, exists = bool(fitting) and all(fitting), exists_of(source)
            return boolean_code(lambda node, frame: answer if exists(node, frame) else None)
    run = source.run

    def matches(node: Node, frame: Frame) -> bool | None:
        item = singleton(run(node, frame))
        return None if item is None else is_a(item[1], wanted)

    return boolean_code(matches)


def known_type_or_none(compiler: Compiler, name: str) -> str | None:
    """`is System.Patient` is false rather than an error; an unknown name without namespace is an error."""
    return None if name[:7] == "System." and compiler.types.qualified(name) is None else known_type(compiler, name)


def _refers_to(source: Code, wanted: str, is_a: Callable[[str, str], bool]) -> Truth:
    referred, run = source.referred_type, source.run
    assert referred is not None

    def refers(node: Node, frame: Frame) -> bool | None:
        told = referred(node, frame)
        if told is not None:
            return is_a(told, wanted)
        item = singleton(run(node, frame))
        return None if item is None else is_a(item[1], wanted)

    return refers


def of_type(compiler: Compiler, source: Code, name: str, *, single: bool = False) -> Code:
    """Code of `source.ofType(name)`, or of `source as name` where `single`."""
    wanted, is_a = known_type(compiler, name), compiler.types.is_a
    if source.types is not None and wanted not in ABSTRACT:
        fitting = frozenset(each for each in source.types if is_a(each, wanted))
        if not fitting:
            return empty_code()
        if fitting == source.types and not (single and not source.single):
            return source
        if source.steps and source.steps[-1].key is None:
            return _narrowed(compiler, source, fitting)
    else:
        fitting = frozenset((wanted,))
    run = source.run
    only_one = single and compiler.strict and not source.single

    def matching(node: Node, frame: Frame) -> Nodes:
        found = run(node, frame)
        if only_one:
            singleton(found)
        return [item for item in found if is_a(item[1], wanted)]

    return Code(matching, None if wanted in ABSTRACT else _with_subtypes(compiler, source, fitting), source.single)


def _with_subtypes(compiler: Compiler, source: Code, fitting: frozenset[str]) -> frozenset[str] | None:
    """The narrowed types; not known where the items were not and the type has subtypes."""
    if source.types is not None:
        return fitting
    (wanted,) = fitting
    return fitting if compiler.types.is_resource(wanted) else None


def _narrowed(compiler: Compiler, source: Code, fitting: frozenset[str]) -> Code:
    assert source.steps
    *before, last = source.steps
    choices = {key: fhir_type for key, fhir_type in last.choices.items() if fhir_type in fitting}
    return path_code((*before, last.narrowed(choices, compiler.types.is_primitive)))


def type_operation(compiler: Compiler, operator: str, source: Code, name: str) -> Code:
    """Code of `source is name` or `source as name`."""
    if operator == "is":
        return is_type(compiler, source, name)
    return of_type(compiler, source, name, single=True)


Builder = Callable[["Compiler", Code, Code], Code]

_OPERATORS: dict[str, Builder] = {
    "=": _equal,
    "!=": _not_equal,
    "~": _equivalent,
    "!~": _not_equivalent,
    **{symbol: _comparison(accepted) for symbol, accepted in _ACCEPTED.items()},
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
    "|": union,
    "in": _in,
    "contains": _contains,
    "+": _arithmetic(lambda left, right: _sum(left, right, 1)),
    "-": _arithmetic(lambda left, right: _sum(left, right, -1)),
    "*": _arithmetic(_product),
    "/": _arithmetic(_quotient),
    "div": _arithmetic(_whole),
    "mod": _arithmetic(_rest),
    "&": _concatenation,
}


def binary(compiler: Compiler, operator: str, left: Code, right: Code) -> Code:
    """Code of `left operator right`."""
    return _OPERATORS[operator](compiler, left, right)
