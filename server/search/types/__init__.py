"""The types of search parameters, one file each: what a resource holds (`values`), what a request asks (`parse`),
whether that matches (`matches`), and the order of a sort (`sort_key`). All pure.
https://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.search.query import Operand, Parameter
from server.search.types import composite, date, near, number, quantity, reference, string, token, uri
from server.search.types.prefix import PREFIXES
from server.search.types.written import Setting, Unreadable
from server.search.values import OfType, Value

MODIFIERS: dict[str, frozenset[str]] = {
    "number": number.MODIFIERS,
    "date": date.MODIFIERS,
    "string": string.MODIFIERS,
    "token": token.MODIFIERS,
    "reference": reference.MODIFIERS,
    "composite": composite.MODIFIERS,
    "quantity": quantity.MODIFIERS,
    "uri": uri.MODIFIERS,
    "special": near.MODIFIERS,
}
"""What a parameter of the type takes besides `:missing` (all but composite and special) and `:[type]` (reference)."""

PREFIXED = frozenset({"number", "date", "quantity"})

__all__ = ["MODIFIERS", "PREFIXED", "PREFIXES", "Setting", "Unreadable", "matches", "parse", "sort_key", "sort_value"]


def parse(parameter: Parameter, modifier: str, text: str, setting: Setting, now: int, fhir_type: str = "") -> Operand:
    """One value of an OR list, still escaped, as the operand of its type.

    now: microseconds since 1970. fhir_type: the type of a token's elements where that decides on upper and lower case.
    Raises: Unreadable.
    """
    match parameter.type:
        case "number":
            return number.parse(text)
        case "date":
            return date.parse(text, setting, now)
        case "string":
            return string.parse(text)
        case "token":
            return token.parse(text, modifier, fhir_type)
        case "reference":
            return reference.parse(text, modifier, parameter.targets, setting)
        case "quantity":
            return quantity.parse(text)
        case "uri":
            return uri.parse(text, modifier)
        case "composite":
            return composite.parse(text, parameter, lambda part, of: parse(of, "", part, setting, now))
        case _:
            return near.parse(text)


def matches(parameter: Parameter, modifier: str, value: Any, operand: Any) -> bool:
    """Whether one value of a resource matches one operand: the truth that engines are tested against."""
    if modifier == "unequal":
        return not isinstance(value, OfType) and not matches(
            parameter, "equal" if parameter.type == "string" else "", value, operand
        )
    match parameter.type:
        case "number":
            return number.matches(value, operand)
        case "date":
            return date.matches(value, operand)
        case "string":
            return string.matches(value, modifier, operand)
        case "token":
            return token.matches(value, modifier, operand)
        case "reference":
            return reference.matches(value, modifier, operand)
        case "quantity":
            return quantity.matches(value, operand)
        case "uri":
            return uri.matches(value, modifier, operand)
        case "composite":
            return composite.matches(value, operand, parameter, lambda part, one, asked: matches(part, "", one, asked))
        case _:
            return near.matches(value, operand)


_SORT_KEYS: dict[str, Any] = {
    "number": number.sort_key,
    "date": date.sort_key,
    "string": string.sort_key,
    "token": token.sort_key,
    "reference": reference.sort_key,
    "quantity": quantity.sort_key,
    "uri": uri.sort_key,
}
SORTABLE = frozenset(_SORT_KEYS)


def sort_value(parameter_type: str, value: Value) -> str | int | float:
    """Where one value stands among those of its parameter type; compare only within the type."""
    key: str | int | float = _SORT_KEYS[parameter_type](value)
    return key


def sort_key(parameter_type: str, values: Sequence[Value], descending: bool) -> str | int | float | None:
    """Sort key of a resource: its lowest value for ascending, its highest for descending; None without a value."""
    if not values:
        return None
    keys = [sort_value(parameter_type, value) for value in values]
    return max(keys) if descending else min(keys)
