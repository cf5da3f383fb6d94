"""HOSxP on a real PostgreSQL server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from mappers.his.statements import Statement
from mappers.his.tables import Rows
from server.intake.his.database import HisError, parse_url
from server.intake.his.postgresql import PostgresqlDatabase
from server.intake.his.reading import Reader
from tests.his.importing import HCODE, Files, Store, assert_same, carried, read_all, visited
from tests.his.servers import PASSWORD, READER, Server

pytestmark = pytest.mark.postgresql


def database(server: Server, user: str = READER, password: str = PASSWORD) -> PostgresqlDatabase:
    return PostgresqlDatabase(parse_url(server.url("hosxp", user), password))


def only(tables: tuple[Rows, ...], *names: str) -> tuple[Rows, ...]:
    return tuple(each for each in tables if each.name in names)


async def test_hosxp_comes_in_as_the_43_files_of_the_same_people_and_a_window_picks_up_a_change(
    hosxp_postgresql: Server, hosxp_tables: tuple[Rows, ...], expected_hosxp: Files, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    report = await store.his(database(hosxp_postgresql), "hosxp", hosxp_tables)
    assert report.refused == 0, report.as_json()
    expected = carried(visited(expected_hosxp), hosxp_tables, "D_UPDATE")
    assert_same(carried(await store.rows(expected), hosxp_tables, "D_UPDATE"), expected)

    (last,) = hosxp_postgresql.sql("SELECT vn FROM ovstdiag ORDER BY vstdate DESC, vn LIMIT 1;", "hosxp").split()
    hosxp_postgresql.sql(f"UPDATE ovstdiag SET doctor = 'P777' WHERE vn = '{last}';", "hosxp")
    day = hosxp_postgresql.sql(f"SELECT vstdate FROM ovst WHERE vn = '{last}';", "hosxp").strip()
    later = await store.his(database(hosxp_postgresql), "hosxp", hosxp_tables, since=datetime.fromisoformat(day))
    assert later.imported is not None
    read = later.imported.files["DIAGNOSIS_OPD"]
    assert 0 < read.mapped <= read.read < len(expected["DIAGNOSIS_OPD"])
    rows = (await store.rows(["DIAGNOSIS_OPD"]))["DIAGNOSIS_OPD"]
    assert {row["PROVIDER"] for row in rows if row["SEQ"] == last} == {"P777"}


async def test_a_dropped_connection_is_taken_up_at_the_key(
    hosxp_postgresql: Server, hosxp_tables: tuple[Rows, ...]
) -> None:
    tables = only(hosxp_tables, "ovst", "opitemrece-drug")
    whole = await read_all(Reader(database(hosxp_postgresql), hcode=HCODE), tables)
    statements = 0

    async def pause(seconds: float) -> None:
        nonlocal statements
        statements += 1
        if statements in (5, 11):
            asked = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{READER}';"
            hosxp_postgresql.sql(asked, "hosxp")

    reader = Reader(database(hosxp_postgresql), hcode=HCODE, size=3, rate=1.0, pause=pause)
    assert await read_all(reader, tables) == whole
    assert reader.done.reconnects == 2


async def test_between_statements_nothing_is_locked(hosxp_postgresql: Server, hosxp_tables: tuple[Rows, ...]) -> None:
    states: set[str] = set()
    probes = 0

    async def pause(seconds: float) -> None:
        nonlocal probes
        probes += 1
        if probes > 10:
            return
        states.update(
            hosxp_postgresql.sql(f"SELECT state FROM pg_stat_activity WHERE usename = '{READER}';", "hosxp").split()
        )
        held = "SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'reader';"
        assert hosxp_postgresql.sql(held, "hosxp").strip() == "0"

    await read_all(Reader(database(hosxp_postgresql), hcode=HCODE, rate=1.0, pause=pause), only(hosxp_tables, "ovst"))
    assert states == {"idle"}


async def test_an_account_that_may_write_is_refused_and_cannot_write_in_our_session(
    hosxp_postgresql: Server, hosxp_tables: tuple[Rows, ...], tmp_path: Path
) -> None:
    with pytest.raises(HisError, match=r"more than read .INSERT, UPDATE or DELETE on doctor"):
        await Store(tmp_path).his(database(hosxp_postgresql, "writer"), "hosxp", only(hosxp_tables, "doctor"))
    connection = await database(hosxp_postgresql, "writer").connect()
    try:
        with pytest.raises(HisError):
            await connection.fetch(Statement("UPDATE patient SET sex = '1'", ()))
    finally:
        await connection.close()


async def test_a_wrong_password_and_a_missing_table_are_told_in_words(
    hosxp_postgresql: Server, hosxp_tables: tuple[Rows, ...]
) -> None:
    with pytest.raises(HisError, match="user or password is wrong"):
        await database(hosxp_postgresql, password="x").connect()
    connection = await database(hosxp_postgresql).connect()
    try:
        with pytest.raises(HisError, match="--tables"):
            await connection.fetch(Statement("SELECT 1 FROM nowhere", ()))
    finally:
        await connection.close()
