"""`onecard import jhcis|hosxp`: a hospital's database into the store, through the importer of the 43 files.

First the database is read to its end, gently, into files of the 43 in a folder of the data folder (mode 0700, removed
at the end): so the hospital's server never waits for ours. Then those are imported like a zip: the same checks, the
same quarantine and report, the same FHIR. How far it came is noted when all is in: the next run reads what is new.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from mappers.f43.layout import LAYOUTS
from mappers.his.statements import Statement
from mappers.his.tables import Rows, absent, in_use
from mappers.links import Row
from server.config import Settings
from server.context import Context
from server.intake.f43.importing import import_f43
from server.intake.f43.report import Report
from server.intake.f43.sources import F43Source, Member
from server.intake.his.database import Database, HisError
from server.intake.his.reading import Reader

MARK = "import/his/"
"""Settings of the store: how far the last complete import of a database came, by system and address."""
WINDOWS = {"jhcis": 2, "hosxp": 30}
"""Days before the last import that are read again: rows that came in late, diagnoses that were coded later."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read."""

    system: str
    """`jhcis` or `hosxp`."""
    entries: Sequence[Rows]
    hcode: str = ""
    """Of the facility, where rows do not tell it."""
    since: datetime | None = None
    window: int = 0
    """Days."""
    whole: bool = False
    """Everything, whatever was read before."""
    writable: bool = False
    """Go on with an account that may write."""


@dataclass(frozen=True, slots=True)
class HisReport:
    """What was read, and what became of it."""

    source: str
    since: datetime | None
    reader: Reader
    seconds: float
    imported: Report | None
    """None where nothing was new."""

    @property
    def refused(self) -> int:
        return self.imported.refused if self.imported else 0

    def as_json(self) -> dict[str, Any]:
        done = self.reader.done
        reading = {
            "source": self.source,
            "since": self.since.isoformat() if self.since else None,
            "seconds": round(self.seconds, 3),
            "statements": done.statements,
            "longest_statement": round(done.longest, 3),
            "rows": done.rows,
            "reconnects": done.reconnects,
            "entries": done.entries,
        }
        return {"reading": reading, "import": self.imported.as_json() if self.imported else None}


async def import_his(
    settings: Settings,
    ctx: Context,
    database: Database,
    reader: Reader,
    wanted: Wanted,
    *,
    processes: int,
    read: Callable[[int], None],
    told: Callable[[str], None],
    advance: Callable[[int, int], None],
) -> HisReport:
    """One pass. read(rows) is called as rows are read, told(line) with what somebody should know, advance(resources,
    bytes) as rows are written. Raises: HisError, SourceError, StoreError."""
    began = time.monotonic()
    entries = in_use(wanted.entries)
    folder = Path(settings.data_folder) / "his"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    spool = Path(tempfile.mkdtemp(dir=folder)) / f"{wanted.system}-{_file_name(database.shown)}"
    spool.mkdir(mode=0o700)
    try:
        await _check_account(reader, entries, wanted, told)
        ((now,),) = await reader.fetch(lambda dialect: Statement(_NOW[dialect.name], ()))
        since = wanted.since or (None if wanted.whole else await _since(ctx, wanted, database))
        source = await _spooled(reader, wanted.system, entries, since, spool, read)
        seconds = time.monotonic() - began
        await reader.close()
        imported = None
        if source.members:
            imported = await import_f43(settings, ctx, source, processes=processes, advance=advance)
        if not (imported and imported.errors) and isinstance(now, datetime):
            await ctx.store.put_setting(_mark(wanted, database), json.dumps(now.isoformat()).encode())
    finally:
        await reader.close()
        shutil.rmtree(spool.parent, ignore_errors=True)
    return HisReport(database.shown, since, reader, seconds, imported)


_NOW = {
    "mysql": "SELECT LOCALTIMESTAMP()",
    "postgresql": "SELECT LOCALTIMESTAMP(0)",
    "sqlite": "SELECT NULL",  # a dump has no clock: it is read whole each time
}


async def _check_account(reader: Reader, entries: Sequence[Rows], wanted: Wanted, told: Callable[[str], None]) -> None:
    connection = await reader.open()
    tables = frozenset(table for each in entries for table in each.tables)
    rights = await connection.writable(tables)
    if not rights:
        return
    words = f"this account may do more than read ({rights}) / บัญชีนี้มีสิทธิ์มากกว่าอ่านอย่างเดียว"
    if not wanted.writable:
        raise HisError(f"{words}: make one with SELECT only (docs/his.md), or say --allow-writable")
    told(words)


async def _since(ctx: Context, wanted: Wanted, database: Database) -> datetime | None:
    noted = await ctx.store.get_setting(_mark(wanted, database))
    return datetime.fromisoformat(json.loads(noted)) - timedelta(days=wanted.window) if noted else None


def _mark(wanted: Wanted, database: Database) -> str:
    return f"{MARK}{wanted.system}/{database.shown}"


def _file_name(shown: str) -> str:
    return "".join(each if each.isalnum() or each in ".-" else "-" for each in shown.rpartition("@")[2])


async def _spooled(
    reader: Reader,
    system: str,
    entries: Sequence[Rows],
    since: datetime | None,
    folder: Path,
    read: Callable[[int], None],
) -> F43Source:
    """The rows as files of the 43, one a file, with a header of the columns that the database has."""
    spool = _Spool(folder, entries)
    try:
        for entry in entries:
            async for rows in reader.rows(entry, since):
                spool.add(entry.file, rows)
                read(len(rows))
    finally:
        spool.close()
    return F43Source(folder, spool.members(entries), kind=system)


class _Spool:
    def __init__(self, folder: Path, entries: Sequence[Rows]) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._columns = {
            file: tuple(
                field.name
                for field in LAYOUTS[file].fields
                if any(field.name in each.columns for each in entries if each.file == file)
            )
            for file in dict.fromkeys(each.file for each in entries)
        }

    def add(self, file: str, rows: Sequence[Row]) -> None:
        columns = self._columns[file]
        if file not in self._files:
            self._files[file] = (self._folder / f"{file}.txt").open("wb")
            self._files[file].write(("|".join(columns) + "\r\n").encode())
        lines = ("|".join([row.get(column, "") for column in columns]) + "\r\n" for row in rows)
        self._files[file].write("".join(lines).encode("utf-8", "replace"))

    def close(self) -> None:
        for each in self._files.values():
            each.close()

    def members(self, entries: Sequence[Rows]) -> tuple[Member, ...]:
        paths = {file: self._folder / f"{file}.txt" for file in self._files}
        return tuple(
            Member(path, None, file, path.stat().st_size, absent(entries, file)) for file, path in paths.items()
        )
