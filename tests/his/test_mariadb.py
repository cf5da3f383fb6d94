"""JHCIS and HOSxP on a real MariaDB server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from mappers.his.statements import MYSQL, Record, Statement, page, walk
from mappers.his.tables import Rows, in_use
from server.intake.his.database import HisError, parse_url
from server.intake.his.mysql import MysqlDatabase
from server.intake.his.reading import Reader
from tests.his.importing import HCODE, NOT_OF_EVERY_ADDRESS, Files, Store, assert_same, carried, read_all, visited
from tests.his.servers import PASSWORD, READER, Server

pytestmark = pytest.mark.mariadb


def database(server: Server, name: str, user: str = READER, **options: str) -> MysqlDatabase:
    return MysqlDatabase(parse_url(server.url(name, user, **options), PASSWORD))


def only(tables: tuple[Rows, ...], *names: str) -> tuple[Rows, ...]:
    return tuple(each for each in tables if each.name in names)


async def test_jhcis_comes_in_as_the_43_files_of_the_same_people_and_later_only_what_changed(
    jhcis: Server, jhcis_tables: tuple[Rows, ...], expected_jhcis: Files, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    report = await store.his(database(jhcis, "jhcisdb"), "jhcis", jhcis_tables, window=0)
    assert report.refused == 0, report.as_json()
    expected = carried(expected_jhcis, jhcis_tables, *NOT_OF_EVERY_ADDRESS)
    assert_same(carried(await store.rows(expected), jhcis_tables, *NOT_OF_EVERY_ADDRESS), expected)

    jhcis.sql("UPDATE person SET telephoneperson = '0999999999', dateupdate = NOW() WHERE pid = 1;", "jhcisdb")
    try:
        later = await store.his(database(jhcis, "jhcisdb"), "jhcis", jhcis_tables, window=0)
    finally:
        number = next(row["MOBILE"] for row in expected["PERSON"] if row["PID"] == "1")
        moment = next(row["D_UPDATE"] for row in expected["PERSON"] if row["PID"] == "1")
        jhcis.sql(f"UPDATE person SET telephoneperson = '{number}', dateupdate = '{moment}' WHERE pid = 1;", "jhcisdb")
    assert later.since is not None
    assert later.reader.done.entries == {
        "person": 1,
        "person-address": 1,
        "person-moi": 0,
        "person-right": 1,
        "village": 6,
    }
    assert later.imported is not None
    assert later.imported.files["PERSON"].mapped == 1
    (row,) = [row for row in (await store.rows(["PERSON"]))["PERSON"] if row["PID"] == "1"]
    assert row["MOBILE"] == "0999999999"


async def test_hosxp_comes_in_as_the_43_files_of_the_same_people(
    hosxp_mysql: Server, hosxp_tables: tuple[Rows, ...], expected_hosxp: Files, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    report = await store.his(database(hosxp_mysql, "hosxp"), "hosxp", hosxp_tables)
    assert report.refused == 0, report.as_json()
    expected = carried(visited(expected_hosxp), hosxp_tables, "D_UPDATE")
    assert_same(carried(await store.rows(expected), hosxp_tables, "D_UPDATE"), expected)


async def test_small_pages_give_the_same_rows(jhcis: Server, jhcis_tables: tuple[Rows, ...]) -> None:
    whole = await read_all(Reader(database(jhcis, "jhcisdb")), jhcis_tables)
    reader = Reader(database(jhcis, "jhcisdb"), size=3)
    assert await read_all(reader, jhcis_tables) == whole
    assert reader.done.statements > 100


async def test_a_dropped_connection_is_taken_up_at_the_key(jhcis: Server, jhcis_tables: tuple[Rows, ...]) -> None:
    tables = only(jhcis_tables, "person", "visit", "visitdrug")
    whole = await read_all(Reader(database(jhcis, "jhcisdb")), tables)
    waits: list[float] = []
    dropped = 0

    async def pause(seconds: float) -> None:
        nonlocal dropped
        waits.append(seconds)
        # The pause of the rate, after every statement: the connection is killed after the fourth and the ninth.
        if len(waits) in (4, 9):
            for number in jhcis.sql(f"SELECT id FROM information_schema.processlist WHERE user = '{READER}';").split():
                jhcis.sql(f"KILL {number};")
                dropped += 1

    reader = Reader(database(jhcis, "jhcisdb"), size=20, rate=1.0, pause=pause)
    assert await read_all(reader, tables) == whole
    assert dropped == 2
    assert reader.done.reconnects == 2


async def test_a_connection_that_does_not_come_back_ends_with_a_reason() -> None:
    async def pause(seconds: float) -> None:
        pass

    gone = MysqlDatabase(parse_url("mysql://reader@127.0.0.1:1/jhcisdb", PASSWORD))
    with pytest.raises(HisError, match="does not come back"):
        await Reader(gone, pause=pause).fetch(lambda dialect: Statement("SELECT 1", ()))


async def test_between_statements_nothing_is_locked(jhcis: Server, jhcis_tables: tuple[Rows, ...]) -> None:
    """The tables are MyISAM: a statement that went on would keep writers out."""
    commands: set[str] = set()

    async def pause(seconds: float) -> None:
        shown = f"SELECT command, state FROM information_schema.processlist WHERE user = '{READER}';"
        commands.update(jhcis.sql(shown).split("\n"))
        jhcis.sql("SET lock_wait_timeout = 1; LOCK TABLES visit WRITE, visitdrug WRITE; UNLOCK TABLES;", "jhcisdb")
        assert jhcis.sql("SELECT COUNT(*) FROM information_schema.innodb_trx;").strip() == "0"

    reader = Reader(database(jhcis, "jhcisdb"), size=50, rate=1.0, pause=pause)
    await read_all(reader, only(jhcis_tables, "visit", "visitdrug"))
    assert {line.split("\t")[0] for line in commands if line} == {"Sleep"}


async def test_pages_are_read_through_the_key_without_sorting_and_touch_no_other_rows(
    jhcis: Server, jhcis_tables: tuple[Rows, ...]
) -> None:
    tables = ("visit", "visitdrug", "cdrug", "cdrugunitsell")
    jhcis.sql(
        "CREATE DATABASE large; GRANT SELECT ON large.* TO reader@'127.0.0.1'; USE large;"
        + "".join(f"CREATE TABLE {table} LIKE jhcisdb.{table};" for table in tables)
        + "INSERT INTO visit (pcucode, visitno, pid, flagservice) SELECT '99999', seq, seq, '03' FROM seq_1_to_20000;"
        "INSERT INTO visitdrug (pcucode, visitno, drugcode) SELECT '99999', seq, '1' FROM seq_1_to_20000;"
        "INSERT INTO cdrug (drugcode, drugtype) VALUES ('1', '01'); ANALYZE TABLE visit, visitdrug;"
    )
    (visitdrug,) = only(jhcis_tables, "visitdrug")
    connection = await database(jhcis, "large").connect()
    try:
        key = (HCODE, 10_000)
        keys = walk(visitdrug, MYSQL, limit=500, after=key)
        rows = page(visitdrug, MYSQL, after=key, upto=(HCODE, 10_500))
        for statement in (walk(visitdrug, MYSQL, limit=500), keys, rows):
            text, values = statement
            plan = [[str(each) for each in row] for row in await connection.fetch(Statement(f"EXPLAIN {text}", values))]
            assert ("t", "PRIMARY") in [(row[2], row[5]) for row in plan], plan
            assert not any("filesort" in row[-1] or "temporary" in row[-1] for row in plan), plan
            before = _rows_touched(await connection.fetch(Statement("SHOW SESSION STATUS LIKE 'Handler_read%'", ())))
            assert len(await connection.fetch(statement)) == 500
            after = _rows_touched(await connection.fetch(Statement("SHOW SESSION STATUS LIKE 'Handler_read%'", ())))
            # The row itself, its visit, its drug, and the unit that is not there.
            assert after - before < 500 * 5
    finally:
        await connection.close()


def _rows_touched(status: Sequence[Record]) -> int:
    return sum(int(str(value)) for _, value in status)


async def test_an_account_that_may_write_is_refused(
    jhcis: Server, jhcis_tables: tuple[Rows, ...], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    with pytest.raises(HisError, match=r"more than read .INSERT, UPDATE."):
        await store.his(database(jhcis, "jhcisdb", "writer"), "jhcis", only(jhcis_tables, "village"))
    report = await store.his(
        database(jhcis, "jhcisdb", "writer"), "jhcis", only(jhcis_tables, "village"), writable=True
    )
    assert report.imported is not None


async def test_an_account_that_may_write_cannot_do_so_in_our_session(jhcis: Server) -> None:
    connection = await database(jhcis, "jhcisdb", "writer").connect()
    try:
        with pytest.raises(HisError):
            await connection.fetch(Statement("UPDATE person SET nation = '1'", ()))
    finally:
        await connection.close()


async def test_tis620_in_latin1_columns_is_read_as_thai(mariadb: Server, jhcis_tables: tuple[Rows, ...]) -> None:
    name = "ประภา".encode("cp874").hex()
    mariadb.sql(
        "CREATE DATABASE IF NOT EXISTS old CHARACTER SET latin1; USE old;"
        "CREATE TABLE village (pcucode char(5), villcode varchar(8), latitude varchar(9), longitude varchar(9),"
        " PRIMARY KEY (pcucode, villcode)) ENGINE=MyISAM CHARSET=latin1;"
        f"INSERT INTO village VALUES ('99999', X'{name}', '1', '2'); GRANT SELECT ON old.* TO reader@'127.0.0.1';"
    )
    reader = Reader(database(mariadb, "old", charset="latin1", text="tis620"))
    rows = await read_all(reader, only(jhcis_tables, "village"))
    assert rows["VILLAGE"][0]["VID"] == "ประภา"


async def test_a_missing_column_is_told_with_the_way_to_correct_it(
    jhcis: Server, jhcis_tables: tuple[Rows, ...]
) -> None:
    (village,) = only(jhcis_tables, "village")
    wrong = replace(village, key=("pcucode", "number"))
    with pytest.raises(HisError, match=r"number.*|--tables"):
        await read_all(Reader(database(jhcis, "jhcisdb")), (wrong,))


async def test_since_reads_what_changed_in_steps_of_keys(jhcis: Server, jhcis_tables: tuple[Rows, ...]) -> None:
    visits = only(jhcis_tables, "visit")
    (entry,) = in_use(visits)
    every = (await read_all(Reader(database(jhcis, "jhcisdb")), visits))["SERVICE"]
    moments = sorted(row["D_UPDATE"] for row in every)
    middle = moments[len(moments) // 2]
    since = datetime.strptime(middle, "%Y%m%d%H%M%S")
    found = await read_all(Reader(database(jhcis, "jhcisdb"), size=5), (entry,), since)
    assert found["SERVICE"] == [row for row in every if row["D_UPDATE"] >= middle]


def test_the_command_takes_the_password_from_the_environment(jhcis: Server, tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/onecard.db", "--data-folder", str(tmp_path), "--processes", "1")
    source = jhcis.url("jhcisdb")
    command = [sys.executable, "-m", "server.cli", "import", "jhcis", source, "--json", "--rate", "0", *store]
    environment = {**os.environ, "HIS_PASSWORD": PASSWORD}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["import"]["files"]["PERSON"]["mapped"] > 0
    wrong = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**environment, "HIS_PASSWORD": "x"},
    )
    assert wrong.returncode == 2
    assert "user or password is wrong" in wrong.stderr
    assert PASSWORD not in done.stderr + done.stdout + wrong.stderr
