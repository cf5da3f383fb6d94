"""Quarantine and undo of an import of a live HOSxP, by the commands, on both kinds of servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.serving import onecard
from tests.his.importing import HCODE
from tests.his.servers import PASSWORD, Server

SERVERS = [
    pytest.param("hosxp_mysql", marks=pytest.mark.mariadb),
    pytest.param("hosxp_postgresql", marks=pytest.mark.postgresql),
]


class Hospital:
    """A HOSxP in which the citizen id of one patient is wrong."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.hn, self.cid = server.sql(
            "SELECT p.hn, p.cid FROM patient p JOIN ovst o ON o.hn = p.hn WHERE p.cid <> '' ORDER BY p.hn LIMIT 1;",
            "hosxp",
        ).split()
        self.wrong = self.cid[:-1] + str((int(self.cid[-1]) + 1) % 10)
        self.write(self.wrong)

    def write(self, cid: str) -> None:
        """What a clerk corrects, or gets wrong."""
        self.server.sql(f"UPDATE patient SET cid = '{cid}' WHERE hn = '{self.hn}';", "hosxp")

    def told(self, *arguments: str, code: int = 0) -> Any:
        done = onecard(*arguments, "--json", cwd=self.folder, env={"HIS_PASSWORD": PASSWORD})
        assert done.returncode == code, done.stderr[-2000:]
        assert PASSWORD not in done.stdout + done.stderr
        assert self.cid[:-1] not in done.stdout + done.stderr
        return json.loads(done.stdout)

    def imported(self, *more: str, code: int = 0) -> Any:
        address = self.server.url("hosxp")
        report = self.told("import", "hosxp", address, "--hcode", HCODE, "--processes", "1", *more, code=code)
        return report["import"]

    def count(self) -> dict[str, int]:
        counts: dict[str, int] = self.told("export", "fhir", "left.ndjson")["counts"]
        return counts


@pytest.fixture
def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital(request.getfixturevalue(request.param), tmp_path)
    yield made
    made.write(made.cid)


@pytest.mark.parametrize("hospital", SERVERS, indirect=True)
def test_a_refused_row_waits_until_the_hospital_corrects_it_and_the_imports_are_taken_back(hospital: Hospital) -> None:
    first = hospital.imported(code=1)
    assert first["import"].startswith("hosxp-")
    assert {(row["field"], row["rule"], row["value"]) for row in first["rows"]} == {("CID", "cid", "9999999999999")}
    refused = {file: counts["refused"] for file, counts in first["files"].items() if counts["refused"]}
    assert refused["PERSON"] == 1

    [kept] = hospital.told("quarantine", "list")
    assert (kept["import"], kept["files"]) == (first["import"], refused)
    [*rows] = hospital.told("quarantine", "list", first["import"])
    assert len(rows) == sum(refused.values())

    again = hospital.told("quarantine", "retry", first["import"], code=1)
    assert again["import"].startswith("hosxp-")
    assert {(row["field"], row["rule"]) for row in again["rows"]} == {("CID", "cid")}
    assert [each["import"] for each in hospital.told("quarantine", "list")] == [again["import"]]
    assert onecard("quarantine", "purge", again["import"], cwd=hospital.folder).returncode == 0
    assert hospital.told("quarantine", "list") == []

    hospital.write(hospital.cid)
    second = hospital.imported("--all")
    assert (second["refused"], second["files"]["PERSON"]["mapped"]) == (0, 1)
    assert second["files"]["SERVICE"]["unchanged"] + second["files"]["SERVICE"]["mapped"] > 0

    assert hospital.told("import", "undo", second["import"])["kept"] == []
    undone = hospital.told("import", "undo", first["import"])
    assert undone["kept"] == []
    assert undone["deleted"] >= first["resources"]
    assert set(hospital.count()) == {"Provenance"}
