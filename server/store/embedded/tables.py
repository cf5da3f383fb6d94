"""The index tables, filled and emptied for many resources at once.

Rows of a whole group go in table by table, sorted, fifty to a statement: that is half the price of one by one, and
neighbours share pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from server.store.embedded.driver import Connection
from server.store.embedded.rows import BOTH, CLASSES, DURATIONS, Rows

TableRow = tuple[Any, ...]
ByTable = dict[str, list[TableRow]]

NO_DATE = (1 << 63) - 1
"""Place of resources without a date: behind all others in either order."""
IRREGULAR = -1
"""Width that says: several dates, look at the keys."""
MANY_CODES = -1
BLOCK = 10
"""Bits of a rid within one block of `zone`."""

_COLUMNS = {
    "tok": ("s", "rid"),
    "tokd": ("s", "d", "w", "rid", "f"),
    "ident": ("k", "v", "sy", "rid"),
    "str": ("k", "v", "rid"),
    "dat": ("k", "lo", "w", "rid", "f"),
    "num": ("s", "x", "wx", "rid"),
    "rng": ("s", "lo", "up", "wlo", "wup", "rid"),
    "ref": ("tr", "k", "rid"),
    "comp": ("pt", "t", "rid", "k", "d", "w", "c"),
    "geo": ("k", "lat", "lon", "rid"),
}
_KEY_ONLY = {"tokd": 4, "dat": 4, "comp": 3}
"""Columns of the primary key, where there are others behind it."""

_CHUNK = 50
_INSERT = {
    name: f"INSERT OR REPLACE INTO {name} VALUES({','.join('?' * len(columns))})" for name, columns in _COLUMNS.items()
}
_INSERT_CHUNK = {
    name: f"INSERT OR REPLACE INTO {name} VALUES" + ",".join([f"({','.join('?' * len(columns))})"] * _CHUNK)
    for name, columns in _COLUMNS.items()
}
_DELETE = {
    name: f"DELETE FROM {name} WHERE " + " AND ".join(f"{column} = ?" for column in columns[: _KEY_ONLY.get(name)])
    for name, columns in _COLUMNS.items()
}


def long_key(symbol: int, width: int) -> int:
    """Key in `tokd`: dates of more than a year apart, so that a range need not look back further."""
    return symbol * 2 + (width > DURATIONS[2])


def lead_date(rows: Rows, k: int | None) -> tuple[int | None, int | None]:
    """(lower, width) of the resource's only principal date; (None, IRREGULAR) for several; (None, None) for none."""
    dates = [row for row in rows.dat if row[0] // CLASSES == k] if k else []
    if not dates:
        return None, None
    return (dates[0][1], dates[0][2]) if len(dates) == 1 else (None, IRREGULAR)


def zones(resources: Iterable[tuple[int, int, int, Rows, int | None]]) -> list[TableRow]:
    """(t, block, earliest, latest) of the principal dates of resources (t, rid, lastUpdated, rows, k of the date), and
    under -t of their lastUpdated; both in microseconds.

    Resources come roughly in the order of their dates. Which stretches of rids can hold a date is known by this table,
    so a search in creation order skips the years that were not asked for. It only ever widens.
    """
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for t, rid, lu, rows, date in resources:
        block = rid >> BLOCK
        ends = [(lower, lower + width) for k, lower, width, _ in rows.dat if k // CLASSES == date]
        for key, lower, upper in [(-t, lu * 1000, lu * 1000 + 1000), *((t, *end) for end in ends)]:
            lo, up = found.get((key, block), (lower, upper))
            found[key, block] = (min(lo, lower), max(up, upper))
    return [(*place, *end) for place, end in found.items()]


def widen(connection: Connection, rows: list[TableRow]) -> None:
    connection.executemany(
        "INSERT INTO zone VALUES(?,?,?,?) "
        "ON CONFLICT DO UPDATE SET lo = min(lo, excluded.lo), up = max(up, excluded.up)",
        rows,
    )


def spread(rows: Rows, rid: int, t: int, date: int | None, into: Callable[[str], list[TableRow]]) -> None:
    """Adds the table rows of one resource. date: k of the type's principal date."""
    code, tok, ident, text, dat, num, rng, ref, comp, geo = rows
    if code or tok:
        table = into("tok")
        table += [(s, rid) for s in code]
        table += [(s, rid) for s in tok]
    if code:
        into("tokd").extend(_dated(code, rows, rid, date))
    for name, found in (("ident", ident), ("str", text), ("num", num), ("rng", rng), ("ref", ref), ("geo", geo)):
        if found:
            into(name).extend((*row, rid) for row in found)
    if dat:
        into("dat").extend((k, lower, width, rid, serves) for k, lower, width, serves in dat)
    if comp:
        lead, width = lead_date(rows, date)
        k = 0 if not code else code[0] if len(code) == 1 else MANY_CODES
        into("comp").extend((patient, t, rid, k, lead, width, bits) for patient, bits in comp)


def _dated(code: list[Any], rows: Rows, rid: int, date: int | None) -> Iterable[TableRow]:
    dates = [row for row in rows.dat if row[0] // CLASSES == date] if date else []
    if not dates:
        return ((s * 2, NO_DATE, 0, rid, BOTH) for s in code)
    return ((long_key(s, width), lower, width, rid, serves) for s in code for _, lower, width, serves in dates)


def insert(connection: Connection, table: str, rows: list[TableRow]) -> None:
    rows.sort()
    whole = len(rows) - len(rows) % _CHUNK
    for start in range(0, whole, _CHUNK):
        connection.execute(_INSERT_CHUNK[table], [value for row in rows[start : start + _CHUNK] for value in row])
    if whole < len(rows):
        connection.executemany(_INSERT[table], rows[whole:])


def delete(connection: Connection, table: str, rows: list[TableRow]) -> None:
    rows.sort()
    connection.executemany(_DELETE[table], [row[: _KEY_ONLY.get(table)] for row in rows])


def difference(old: Rows, new: Rows, rid: int, t: int, date: int | None) -> tuple[ByTable, ByTable]:
    """(rows to delete, rows to insert) that turn one resource's rows into others."""
    before: ByTable = {}
    after: ByTable = {}
    spread(old, rid, t, date, lambda name: before.setdefault(name, []))
    spread(new, rid, t, date, lambda name: after.setdefault(name, []))
    gone: ByTable = {}
    fresh: ByTable = {}
    for name in before.keys() | after.keys():
        had, has = set(before.get(name, ())), set(after.get(name, ()))
        if had - has:
            gone[name] = list(had - has)
        if has - had:
            fresh[name] = list(has - had)
    return gone, fresh
