"""Equality, order, Boolean logic and collection operators, and the table of all.   http://hl7.org/fhirpath/N1/#operations"""

from __future__ import annotations

from fhir_profiles.fhirpath.arithmetic import ARITHMETIC, Builder
from fhir_profiles.fhirpath.code import (
    EMPTY,
    Code,
    Frame,
    Scalar,
    Truth,
    boolean_code,
    constant_code,
    exists_of,
    truth_of,
)
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.values import (
    distinct,
    equal,
    equal_collections,
    equivalent_collections,
    order,
    singleton,
)

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
    **ARITHMETIC,
}


def binary(compiler: Compiler, operator: str, left: Code, right: Code) -> Code:
    """Code of `left operator right`."""
    return _OPERATORS[operator](compiler, left, right)
