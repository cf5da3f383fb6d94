"""The body of `POST /UpdatePHRv1` for one person and some of the encounters.

Objects inside of an encounter are FHIR-like, made of the elements that the published test payload has; identifiers,
extensions and references of the resources stay here. What that payload does not show (`statement`, `Claim`) is
from memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mappers.case import Case
from mappers.codes import LOINC, TERMINOLOGY, TMT, displays, system
from mappers.lens import code_of, look
from mappers.links import Resource
from mappers.moph_phr.person import person

HCODE5 = "https://bps.moph.go.th/hcode/5"
VISIT_NUMBER = "https://bps.moph.go.th/vn"
ENCOUNTER_TYPES = "https://phr1.moph.go.th/api/CodingSystem?System=encounter_type"
TMT_GENERIC = "https://www.this.or.th/tmt/gp"
VACCINES = "https://refcode.moph.go.th/vaccine"


class NoCitizenId(ValueError):
    """The PHR knows persons by citizen id only."""


@dataclass(frozen=True, slots=True)
class Hospital:
    """Who sends, and what a site may have to change after its tests with the ministry."""

    hcode: str
    name: str
    agent: str = "OneCard"
    swap_city_and_district: bool = True
    """True: `city` is the district (อำเภอ) and `district` the subdistrict (ตำบล), as in the test payload."""


def encounter_reference(hcode: str, visit: str) -> str:
    """`encounter_ref_code`, by which the PHR knows an encounter."""
    return f"{hcode}:{visit}"


def update_phr(
    hospital: Hospital, patient: Resource, cases: Iterable[Case], allergies: Iterable[Resource] = ()
) -> dict[str, Any]:
    """The payload. Raises: NoCitizenId."""
    cases = list(cases)
    cid = cases[0].cid if cases else Case(hospital.hcode, patient, {}, []).cid
    if not cid:
        raise NoCitizenId("the patient has no citizen id")
    return {
        "managingOrganization": _organization(hospital, agent=True),
        "Patient": person(patient, cid, swap=hospital.swap_city_and_district),
        "AllergyIntolerance": [_allergy(hospital, each) for each in allergies],
        "CarePlan": [],
        "Encounter": [_encounter(case) for case in cases],
    }


def _organization(hospital: Hospital, *, agent: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "Organization",
        "identifier": {"use": "official", "system": HCODE5, "value": hospital.hcode},
        "display": hospital.name,
    }
    return {**found, "agent": hospital.agent} if agent else found


_KEPT = {
    "AllergyIntolerance": (
        "clinicalStatus",
        "verificationStatus",
        "type",
        "category",
        "criticality",
        "code",
        "recordedDate",
    ),
    "Condition": ("clinicalStatus", "code", "recordedDate"),
    "Observation": (
        "status",
        "code",
        "valueQuantity",
        "valueString",
        "valueCodeableConcept",
        "effectiveDateTime",
    ),
    "Appointment": ("status", "serviceType", "reasonCode", "start", "end", "requestedPeriod", "description"),
    "Immunization": ("status", "occurrenceDateTime", "primarySource", "lotNumber", "site", "route", "doseQuantity"),
    "DiagnosticReport": ("status", "code", "effectiveDateTime", "issued", "conclusion"),
    "Claim": ("status", "type", "created", "total"),
}
"""Elements that leave, by resource type: everything else stays here."""


def _kept(resource: Resource) -> dict[str, Any]:
    return {name: resource[name] for name in _KEPT[resource["resourceType"]] if name in resource}


def _allergy(hospital: Hospital, resource: Resource) -> dict[str, Any]:
    manifestations = [{"manifestation": each.get("manifestation", [])} for each in resource.get("reaction", ())]
    return {"managingOrganization": _organization(hospital), **_kept(resource), "reaction": manifestations}


def _encounter(case: Case) -> dict[str, Any]:
    encounter = case.encounter
    number = case.an if case.inpatient else case.seq
    came = code_of(look(encounter, ("hospitalization", "admitSource")), system("cs-thcc-admit-source")) or "1"
    return {
        "identifier": [
            {"use": "official", "system": VISIT_NUMBER, "type": "AN" if case.inpatient else "VN", "value": number}
        ],
        "status": encounter.get("status"),
        "class": {"code": "IMP" if case.inpatient else "AMB"},
        "type": {"coding": [{"system": ENCOUNTER_TYPES, "code": came}]},
        "period": {key: value for key, value in encounter.get("period", {}).items() if key in ("start", "end")},
        "reason": [each["text"] for each in encounter.get("reasonCode", ()) if "text" in each],
        "Coverage": _coverage(case),
        "vital_signs": vital_signs(case),
        "Observation": [_kept(each) for each in case.of("Observation", _is_result)],
        "Condition": [_kept(each) for each in case.of("Condition")],
        "Medication": list(_medication(case)),
        "Claim": [_kept(each) for each in case.of("Claim")],
        "Appointment": [_kept(each) for each in case.of("Appointment")],
        "Immunization": [_immunization(case, each) for each in case.of("Immunization")],
        "DiagnosticReport": [_kept(each) for each in case.of("DiagnosticReport")],
    }


def _coverage(case: Case) -> list[dict[str, Any]]:
    names = displays("cs-th-coverage-type")
    return [{"class_group": {"value": case.fund, "name": names.get(case.fund, "")}}] if case.fund else []


_VITALS = {
    "29463-7": "body_weight_kg",
    "8302-2": "body_height_cm",
    "8310-5": "body_temp_cel",
    "39156-5": "body_mass_index",
    "9279-1": "respiratory_rate",
    "8867-4": "pulse",
}
_PRESSURES = {"8480-6": "bp_systolic_mmhg", "8462-4": "bp_diastolic_mmhg"}


def vital_signs(case: Case) -> dict[str, Any]:
    """The flat object of vital signs; the body mass index is computed where only weight and height were taken."""
    found: dict[str, Any] = {}
    for resource in case.of("Observation", _is_vital):
        for value in (resource, *resource.get("component", ())):
            code = code_of(value.get("code"), LOINC)
            name = _VITALS.get(code) or _PRESSURES.get(code)
            if name and (measured := look(value, ("valueQuantity", "value"))) is not None:
                found[name] = measured
    weight, height = (float(found.get(name, 0)) for name in ("body_weight_kg", "body_height_cm"))
    if weight and height and "body_mass_index" not in found:
        found["body_mass_index"] = round(weight / (height / 100) ** 2, 1)
    return found


def _is_vital(resource: Resource) -> bool:
    category = TERMINOLOGY + "observation-category"
    return any(code_of(each, category) == "vital-signs" for each in resource.get("category", ()))


def _is_result(resource: Resource) -> bool:
    """Coded in LOINC, and no vital sign: the forms of the 43 files mean nothing there."""
    return bool(code_of(resource.get("code"), LOINC)) and not _is_vital(resource)


def _medication(case: Case) -> Iterator[dict[str, Any]]:
    for dispense in case.of("MedicationDispense"):
        concept = dispense.get("medicationCodeableConcept", {})
        codings = [dict(each) for each in concept.get("coding", ())]
        for each in codings:
            if each.get("system") == TMT:
                each["system"] = TMT_GENERIC
        statement = {
            "status": "active",
            "category": "Inpatient" if case.inpatient else "Outpatient",
            "effectiveDateTime": dispense.get("whenHandedOver") or dispense.get("whenPrepared"),
            "dosage": [{"text": each["text"]} for each in dispense.get("dosageInstruction", ()) if "text" in each],
            "quantity": dispense.get("quantity"),
        }
        code = {"coding": codings, **({"text": concept["text"]} if "text" in concept else {})}
        yield {"code": code, "statement": {name: value for name, value in statement.items() if value}}


def _immunization(case: Case, resource: Resource) -> dict[str, Any]:
    concept = resource.get("vaccineCode", {})
    code = code_of(concept, system("cs-thcc-vaccine-code"))
    word = displays("cs-thcc-vaccine-code").get(code, "")
    vaccine = (
        {"coding": [{"system": VACCINES, "code": code, "display": word}]} if code else {"text": concept.get("text")}
    )
    return {**_kept(resource), "vaccineCode": vaccine, "encounterRefCode": encounter_reference(case.hcode, case.seq)}
