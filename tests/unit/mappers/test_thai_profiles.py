"""What the mappers emit claims its Thai profile, passes it with terminology, and loads as a model of fhir.resources.

The HIS databases (JHCIS, HOSxP) come in as rows of the 43 files, through the tables that read them from the servers.
The
PHR's payload (`moph_phr`) has no resources, only objects made of their elements.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_profiles.definitions import Definitions
from fhir_profiles.issue import Issue
from fhir_profiles.json_reading import read_json, write_json
from fhir_profiles.thai import add_to, extensions
from fhir_profiles.thai.choice import claim, profile_of
from fhir_profiles.thai.differential import profile_url
from fhir_profiles.validation import Validator
from mappers.f16.claims import claim_rows
from mappers.f16.maps import MAPS as F16
from mappers.f43.maps import MAPS as F43
from mappers.id_card.card import Card, registration
from mappers.id_card.reads import FILE, registration_of
from mappers.id_card.reads import MAPS as CARDS
from mappers.identity import Registration, Rules, shared_patient
from mappers.links import organization
from mappers.population import resources
from mappers.population.f43 import f43_rows
from terminology.service import TerminologyService
from tests.unit.mappers.emitted import systems_in, urls_of_extensions
from tests.unit.mappers.his.database import rows_of_database
from tests.unit.mappers.imported_cases import cases

Resource = dict[str, Any]
VALIDATOR = Validator(add_to(Definitions()), TerminologyService())
NOW = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
FACILITIES = ("99999", "99998")

CARD_ROW = {
    "HOSPCODE": "99999",
    "HOLDER": "4f3c2b1a-0000-8000-a000-000000000000",
    "CID": "9990000000014",
    "NAMETHAI": "นางสาว#มาลี##ใจดี",
    "BIRTH": "25330412",
    "SEX": "2",
    "D_UPDATE": "20261124103000",
}
WITHOUT_PROFILE = {
    "Basic": "rows that FHIR has no resource for: registrations, policies, corrections, activities, leave",
    "MedicationStatement": "drugs that a referral names; the issue's profiles have none for it",
    "Observation": "forms of the 43 files that no profile is about: accidents, pregnancies, dental, disability ...",
}
TOLD: dict[tuple[str, str, str], str] = {
    ("warning", "invariant", ""): "dom-6, no narrative: the elements say everything, and pages show them",
    ("warning", "code-invalid", "Condition.category"): "the Thai role of the diagnosis, beside HL7's category",
    ("warning", "code-invalid", "identifier.type"): "SIL-TH's types of identifiers, by which the slices are told apart",
    (
        "warning",
        "code-invalid",
        "Observation.code",
    ): "vital signs that HL7's list lacks: waist, pulse oximetry",
    ("information", "code-invalid", "Coverage.type"): "the Thai right; the binding is preferred",
    ("information", "code-invalid", "Encounter.hospitalization.admitSource"): "the Thai source beside HL7's",
    ("information", "code-invalid", "Appointment.reasonCode"): "ICD-10 or text; the binding is preferred",
    ("information", "code-invalid", "Patient.communication.language"): "`th` is none of HL7's common languages",
    ("information", "code-invalid", "Patient.name.extension.value"): "the same, of a name",
}
"""(severity, code, where) of what `$validate` tells beside errors, with why it is so."""


def f43() -> Iterator[Resource]:
    for hcode in FACILITIES:
        for file, row in f43_rows(20, seed=5, hcode=hcode):
            yield from (each.resource for each in F43[file].to_fhir(row))


def f16() -> Iterator[Resource]:
    for hcode in FACILITIES:
        for case in cases(hcode)[:150]:
            for file, row in claim_rows(case):
                yield from (each.resource for each in F16[file].to_fhir({**row, "HOSPCODE": hcode}))


def persons() -> Iterator[Resource]:
    """The Patients that facilities share, and the facilities of which only the code is known."""
    for file, row in f43_rows(20, seed=5):
        if file == "PERSON":
            yield shared_patient([Registration(row)], NOW, Rules())
    yield organization("99999")
    yield organization("AA0000015")


def id_card() -> Iterator[Resource]:
    card = Card(
        cid="9990000000014",
        name_thai="นางสาว#มาลี#กลาง#ใจดี",
        name_english="Miss#Mali#Klang#Chaidi",
        birth="25330412",
        sex="2",
        address="99/1#หมู่ที่ ๓#ตรอกเล็ก#ซอยใหญ่#ถนนสุข#ตำบลศิลาดาน#อำเภอมโนรมย์#จังหวัดชัยนาท",
        issued="25650101",
        expires="99999999",
        photo=b"\xff\xd8jpeg",
    )
    yield shared_patient([registration(card, "99999", NOW)], NOW, Rules())


def jhcis() -> Iterator[Resource]:
    for file, row in rows_of_database("jhcis"):
        yield from (each.resource for each in F43[file].to_fhir(row))


def hosxp() -> Iterator[Resource]:
    for file, row in rows_of_database("hosxp"):
        yield from (each.resource for each in F43[file].to_fhir(row))


def card_reads() -> Iterator[Resource]:
    yield from (each.resource for each in CARDS[FILE].to_fhir(CARD_ROW))
    yield shared_patient([registration_of(CARD_ROW)], NOW, Rules())


def sample() -> Iterator[Resource]:
    """As `onecard sample --format fhir` writes them."""
    for resource in resources(6, seed=5):
        claim(resource)
        yield resource


FAMILIES: dict[str, Callable[[], Iterator[Resource]]] = {
    each.__name__: each for each in (f43, f16, jhcis, hosxp, persons, id_card, card_reads, sample)
}


@cache
def emitted(family: str) -> tuple[Resource, ...]:
    """As they are stored: through JSON."""
    return tuple(read_json(write_json(each)) for each in FAMILIES[family]())


def faults(resource: Resource) -> list[str]:
    """What the check of this test holds against a resource."""
    kind = resource["resourceType"]
    claimed = resource.get("meta", {}).get("profile", [])
    wanted = profile_of(resource)
    found = [f"{each.expression}: {each.diagnostics}" for each in VALIDATOR.validate(resource)]
    if wanted is None and kind not in WITHOUT_PROFILE:
        found.append(f"no profile is about {kind}")
    if wanted is not None and wanted not in claimed:
        found.append(f"{kind} does not claim {wanted}")
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_every_resource_claims_its_profile_and_passes_it(family: str) -> None:
    claimed: Counter[str] = Counter()
    for resource in emitted(family):
        assert faults(resource) == []
        claimed.update(resource.get("meta", {}).get("profile", []))
    least = {"f43": 15, "f16": 9, "jhcis": 11, "hosxp": 9, "persons": 2, "id_card": 1, "card_reads": 1, "sample": 15}
    assert len(claimed) >= least[family]


def told(issue: Issue) -> tuple[str, str, str]:
    """Key of `TOLD` for an issue."""
    where = re.sub(r"\[\d+\]", "", issue.expression or "")
    if "dom-6" in issue.diagnostics:
        where = ""
    return issue.severity, issue.code, "identifier.type" if where.endswith(".identifier.type") else where


def test_all_that_validate_tells_beside_errors_is_known_and_has_a_reason() -> None:
    found = {
        told(issue)
        for family in FAMILIES
        for resource in emitted(family)[::3]
        for issue in VALIDATOR.validate(resource, advice=True)
    }
    assert found == TOLD.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_they_load_as_models_of_r4b(family: str) -> None:
    """Some of every type and profile: a model takes a hundred times as long as a check of ours."""
    seen: Counter[tuple[str, str]] = Counter()
    for resource in emitted(family):
        kind = (resource["resourceType"], str(resource.get("meta", {}).get("profile")))
        seen[kind] += 1
        if seen[kind] <= 6:
            get_fhir_model_class(kind[0]).model_validate(json.loads(write_json(resource)))


def test_only_the_newer_urls_are_written() -> None:
    older = {url for url, identity in extensions.urls().items() if url != extensions.published_url(identity)}
    for family in FAMILIES:
        assert not urls_of_extensions(emitted(family)) & older
        assert [system for system, _ in systems_in(emitted(family)) if "sil-th.org/CodeSystem/" in system] == []


BROKEN: dict[str, tuple[str, Callable[[Resource], object]]] = {
    "a Buddhist year": ("th-encounter", lambda each: each["period"].update(start="2569-01-02")),
    "no start": ("th-encounter", lambda each: each["period"].pop("start")),
    "a role that is none": ("th-condition", lambda each: each["category"][-1]["coding"][0].update(code="zz")),
    "another currency": ("th-chargeitem", lambda each: each["priceOverride"].update(currency="USD")),
    "no claim": ("th-procedure", lambda each: each.pop("meta")),
    "a row without its file": ("th-immunization", lambda each: each["extension"][-1]["extension"].pop(0)),
    "an element R4 does not have": ("th-appointment", lambda each: each.update(colour="red")),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_resource_that_is_broken_fails_the_check(why: str) -> None:
    profile, breaking = BROKEN[why]
    url = profile_url(profile)
    whole = next(each for each in emitted("f43") if url in each.get("meta", {}).get("profile", []))
    resource = json.loads(write_json(whole))
    assert faults(read_json(write_json(resource))) == []
    breaking(resource)
    assert faults(read_json(write_json(resource))) != []
