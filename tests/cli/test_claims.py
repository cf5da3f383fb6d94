"""`onecard import f16`, `export f16` and `export moph-phr` as processes: claims of a generated village out and in."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mappers.f16.files import file_of_name, read_rows, write_rows
from mappers.links import Row
from server.cli.sample import write_f43
from tests.cli.serving import onecard

Files = dict[str, list[tuple[tuple[str, str], ...]]]
FRESH = ("--store", "sqlite:///fresh.db", "--data-folder", "fresh")


def claims_in(path: Path) -> Files:
    """Rows of a zip by file, in no order."""
    found: Files = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            file = file_of_name(name)
            assert file is not None
            rows = list(read_rows(file, "99999", [archive.read(name)]))
            assert not [row.problems for row in rows if row.problems]
            found[file] = sorted(tuple(sorted(row.values.items())) for row in rows)
    return found


def told(folder: Path, *arguments: str, code: int = 0) -> Any:
    done = onecard(*arguments, "--json", cwd=folder)
    assert done.returncode == code, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that the 43 files were imported into, and its claims."""
    folder = tmp_path_factory.mktemp("claims")
    write_f43(folder / "in.zip", 12, 4, 1)
    told(folder, "import", "f43", "in.zip")
    told(folder, "export", "f16", "claims.zip")
    return folder


def test_a_store_filled_by_the_43_files_is_claimed(village: Path) -> None:
    files = claims_in(village / "claims.zip")
    assert set(files) >= {"INS", "PAT", "OPD", "ODX", "CHT", "CHA", "DRU", "LAB"}
    assert len(files["OPD"]) == len(files["CHT"])
    assert len({dict(row)["HN"] for row in files["PAT"]}) == len(files["PAT"])


def test_claims_go_in_and_out_again_equal(village: Path) -> None:
    [report] = told(village, "import", "f16", "claims.zip", *FRESH)["imports"]
    files = claims_in(village / "claims.zip")
    assert report["refused"] == 0
    assert {file: counts["mapped"] for file, counts in report["files"].items()} == {f: len(r) for f, r in files.items()}
    assert not any(counts["unresolved"] for counts in report["files"].values())
    told(village, "export", "f16", "again.zip", *FRESH)
    assert claims_in(village / "again.zip") == files
    [repeated] = told(village, "import", "f16", "claims.zip", *FRESH)["imports"]
    assert repeated["resources"] == 0
    assert all(counts["unchanged"] == counts["read"] for counts in repeated["files"].values())
    checked = onecard("export", "fhir", "all.ndjson", *FRESH, cwd=village)
    assert checked.returncode == 0
    valid = told(village, "validate", "all.ndjson")
    assert (valid["invalid"], valid["resources"] > 100) == (0, True), valid["issues"][:3]
    undone = told(village, "import", "undo", report["import"], *FRESH)
    assert (undone["deleted"] >= report["resources"], undone["kept"]) == (True, [])
    assert set(told(village, "export", "fhir", "left.ndjson", *FRESH)["counts"]) == {"Provenance"}


def test_visits_that_the_store_knows_are_not_there_twice(village: Path) -> None:
    [report] = told(village, "import", "f16", "claims.zip")["imports"]
    visits = {file: counts for file, counts in report["files"].items() if file != "PAT"}
    assert all(counts["elsewhere"] == counts["read"] for counts in visits.values())
    told(village, "export", "f16", "same.zip")
    assert claims_in(village / "same.zip") == claims_in(village / "claims.zip")
    told(village, "export", "fhir", "patients.ndjson", "--type", "Patient")
    patients = [json.loads(line) for line in (village / "patients.ndjson").read_text("utf-8").splitlines()]
    assert len(patients) == len(claims_in(village / "claims.zip")["PAT"]) + _without_visits(village)


def _without_visits(village: Path) -> int:
    with zipfile.ZipFile(village / "in.zip") as archive:
        persons, visits = (
            {line.split("|")[column] for line in archive.read(f"F43_99999/{name}.txt").decode().splitlines()[1:]}
            for name, column in (("PERSON", 2), ("SERVICE", 1))
        )
    return len(persons - visits)


