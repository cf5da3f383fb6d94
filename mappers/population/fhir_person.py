"""A synthetic person as Patient, RelatedPerson, Coverage, chronic Conditions, AllergyIntolerances."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mappers.population.clinic import DISEASES, DRUGS
from mappers.population.fhir_places import CID, GENDER, Resource, local, organization_id, typed
from mappers.population.model import Allergy, Chronic, Person
from mappers.population.names import PREFIXES
from mappers.population.places import HEALTH_CENTRE

ICD10 = "http://hl7.org/fhir/sid/icd-10"
ATC = "http://www.whocc.no/atc"
THCC = "https://terms.sil-th.org/core/CodeSystem/cs-thcc-"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_MARITAL = {"1": ("S", "Never Married"), "2": ("M", "Married"), "3": ("W", "Widowed"), "4": ("D", "Divorced")}
_FUNDS = {"UCS": "สิทธิ UC", "SSS": "ประกันสังคม", "OFC": "ข้าราชการ"}
_CERTAINTY = {"1": "confirmed", "2": "confirmed", "3": "unconfirmed"}
_CRITICALITY = {"1": "low", "4": "high"}

Naming = Callable[[str], tuple[str, str]]


def coded(system: str, code: str, display: str, text: str = "") -> dict[str, Any]:
    """A CodeableConcept of one Coding."""
    concept: dict[str, Any] = {"coding": [{"system": system, "code": code, "display": display}]}
    if text:
        concept["text"] = text
    return concept


def disease_concept(code: str) -> dict[str, Any]:
    disease = DISEASES[code]
    return coded(ICD10, code, disease.english, disease.thai)


def of_person(person: Person, name: Naming) -> Generator[tuple[str, Resource], None, str]:
    """Yields (id, resource); returns the reference to the Patient."""
    identity, subject = name("Patient")
    yield identity, _patient(person)
    if person.mother and person.age(person.updated.date()) < 15:
        yield name("RelatedPerson")[0], _mother(person, subject)
    yield name("Coverage")[0], _coverage(person, subject)
    for chronic in person.chronic:
        yield name("Condition")[0], _chronic(chronic, subject)
    for allergy in person.allergies:
        yield name("AllergyIntolerance")[0], _allergy(allergy, subject)
    return subject


def _patient(person: Person) -> Resource:
    prefix, english = PREFIXES[person.prename]
    village, number = person.household.village, person.household.house_number
    hamlet = int(village.vid[6:])
    resource: Resource = {
        "resourceType": "Patient",
        "identifier": [
            typed("cid", CID, person.cid),
            typed("localHn", local(HEALTH_CENTRE.hcode, "HN"), person.hn),
            typed("localPid", local(HEALTH_CENTRE.hcode, "PID"), person.pid),
        ],
        "active": True,
        "name": [
            _name(f"{prefix}{person.given} {person.family}", person.family, person.given, prefix, "th"),
            _name(
                f"{english} {person.given_english} {person.family_english}",
                person.family_english,
                person.given_english,
                english,
                "en",
            ),
        ],
        "gender": GENDER[person.sex],
        "birthDate": person.birth.isoformat(),
        "address": [
            {
                "use": "home",
                "text": f"{number} หมู่ {hamlet} {village.name} ต.{village.tambon} อ.{village.amphoe} "
                f"จ.{village.changwat}",
                "line": [f"{number} หมู่ {hamlet}", village.name],
                "city": village.tambon,
                "district": village.amphoe,
                "state": village.changwat,
                "postalCode": village.postcode,
                "country": "TH",
            }
        ],
        "maritalStatus": coded(TERMINOLOGY + "v3-MaritalStatus", *_MARITAL[person.marital]),
        "communication": [{"language": coded("urn:ietf:bcp:47", "th", "Thai"), "preferred": True}],
        "managingOrganization": {"reference": f"Organization/{organization_id(HEALTH_CENTRE.hcode)}"},
    }
    if person.mobile:
        resource["telecom"] = [{"system": "phone", "value": person.mobile, "use": "mobile"}]
    if person.death:
        resource["deceasedDateTime"] = person.death.day.isoformat()
    return resource


def _name(text: str, family: str, given: str, prefix: str, language: str) -> dict[str, Any]:
    return {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/language", "valueCode": language}],
        "use": "official",
        "text": text,
        "family": family,
        "given": [given],
        "prefix": [prefix],
    }


def _mother(person: Person, subject: str) -> Resource:
    mother = next(member for member in person.household.members if member.cid == person.mother)
    return {
        "resourceType": "RelatedPerson",
        "identifier": [typed("cid", CID, mother.cid)],
        "active": True,
        "patient": {"reference": subject},
        "relationship": [coded(TERMINOLOGY + "v3-RoleCode", "MTH", "mother", "มารดา")],
        "name": [
            {
                "use": "official",
                "text": f"{mother.given} {mother.family}",
                "family": mother.family,
                "given": [mother.given],
            }
        ],
        "gender": "female",
    }


def _coverage(person: Person, subject: str) -> Resource:
    right = person.right
    return {
        "resourceType": "Coverage",
        "identifier": [{"system": local(right.main, "Coverage"), "value": right.number}],
        "status": "active",
        "type": {
            "coding": [
                {"system": THCC + "coverage-type", "code": right.instype},
                {
                    "system": "https://terms.sil-th.org/core/CodeSystem/cs-th-coverage-type",
                    "code": right.fund,
                    "display": _FUNDS[right.fund],
                },
            ],
            "text": _FUNDS[right.fund],
        },
        "subscriberId": right.number,
        "beneficiary": {"reference": subject},
        "period": {"start": right.start.isoformat()},
        "payor": [{"display": "สำนักงานหลักประกันสุขภาพแห่งชาติ" if right.fund == "UCS" else _FUNDS[right.fund]}],
    }


def _chronic(chronic: Chronic, subject: str) -> Resource:
    return {
        "resourceType": "Condition",
        "clinicalStatus": coded(TERMINOLOGY + "condition-clinical", "active", "Active"),
        "verificationStatus": coded(TERMINOLOGY + "condition-ver-status", "confirmed", "Confirmed"),
        "category": [coded(TERMINOLOGY + "condition-category", "problem-list-item", "Problem List Item")],
        "code": disease_concept(chronic.code),
        "subject": {"reference": subject},
        "onsetDateTime": chronic.diagnosed.isoformat(),
        "recordedDate": chronic.diagnosed.isoformat(),
    }


def _allergy(allergy: Allergy, subject: str) -> Resource:
    drug = DRUGS[allergy.drug]
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": coded(TERMINOLOGY + "allergyintolerance-clinical", "active", "Active"),
        "verificationStatus": coded(
            TERMINOLOGY + "allergyintolerance-verification",
            _CERTAINTY[allergy.certainty],
            _CERTAINTY[allergy.certainty].title(),
        ),
        "type": "allergy",
        "category": ["medication"],
        "criticality": _CRITICALITY[allergy.severity],
        "code": coded(ATC, drug.atc, drug.name.split()[0]),
        "patient": {"reference": subject},
        "recordedDate": allergy.recorded.isoformat(),
        "reaction": [{"manifestation": [{"coding": [{"system": THCC + "allergy-manifest", "code": allergy.symptom}]}]}],
    }
