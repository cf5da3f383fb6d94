"""Rows as the tables of JHCIS and HOSxP give them, out of a database of synthetic people in their schemas."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mappers import hosxp, jhcis
from mappers.his.tables import Rows, in_use, read_tables
from mappers.links import Row
from mappers.population.his import sql_inserts
from mappers.population.hosxp import hosxp_rows
from mappers.population.jhcis import jhcis_rows
from server.intake.his.dump import DumpDatabase
from server.intake.his.reading import Reader

HCODE = "99999"
_SYSTEMS = {"jhcis": (jhcis.TABLES, jhcis_rows, ""), "hosxp": (hosxp.TABLES, hosxp_rows, HCODE)}


def rows_of_database(system: str) -> Iterator[tuple[str, Row]]:
    """(file, row) of `jhcis` or `hosxp`; the statements are those for SQLite, the tables those of every server."""
    source, people, hcode = _SYSTEMS[system]
    tables = in_use(read_tables(source))
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "dump.sql"
        dump.write_text("".join(sql_inserts(people(20, 5, years=2))), "utf-8")
        database = DumpDatabase(dump, Path(folder) / "dump.db", tables, "utf8")
        try:
            database.load(lambda size: None)
            yield from asyncio.run(_read(Reader(database, hcode=hcode), tables))
        finally:
            database.end()


async def _read(reader: Reader, tables: tuple[Rows, ...]) -> list[tuple[str, Row]]:
    return [(entry.file, row) for entry in tables async for rows in reader.rows(entry, None) for row in rows]
