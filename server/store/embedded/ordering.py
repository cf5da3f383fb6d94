"""The order of hits (server/store/ordering.py) in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.search.query import Position, SortKey
from server.store.ordering import ID, LAST_UPDATED
from server.store.principal import PRINCIPAL


def id_sql(row: str) -> str:
    """SQL of the id as text."""
    key, hexadecimal = f"{row}.id", f"lower(hex({row}.id))"
    parts = " || '-' || ".join(f"substr({hexadecimal}, {start}, {size})" for start, size in _PARTS)
    return f"CASE typeof({key}) WHEN 'text' THEN {key} ELSE {parts} END"


_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


@dataclass(frozen=True, slots=True)
class SqlKey:
    """A sort key that SQL can compute from a resource's row `r`."""

    expression: str
    descending: bool


def sql_keys(type: str, sort: Sequence[SortKey], date: int | None) -> list[SqlKey] | None:
    """Of a type, or None if some key needs the resource's values. date: k of the type's principal date."""
    keys = []
    principal = PRINCIPAL.get(type)
    for key in sort:
        code = key.parameter.code
        if key.chain:
            return None
        if code == LAST_UPDATED:
            keys.append(SqlKey("r.lu", key.descending))
        elif code == ID:
            keys.append(SqlKey(id_sql("r"), key.descending))
        elif principal is not None and code == principal.date:
            highest = int(key.descending)
            text = f"CASE r.w WHEN -1 THEN date_key(r.keys, {date or 0}, {highest}) ELSE r.d END"
            keys.append(SqlKey(text, key.descending))
        else:
            return None
    return keys


def behind(columns: Sequence[str], descending: Sequence[bool], bounds: Sequence[str], position: Position) -> str:
    """Condition that a row stands behind a position; the last column is the rid. bounds: bound values of it."""
    options = []
    equal: list[str] = []
    for column, down, bound, value in zip(columns, descending, bounds, position, strict=True):
        if value is None:
            equal.append(f"{column} IS NULL")
            continue
        comparison = f"{column} {'<' if down else '>'} {bound}"
        last = column == columns[-1]
        options.append(" AND ".join([*equal, comparison if last else f"({comparison} OR {column} IS NULL)"]))
        equal.append(f"{column} = {bound}")
    return "(" + " OR ".join(f"({option})" for option in options) + ")"


def ahead(columns: Sequence[str], descending: Sequence[bool], bounds: Sequence[str], position: Position) -> str:
    """Condition that a row stands ahead of a position."""
    options = []
    equal: list[str] = []
    for column, down, bound, value in zip(columns, descending, bounds, position, strict=True):
        if value is None:
            options.append(" AND ".join([*equal, f"{column} IS NOT NULL"]))
            equal.append(f"{column} IS NULL")
            continue
        options.append(" AND ".join([*equal, f"{column} {'>' if down else '<'} {bound}"]))
        equal.append(f"{column} = {bound}")
    return "(" + " OR ".join(f"({option})" for option in options) + ")"


def order_by(columns: Sequence[str], descending: Sequence[bool], *, backward: bool) -> str:
    """ORDER BY; backward: the same order from its end."""
    parts = []
    for column, down in zip(columns, descending, strict=True):
        nulls = "FIRST" if backward else "LAST"
        direction = "DESC" if down != backward else "ASC"
        parts.append(f"{column} {direction}" if column == columns[-1] else f"{column} {direction} NULLS {nulls}")
    return "ORDER BY " + ", ".join(parts)
