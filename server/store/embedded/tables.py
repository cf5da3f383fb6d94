"""The index tables, filled and emptied for many resources at once.

Rows of a whole group go in table by table, sorted, fifty to a statement: that is half the price of one by one, and
neighbours share pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from server.store.embedded.driver import Connection
from server.store.embedded.rows import BOTH, DURATIONS, Made, Rows, principal_dates

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

_CHUNKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement: each is one step, and fewer steps mean fewer chances for other threads to take the
interpreter while the write lock is held."""
_WIDEN = "ON CONFLICT DO UPDATE SET lo = min(lo, excluded.lo), up = max(up, excluded.up)"


def _statements(head: str, columns: int, tail: str = "") -> dict[int, str]:
    row = f"({','.join('?' * columns)})"
    return {size: f"{head} VALUES{','.join([row] * size)} {tail}" for size in _CHUNKS}


_INSERT = {
    name: (len(columns), _statements(f"INSERT OR REPLACE INTO {name}", len(columns)))
    for name, columns in _COLUMNS.items()
} | {
    "res": (11, _statements("INSERT INTO res", 11)),
    "hist": (5, _statements("INSERT INTO hist", 5)),
    "log": (5, _statements("INSERT INTO log", 5)),
    "zone": (4, _statements("INSERT INTO zone", 4, _WIDEN)),
}
_DELETE = {
    name: f"DELETE FROM {name} WHERE " + " AND ".join(f"{column} = ?" for column in columns[: _KEY_ONLY.get(name)])
    for name, columns in _COLUMNS.items()
}


def long_key(symbol: int, width: int) -> int:
    """Key in `tokd`: dates of more than a year apart, so that a range need not look back further."""
    return symbol * 2 + (width > DURATIONS[2])


def lead_date(dates: Sequence[Any]) -> tuple[int | None, int | None]:
    """(lower, width) of the resource's only principal date; (None, IRREGULAR) for several; (None, None) for none."""
    if not dates:
        return None, None
    return (dates[0][1], dates[0][2]) if len(dates) == 1 else (None, IRREGULAR)


def zones(resources: Iterable[tuple[int, int, int, Sequence[Any]]]) -> list[TableRow]:
    """(t, block, earliest, latest) of the principal dates of resources (t, rid, lastUpdated, rows of those dates), and
    under -t of their lastUpdated; both in microseconds.

    Resources come roughly in the order of their dates. Which stretches of rids can hold a date is known by this table,
    so a search in creation order skips the years that were not asked for. It only ever widens.
    """
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for t, rid, lu, dates in resources:
        block = rid >> BLOCK
        _widen(found, (-t, block), lu * 1000, lu * 1000 + 1000)
        for _, lower, width, _ in dates:
            _widen(found, (t, block), lower, lower + width)
    return [(*place, *end) for place, end in found.items()]


def _widen(found: dict[tuple[int, int], tuple[int, int]], place: tuple[int, int], lower: int, upper: int) -> None:
    known = found.get(place)
    if known is None or lower < known[0] or upper > known[1]:
        lo, up = known or (lower, upper)
        found[place] = (min(lo, lower), max(up, upper))


def spread(rows: Rows, dates: Sequence[Any], rid: int, t: int, into: Callable[[str], list[TableRow]]) -> None:
    """Adds the table rows of one resource. dates: those rows of `dat` that are of the type's principal date."""
    code, tok, ident, text, dat, num, rng, ref, comp, geo = rows
    if code or tok:
        table = into("tok")
        table += [(s, rid) for s in code]
        table += [(s, rid) for s in tok]
    if code:
        table = into("tokd")
        if dates:
            table += [
                (long_key(s, width), lower, width, rid, serves) for s in code for _, lower, width, serves in dates
            ]
        else:
            table += [(s * 2, NO_DATE, 0, rid, BOTH) for s in code]
    for name, found in (("ident", ident), ("str", text), ("num", num), ("rng", rng), ("ref", ref), ("geo", geo)):
        if found:
            table = into(name)
            table += [(*row, rid) for row in found]
    if dat:
        table = into("dat")
        table += [(k, lower, width, rid, serves) for k, lower, width, serves in dat]
    if comp:
        lead, width = lead_date(dates)
        k = 0 if not code else code[0] if len(code) == 1 else MANY_CODES
        table = into("comp")
        table += [(patient, t, rid, k, lead, width, bits) for patient, bits in comp]


def insert(connection: Connection, table: str, rows: list[TableRow]) -> None:
    """Adds rows; those of `zone` widen what is there."""
    rows.sort()
    columns, statements = _INSERT[table]
    values = tuple(chain.from_iterable(rows))
    start, left = 0, len(rows)
    for size in _CHUNKS:
        while left >= size:
            end = start + size * columns
            connection.execute(statements[size], values[start:end])
            start, left = end, left - size


def delete(connection: Connection, table: str, rows: list[TableRow]) -> None:
    rows.sort()
    connection.executemany(_DELETE[table], [row[: _KEY_ONLY.get(table)] for row in rows])


def difference(old: Rows, new: Made, rid: int, t: int, date: int | None) -> tuple[ByTable, ByTable]:
    """(rows to delete, rows to insert) that turn one resource's rows into others. date: k of its principal date."""
    before: ByTable = {}
    after: ByTable = {}
    spread(old, principal_dates(old, date), rid, t, lambda name: before.setdefault(name, []))
    spread(new.rows, new.dates, rid, t, lambda name: after.setdefault(name, []))
    gone: ByTable = {}
    fresh: ByTable = {}
    for name in before.keys() | after.keys():
        had, has = set(before.get(name, ())), set(after.get(name, ()))
        if had - has:
            gone[name] = list(had - has)
        if has - had:
            fresh[name] = list(has - had)
    return gone, fresh
