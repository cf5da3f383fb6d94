"""`onecard import fhir`: what is loaded, what is refused, what happens after an interruption."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mappers.population import resources
from server.intake.quarantine import read_quarantine


def onecard(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


class Loading:
    """An import into a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "in"
        self.files.mkdir()
        self.options = ("--store", f"sqlite:///{folder}/onecard.db", "--data-folder", folder, "--processes", 2)

    def command(self, *more: object) -> list[str]:
        return [str(a) for a in ("import", "fhir", self.files, "--json", *self.options, *more)]

    def run(self, *more: object) -> tuple[int, dict[str, Any]]:
        done = onecard(*self.command(*more))
        assert done.returncode in (0, 1), done.stderr[-2000:]
        return done.returncode, json.loads(done.stdout)

    def counts(self) -> dict[str, int]:
        done = onecard("store", "info", "--store", f"sqlite:///{self.folder}/onecard.db")
        counts: dict[str, int] = json.loads(done.stdout)["counts"]
        return counts


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    return Loading(tmp_path)


def patient(number: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": number, **more}


def ndjson(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def written(report: dict[str, Any]) -> int:
    return sum(source["written"] for source in report["sources"])


def test_every_kind_of_file_is_loaded_and_references_may_come_first(loading: Loading) -> None:
    observation = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:6e1b4a9e-1111-4222-8333-444455556666",
                "resource": {"resourceType": "Patient"},
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": {**observation, "subject": {"reference": "urn:uuid:6e1b4a9e-1111-4222-8333-444455556666"}},
                "request": {"method": "PUT", "url": "Observation/in-bundle"},
            },
        ],
    }
    bundle["entry"][1]["resource"]["id"] = "in-bundle"  # type: ignore[index]
    collection = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient("in-collection")}]}
    # Sorted by name the Observation comes before the Patient that it refers to.
    (loading.files / "a.ndjson").write_bytes(ndjson({**observation, "subject": {"reference": "Patient/late"}}))
    (loading.files / "b.json").write_text(json.dumps(bundle))
    (loading.files / "c.json.gz").write_bytes(gzip.compress(json.dumps(collection).encode()))
    (loading.files / "d.json").write_text(json.dumps({"resourceType": "Patient"}))
    with zipfile.ZipFile(loading.files / "z.zip", "w") as archive:
        archive.writestr("deep/Patient.ndjson", ndjson(patient("late"), patient("zipped")))
    (loading.files / "notes.txt").write_text("not FHIR")
    code, report = loading.run()
    assert (code, report["refused"], written(report)) == (0, 0, 7)
    assert loading.counts() == {"Observation": 2, "Patient": 5}


def test_what_is_refused_is_kept_with_its_reason_and_the_rest_is_loaded(loading: Loading) -> None:
    lines = [json.dumps(patient("good")), '{"resourceType":"Patient","gender":"x"}', "{broken"]
    (loading.files / "rows.ndjson").write_text("\n".join(lines))
    (loading.files / "dangling.json").write_text(
        json.dumps(patient("d", managingOrganization={"reference": "Organization/none"}))
    )
    code, report = loading.run()
    assert (code, report["refused"], written(report)) == (1, 3, 1)
    quarantine = Path(report["quarantine"])
    assert stat.S_IMODE(quarantine.stat().st_mode) == 0o600
    rows = list(read_quarantine(quarantine))
    assert sorted(row["status"] for row in rows) == [400, 409, 422]
    assert all(row["issues"] for row in rows)
    assert {row["data"] for row in rows} >= set(lines[1:])


def test_the_same_file_again_changes_nothing(loading: Loading) -> None:
    (loading.files / "one.json").write_text('{"resourceType":"Patient"}')
    assert written(loading.run()[1]) == 1
    (loading.files / "one.json").rename(loading.files / "renamed.json")
    code, report = loading.run()
    assert (code, written(report), report["sources"][0]["skipped"]) == (0, 0, True)
    assert loading.counts() == {"Patient": 1}


