"""A mysqldump of JHCIS as a database: its rows go into a temporary SQLite file that answers the same statements."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mappers.his.statements import SQLITE, Record, Statement
from mappers.his.tables import Rows
from mappers.jhcis.dump import DumpError, insert_rows
from server.intake.his.database import HisError

CHUNK = 1 << 20
BATCH = 1000
ENCODINGS = {"utf8": ("utf-8", "cp874"), "tis620": ("cp874",)}
"""Names that `--encoding` takes."""


class DumpDatabase:
    """Rows of the tables that are read, in a file that the caller removes."""

    dialect = SQLITE

    def __init__(self, dump: Path, file: Path, rows: Sequence[Rows], encoding: str) -> None:
        self.shown = dump.name
        self._dump = dump
        self._database = sqlite3.connect(file)
        self._columns = _columns(rows)
        self._keys = {each.table: each.key for each in rows}
        self._encodings = ENCODINGS[encoding]

    def load(self, advance: Callable[[int], None]) -> int:
        """Read the dump; advance(bytes of the dump). Returns the number of rows. Raises: HisError."""
        database = self._database
        for table, columns in self._columns.items():
            database.execute(f'CREATE TABLE "{table}" ({", ".join(f"{chr(34)}{c}{chr(34)}" for c in columns)})')
        waiting: dict[str, list[tuple[str | None, ...]]] = {table: [] for table in self._columns}
        total = 0
        try:
            for table, row in insert_rows(_chunks(self._dump, advance), self._columns, self._encodings):
                total += 1
                waiting[table].append(tuple(row.get(column) for column in self._columns[table]))
                if len(waiting[table]) >= BATCH:
                    self._insert(table, waiting[table])
        except (DumpError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise HisError(f"{self._dump.name}: {error}") from error
        for table, rows in waiting.items():
            self._insert(table, rows)
        for table, key in self._keys.items():
            names = ", ".join(f'"{column}"' for column in key)
            database.execute(f'CREATE INDEX "{table}_key" ON "{table}" ({names})')
        self._index_joined()
        database.commit()
        if not total:
            raise HisError(f"{self._dump.name}: no INSERT into a table of JHCIS is in it / ไม่พบข้อมูล JHCIS ในไฟล์นี้")
        return total

    def _insert(self, table: str, rows: list[tuple[str | None, ...]]) -> None:
        places = ", ".join("?" * len(self._columns[table]))
        self._database.executemany(f'INSERT INTO "{table}" VALUES ({places})', rows)  # noqa: S608  checked names
        rows.clear()

    def _index_joined(self) -> None:
        for table, column in (("cright", "rightcode"), ("cdrug", "drugcode"), ("cdrugunitsell", "unitsellcode")):
            if column in self._columns.get(table, ()):
                self._database.execute(f'CREATE INDEX "{table}_join" ON "{table}" ("{column}")')

    async def connect(self) -> DumpDatabase:
        return self

    async def fetch(self, statement: Statement) -> Sequence[Record]:
        return self._database.execute(statement.text, statement.values).fetchall()

    async def writable(self, tables: Iterable[str]) -> str:
        return ""

    async def close(self) -> None:
        """Stays open for the next connection; `end` closes it."""

    def end(self) -> None:
        self._database.close()


def _columns(rows: Sequence[Rows]) -> dict[str, list[str]]:
    """Table to the columns of it that any statement names."""
    found: dict[str, dict[str, None]] = {}
    for each in rows:
        tables = {"t": each.table, **{join.alias: join.table for join in each.joins}}
        named = [*each.sources, *each.only, *each.empty, *(f"t.{column}" for column in each.key)]
        named += [each.changed or each.day] if each.changed or each.day else []
        for join in each.joins:
            named += [f"{join.alias}.{own}" for own, _ in join.on] + [other for _, other in join.on]
        for name in named:
            alias, _, column = name.partition(".")
            found.setdefault(tables[alias], {})[column] = None
    return {table: list(columns) for table, columns in found.items()}


def _chunks(path: Path, advance: Callable[[int], None]) -> Iterator[bytes]:
    name = path.name.lower()
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            inner = next((each for each in archive.namelist() if each.lower().endswith(".sql")), None)
            if inner is None:
                raise HisError(f"{path.name}: no .sql file is in it")
            with archive.open(inner) as packed:
                while piece := packed.read(CHUNK):
                    yield piece
        advance(path.stat().st_size)
        return
    with path.open("rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if name.endswith(".gz") else raw
        before = 0
        while piece := stream.read(CHUNK):
            yield piece
            advance(raw.tell() - before)
            before = raw.tell()
