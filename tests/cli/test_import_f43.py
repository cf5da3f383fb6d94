"""`onecard import f43` and its companions as processes: a generated village in, the same village out."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from mappers.f43.files import read_rows, write_rows
from mappers.links import Row
from server.cli.sample import write_f43
from tests.cli.serving import onecard

Files = dict[str, list[tuple[tuple[str, str], ...]]]


def rows_of(path: Path) -> Files:
    """Rows of a zip by file, in no order."""
    found: Files = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            file = Path(name).stem
            rows = [row.values for row in read_rows(file, [archive.read(name)])]
            found[file] = sorted(tuple(sorted(row.items())) for row in rows)
    return found


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a zip and a store that it was imported into by two processes."""
    folder = tmp_path_factory.mktemp("village")
    write_f43(folder / "in.zip", 6, 4, 1)
    done = onecard("import", "f43", "in.zip", "--json", "--processes", "2", cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    (folder / "first.json").write_text(done.stdout)
    return folder


def test_the_summary_counts_every_file(village: Path) -> None:
    [told] = json.loads((village / "first.json").read_text())["imports"]
    expected = {file: len(rows) for file, rows in rows_of(village / "in.zip").items()}
    assert {file: counts["read"] for file, counts in told["files"].items()} == expected
    assert {file: counts["mapped"] for file, counts in told["files"].items()} == expected
    assert told["refused"] == 0
    assert told["resources"] > sum(expected.values())
    assert Path(village / told["report"]).exists()


def test_the_same_zip_again_changes_nothing(village: Path) -> None:
    done = onecard("import", "f43", "in.zip", "--json", cwd=village)
    [told] = json.loads(done.stdout)["imports"]
    assert (done.returncode, told["resources"]) == (0, 0)
    assert all(counts["unchanged"] == counts["read"] for counts in told["files"].values())


def test_export_equals_import(village: Path) -> None:
    done = onecard("export", "f43", "--facility", "99999", "out.zip", cwd=village)
    assert done.returncode == 0, done.stderr
    assert rows_of(village / "out.zip") == rows_of(village / "in.zip")


def test_exported_fhir_is_valid(village: Path) -> None:
    assert onecard("export", "fhir", "all.ndjson.gz", cwd=village).returncode == 0
    done = onecard("validate", "all.ndjson.gz", "--json", cwd=village)
    told = json.loads(done.stdout)
    assert told["resources"] > 100
    assert told["invalid"] == 0, told["issues"][:3]


def test_validate_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.ndjson").write_text('{"resourceType":"Patient","gender":"both"}\n{"resourceType":"Patient"}\n')
    done = onecard("validate", "x.ndjson", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["resources"], told["invalid"]) == (1, 2, 1)
    assert told["issues"][0]["expression"] == "Patient.gender"


TH_PATIENT = "https://onecard.example.org/fhir/StructureDefinition/th-patient"
BUDDHIST = {"resourceType": "Patient", "birthDate": "2569-01-01"}


def test_validate_asks_the_thai_profiles_that_resources_claim_or_that_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "bare.json").write_text(json.dumps(BUDDHIST))
    (tmp_path / "claimed.json").write_text(json.dumps(BUDDHIST | {"meta": {"profile": [TH_PATIENT]}}))
    assert onecard("validate", "bare.json", cwd=tmp_path).returncode == 0
    for arguments in (("claimed.json",), ("bare.json", "--profile", TH_PATIENT)):
        done = onecard("validate", *arguments, "--json", cwd=tmp_path)
        told = json.loads(done.stdout)
        assert (done.returncode, told["invalid"]) == (1, 1), arguments
        assert "Buddhist era" in told["issues"][0]["diagnostics"]


def test_validate_opens_the_code_systems_that_were_loaded(tmp_path: Path) -> None:
    (tmp_path / "data" / "terminology").mkdir(parents=True)
    (tmp_path / "data" / "terminology" / "broken.concepts").write_text("no code system")
    (tmp_path / "x.json").write_text(json.dumps(BUDDHIST))
    done = onecard("validate", "x.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "broken.concepts" in done.stderr


def test_a_refused_row_is_kept_listed_tried_again_and_purged(tmp_path: Path) -> None:
    row: Row = {"HOSPCODE": "99999", "VID": "99990109", "D_UPDATE": "25670115090000"}
    (tmp_path / "VILLAGE.txt").write_bytes(b"".join(write_rows("VILLAGE", [row])))
    done = onecard("import", "f43", "VILLAGE.txt", "--json", cwd=tmp_path)
    [told] = json.loads(done.stdout)["imports"]
    assert done.returncode == 1
    assert [(each["file"], each["row"], each["field"]) for each in told["rows"]] == [("VILLAGE", 2, "D_UPDATE")]
    listed = json.loads(onecard("quarantine", "list", "--json", cwd=tmp_path).stdout)
    assert listed == [{"import": told["import"], "rows": 1, "files": {"VILLAGE": 1}}]
    retried = onecard("quarantine", "retry", told["import"], "--json", cwd=tmp_path)
    again = json.loads(retried.stdout)
    assert (retried.returncode, again["refused"]) == (1, 1)
    assert onecard("quarantine", "list", told["import"], cwd=tmp_path).returncode == 2
    assert onecard("quarantine", "purge", again["import"], cwd=tmp_path).returncode == 0
    assert list((tmp_path / "data" / "quarantine").iterdir()) == []


@pytest.mark.parametrize(("format", "file"), [("f43", "x.zip"), ("f16", "x.zip"), ("moph-phr", "x.ndjson")])
def test_an_export_of_a_facility_that_nobody_knows_is_refused_and_writes_nothing(
    format: str, file: str, village: Path
) -> None:
    done = onecard("export", format, file, "--facility", "54321", cwd=village)
    assert done.returncode == 2
    assert "nothing of facility 54321" in done.stderr
    assert "99999" in done.stderr
    assert not (village / file).exists()


def test_what_is_no_hospital_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    done = onecard("import", "f43", "x.zip", cwd=tmp_path)
    assert done.returncode == 2
    assert "truncated" in done.stderr


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_f43(tmp_path / name, 3, 9, 1)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
