"""JHCIS from a dump: the same as the 43 files of the same people, without any server."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mappers.his.tables import Rows, in_use
from server.intake.his.dump import DumpDatabase
from server.intake.his.importing import HisReport
from tests.his.conftest import jhcis_sql
from tests.his.importing import NOT_OF_EVERY_ADDRESS, Files, Store, assert_same, carried


async def _import(
    store: Store, folder: Path, dump: Path, tables: tuple[Rows, ...], encoding: str = "utf8"
) -> HisReport:
    database = DumpDatabase(dump, folder / f"{dump.name}.db", in_use(tables), encoding)
    try:
        database.load(lambda size: None)
        return await store.his(database, "jhcis", tables)
    finally:
        database.end()


async def test_a_dump_comes_in_as_the_43_files_of_the_same_people(
    tmp_path: Path, jhcis_tables: tuple[Rows, ...], expected_jhcis: Files
) -> None:
    dump = tmp_path / "jhcisdb.sql"
    dump.write_text(jhcis_sql(), encoding="utf-8")
    store = Store(tmp_path / "store")
    report = await _import(store, tmp_path, dump, jhcis_tables)
    assert report.refused == 0, report.as_json()
    expected = carried(expected_jhcis, jhcis_tables, *NOT_OF_EVERY_ADDRESS)
    assert_same(carried(await store.rows(expected), jhcis_tables, *NOT_OF_EVERY_ADDRESS), expected)
    assert all(expected[file] for file in ("PERSON", "ADDRESS", "SERVICE", "DRUG_OPD", "LABFU", "APPOINTMENT"))

    # The same once more, packed and in TIS-620: nothing is written.
    packed = tmp_path / "jhcisdb.sql.gz"
    packed.write_bytes(gzip.compress(jhcis_sql().encode("cp874")))
    again = await _import(store, tmp_path, packed, jhcis_tables, "tis620")
    assert again.imported is not None
    assert again.imported.resources == 0
    assert not list((store.folder / "his").glob("*/*")), "files with personal data are left behind"


def test_the_command_imports_a_dump_and_says_what_is_unverified(tmp_path: Path) -> None:
    dump = tmp_path / "jhcisdb.sql"
    dump.write_text(jhcis_sql(), encoding="utf-8")
    store = ("--store", f"sqlite:///{tmp_path}/onecard.db", "--data-folder", str(tmp_path), "--processes", "1")
    done = _onecard("import", "jhcis", str(dump), "--json", *store)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["import"]["files"]["PERSON"]["mapped"] == summary["reading"]["entries"]["person"] > 0
    shown = _onecard("import", "jhcis", "-", "--show-tables")
    assert "DEATH <- persondeath (persondeath) off: the columns that lead to the person" in shown.stdout
    assert "t.marystatus  [from memory" in shown.stdout


def test_the_command_refuses_a_password_in_the_address_and_does_not_repeat_it(tmp_path: Path) -> None:
    done = _onecard("import", "hosxp", "mysql://reader:hush@127.0.0.1/hosxp", "--hcode", "99999")
    assert done.returncode == 2
    assert "HIS_PASSWORD" in done.stderr
    assert "hush" not in done.stderr + done.stdout


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_database_that_nobody_answers_for_is_told_in_words(kind: str, tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/s.db", "--data-folder", str(tmp_path))
    done = _onecard("import", "hosxp", f"{kind}://reader@127.0.0.1:1/hos", "--hcode", "99999", *store)
    assert done.returncode == 2
    assert f"onecard: {kind}://reader@127.0.0.1:1/hos: no connection" in done.stderr
    assert "is the server on" in done.stderr
    assert "ติดต่อฐานข้อมูลไม่ได้" in done.stderr


def test_a_file_that_is_no_dump_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_text("SELECT 1;\n")
    done = _onecard(
        "import",
        "jhcis",
        str(tmp_path / "x.sql"),
        "--store",
        f"sqlite:///{tmp_path}/s.db",
        "--data-folder",
        str(tmp_path),
    )
    assert done.returncode == 2
    assert "no INSERT into a table of JHCIS" in done.stderr


def _onecard(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))