def test_a_broken_archive_is_told_once_nothing_of_it_is_stored_and_the_other_files_are_loaded(loading: Loading) -> None:
    people = ndjson(*({"resourceType": "Patient", "language": "th", "active": bool(i % 2)} for i in range(2000)))
    whole = gzip.compress(people)
    damaged = bytearray(gzip.compress(people, mtime=0))
    damaged[len(damaged) // 2 :] = b"\xff" * (len(damaged) - len(damaged) // 2)
    (loading.files / "a.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    (loading.files / "b.json").write_text(json.dumps(patient("b")))
    (loading.files / "c.ndjson.gz").write_bytes(damaged)
    code, report = loading.run()
    assert code == 1
    assert [source["error"] is None for source in report["sources"]] == [False, True, False]
    assert all("nothing of it was imported" in report["sources"][n]["error"] for n in (0, 2))
    assert loading.counts() == {"Patient": 1}
    shown = onecard(*(each for each in loading.command() if each != "--json")).stdout
    assert shown.count("a.ndjson.gz") == 1
    (loading.files / "a.ndjson.gz").write_bytes(whole)
    (loading.files / "c.ndjson.gz").unlink()
    assert loading.run()[0] == 0
    assert loading.counts() == {"Patient": 2001}


def test_nothing_to_load_is_refused_with_what_was_expected(loading: Loading) -> None:
    done = onecard("import", "fhir", loading.folder / "absent", *loading.options)
    assert done.returncode == 2
    assert "no such file" in done.stderr


def test_an_import_that_was_killed_goes_on_and_doubles_nothing(loading: Loading) -> None:
    people = [{k: v for k, v in r.items() if k != "id"} for r in resources(40, 3) if r["resourceType"] == "Patient"]
    rows = people * 60  # creates without ids: doubled if they were sent twice
    (loading.files / "rows.ndjson").write_bytes(ndjson(*rows))
    run = subprocess.Popen(
        [sys.executable, "-m", "server.cli", *loading.command("--no-referential-integrity")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    database = loading.folder / "onecard.db-wal"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (database.exists() and database.stat().st_size > 2_000_000):
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    code, report = loading.run("--no-referential-integrity")
    source = report["sources"][0]
    assert (code, source["refused"]) == (0, 0)
    assert loading.counts()["Patient"] == len(rows)


def undone(loading: Loading, report: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    done = onecard("import", "undo", report["import"], "--json", *loading.options[:4])
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return done.returncode, json.loads(done.stdout)


def test_an_import_of_fhir_files_is_taken_back_and_may_come_again(loading: Loading) -> None:
    rows = list(resources(8, seed=3, years=1))
    numbered = [row for row in rows if row["resourceType"] != "Provenance"]
    (loading.files / "rows.ndjson").write_bytes(ndjson(*numbered))
    _, report = loading.run()
    before = loading.counts()
    code, told = undone(loading, report)
    assert (code, told["deleted"], told["kept"]) == (0, sum(before.values()), [])
    assert set(loading.counts()) == {"Provenance"}
    code, again = loading.run()
    assert (code, written(again)) == (0, len(numbered))
    assert loading.counts().items() >= before.items()


def test_undo_gives_back_what_was_there_and_spares_what_was_changed_since(loading: Loading) -> None:
    path = loading.files / "rows.ndjson"
    path.write_bytes(ndjson(patient("a", language="th"), patient("b", language="th")))
    loading.run()
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": patient("a", language="en"), "request": {"method": "PUT", "url": "Patient/a"}},
            {"resource": patient("c"), "request": {"method": "PUT", "url": "Patient/c"}},
            {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
            {"request": {"method": "DELETE", "url": "Patient/b"}},
        ],
    }
    path.write_bytes(ndjson(bundle))
    _, second = loading.run()
    path.write_bytes(ndjson(patient("c", language="de")))
    loading.run()
    code, told = undone(loading, second)
    assert (code, told) == (1, {"deleted": 1, "restored": 2, "kept": ["Patient/c"]})
    onecard("export", "fhir", loading.folder / "out.ndjson", "--type", "Patient", *loading.options[:4])
    left = [json.loads(line) for line in (loading.folder / "out.ndjson").read_text().splitlines()]
    assert {each["id"]: each["language"] for each in left} == {"a": "th", "b": "th", "c": "de"}
