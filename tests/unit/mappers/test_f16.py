"""Claims out of FHIR as the 16 files and LAB, and in again."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_profiles.json_reading import read_json, write_json
from mappers.case import Case
from mappers.f16.claims import claim_rows
from mappers.f16.files import file_of_name, read_rows, write_rows
from mappers.f16.layout import LAYOUTS
from mappers.f16.maps import MAPS
from mappers.layout import OLD
from mappers.population import resources
from mappers.population.f16 import f16_rows
from tests.unit.mappers.imported_cases import Files, cases


def files_of(*some: Case) -> Files:
    files: Files = defaultdict(list)
    for case in some:
        for file, row in claim_rows(case):
            files[file].append(row)
    return files


@pytest.mark.parametrize("hcode", ["99999", "99998"])
def test_what_is_written_reads_again_without_a_problem(hcode: str) -> None:
    files = files_of(*cases(hcode))
    for file, rows in files.items():
        data = b"".join(write_rows(file, rows))
        assert data.startswith("|".join(LAYOUTS[file].columns("2.4")).encode() + b"\r\n")
        read = list(read_rows(file, hcode, [data]))
        assert [row.values for row in read] == [{**row, "HOSPCODE": hcode} for row in rows]
        assert not [row.problems for row in read if row.problems]
    outpatient = {"INS", "PAT", "OPD", "ODX", "OOP", "ORF", "CHT", "CHA", "DRU", "LAB", "AER"}
    assert set(files) >= (outpatient if hcode == "99999" else {"IPD", "IDX", "CHT", "CHA", "DRU"})


def test_a_visit_says_the_same_in_every_file() -> None:
    case = next(c for c in cases("99999") if sum(r["resourceType"] == "MedicationDispense" for r in c.resources) > 1)
    files = files_of(case)
    (opd,) = files["OPD"]
    assert (opd["HN"], opd["SEQ"], opd["UUC"], opd["CLINIC"]) == (case.hn, case.seq, "1", "00")
    assert len(opd["TIMEOPD"]) == 4
    assert int(opd["SBP"]) > int(opd["DBP"])
    principal = [row for row in files["ODX"] if row["DXTYPE"] == "1"]
    assert len(principal) == 1
    assert "." not in principal[0]["DIAG"]
    assert {row["SEQ"] for rows in files.values() for row in rows if "SEQ" in row} == {case.seq}
    assert files["PAT"][0]["NAMEPAT"].count(" , ") == 1
    assert files["INS"][0]["INSCL"] in {"UCS", "SSS", "OFC"}


def test_what_a_drug_cost_is_told_as_the_43_files_have_it() -> None:
    rows = [row for case in cases("99999") for row in files_of(case)["DRU"]]
    assert rows
    assert all(0 < Decimal(row["DRUGCOST"]) < Decimal(row["DRUGPRICE"]) for row in rows)


def test_the_bill_is_the_sum_of_its_categories() -> None:
    for case in cases("99999")[:60]:
        files = files_of(case)
        total = sum((Decimal(row["AMOUNT"]) for row in files["CHA"]), Decimal())
        assert Decimal(files["CHT"][0]["TOTAL"]) == total
        assert all(len(row["CHRGITEM"]) == 2 for row in files["CHA"])


def test_an_admission_has_its_number_its_times_and_its_doctor() -> None:
    case = next(c for c in cases("99998") if c.inpatient)
    files = files_of(case)
    (ipd,) = files["IPD"]
    assert ipd["AN"] == case.an
    assert ipd["DATEADM"] <= ipd["DATEDSC"]
    assert files["IDX"][0]["DRDX"].startswith("ว99")
    assert "OPD" not in files


def test_claim_rows_of_an_import_leave_as_they_came() -> None:
    rows = {
        "OPD": {"HN": "7", "SEQ": "70", "DATEOPD": "20260105", "TIMEOPD": "0815", "CLINIC": "01", "UUC": "2",
        "BTEMP": "037.0"},
        "ODX": {"HN": "7", "SEQ": "70", "DATEDX": "20260105", "DIAG": "E119", "DXTYPE": "1", "DRDX": "ว12345",
        "CLINIC": "01"},
        "CHT": {"HN": "7", "SEQ": "70", "DATE": "20260105", "TOTAL": "120.50", "PAID": "0", "PTTYPE": "UC"},
        "LVD": {"AN": "9", "SEQLVD": "1", "DATEOUT": "20260101"},
    }  # fmt: skip
    made = []
    for file, row in rows.items():
        row["HOSPCODE"] = "99999"
        made += [read_json(write_json(each.resource)) for each in MAPS[file].to_fhir(row)]
    encounter = next(r for r in made if r["resourceType"] == "Encounter")
    person = {
        "resourceType": "Patient",
        "identifier": [{"system": "https://terms.sil-th.org/hcode/5/99999/HN", "value": "7"}],
    }
    files = files_of(Case("99999", person, encounter, [r for r in made if r is not encounter]))
    for file, row in rows.items():
        assert files[file] == [row]


def test_a_report_of_a_disease_is_no_second_diagnosis() -> None:
    case = next(each for each in cases("99999") if list(each.of("Condition")) and not each.inpatient)
    [*before] = [row for file, row in claim_rows(case) if file == "ODX"]
    codes = [row["DIAG"] for row in before]
    condition = next(case.of("Condition"))
    unsaid = {name: value for name, value in condition.items() if name != "category"}
    reported = replace(case, resources=[unsaid, *case.resources])
    assert [row for file, row in claim_rows(reported) if file == "ODX"] == before
    other = {**unsaid, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "Z99.9"}]}}
    more = [row for file, row in claim_rows(replace(case, resources=[other, *case.resources])) if file == "ODX"]
    assert [(row["DIAG"], row["DXTYPE"]) for row in more] == [
        ("Z999", "4"),
        *((c, r["DXTYPE"]) for c, r in zip(codes, before, strict=True)),
    ]


def test_plain_fhir_that_never_was_a_file_is_claimed_as_well() -> None:
    everything = json.loads(json.dumps(list(resources(6, seed=4))))
    person = next(r for r in everything if r["resourceType"] == "Patient")
    own = [r for r in everything if f"Patient/{person['id']}" in json.dumps(r)]
    encounter = next(r for r in own if r["resourceType"] == "Encounter" and r["class"]["code"] == "AMB")
    mine = [r for r in own if f"Encounter/{encounter['id']}" in json.dumps(r)]
    coverages = [r for r in own if r["resourceType"] == "Coverage"]
    case = Case("99999", person, encounter, [*mine, *coverages])
    files = files_of(case)
    assert set(files) >= {"INS", "PAT", "OPD", "ODX", "CHT", "CHA"}
    assert len(files["ODX"]) == sum(r["resourceType"] == "Condition" for r in mine)
    assert files["CHT"][0]["TOTAL"] == f"{next(r for r in mine if r['resourceType'] == 'Claim')['total']['value']}.00"


@pytest.mark.parametrize(
    ("name", "file"), [("opd.txt", "OPD"), ("INS69.TXT", "INS"), ("a/b/Dru_01.txt", "DRU"), ("x.txt", None)]
)
def test_the_name_of_a_file_says_which_it_is(name: str, file: str | None) -> None:
    assert file_of_name(name) == file


def test_the_short_form_of_lab_is_the_older_one() -> None:
    assert LAYOUTS["LAB"].columns(OLD)[-1] == "LABRESULT"
    assert LAYOUTS["LAB"].columns("2.4")[-1] == "REMARK"


@pytest.mark.parametrize("hcode", ["99999", "99998"])
def test_what_claim_rows_make_loads_in_an_independent_model_of_r4b(hcode: str) -> None:
    rows = [(file, {**row, "HOSPCODE": hcode}) for file, row in f16_rows(25, seed=3, hcode=hcode, years=2)]
    rows.append(("LVD", {"HOSPCODE": hcode, "AN": "9", "SEQLVD": "1", "DATEOUT": "20260106"}))
    kinds = set()
    for file, row in rows:
        for mapped in MAPS[file].to_fhir(row):
            kind = mapped.resource["resourceType"]
            get_fhir_model_class(kind).model_validate_json(write_json({**mapped.resource, "id": "x"}))
            kinds.add(kind)
    assert kinds >= {"Encounter", "Condition", "Coverage", "Claim", "ChargeItem", "MedicationDispense", "Basic"}
