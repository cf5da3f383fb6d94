"""Every extension of SIL-TH and of our own: where it may stand, what it may hold, and its urls of both generations."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.issue import Issue
from fhir_profiles.thai import extensions
from fhir_profiles.thai.extensions import Row, published_url, structure_definition, urls
from fhir_profiles.thai.systems import VALUE_SETS
from fhir_profiles.validation import Validator
from tests.unit.fhir_profiles.thai.demands import DEFINITIONS, TERMINOLOGY, Resource, by_type, first_code, holder

VALIDATOR = Validator(DEFINITIONS, TERMINOLOGY)
DATATYPES = {
    "Address": "Patient.address",
    "HumanName.prefix": "Patient.name.prefix",
    "Dosage": "MedicationRequest.dosageInstruction",
    "ContactPoint": "Patient.telecom",
}
"""Contexts that are no element of a resource to one that is."""
SAMPLES: dict[str, Any] = {
    "Money": {"value": 1, "currency": "THB"},
    "string": "x",
    "boolean": True,
    "integer": 1,
    "date": "2026-01-02",
    "dateTime": "2026-01-02",
    "uri": "https://x.example/a",
    "code": "x",
    "Quantity": {"value": 1},
    "Duration": {"value": 1, "system": "http://unitsofmeasure.org", "code": "d"},
    "Period": {"start": "2026-01-02"},
    "Annotation": {"text": "x"},
}
TABLE = extensions.table()
UNPUBLISHED = {"vs-chi-encounter-accident-emer"}
"""Value sets that SIL-TH's extensions name and SIL-TH does not publish: any code is accepted."""
PLACES = [(identity, context) for identity, (row, *_) in TABLE.items() for context in row.context.split("; ")]
OWN = [identity for identity in TABLE if identity.startswith("own/")]
OLDER = sorted(url for url, identity in urls().items() if url != published_url(identity))
BOUND = [identity for identity, (row, *_) in TABLE.items() if row.value_set and row.value_set not in UNPUBLISHED]


def value_of(row: Row) -> dict[str, Any]:
    """`value[x]` of an extension or of a part of one; a code of its value set where it has one."""
    if row.type.startswith("Reference("):
        return {"valueReference": {"reference": f"{row.type[10:-1]}/1"}}
    if row.type == "CodeableConcept":
        if not row.value_set or row.value_set in UNPUBLISHED:
            return {"valueCodeableConcept": {"text": "x"}}
        value_set = row.value_set if ":" in row.value_set else VALUE_SETS + row.value_set
        return {"valueCodeableConcept": {"coding": [first_code(value_set)]}}
    name = row.type or "string"
    return {f"value{name[0].upper()}{name[1:]}": SAMPLES[name]}


def right(identity: str) -> dict[str, Any]:
    row, *parts = TABLE[identity]
    extension: dict[str, Any] = {"url": published_url(identity)}
    if identity in OWN:
        kept = {"url": "D_UPDATE", "valueString": "20260102000000"}
        return {**extension, "extension": [{"url": "file", "valueCode": "SERVICE"}, kept]}
    if parts:
        return {**extension, "extension": [{"url": part.part, **value_of(part)} for part in parts]}
    return {**extension, **value_of(row)}


def wrong(identity: str) -> dict[str, Any]:
    """With a value of a type that it may not have."""
    _, *parts = TABLE[identity]
    other = {"valueTime": "10:00:00"}
    if parts:
        return {"url": published_url(identity), "extension": [{"url": parts[0].part, **other}]}
    return {"url": published_url(identity), **other}


def standing(extension: dict[str, Any], context: str) -> tuple[Resource, str]:
    """A resource with the extension at the context, and where it stands there."""
    path = DATATYPES.get(context, context)
    resource = by_type(path.partition(".")[0])
    where, place = holder(resource, path)
    where["extension"] = [*where.get("extension", ()), extension]
    return resource, f"{place}.extension[{len(where['extension']) - 1}]"


def told(resource: Resource, place: str, **how: Any) -> list[Issue]:
    return [each for each in VALIDATOR.validate(resource, **how) if (each.expression or "").startswith(place)]


@pytest.mark.parametrize(("identity", "context"), PLACES)
def test_it_may_stand_where_it_says_and_holds_what_it_says(identity: str, context: str) -> None:
    resource, place = standing(right(identity), context)
    assert VALIDATOR.validate(resource) == []
    assert told(resource, place, advice=True) == []
    if TABLE[identity][0].type or len(TABLE[identity]) > 1 or identity in OWN:
        resource, place = standing(wrong(identity), context)
        assert "error" in {each.severity for each in told(resource, place)}


@pytest.mark.parametrize("identity", TABLE)
def test_it_may_not_stand_elsewhere(identity: str) -> None:
    context = "Practitioner.name" if identity != "ex-humanname-name-prefix" else "Practitioner.telecom"
    resource, place = standing(right(identity), context)
    (issue,) = told(resource, place)
    assert (issue.severity, issue.expression) == ("error", place)
    assert "may not stand here" in issue.diagnostics


@pytest.mark.parametrize("identity", BOUND)
def test_a_code_that_its_value_set_does_not_have_is_a_warning(identity: str) -> None:
    row = TABLE[identity][0]
    extension = right(identity)
    resource, place = standing(extension, row.context.split("; ")[0])
    extension["valueCodeableConcept"]["coding"][0]["code"] = "zzzz"
    assert {each.severity for each in told(resource, place, advice=True)} == {"warning"}
    assert VALIDATOR.validate(resource) == []


@pytest.mark.parametrize("url", OLDER)
def test_an_older_url_means_the_same(url: str) -> None:
    older, newer = structure_definition(url), structure_definition(published_url(urls()[url]))
    elements = [older["differential"]["element"], newer["differential"]["element"]]
    for each in elements:
        (fixed,) = [element for element in each if element["id"] == "Extension.url"]
        assert fixed.pop("fixedUri") in (url, published_url(urls()[url]))
    assert elements[0] == elements[1]
    assert older["context"] == newer["context"]
    extension = {**right(urls()[url]), "url": url}
    resource, place = standing(extension, older["context"][0]["expression"])
    assert told(resource, place) == []


def test_what_is_called_unpublished_is_not_here() -> None:
    assert [each for each in UNPUBLISHED if TERMINOLOGY.library.value_set(VALUE_SETS + each) is not None] == []


# --- our own ----------------------------------------------------------------------------------------------------------

ROW: dict[str, Any] = {"url": "file", "valueCode": "SERVICE"}


BROKEN_ROWS = {
    "no file": [{"url": "HSUB", "valueString": "1"}],
    "two files": [ROW, ROW],
    "a file as text": [{"url": "file", "valueString": "SERVICE"}],
    "a name in small letters": [ROW, {"url": "hsub", "valueString": "1"}],
    "a number": [ROW, {"url": "HSUB", "valueInteger": 1}],
}


@pytest.mark.parametrize("identity", OWN)
@pytest.mark.parametrize("why", BROKEN_ROWS)
def test_a_row_is_its_file_and_its_columns(identity: str, why: str) -> None:
    context = TABLE[identity][0].context.split("; ")[0]
    resource, place = standing({"url": published_url(identity), "extension": BROKEN_ROWS[why]}, context)
    (issue,) = told(resource, place)
    assert "(th-row)" in issue.diagnostics
    assert VALIDATOR.validate(standing({**right(identity)}, context)[0]) == []


def test_the_older_urls_are_others_than_the_newer() -> None:
    assert len(OLDER) > 250
    assert not set(OLDER) & {published_url(identity) for identity in TABLE}
