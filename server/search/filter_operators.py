"""Operators of `_filter` as modifiers and prefixes of ordinary search.
https://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

from dataclasses import replace

from server.search.parse import Asked, Leaf
from server.search.refusal import refused
from server.search.types.prefix import PREFIXES
from server.search.types.written import escape

FILTER_MODIFIERS = frozenset({"equal", "unequal", "ends", "overlaps"})
"""Modifiers that only `_filter` has."""

_ORDERED = dict.fromkeys(PREFIXES, "")

MODIFIERS: dict[str, dict[str, str]] = {
    "string": {"eq": "equal", "ne": "unequal", "co": "contains", "sw": "", "ew": "ends"},
    "token": {"eq": "", "ne": "unequal", "co": "text", "ss": "below", "sb": "above", "in": "in", "ni": "not-in"},
    "uri": {"eq": "", "ne": "unequal", "sw": "below"},
    "reference": {"eq": "", "re": "", "ne": "unequal"},
    "composite": {"eq": ""},
    "special": {"eq": ""},
    "number": _ORDERED,
    "quantity": _ORDERED,
    "date": {**_ORDERED, "po": "overlaps"},
    "id": {"eq": "", "ne": "not"},
    "text": {"co": "", "eq": ""},
}
"""Parameter type -> operator -> modifier; on ordered types the operator is the prefix."""

OPERATORS = frozenset(operator for operators in MODIFIERS.values() for operator in operators) | {"pr"}


def translated(parameter_type: str, name: Leaf, asked: Asked) -> tuple[Leaf, Asked]:
    """The test as a parameter with a modifier and a written value. Raises: BadRequest."""
    if name.modifier:
        raise refused(asked.written, "a name within _filter takes no modifier")
    operator = asked.operator
    if operator == "pr":
        if asked.value not in ("true", "false"):
            raise refused(asked.written, "pr takes true or false", code="value")
        absent = "false" if asked.value == "true" else "true"
        return Leaf(name.code, "missing"), replace(asked, value=absent, alternatives=(absent,))
    operators = MODIFIERS[parameter_type]
    if operator not in operators:
        fitting = " ".join(sorted((*operators, "pr")))
        raise refused(asked.written, f"{operator} does not fit, {name.code} takes {fitting}")
    text = _as_written(parameter_type, asked.value)
    if parameter_type in ("number", "quantity", "date") and operator in PREFIXES:
        text = operator + text
    return Leaf(name.code, operators[operator]), replace(asked, value=text, alternatives=(text,))


def _as_written(parameter_type: str, value: str) -> str:
    """The value with escapes; `|` and `$` stay separators where the type has them."""
    if parameter_type in ("string", "uri", "text", "id"):
        return escape(value)
    return value.replace("\\", "\\\\")
