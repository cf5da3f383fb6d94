"""Every Thai profile: its snapshot, an example that it accepts, and some that it refuses where they are wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_profiles.definitions import Definitions
from fhir_profiles.snapshot import complete
from fhir_profiles.thai import ThaiProfiles, add_to, extensions
from fhir_profiles.thai.choice import claim, profile_of
from fhir_profiles.thai.differential import EXTENSIONS, profile_url
from fhir_profiles.validation import Validator
from terminology.service import TerminologyService

EXAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))
THAI = ThaiProfiles()
DEFINITIONS = add_to(Definitions())
VALIDATOR = Validator(DEFINITIONS, TerminologyService())
PLAIN = Validator(Definitions(), TerminologyService())
BAD = [(name, place, change) for name, each in EXAMPLES.items() for place, change in each["bad"]]


def changed(resource: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with other values at dotted paths; None takes the member away."""
    result = copy.deepcopy(resource)
    for path, value in changes.items():
        *steps, last = path.split(".")
        target: Any = result
        for step in steps:
            target = target[int(step)] if step.isdigit() else target[step]
        if value is None:
            del target[last]
        else:
            target[int(last) if last.isdigit() else last] = value
    return result


def test_every_profile_has_examples() -> None:
    assert set(THAI.sources) == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_good_example_is_accepted_without_a_warning_of_the_profile(name: str) -> None:
    resource = EXAMPLES[name]["good"]
    issues = VALIDATOR.validate(resource, profiles=[profile_url(name)], advice=True)
    assert [
        each
        for each in issues
        if each.severity == "error" or (each.severity == "warning" and "profile" in each.diagnostics)
    ] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_good_example_loads_as_r4b_model(name: str) -> None:
    resource = copy.deepcopy(EXAMPLES[name]["good"])
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize(("name", "place", "change"), BAD)
def test_a_bad_example_is_refused_where_it_is_wrong(name: str, place: str, change: dict[str, Any]) -> None:
    resource = changed(EXAMPLES[name]["good"], change)
    assert PLAIN.validate(resource) == []  # R4 itself has nothing against it
    issues = VALIDATOR.validate(resource, profiles=[profile_url(name)])
    assert place in [each.expression for each in issues]
    assert all(each.severity == "error" for each in issues)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_claims_its_profile(name: str) -> None:
    resource = copy.deepcopy(EXAMPLES[name]["good"])
    assert profile_of(resource) == profile_url(name)
    claim(resource)
    claim(resource)
    assert resource["meta"]["profile"] == [profile_url(name)]


def test_what_has_no_profile_claims_none() -> None:
    resource = {"resourceType": "Basic", "code": {"text": "x"}}
    claim(resource)
    assert "meta" not in resource
    exam = EXAMPLES["th-observation-laboratory"]["good"]
    assert profile_of(changed(exam, {"category.0.coding.0.code": "exam"})) is None


@pytest.mark.parametrize("url", THAI.types)
def test_every_snapshot_is_made_and_is_a_valid_structure_definition(url: str) -> None:
    resource = dict(complete(THAI.differential(url), DEFINITIONS))
    assert DEFINITIONS.structure(url).url == url
    if "/th-" in url or url.startswith(EXTENSIONS):
        assert VALIDATOR.validate(resource) == []


def test_nothing_is_read_before_somebody_asks() -> None:
    source = ThaiProfiles()
    definitions = Definitions()
    definitions.add_source(source)
    assert definitions.structure("Patient").type == "Patient"
    assert definitions.has_structure("http://hl7.org/fhir/StructureDefinition/patient-nationality")
    assert "sources" not in vars(source)
    assert definitions.type_of(profile_url("th-patient")) == "Patient"
    assert "sources" in vars(source)


def test_profiles_are_listed_by_type() -> None:
    assert DEFINITIONS.profiles_of("ServiceRequest") == (
        profile_url("th-servicerequest-laboratory"),
        profile_url("th-servicerequest-referral"),
    )
    assert DEFINITIONS.profiles_of("Basic") == ()


# --- extensions -------------------------------------------------------------------------------------------------------

RACE = {"coding": [{"system": "https://terms.sil-th.org/core/CodeSystem/cs-thcc-nationality", "code": "099"}]}


@pytest.mark.parametrize(
    "base", [EXTENSIONS, "https://fhir-ig.sil-th.org/mophncd/StructureDefinition/"], ids=["newer", "older"]
)
def test_extensions_of_both_generations_are_held_to_the_definition(base: str) -> None:
    patient = changed(EXAMPLES["th-patient"]["good"], {"extension.0.url": base + "ex-patient-race"})
    assert VALIDATOR.validate(patient, profiles=[profile_url("th-patient")]) == []
    wrong = changed(patient, {"extension.0": {"url": base + "ex-patient-race", "valueString": "ไทย"}})
    assert [each.expression for each in VALIDATOR.validate(wrong)] == ["Patient.extension[0].value"]
    misplaced = {
        "resourceType": "Practitioner",
        "extension": [{"url": base + "ex-patient-race", "valueCodeableConcept": RACE}],
    }
    (issue,) = VALIDATOR.validate(misplaced)
    assert "may not stand here; allowed are Patient" in issue.diagnostics


def test_extensions_that_earlier_guides_called_otherwise_are_known() -> None:
    url = "https://fhir-ig.sil-th.org/mophpc/Extension/TH-education-level"
    patient = {"resourceType": "Patient", "extension": [{"url": url, "valueBoolean": True}]}
    assert [each.expression for each in VALIDATOR.validate(patient)] == ["Patient.extension[0].value"]


def test_every_extension_can_stand_where_it_says() -> None:
    for identity, (row, *_) in extensions.table().items():
        for context in row.context.split("; "):
            assert DEFINITIONS.element(context) is not None, identity
