"""SELECT statements in short pages ordered by key, and the rows of the 43 files from what they give.

First the keys behind the last one are asked for (`walk`: one table, through its index, with a LIMIT), then the rows of
a range of keys with what is joined to them (`page`). So a statement touches as many rows as it may return, whatever is
joined or left out; there is no OFFSET, nothing is sorted, and no transaction stays open. Old JHCIS tables are MyISAM:
there a long SELECT would stop everybody who writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from mappers.f43.layout import LAYOUTS
from mappers.his.tables import Rows
from mappers.his.values import KINDS, Value
from mappers.links import Row

Key = tuple[Value, ...]
Record = Sequence[Value]


class Dialect(NamedTuple):
    name: str
    quote: str
    parameter: Callable[[int], str]
    """Place of the n-th value, from 1."""
    row_values: bool
    """`(a, b) > (1, 2)` goes through an index; old MySQL reads the whole table for it."""
    select: str = "SELECT"


# STRAIGHT_JOIN: tables in the order as written, so that the range of keys leads.
MYSQL = Dialect("mysql", "`", lambda number: "%s", False, "SELECT STRAIGHT_JOIN")
POSTGRESQL = Dialect("postgresql", '"', lambda number: f"${number}", True)
SQLITE = Dialect("sqlite", '"', lambda number: "?", True)


class Statement(NamedTuple):
    text: str
    values: tuple[Value, ...]


class _Text:
    """A statement while it is put together: names are checked names of the tables' file, values are always bound."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.values: list[Value] = []

    def name(self, qualified: str) -> str:
        quote = self.dialect.quote
        return ".".join(f"{quote}{part}{quote}" for part in qualified.split("."))

    def bind(self, value: Value) -> str:
        self.values.append(value)
        return self.dialect.parameter(len(self.values))

    def beyond(self, names: Sequence[str], key: Key, sign: str) -> str:
        """Keys behind (`>`) a key, or up to and with it (`<=`)."""
        if len(names) == 1:
            return f"{names[0]} {sign} {self.bind(key[0])}"
        if self.dialect.row_values:
            return f"({', '.join(names)}) {sign} ({', '.join(self.bind(value) for value in key)})"
        strict = sign[0]
        cases = []
        for last in range(len(names)):
            equal = [f"{names[i]} = {self.bind(key[i])}" for i in range(last)]
            edge = sign if last == len(names) - 1 else strict
            cases.append(" AND ".join([*equal, f"{names[last]} {edge} {self.bind(key[last])}"]))
        return "(" + " OR ".join(f"({case})" for case in cases) + ")"


def walk(
    rows: Rows, dialect: Dialect, *, limit: int, after: Key | None = None, day: Value = None, changed: bool = False
) -> Statement:
    """The keys behind `after` (of one day), in order, each with when its row was changed if that is asked for.

    Finds changed rows in steps of equal size, where no index is on the column that tells it."""
    text = _Text(dialect)
    key = [text.name(f"t.{column}") for column in rows.key]
    told = [*key, text.name(rows.changed)] if changed else key
    where = _range(rows, text, after, None, day)
    joined = changed and not rows.changed.startswith("t.")
    tables = _from(rows, text) if joined else f"{text.name(rows.table)} {text.name('t')}"
    body = f"{', '.join(told)} FROM {tables}{_where(where)} ORDER BY {', '.join(key)} LIMIT {int(limit)}"
    return Statement(f"{dialect.select} {body}", tuple(text.values))


def page(
    rows: Rows,
    dialect: Dialect,
    *,
    after: Key | None = None,
    upto: Key | None = None,
    day: Value = None,
    since: Value = None,
) -> Statement:
    """Rows behind the key `after` up to `upto` (of one day, changed since a moment): key columns, then `sources`."""
    text = _Text(dialect)
    told = ", ".join(text.name(name) for name in (*(f"t.{column}" for column in rows.key), *rows.sources))
    where = _range(rows, text, after, upto, day)
    if since is not None:
        changed = text.name(rows.changed)
        where.append(f"({changed} >= {text.bind(since)} OR {changed} IS NULL)")
    where += [f"{text.name(name)} = {text.bind(value)}" for name, value in rows.only.items()]
    where += [f"({text.name(name)} IS NULL OR {text.name(name)} = '')" for name in rows.empty]
    return Statement(f"{dialect.select} {told} FROM {_from(rows, text)}{_where(where)}", tuple(text.values))


def days(rows: Rows, dialect: Dialect) -> Statement:
    """The first and the last day."""
    text = _Text(dialect)
    day = text.name(rows.day)
    return Statement(f"SELECT MIN({day}), MAX({day}) FROM {_from(rows, text)}", ())  # noqa: S608  checked names


def _from(rows: Rows, text: _Text) -> str:
    parts = [f"{text.name(rows.table)} {text.name('t')}"]
    for join in rows.joins:
        on = " AND ".join(f"{text.name(f'{join.alias}.{own}')} = {text.name(other)}" for own, other in join.on)
        word = "JOIN" if join.must else "LEFT JOIN"
        parts.append(f"{word} {text.name(join.table)} {text.name(join.alias)} ON {on}")
    return " ".join(parts)


def _range(rows: Rows, text: _Text, after: Key | None, upto: Key | None, day: Value) -> list[str]:
    key = [text.name(f"t.{column}") for column in rows.key]
    where = [f"{text.name(rows.day)} = {text.bind(day)}"] if day is not None else []
    where += [text.beyond(key, after, ">")] if after is not None else []
    where += [text.beyond(key, upto, "<=")] if upto is not None else []
    return where


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def whole_groups(records: Sequence[Record], limit: int, width: int) -> Sequence[Record] | None:
    """Keys without the last one where that may go on behind the limit; None: one key fills it all, ask for more.

    width: number of key columns. So keys need not be unique."""
    if len(records) < limit:
        return records
    last = tuple(records[-1][:width])
    kept = len(records)
    while kept and tuple(records[kept - 1][:width]) == last:
        kept -= 1
    return records[:kept] if kept else None


def f43_rows(rows: Rows, records: Iterable[Record], hcode: str) -> list[Row]:
    """Rows of the 43 files, non-empty columns only; those that share a key added up where the entry says so."""
    places = {name: len(rows.key) + number for number, name in enumerate(rows.sources)}
    made = [_row(rows, record, places, hcode) for record in records]
    made = [row for row in made if all(column in row for column in rows.needs)]
    return _summed(rows, made) if rows.sum else made


def _row(rows: Rows, record: Record, places: Mapping[str, int], hcode: str) -> Row:
    row: Row = {}
    for name, column in rows.columns.items():
        if column.kind == "facility":
            row[name] = hcode
        elif text := KINDS[column.kind]([record[places[source]] for source in column.of], column) or column.value:
            row[name] = text
    return row


def _summed(rows: Rows, made: Iterable[Row]) -> list[Row]:
    key = LAYOUTS[rows.file].key
    found: dict[tuple[str, ...], Row] = {}
    for row in made:
        first = found.setdefault(tuple(row.get(column, "") for column in key), row)
        if first is row:
            continue
        for column in rows.sum:
            first[column] = _sum(first.get(column, ""), row.get(column, ""))
    return list(found.values())


def _sum(one: str, other: str) -> str:
    try:
        return f"{Decimal(one or '0') + Decimal(other or '0'):f}"
    except ArithmeticError:
        return one or other
