"""The synthetic population is the same people in every format: citizen ids, visits and diagnoses agree."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from mappers.citizen_id import is_valid
from mappers.links import CID, local
from mappers.population import resources
from mappers.population.f16 import f16_rows
from mappers.population.f43 import f43_rows
from mappers.population.hosxp import hosxp_rows
from mappers.population.jhcis import jhcis_rows

PEOPLE, SEED, YEARS, HCODE = 15, 7, 2, "99999"

Rows = dict[str, list[dict[str, Any]]]
Known = tuple[set[str], set[tuple[str, str]], set[tuple[str, str, str]]]
"""Citizen ids, visits as (citizen id, day), diagnoses as (citizen id, day, code without its dot)."""


def grouped(rows: Any) -> Rows:
    files: Rows = defaultdict(list)
    for name, row in rows:
        files[name].append(row)
    return files


@cache
def from_f43() -> Known:
    files = grouped(f43_rows(PEOPLE, SEED, hcode=HCODE, years=YEARS))
    cids = {row["PID"]: row["CID"] for row in files["PERSON"]}
    days = {row["SEQ"]: (cids[row["PID"]], row["DATE_SERV"]) for row in files["SERVICE"]}
    return set(cids.values()), set(days.values()), {(*days[r["SEQ"]], r["DIAGCODE"]) for r in files["DIAGNOSIS_OPD"]}


def from_f16() -> Known:
    files = grouped(f16_rows(PEOPLE, SEED, hcode=HCODE, years=YEARS))
    cids = {row["HN"]: row["PERSON_ID"] for row in files["PAT"]}
    days = {row["SEQ"]: (cids[row["HN"]], row["DATEOPD"]) for row in files["OPD"]}
    return set(cids.values()), set(days.values()), {(*days[row["SEQ"]], row["DIAG"]) for row in files["ODX"]}


def from_jhcis() -> Known:
    tables = grouped(jhcis_rows(PEOPLE, SEED, hcode=HCODE, years=YEARS))
    cids = {row["pid"]: row["idcard"] for row in tables["person"]}
    days = {row["visitno"]: (cids[row["pid"]], row["visitdate"].replace("-", "")) for row in tables["visit"]}
    coded = {(*days[row["visitno"]], row["diagcode"].replace(".", "")) for row in tables["visitdiag"]}
    return set(cids.values()), set(days.values()), coded


def from_hosxp() -> Known:
    tables = grouped(hosxp_rows(PEOPLE, SEED, hcode=HCODE, years=YEARS))
    cids = {row["hn"]: row["cid"] for row in tables["patient"]}
    days = {row["vn"]: (cids[row["hn"]], row["vstdate"].replace("-", "")) for row in tables["ovst"]}
    coded = {(*days[row["vn"]], row["icd10"].replace(".", "")) for row in tables["ovstdiag"]}
    return set(cids.values()), set(days.values()), coded


def from_fhir() -> Known:
    found = list(resources(PEOPLE, SEED, years=YEARS))
    people = {f"Patient/{r['id']}": number(r, CID) for r in found if r["resourceType"] == "Patient"}
    days = {
        f"Encounter/{r['id']}": (people[r["subject"]["reference"]], r["period"]["start"][:10].replace("-", ""))
        for r in found
        if r["resourceType"] == "Encounter" and number(r, local(HCODE, "VN"))
    }
    coded = {
        (*days[r["encounter"]["reference"]], r["code"]["coding"][0]["code"].replace(".", ""))
        for r in found
        if r["resourceType"] == "Condition" and r.get("encounter", {}).get("reference") in days
    }
    return set(people.values()), set(days.values()), coded


def number(resource: dict[str, Any], system: str) -> str:
    return next((each["value"] for each in resource.get("identifier", ()) if each.get("system") == system), "")


def test_the_numbers_have_valid_check_digits() -> None:
    people, visits, diagnoses = from_f43()
    assert len(people) == PEOPLE
    assert all(map(is_valid, people))
    assert len(visits) > PEOPLE
    assert len(diagnoses) >= len(visits)


@pytest.mark.parametrize("read", [from_f16, from_jhcis, from_hosxp, from_fhir], ids=lambda read: read.__name__[5:])
def test_citizen_ids_visits_and_diagnoses_agree_with_the_43_files(read: Any) -> None:
    expected, found = from_f43(), read()
    with_visits = {cid for cid, _ in expected[1]}
    assert found[0] & with_visits == with_visits
    assert found[0] <= expected[0]
    assert found[1] == expected[1]
    assert found[2] == expected[2]
