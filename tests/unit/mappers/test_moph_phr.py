"""MOPH PHR payloads: FHIR-like, with nothing of FHIR's own that the ministry does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fhir_profiles.json_reading import write_json
from mappers.f43.maps import MAPS
from mappers.moph_phr import Hospital, NoCitizenId, encounter_reference, update_phr
from mappers.population.f43 import f43_rows
from tests.unit.mappers.imported_cases import cases

HOSPITAL = Hospital("99999", "โรงพยาบาลตัวอย่าง")


def payload(hospital: Hospital = HOSPITAL, **wanted: Any) -> dict[str, Any]:
    case = next(c for c in cases("99999") if {r["resourceType"] for r in c.resources} >= set(wanted.get("types", ())))
    return dict(json.loads(write_json(update_phr(hospital, case.patient, [case]))))


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_it_has_the_parts_of_the_specification() -> None:
    body = payload()
    assert list(body) == ["managingOrganization", "Patient", "AllergyIntolerance", "CarePlan", "Encounter"]
    assert body["managingOrganization"]["identifier"]["value"] == "99999"
    assert body["managingOrganization"]["agent"] == "OneCard"
    (encounter,) = body["Encounter"]
    assert encounter["identifier"][0]["type"] == "VN"
    assert {"vital_signs", "Observation", "Condition", "Medication", "Claim", "Appointment", "Immunization"} <= set(
        encounter
    )


def test_the_person_is_written_in_the_ministrys_way() -> None:
    person = payload()["Patient"]
    assert person["identifier"] == [
        {
            "use": "official",
            "system": "https://www.dopa.go.th",
            "type": "CID",
            "value": person["identifier"][0]["value"],
        }
    ]
    assert person["name"][0]["languageCode"] == "TH"
    assert person["gender"] in {"male", "female"}
    assert len(person["birthDate"]) == 10
    assert person["deceasedBoolean"] is False
    assert person["nationality"]["coding"][0]["code"] == "099"


def test_city_and_district_are_swapped_by_a_setting() -> None:
    swapped = payload()["Patient"]["address"][0]
    as_sil_th = payload(replace(HOSPITAL, swap_city_and_district=False))["Patient"]["address"][0]
    assert (swapped["city"], swapped["district"]) == ("มโนรมย์", "ศิลาดาน")
    assert (as_sil_th["city"], as_sil_th["district"]) == ("ศิลาดาน", "มโนรมย์")
    assert swapped["state"] == as_sil_th["state"] == "ชัยนาท"
    assert swapped["address_code"] == 180203


def test_nothing_of_the_resources_own_leaves() -> None:
    everything = cases("99999")[:40]
    body = update_phr(HOSPITAL, everything[0].patient, [c for c in everything if c.cid == everything[0].cid])
    assert not {"extension", "meta", "reference", "subject", "performer", "resourceType"} & set(keys(body))
    assert "onecard" not in write_json(body).decode().lower().replace("onecard", "", 1)


def test_vital_signs_are_flat_and_the_body_mass_index_is_computed() -> None:
    signs = payload()["Encounter"][0]["vital_signs"]
    assert signs["bp_systolic_mmhg"] > signs["bp_diastolic_mmhg"]
    assert {"body_temp_cel", "pulse", "respiratory_rate"} <= set(signs)
    followed = next(c for c in cases("99999") if any("chronicfu" in json.dumps(r, default=str) for r in c.resources))
    signs = json.loads(write_json(update_phr(HOSPITAL, followed.patient, [followed])))["Encounter"][0]["vital_signs"]
    assert signs["body_mass_index"] == round(signs["body_weight_kg"] / (signs["body_height_cm"] / 100) ** 2, 1)


def test_medication_vaccine_and_allergy() -> None:
    medicine = payload(types=["MedicationDispense"])["Encounter"][0]["Medication"][0]
    assert set(medicine) == {"code", "statement"}
    assert medicine["statement"]["category"] == "Outpatient"
    body = payload(types=["Immunization"])
    vaccine = body["Encounter"][0]["Immunization"][0]
    assert vaccine["vaccineCode"]["coding"][0]["system"] == "https://refcode.moph.go.th/vaccine"
    assert vaccine["encounterRefCode"] == f"99999:{body['Encounter'][0]['identifier'][0]['value']}"
    row = next(row for file, row in f43_rows(400, seed=2) if file == "DRUGALLERGY")
    allergy = MAPS["DRUGALLERGY"].to_fhir(row)[0].resource
    case = cases("99999")[0]
    (found,) = update_phr(HOSPITAL, case.patient, [case], [allergy])["AllergyIntolerance"]
    assert found["managingOrganization"]["identifier"]["value"] == "99999"
    assert found["category"] == ["medication"]
    assert found["reaction"][0]["manifestation"]


def test_a_person_without_citizen_id_is_refused() -> None:
    with pytest.raises(NoCitizenId):
        update_phr(HOSPITAL, {"resourceType": "Patient"}, [])


def test_the_reference_of_an_encounter() -> None:
    assert encounter_reference("99999", "1") == "99999:1"
