"""Rows of a hospital's database that were refused are kept, listed, tried again; the import of it is taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server.cli.sample import People, write_sample
from tests.cli.serving import onecard


def told(folder: Path, *arguments: str, code: int) -> Any:
    done = onecard(*arguments, "--json", cwd=folder)
    assert done.returncode == code, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture
def imported(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder with a dump of JHCIS in which one citizen id is wrong, and the report of its import."""
    write_sample(tmp_path / "jhcisdb.sql", "jhcis", People(3, 4, 1))
    sql = (tmp_path / "jhcisdb.sql").read_text("utf-8")
    start = sql.index("INSERT INTO person ")
    cid = next(word for word in sql[start:].replace(",", "'").split("'") if len(word) == 13 and word.isdigit())
    wrong = cid[:-1] + str((int(cid[-1]) + 1) % 10)
    (tmp_path / "jhcisdb.sql").write_text(sql.replace(f"'{cid}'", f"'{wrong}'"), "utf-8")
    return tmp_path, told(tmp_path, "import", "jhcis", "jhcisdb.sql", "--processes", "1", code=1)["import"]


def test_a_refused_row_of_a_database_is_kept_and_tried_again_with_the_columns_it_has(
    imported: tuple[Path, dict[str, Any]],
) -> None:
    folder, report = imported
    assert report["import"].startswith("jhcis-")
    # The number stands in every row of the person.
    files = {"PERSON": 1, "ADDRESS": 1, "CARD": 1}
    found = {(row["file"], row["field"], row["rule"], row["value"]) for row in report["rows"]}
    assert found == {(file, "CID", "cid", "9999999999999") for file in files}
    [kept] = told(folder, "quarantine", "list", code=0)
    assert (kept["import"], kept["files"]) == (report["import"], files)
    # Still wrong, and for no other reason: columns that the database does not have are not asked for.
    again = told(folder, "quarantine", "retry", report["import"], code=1)
    assert again["import"].startswith("jhcis-")
    assert [(row["field"], row["rule"]) for row in again["rows"]] == [("CID", "cid")] * 3
    assert onecard("quarantine", "purge", again["import"], cwd=folder).returncode == 0
    assert told(folder, "quarantine", "list", code=0) == []


def test_an_import_of_a_database_is_taken_back(imported: tuple[Path, dict[str, Any]]) -> None:
    folder, report = imported
    undone = told(folder, "import", "undo", report["import"], code=0)
    assert undone["kept"] == []
    assert undone["deleted"] >= report["resources"]
    assert set(told(folder, "export", "fhir", "left.ndjson", code=0)["counts"]) == {"Provenance"}
