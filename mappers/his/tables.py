"""Which tables and columns of a hospital's database make which column of the 43 files: data that a site can correct.

A TOML file has a list `rows`; each entry makes rows of one of the 43 files from one table and what is joined to it:

    [[rows]]
    name = "visitdrug"              # what a site's own file calls the entry
    file = "DRUG_OPD"               # one of the 43 files
    table = "visitdrug"             # read as `t`
    key = ["pcucode", "visitno"]    # columns of `t` that are indexed, in the order of reading; need not be unique
    changed = "t.dateupdate"        # rows are read again when this is new (none: they are always read)
    day = "t.vstdate"               # rows are read a day at a time (instead of `changed`)
    joins = [{ as = "v", table = "visit", must = true, on = { pcucode = "t.pcucode", visitno = "t.visitno" } }]
    only = { "d.drugtype" = "01" }  # rows with these values
    empty = ["t.an"]                # rows without a value there
    needs = ["DIDSTD"]              # rows whose columns of the 43 files are not empty
    sum = ["AMOUNT"]                # rows with one key of the 43 files become one, these columns added up
    once = true                     # a row comes up many times: the first counts
    off = "why"                     # not read

    [rows.columns]
    DIDSTD = { of = "t.drugcode", verified = true }
    AMOUNT = { of = "t.unit", kind = "number", verified = true }
    SERVPLACE = { value = "1" }

`kind` is one of `values.KINDS`. `verified` says that public sources tell what the column means; false: from memory.
A site's file has entries with the same `name`: what it says replaces what stands here, column by column; a column
that is `{}` is left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mappers.f43.layout import LAYOUTS
from mappers.his.values import KINDS, Column

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_ENTRY = frozenset(
    (
        "name",
        "file",
        "table",
        "key",
        "changed",
        "day",
        "joins",
        "only",
        "empty",
        "needs",
        "sum",
        "once",
        "off",
        "columns",
    )
)
_COLUMN = frozenset(("of", "kind", "value", "map", "start", "end", "width", "verified"))


class TablesError(Exception):
    """A file of tables that cannot be used, in words for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Join:
    alias: str
    table: str
    on: tuple[tuple[str, str], ...]
    """Column of the joined table, `alias.column` that it equals."""
    must: bool
    """A row without a partner is left out."""


