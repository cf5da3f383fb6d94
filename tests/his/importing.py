"""Imports into stores of their own, and the rows of the 43 files that came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mappers.f43.files import write_rows
from mappers.f43.layout import LAYOUTS
from mappers.his.tables import Rows, in_use
from mappers.links import Row
from mappers.population.f43 import f43_rows
from server.app import build_context
from server.config import Settings
from server.intake.f43.export import rows_of
from server.intake.f43.importing import import_f43
from server.intake.f43.sources import open_source
from server.intake.his.database import Database
from server.intake.his.importing import HisReport, Wanted, import_his
from server.intake.his.reading import Reader

PEOPLE, SEED, YEARS = 12, 3, 1
HCODE = "99999"
NOT_OF_EVERY_ADDRESS = ("HOUSETYPE",)
"""JHCIS has it for addresses outside of the area only."""

Files = dict[str, list[Row]]
"""File -> its rows, sorted."""


class Store:
    """A store of its own with what imports brought."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.settings = Settings(store=f"sqlite:///{folder}/onecard.db", data_folder=str(folder))

    async def his(
        self, database: Database, system: str, tables: tuple[Rows, ...], *, reader: Reader | None = None, **wanted: Any
    ) -> HisReport:
        ctx = await build_context(self.settings)
        hcode = HCODE if system == "hosxp" else ""
        try:
            return await import_his(
                self.settings,
                ctx,
                database,
                reader or Reader(database, hcode=hcode),
                Wanted(system, tables, hcode=hcode, **wanted),
                processes=0,
                read=lambda rows: None,
                told=lambda line: None,
                advance=lambda resources, size: None,
            )
        finally:
            await ctx.store.close()

    async def f43(self, folder: Path) -> None:
        ctx = await build_context(self.settings)
        try:
            report = await import_f43(
                self.settings, ctx, open_source(folder), processes=0, advance=lambda resources, size: None
            )
            assert not report.refused, report.as_json()
        finally:
            await ctx.store.close()

    async def rows(self, files: Iterable[str]) -> Files:
        ctx = await build_context(self.settings)
        try:
            return {file: [row async for page in rows_of(ctx, file, HCODE) for row in page] for file in files}
        finally:
            await ctx.store.close()


def expected_files(folder: Path, change: Callable[[str, Row], Row]) -> None:
    """The population as 43 files, each row changed as the other system has its numbers."""
    folder.mkdir()
    found: Files = {}
    for file, row in f43_rows(PEOPLE, SEED, years=YEARS):
        found.setdefault(file, []).append(change(file, row))
    for file, rows in found.items():
        (folder / f"{file}.txt").write_bytes(b"".join(write_rows(file, rows)))


def same_letters(number: str) -> str:
    """A number as an integer column has it."""
    return str(int(number)) if number.isdigit() else number


def carried(files: Files, tables: tuple[Rows, ...], *without: str) -> Files:
    """Of rows only what the database carries, sorted: to be compared."""
    columns: dict[str, set[str]] = {}
    for each in in_use(tables):
        columns.setdefault(each.file, set()).update(each.columns)
    result = {}
    for file, kept in columns.items():
        key = LAYOUTS[file].key
        rows = [{c: t for c, t in row.items() if c in kept and c not in without} for row in files.get(file, [])]
        result[file] = sorted(rows, key=lambda row: [row.get(column, "") for column in key])
    return result


async def read_all(reader: Reader, tables: tuple[Rows, ...], since: datetime | None = None) -> Files:
    """What a reader gives, without an import."""
    found: Files = {}
    try:
        for entry in in_use(tables):
            async for rows in reader.rows(entry, since):
                found.setdefault(entry.file, []).extend(rows)
    finally:
        await reader.close()
    # Rows of one key have no order among themselves.
    return {file: sorted(rows, key=lambda row: sorted(row.items())) for file, rows in found.items()}


def visited(files: Files) -> Files:
    """Without the people who never came: HOSxP's are read with their visits."""
    came = {row["PID"] for row in files["SERVICE"]}
    persons = {file: [row for row in files[file] if row["PID"] in came] for file in ("PERSON", "ADDRESS")}
    return {**files, **persons}


def run(work: Any) -> Any:
    """For fixtures of a session, which are outside of any loop."""
    return asyncio.run(work)


def assert_same(found: Files, expected: Files) -> None:
    """Says the first row of each file that differs."""
    different = {}
    for file in expected:
        pairs = zip_longest(found.get(file, []), expected[file])
        if first := next(((one, other) for one, other in pairs if one != other), None):
            different[file] = first
    assert not different, different
