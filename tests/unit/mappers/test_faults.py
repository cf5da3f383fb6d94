"""The spoilt files say exactly what is wrong with them, and what is sound in them is read."""

from __future__ import annotations

from mappers.checks import Seen
from mappers.f43.files import file_of_name, read_rows
from mappers.f43.layout import LAYOUTS
from mappers.f43.maps import MAPS
from mappers.f43.registration import registration, row_of
from mappers.population.f43 import f43_rows
from mappers.population.faults import Fault, spoilt_files


def test_every_fault_is_found_and_nothing_else() -> None:
    spoilt = spoilt_files(60, seed=3)
    found, rows = [], 0
    for name, data in spoilt.files.items():
        file = file_of_name(name)
        assert file
        seen = Seen(LAYOUTS[file])
        for row in read_rows(file, [data]):
            rows += 1
            problems = list(row.problems)
            if file == "PERSON" and (twice := seen.again(row.number, row.values)):
                problems.append(twice)
            found += [Fault(file, problem.row, problem.field, problem.rule) for problem in problems]
    assert sorted(found) == spoilt.faults
    assert len(spoilt.faults) == 9
    assert rows > 3000


def test_a_refused_row_keeps_its_whole_text_for_the_quarantine() -> None:
    spoilt = spoilt_files(60, seed=3)
    rows = list(read_rows("DRUG_OPD", [spoilt.files["drug_opd.txt"]]))
    (refused,) = [row for row in rows if row.refused]
    assert refused.raw.startswith("99999|")


def test_a_registration_comes_back_out_of_its_resources() -> None:
    files: dict[str, list[dict[str, str]]] = {}
    for file, row in f43_rows(200, seed=5):
        files.setdefault(file, []).append(row)
    dead = files["DEATH"][0]["PID"]
    wanted = {file: [r for r in files[file] if r["PID"] == dead] for file in ("PERSON", "ADDRESS", "DEATH")}
    resources = [MAPS[file].to_fhir(row)[0].resource for file, rows in wanted.items() for row in rows]
    found = registration(resources)
    assert found
    assert found.addresses == tuple(wanted["ADDRESS"])
    assert found.deaths == tuple(wanted["DEATH"])
    elsewhere = {"FATHER", "MOTHER", "COUPLE"}
    assert found.person == {name: text for name, text in wanted["PERSON"][0].items() if name not in elsewhere}


def test_a_resource_that_no_row_made_is_none() -> None:
    assert row_of({"resourceType": "Patient"}) is None
    assert registration([{"resourceType": "Patient"}]) is None