def test_a_period_is_of_the_days_of_the_visits(village: Path) -> None:
    days = sorted(dict(row)["DATEOPD"] for row in claims_in(village / "claims.zip")["OPD"])
    middle = days[len(days) // 2]
    iso = f"{middle[:4]}-{middle[4:6]}-{middle[6:]}"
    told(village, "export", "f16", "from.zip", "--from", iso)
    told(village, "export", "f16", "day.zip", "--from", iso, "--to", iso)
    assert [dict(row)["DATEOPD"] for row in claims_in(village / "day.zip")["OPD"]] == [d for d in days if d == middle]
    found = claims_in(village / "from.zip")
    assert sorted(dict(row)["DATEOPD"] for row in found["OPD"]) == [day for day in days if day >= middle]
    # The same period of what came as claim rows.
    told(village, "import", "f16", "claims.zip", "--store", "sqlite:///third.db", "--data-folder", "third")
    told(village, "export", "f16", "rows.zip", "--from", iso, "--store", "sqlite:///third.db")
    assert claims_in(village / "rows.zip") == found
    assert onecard("export", "f16", "x.zip", "--from", iso, "--to", "2001-01-01", cwd=village).returncode == 2


def test_bad_claim_rows_are_set_aside_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    folder.mkdir()
    pat: Row = {"HN": "7", "HCODE": "99999", "DOB": "25230105", "SEX": "1", "PERSON_ID": "9998046561008"}
    opd: Row = {"HN": "7", "SEQ": "70", "DATEOPD": "20260105", "SBP": "128", "DBP": "82"}
    (folder / "PAT.txt").write_bytes(b"".join(write_rows("PAT", [pat])))
    (folder / "OPD.txt").write_bytes(b"".join(write_rows("OPD", [opd])) + b"7|00\r\n")
    [report] = told(tmp_path, "import", "f16", "claims", code=1)["imports"]
    assert [(each["file"], each["row"], each["field"], each["rule"]) for each in report["rows"]] == [
        ("PAT", 2, "DOB", "buddhist"),
        ("OPD", 3, "", "columns"),
    ]
    assert report["rows"][0]["value"] == "99999999"
    retried = told(tmp_path, "quarantine", "retry", report["import"], code=1)
    assert (retried["import"][:4], retried["refused"]) == ("f16-", 2)
    assert [each["row"] for each in retried["rows"]] == [2, 3]


def test_an_admission_without_hn_in_its_rows_finds_its_patient(tmp_path: Path) -> None:
    rows: dict[str, Row] = {
        "PAT": {"HN": "7", "HCODE": "99999", "DOB": "19800105", "SEX": "1", "FNAME": "สมมุติ", "LNAME": "ตัวอย่าง"},
        "IPD": {"HN": "7", "AN": "9", "DATEADM": "20260105", "TIMEADM": "0815", "DATEDSC": "20260107", "DISCHT": "1"},
        "IDX": {"AN": "9", "DIAG": "E119", "DXTYPE": "1"},
        "LVD": {"AN": "9", "SEQLVD": "1", "DATEOUT": "20260106"},
    }
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for file, row in rows.items():
            archive.writestr(f"{file}69.TXT", b"".join(write_rows(file, [row], encoding="cp874")))
    told(tmp_path, "import", "f16", "in.zip")
    told(tmp_path, "export", "fhir", "all.ndjson")
    resources = [json.loads(line) for line in (tmp_path / "all.ndjson").read_text("utf-8").splitlines()]
    (patient,) = [each for each in resources if each["resourceType"] == "Patient"]
    (condition,) = [each for each in resources if each["resourceType"] == "Condition"]
    assert patient["name"][0]["text"] == "สมมุติ ตัวอย่าง"
    assert condition["subject"]["reference"] == f"Patient/{patient['id']}"
    told(tmp_path, "export", "f16", "out.zip", "--facility", "99999")
    assert claims_in(tmp_path / "out.zip") == claims_in(tmp_path / "in.zip")


def test_who_sends_must_be_known(tmp_path: Path) -> None:
    (tmp_path / "OPD.txt").write_bytes(b"".join(write_rows("OPD", [{"HN": "7", "SEQ": "7", "DATEOPD": "20260105"}])))
    done = onecard("import", "f16", "OPD.txt", cwd=tmp_path)
    assert (done.returncode, "--hcode" in done.stderr) == (2, True)
    assert onecard("import", "f16", "OPD.txt", "--hcode", "99999", cwd=tmp_path).returncode == 0


def test_the_payloads_of_moph_phr_and_their_address_swap(village: Path) -> None:
    addresses = {}
    for swap in ("true", "false"):
        done = onecard(
            *("export", "moph-phr", "phr.ndjson", "--json"), cwd=village, env={"ONECARD_PHR_SWAP_ADDRESS": swap}
        )
        assert done.returncode == 0, done.stderr
        lines = (village / "phr.ndjson").read_text("utf-8").splitlines()
        assert json.loads(done.stdout)["counts"] == {
            "persons": len(lines),
            "visits": sum(len(json.loads(line)["Encounter"]) for line in lines),
            "without_cid": 0,
        }
        addresses[swap] = json.loads(lines[0])["Patient"]["address"][0]
    assert (addresses["true"]["city"], addresses["true"]["district"]) == (
        addresses["false"]["district"],
        addresses["false"]["city"],
    )
    bodies = [json.loads(line) for line in lines]
    visits = [encounter for body in bodies for encounter in body["Encounter"]]
    assert len(visits) == len(claims_in(village / "claims.zip")["OPD"])
    assert all(visit["Condition"] for visit in visits)
    assert any(visit["Immunization"] for visit in visits)
    assert any(visit["Appointment"] for visit in visits)
