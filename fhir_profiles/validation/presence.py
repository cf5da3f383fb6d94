"""What the names of an object's members tell of a rule: `value.empty() or component.code...` holds for every object
without components, whatever is in the others.

Decided once for all objects with the same names, so that most rules are evaluated for those only that may break them.
http://hl7.org/fhirpath/N1/#boolean-logic
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Literal as OneOf

from fhir_profiles.fhirpath.parser import parse
from fhir_profiles.fhirpath.syntax import Ast, Binary, Call, Empty, Literal, Member, Variable


class Told(Enum):
    """What is known of a collection that is not a Boolean for certain."""

    EMPTY = "empty"
    SOME = "some"
    """At least one item."""
    HERE = "here"
    """The object itself."""
    UNKNOWN = "unknown"


EMPTY, SOME, HERE, UNKNOWN = Told.EMPTY, Told.SOME, Told.HERE, Told.UNKNOWN
Known = bool | OneOf[Told.EMPTY, Told.SOME, Told.HERE, Told.UNKNOWN]

_EMPTY_OF_EMPTY = frozenset(
    [
        "as",
        "extension",
        "first",
        "intersect",
        "last",
        "length",
        "matches",
        "ofType",
        "resolve",
        "select",
        "tail",
        "where",
    ]
)
"""Functions that give nothing for nothing, whatever their arguments."""
_EMPTY_IF_ONE_IS = frozenset(["=", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "div", "mod"])
"""Operators that give nothing where one side is nothing."""


def holds_by_names(expression: str, type_name: str, present: Collection[str], known: Collection[str]) -> bool:
    """Whether the rule cannot be broken by an object of the type with members of just these elements.

    present, known: names of elements, choices without their type (`value`): those of the members that are there, each
    with a value, and all that the type has. False where it depends on more than that.
    """
    told = _Names(type_name, present, known).told(parse(expression))
    return told is True or told is EMPTY


class _Names:
    def __init__(self, type_name: str, present: Collection[str], known: Collection[str]) -> None:
        self._type = type_name
        self._present = present
        self._known = known

    def told(self, ast: Ast) -> Known:
        match ast:
            case Literal(type="Boolean"):
                return bool(ast.value)
            case Literal():
                return SOME
            case Empty():
                return EMPTY
            case Variable(name="this"):
                return HERE
            case Member():
                return self._member(ast)
            case Call():
                return self._call(ast)
            case Binary():
                return _combined(ast.operator, self.told(ast.left), self.told(ast.right))
            case _:
                return UNKNOWN

    def _member(self, ast: Member) -> Known:
        if ast.of is None and ast.name == self._type:
            return HERE
        of = HERE if ast.of is None else self.told(ast.of)
        if of is EMPTY:
            return EMPTY
        if of is not HERE or ast.name not in self._known:
            return UNKNOWN
        return SOME if ast.name in self._present else EMPTY

    def _call(self, ast: Call) -> Known:
        of = HERE if ast.of is None else self.told(ast.of)
        if ast.name in ("exists", "empty") and of is not UNKNOWN:
            if of is EMPTY:
                return ast.name == "empty"
            return UNKNOWN if ast.arguments else ast.name == "exists"
        if of is EMPTY:
            if ast.name in _EMPTY_OF_EMPTY or ast.name == "not":
                return EMPTY
            return {"all": True, "hasValue": False}.get(ast.name, UNKNOWN)
        return not of if ast.name == "not" and isinstance(of, bool) else UNKNOWN


def _combined(operator: str, left: Known, right: Known) -> Known:
    match operator:
        case "or":
            return _or(left, right)
        case "and":
            return _not(_or(_not(left), _not(right)))
        case "implies":
            return _or(_not(left), right)
        case "xor":
            return left is not right if isinstance(left, bool) and isinstance(right, bool) else UNKNOWN
        case "|":
            return left if left is right is EMPTY else UNKNOWN
    if operator in _EMPTY_IF_ONE_IS:
        if left is EMPTY or right is EMPTY:
            return EMPTY
        if operator in ("=", "!=") and isinstance(left, bool) and isinstance(right, bool):
            return (left is right) is (operator == "=")
    return UNKNOWN


def _not(told: Known) -> Known:
    if isinstance(told, bool):
        return not told
    return EMPTY if told is EMPTY else UNKNOWN


def _or(left: Known, right: Known) -> Known:
    """Three-valued: nothing is neither true nor false."""
    if left is True or right is True:
        return True
    if left is False and right is False:
        return False
    decided = (False, EMPTY)
    return EMPTY if left in decided and right in decided else UNKNOWN
