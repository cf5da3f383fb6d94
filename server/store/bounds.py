"""Prefixes on intervals as bounds of an index.   https://hl7.org/fhir/R4/search.html#prefix

The truth is server/search/types/prefix.py; here each prefix is a list of alternatives, each a list of bounds on the
lower (l) or the upper (u) end of the value's interval [l, u), so that an index range can be taken from them.
"""

from __future__ import annotations

from typing import NamedTuple

from server.search.query import RangeOperand


class Bound(NamedTuple):
    end: str
    """"l" or "u" of the value's interval."""
    sign: str
    """Bounds on l are `>=` or `<`, on u `<=` or `>`: all that half-open intervals need."""
    value: float


_WITHIN = (("l", ">=", "lower"), ("u", "<=", "upper"))
_ALTERNATIVES: dict[str, tuple[tuple[tuple[str, str, str], ...], ...]] = {
    "eq": (_WITHIN,),
    "ne": ((("l", "<", "lower"),), (("u", ">", "upper"),)),
    "gt": ((("u", ">", "upper"),),),
    "lt": ((("l", "<", "lower"),),),
    "ge": ((("u", ">", "upper"),), _WITHIN),
    "le": ((("l", "<", "lower"),), _WITHIN),
    "sa": ((("l", ">=", "upper"),),),
    "eb": ((("u", "<=", "lower"),),),
    "ap": ((("l", "<", "upper"), ("u", ">", "lower")),),
}


def alternatives(operand: RangeOperand) -> list[list[Bound]]:
    return [
        [Bound(end, sign, getattr(operand, name)) for end, sign, name in bounds]
        for bounds in _ALTERNATIVES[operand.prefix]
    ]
