"""Refusals of search parameters: what is said, and what is never quoted.

At most 40 characters of a value are quoted, and none where the parameter names a person.
"""

from __future__ import annotations

from server.errors import BadRequest
from server.search.parse import shown


class UnknownParameter(BadRequest):
    """No such parameter (or chain) on the types searched: dropped if the client is lenient."""


class BeingIndexed(BadRequest):
    """What was stored before the parameter was added does not have its values yet."""


def being_indexed(written: str) -> BeingIndexed:
    return BeingIndexed(
        f"{shown(written)}: this search parameter is still being indexed; $reindex-status tells how far it is",
        expression=shown(written),
        code="transient",
    )


def unknown(written: str, code: str, types: tuple[str, ...], nearest: str | None) -> UnknownParameter:
    where = f"{types[0]} has" if len(types) == 1 else "not all types that are searched have"
    parameter = "no" if len(types) == 1 else "a"
    advice = f"; did you mean {nearest}?" if nearest else ""
    place = "" if written == code else f"{shown(written)}: "
    return UnknownParameter(
        f"{place}{where} {parameter} search parameter {shown(code)}{advice}",
        expression=shown(written),
        code="not-supported",
    )


def refused(written: str, reason: str, *, value: str | None = None, code: str = "invalid") -> BadRequest:
    """value: what was found, for parameters that name no person."""
    found = f" (found {shown(value)!r})" if value else ""
    return BadRequest(f"{shown(written)}: {reason}{found}", expression=shown(written), code=code)