@dataclass(frozen=True)
class Rows:
    """One entry."""

    name: str
    file: str
    table: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    changed: str = ""
    day: str = ""
    joins: tuple[Join, ...] = ()
    only: Mapping[str, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    sum: tuple[str, ...] = ()
    once: bool = False
    off: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """What is read besides the key, each once."""
        return tuple(dict.fromkeys(name for column in self.columns.values() for name in column.of))

    @property
    def tables(self) -> frozenset[str]:
        return frozenset((self.table, *(join.table for join in self.joins)))


def read_tables(source: Path, *overrides: Path) -> tuple[Rows, ...]:
    """The entries of a file, corrected by a site's own. Raises: TablesError."""
    entries: dict[str, dict[str, Any]] = {}
    for path in (source, *overrides):
        try:
            parsed = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TablesError(f"{path}: {error}") from error
        for entry in parsed.get("rows", ()):
            name = str(entry.get("name", ""))
            known = entries.setdefault(name, {})
            columns = {**known.get("columns", {}), **entry.get("columns", {})}
            known |= {**entry, "columns": columns}
    return tuple(_rows(entry) for entry in entries.values())


def in_use(rows: Iterable[Rows]) -> tuple[Rows, ...]:
    """Those that are read, in the order of the 43 files."""
    order = list(LAYOUTS)
    return tuple(sorted((each for each in rows if not each.off), key=lambda each: order.index(each.file)))


def absent(rows: Iterable[Rows], file: str) -> frozenset[str]:
    """Required columns of one of the 43 files that the database does not tell."""
    told = [frozenset(each.columns) for each in rows if each.file == file]
    required = frozenset(each.name for each in LAYOUTS[file].fields if each.required)
    return required - frozenset.intersection(*told) if told else frozenset()


def _rows(entry: Mapping[str, Any]) -> Rows:
    name = entry.get("name") or "?"
    if unknown := entry.keys() - _ENTRY:
        raise TablesError(f"{name}: unknown {', '.join(sorted(unknown))}")
    if missing := {"name", "file", "table", "key"} - entry.keys():
        raise TablesError(f"{name}: {', '.join(sorted(missing))} is missing")
    if entry["file"] not in LAYOUTS:
        raise TablesError(f"{name}: {entry['file']} is none of the 43 files")
    layout = LAYOUTS[entry["file"]]
    columns = {column: _column(name, column, told) for column, told in entry["columns"].items() if told}
    fields = {*columns, *entry.get("needs", ()), *entry.get("sum", ())}
    if unknown := fields - layout.by_name.keys():
        raise TablesError(f"{name}: {entry['file']} has no column {', '.join(sorted(unknown))}")
    off = str(entry.get("off", ""))
    if not off and (missing := set(layout.key) - columns.keys()):
        raise TablesError(f"{name}: {', '.join(sorted(missing))} is part of the key of {entry['file']}")
    if entry.get("day") and entry.get("changed"):
        raise TablesError(f"{name}: either day or changed")
    rows = Rows(
        name=name,
        file=entry["file"],
        table=entry["table"],
        key=tuple(entry["key"]),
        columns=columns,
        changed=entry.get("changed", ""),
        day=entry.get("day", ""),
        joins=tuple(_join(join) for join in entry.get("joins", ())),
        only=dict(entry.get("only", {})),
        empty=tuple(entry.get("empty", ())),
        needs=tuple(entry.get("needs", ())),
        sum=tuple(entry.get("sum", ())),
        once=bool(entry.get("once", False)),
        off=off,
    )
    _check_names(rows)
    return rows


def _column(name: str, column: str, told: Mapping[str, Any]) -> Column:
    if unknown := told.keys() - _COLUMN:
        raise TablesError(f"{name}.{column}: unknown {', '.join(sorted(unknown))}")
    kind = told.get("kind", "text")
    if kind not in KINDS:
        raise TablesError(f"{name}.{column}: no kind {kind}; there are {', '.join(KINDS)}")
    of = told.get("of", ())
    return Column(
        kind=kind,
        of=(of,) if isinstance(of, str) else tuple(of),
        value=str(told.get("value", "")),
        map=dict(told.get("map", {})),
        start=int(told.get("start", 0)),
        end=told.get("end"),
        width=int(told.get("width", 0)),
        verified=bool(told.get("verified", False)),
    )


def _join(told: Mapping[str, Any]) -> Join:
    try:
        return Join(told["as"], told["table"], tuple(told["on"].items()), bool(told.get("must", False)))
    except (KeyError, AttributeError) as error:
        raise TablesError(f"a join has as, table and on: {dict(told)}") from error


def _check_names(rows: Rows) -> None:
    """Names go into statements, so they are nothing but names; every alias is known. Raises: TablesError."""
    aliases = {"t", *(join.alias for join in rows.joins)}
    plain = [rows.table, *rows.key, *aliases, *(join.table for join in rows.joins)]
    plain += [column for join in rows.joins for column, _ in join.on]
    qualified = [*rows.sources, *rows.only, *rows.empty, *(other for join in rows.joins for _, other in join.on)]
    qualified += [each for each in (rows.changed, rows.day) if each]
    for each in qualified:
        alias, _, column = each.partition(".")
        if alias not in aliases:
            raise TablesError(f"{rows.name}: {each} is not written as table.column of {', '.join(sorted(aliases))}")
        plain.append(column)
    for each in plain:
        if not _NAME.match(each):
            raise TablesError(f"{rows.name}: {each!r} is no name of a table or column")
