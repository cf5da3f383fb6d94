"""What a profile can ask, each on a small profile made for it.

https://hl7.org/fhir/R4/profiling.html https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.definitions import CORE, Definitions
from fhir_profiles.snapshot import with_snapshot
from fhir_profiles.validation import Validator
from fhir_profiles.validation.slicing import steps_of
from terminology.service import TerminologyService

HOME = "http://example.org/StructureDefinition/"
TERMINOLOGY = TerminologyService()


def profile_of(type_name: str, *elements: dict[str, Any], name: str = "p", **members: Any) -> dict[str, Any]:
    """StructureDefinition with a snapshot; an element's path is written without the type in front."""
    rows = [
        {**each, "id": f"{type_name}.{each['id']}", "path": _path(f"{type_name}.{each['id']}")} for each in elements
    ]
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": HOME + name,
        "name": name,
        "kind": "resource",
        "type": type_name,
        "baseDefinition": CORE + type_name,
        "derivation": "constraint",
        "differential": {"element": [{"id": type_name, "path": type_name}, *rows]},
        **members,
    }


def _path(identity: str) -> str:
    return ".".join(step.partition(":")[0] for step in identity.split("."))


def ask(resource: dict[str, Any], profile: dict[str, Any], *others: dict[str, Any], advice: bool = False) -> list[Any]:
    """(code, expression) of each issue of the resource under the profile."""
    definitions = Definitions()
    for each in (*others, profile):
        definitions.add(with_snapshot(each, definitions))
    validator = Validator(definitions, TERMINOLOGY)
    return [
        (each.code, each.expression) for each in validator.validate(resource, profiles=[profile["url"]], advice=advice)
    ]


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **members}


CID = "https://terms.example.org/cid"
HN = "https://terms.example.org/hn"


@pytest.mark.parametrize(
    ("element", "good", "bad", "code", "expression"),
    [
        ({"id": "gender", "min": 1}, {"gender": "male"}, {}, "required", "Patient.gender"),
        ({"id": "photo", "max": "0"}, {}, {"photo": [{"title": "a"}]}, "structure", "Patient.photo[0]"),
        (
            {"id": "name", "max": "1"},
            {"name": [{"text": "a"}]},
            {"name": [{"text": "a"}, {"text": "b"}]},
            "structure",
            "Patient.name[1]",
        ),
        ({"id": "active", "fixedBoolean": True}, {"active": True}, {"active": False}, "value", "Patient.active"),
        (
            {"id": "maritalStatus", "fixedCodeableConcept": {"text": "a"}},
            {"maritalStatus": {"text": "a"}},
            {"maritalStatus": {"text": "a", "coding": [{"code": "b"}]}},
            "value",
            "Patient.maritalStatus",
        ),
        (
            {"id": "maritalStatus", "patternCodeableConcept": {"coding": [{"system": "http://x", "code": "M"}]}},
            {
                "maritalStatus": {
                    "text": "a",
                    "coding": [{"code": "z"}, {"system": "http://x", "code": "M", "display": "q"}],
                }
            },
            {"maritalStatus": {"coding": [{"code": "M"}]}},
            "value",
            "Patient.maritalStatus",
        ),
        (
            {"id": "name.family", "min": 1},
            {"name": [{"family": "a"}]},
            {"name": [{"text": "a"}]},
            "required",
            "Patient.name[0].family",
        ),
        (
            {"id": "name.text", "maxLength": 3},
            {"name": [{"text": "abc"}]},
            {"name": [{"text": "abcd"}]},
            "too-long",
            "Patient.name[0].text",
        ),
        (
            {"id": "birthDate", "minValueDate": "1900-01-01"},
            {"birthDate": "1900-01-01"},
            {"birthDate": "1899-12-31"},
            "value",
            "Patient.birthDate",
        ),
        (
            {"id": "multipleBirth[x]", "type": [{"code": "integer"}]},
            {"multipleBirthInteger": 1},
            {"multipleBirthBoolean": True},
            "structure",
            "Patient.multipleBirth",
        ),
        (
            {"id": "multipleBirthInteger", "maxValueInteger": 8},
            {"multipleBirthInteger": 8},
            {"multipleBirthInteger": 9},
            "value",
            "Patient.multipleBirth",
        ),
        (
            {"id": "generalPractitioner", "type": [{"code": "Reference", "targetProfile": [CORE + "Practitioner"]}]},
            {"generalPractitioner": [{"reference": "Practitioner/1"}]},
            {"generalPractitioner": [{"reference": "Organization/1"}]},
            "value",
            "Patient.generalPractitioner[0].reference",
        ),
        (
            {
                "id": "name",
                "constraint": [
                    {"key": "th-1", "severity": "error", "human": "h", "expression": "family.exists() or text.exists()"}
                ],
            },
            {"name": [{"family": "a"}]},
            {"name": [{"given": ["a"]}]},
            "invariant",
            "Patient.name[0]",
        ),
        (
            {
                "id": "maritalStatus",
                "binding": {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/administrative-gender"},
            },
            {"maritalStatus": {"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": "male"}]}},
            {"maritalStatus": {"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": "S"}]}},
            "code-invalid",
            "Patient.maritalStatus",
        ),
    ],
)
def test_what_an_element_asks(
    element: dict[str, Any], good: dict[str, Any], bad: dict[str, Any], code: str, expression: str
) -> None:
    profile = profile_of("Patient", element)
    assert ask(patient(**good), profile) == []
    assert ask(patient(**bad), profile) == [(code, expression)]


def test_rules_that_warn_are_advice_and_rules_that_are_no_fhirpath_are_named() -> None:
    rule = {"key": "th-2", "severity": "warning", "human": "h", "expression": "active"}
    nonsense = {"key": "th-3", "severity": "error", "human": "h", "expression": "active ++"}
    profile = profile_of("Patient", {"id": "link", "min": 0})
    profile["differential"]["element"][0]["constraint"] = [rule, nonsense]
    assert ask(patient(active=False), profile) == []
    assert ("invariant", "Patient") in ask(patient(active=False), profile, advice=True)
    assert ("not-supported", "Patient") in ask(patient(active=True), profile, advice=True)


def sliced(
    *slices: dict[str, Any], by: list[tuple[str, str]], rules: str = "open", ordered: bool = False
) -> dict[str, Any]:
    slicing = {"discriminator": [{"type": kind, "path": path} for kind, path in by], "rules": rules, "ordered": ordered}
    return profile_of("Patient", {"id": "identifier", "slicing": slicing}, *slices)


def slice_(name: str, **members: Any) -> dict[str, Any]:
    return {"id": f"identifier:{name}", "sliceName": name, **members}


CID_SLICE = [slice_("cid", min=1, max="1"), {"id": "identifier:cid.system", "min": 1, "fixedUri": CID}]
HN_SLICE = [slice_("hn", min=0, max="1"), {"id": "identifier:hn.system", "min": 1, "fixedUri": HN}]


@pytest.mark.parametrize("by", [("value", "system"), ("pattern", "system")])
def test_slices_are_told_apart_by_a_value(by: tuple[str, str]) -> None:
    profile = sliced(*CID_SLICE, {"id": "identifier:cid.value", "min": 1}, *HN_SLICE, by=[by])
    cid, hn = {"system": CID, "value": "1"}, {"system": HN, "value": "2"}
    assert ask(patient(identifier=[hn, cid, {"system": "http://other"}]), profile) == []
    assert ask(patient(identifier=[hn]), profile) == [("required", "Patient.identifier")]
    assert ask(patient(identifier=[cid, cid]), profile) == [("structure", "Patient.identifier[1]")]
    assert ask(patient(identifier=[{"system": CID}]), profile) == [("required", "Patient.identifier[0].value")]


def test_a_pattern_on_the_slice_itself_is_a_discriminator_of_this() -> None:
    profile = sliced(slice_("hn", min=1, patternIdentifier={"system": HN}), by=[("pattern", "$this")])
    assert ask(patient(identifier=[{"system": HN, "value": "1"}]), profile) == []
    assert ask(patient(identifier=[{"system": CID}]), profile) == [("required", "Patient.identifier")]


def test_a_nested_path_is_followed() -> None:
    coding = {"coding": [{"system": "http://x", "code": "MR"}]}
    profile = sliced(
        slice_("mr", min=1),
        {"id": "identifier:mr.type", "min": 1, "patternCodeableConcept": coding},
        by=[("pattern", "type")],
    )
    assert ask(patient(identifier=[{"type": {**coding, "text": "a"}}]), profile) == []
    assert ask(patient(identifier=[{"type": {"text": "MR"}}]), profile) == [("required", "Patient.identifier")]


def test_several_discriminators_must_all_match() -> None:
    slices = [
        slice_("official", min=1),
        {"id": "identifier:official.system", "min": 1, "fixedUri": CID},
        {"id": "identifier:official.use", "min": 1, "fixedCode": "official"},
    ]
    profile = sliced(*slices, by=[("value", "system"), ("value", "use")])
    assert ask(patient(identifier=[{"system": CID, "use": "official"}]), profile) == []
    assert ask(patient(identifier=[{"system": CID, "use": "old"}]), profile) == [("required", "Patient.identifier")]


def test_a_required_binding_is_a_discriminator() -> None:
    binding = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/administrative-gender"}
    profile = sliced(
        slice_("coded", max="1"), {"id": "identifier:coded.type", "min": 1, "binding": binding}, by=[("value", "type")]
    )
    gender = {"type": {"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": "male"}]}}
    assert ask(patient(identifier=[gender, {"value": "1"}]), profile) == []
    assert ask(patient(identifier=[gender, gender]), profile) == [("structure", "Patient.identifier[1]")]


def test_a_closed_slicing_takes_nothing_else() -> None:
    profile = sliced(*CID_SLICE, by=[("value", "system")], rules="closed")
    assert ask(patient(identifier=[{"system": CID}]), profile) == []
    assert ask(patient(identifier=[{"system": CID}, {"system": HN}]), profile) == [
        ("structure", "Patient.identifier[1]")
    ]


def test_an_ordered_slicing_keeps_its_order() -> None:
    profile = sliced(*CID_SLICE, *HN_SLICE, by=[("value", "system")], ordered=True)
    assert ask(patient(identifier=[{"system": CID}, {"system": HN}]), profile) == []
    assert ask(patient(identifier=[{"system": HN}, {"system": CID}]), profile) == [("structure", "Patient.identifier")]


def test_open_at_end_takes_others_only_behind_the_slices() -> None:
    profile = sliced(*CID_SLICE, by=[("value", "system")], rules="openAtEnd")
    assert ask(patient(identifier=[{"system": CID}, {"value": "1"}]), profile) == []
    assert ask(patient(identifier=[{"value": "1"}, {"system": CID}]), profile) == [("structure", "Patient.identifier")]


def test_existence_is_a_discriminator() -> None:
    slices = [
        slice_("dated", max="1"),
        {"id": "identifier:dated.period", "min": 1},
        slice_("undated", max="1"),
        {"id": "identifier:undated.period", "max": "0"},
    ]
    profile = sliced(*slices, by=[("exists", "period")])
    dated, undated = {"value": "1", "period": {"start": "2020"}}, {"value": "1"}
    assert ask(patient(identifier=[dated, undated]), profile) == []
    assert ask(patient(identifier=[dated, dated]), profile) == [("structure", "Patient.identifier[1]")]
    assert ask(patient(identifier=[undated, undated]), profile) == [("structure", "Patient.identifier[1]")]


def test_slices_can_be_sliced_again() -> None:
    slices = [
        *CID_SLICE[:1],
        CID_SLICE[1],
        {
            "id": "identifier:cid",
            "sliceName": "cid",
            "max": "*",
            "slicing": {"discriminator": [{"type": "value", "path": "use"}], "rules": "open"},
        },
        {"id": "identifier:cid/old", "sliceName": "cid/old", "max": "1"},
        {"id": "identifier:cid/old.use", "min": 1, "fixedCode": "old"},
    ]
    profile = sliced(*slices, by=[("value", "system")])
    old = {"system": CID, "use": "old"}
    assert ask(patient(identifier=[old, {"system": CID}, {"use": "old"}, {"use": "old"}]), profile) == []
    assert ask(patient(identifier=[old, old]), profile) == [("structure", "Patient.identifier[1]")]


def observation(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **members}


def test_a_choice_is_sliced_by_type() -> None:
    profile = profile_of(
        "Observation",
        {"id": "value[x]", "slicing": {"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"}},
        {"id": "value[x]:valueQuantity", "sliceName": "valueQuantity", "type": [{"code": "Quantity"}]},
        {"id": "value[x]:valueQuantity.code", "min": 1},
    )
    assert ask(observation(valueString="a"), profile) == []
    assert ask(observation(valueQuantity={"value": 1}), profile) == [("required", "Observation.value.code")]


def test_the_name_of_a_type_in_a_path_slices_the_choice() -> None:
    profile = profile_of("Observation", {"id": "valueQuantity.code", "min": 1})
    assert ask(observation(valueQuantity={"value": 1}), profile) == [("required", "Observation.value.code")]
    assert ("structure", "Observation.value") in ask(observation(valueString="a"), profile)


def by_resolved(kind: str, path: str, *, target: str) -> dict[str, Any]:
    return profile_of(
        "Observation",
        {"id": "performer", "slicing": {"discriminator": [{"type": kind, "path": path}], "rules": "open"}},
        {
            "id": "performer:first",
            "sliceName": "first",
            "max": "1",
            "type": [{"code": "Reference", "targetProfile": [target]}],
        },
    )


def test_references_are_sliced_by_the_type_they_point_to() -> None:
    practitioner, organization = {"reference": "Practitioner/1"}, {"reference": "Organization/1"}
    doctor = profile_of("Practitioner", name="doctor")
    for target in (CORE + "Practitioner", doctor["url"]):
        profile = by_resolved("type", "resolve()", target=target)
        assert ask(observation(performer=[practitioner, organization, organization]), profile, doctor) == []
        assert ask(observation(performer=[practitioner, practitioner]), profile, doctor) == [
            ("structure", "Observation.performer[1]")
        ]


def test_references_are_sliced_by_what_is_inside_the_resource_they_point_to() -> None:
    doctor = profile_of("Practitioner", {"id": "active", "min": 1, "fixedBoolean": True}, name="doctor")
    for kind, path in (("value", "resolve().active"), ("profile", "resolve()")):
        profile = by_resolved(kind, path, target=doctor["url"])
        contained = [
            {"resourceType": "Practitioner", "id": "a", "active": True},
            {"resourceType": "Practitioner", "id": "b", "active": False},
        ]
        one, other = {"reference": "#a"}, {"reference": "#b"}
        assert ask(observation(contained=contained, performer=[one, other, other]), profile, doctor) == []
        assert ask(observation(contained=contained, performer=[one, other, one]), profile, doctor) == [
            ("structure", "Observation.performer[2]")
        ]


def test_a_reference_is_resolved_in_its_bundle() -> None:
    doctor = profile_of("Practitioner", {"id": "name", "min": 1}, name="doctor")
    target = [{"code": "Reference", "targetProfile": [doctor["url"]]}]
    profile = profile_of("Observation", {"id": "performer", "type": target})
    definitions = Definitions()
    for each in (doctor, profile):
        definitions.add(with_snapshot(each, definitions))
    validator = Validator(definitions, TERMINOLOGY)
    resource = observation(performer=[{"reference": "Practitioner/1"}], meta={"profile": [profile["url"]]})
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "http://example.org/fhir/Observation/1", "resource": resource},
            {"fullUrl": "http://example.org/fhir/Practitioner/1", "resource": {"resourceType": "Practitioner"}},
        ],
    }
    [issue] = validator.validate(bundle)
    assert issue.expression == "Bundle.entry[0].resource.performer[0]"
    assert "conforms to none of doctor" in issue.diagnostics
    bundle["entry"][1]["resource"]["name"] = [{"text": "x"}]  # type: ignore[index]
    assert validator.validate(bundle) == []


def extension(*, name: str, type_code: str, context: str = "Patient") -> dict[str, Any]:
    profile = profile_of(
        "Extension",
        {"id": "url", "fixedUri": HOME + name},
        {"id": "value[x]", "min": 1, "type": [{"code": type_code}]},
        name=name,
    )
    return {**profile, "kind": "complex-type", "context": [{"type": "element", "expression": context}]}


RELIGION = extension(name="religion", type_code="CodeableConcept")
WITH_RELIGION = profile_of(
    "Patient",
    {
        "id": "extension:religion",
        "sliceName": "religion",
        "min": 1,
        "max": "1",
        "type": [{"code": "Extension", "profile": [HOME + "religion"]}],
    },
)


def test_extensions_are_sliced_by_url() -> None:
    good = {"url": HOME + "religion", "valueCodeableConcept": {"text": "x"}}
    other = {"url": "http://example.org/other", "valueCode": "x"}
    assert ask(patient(extension=[other, good]), WITH_RELIGION, RELIGION) == []
    assert ask(patient(extension=[other]), WITH_RELIGION, RELIGION) == [("required", "Patient.extension")]
    assert ask(patient(extension=[good, good]), WITH_RELIGION, RELIGION) == [("structure", "Patient.extension[1]")]
    wrong = {"url": HOME + "religion", "valueString": "x"}
    assert ask(patient(extension=[wrong]), WITH_RELIGION, RELIGION) == [("structure", "Patient.extension[0].value")]


B = CORE + "patient-"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"extension": [{"url": B + "birthPlace", "valueAddress": {"city": "x"}}]}, []),
        ({"extension": [{"url": B + "birthPlace", "valueString": "x"}]}, [("structure", "Patient.extension[0].value")]),
        (
            {"name": [{"text": "x", "extension": [{"url": B + "birthPlace", "valueAddress": {"city": "x"}}]}]},
            [("structure", "Patient.name[0].extension[0]")],
        ),
        ({"_birthDate": {"extension": [{"url": B + "birthTime", "valueDateTime": "2020-01-01T00:00:00Z"}]}}, []),
        (
            {"extension": [{"url": B + "birthTime", "valueDateTime": "2020-01-01T00:00:00Z"}]},
            [("structure", "Patient.extension[0]")],
        ),
        (
            {"modifierExtension": [{"url": B + "birthPlace", "valueAddress": {"city": "x"}}]},
            [("structure", "Patient.modifierExtension[0]")],
        ),
        (
            {"extension": [{"url": B + "nationality", "extension": [{"url": "code", "valueString": "TH"}]}]},
            [("structure", "Patient.extension[0].extension[0].value")],
        ),
        (
            {
                "extension": [
                    {"url": B + "citizenship", "extension": [{"url": "code", "valueCodeableConcept": {"text": "TH"}}]}
                ]
            },
            [],
        ),
    ],
)
def test_official_extensions_are_checked_wherever_they_stand(members: dict[str, Any], expected: list[Any]) -> None:
    assert ask(patient(**members), profile_of("Patient")) == expected


def test_extensions_of_inner_resources_are_checked_there() -> None:
    inner = patient(extension=[{"url": B + "birthPlace", "valueString": "x"}])
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": inner}]}
    [issue] = Validator(Definitions(), TERMINOLOGY).validate(bundle)
    assert issue.expression == "Bundle.entry[0].resource.extension[0].value"


def test_a_replaced_profile_counts_at_once() -> None:
    definitions = Definitions()
    validator = Validator(definitions, TERMINOLOGY)
    for element, count in (({"id": "gender", "min": 1}, 1), ({"id": "active", "min": 0}, 0)):
        definitions.add(with_snapshot(profile_of("Patient", element), definitions))
        assert len(validator.validate(patient(), profiles=[HOME + "p"])) == count


def test_types_of_r4_cannot_be_redefined() -> None:
    definitions = Definitions()
    with pytest.raises(ValueError, match="is a type of FHIR R4"):
        definitions.add({**definitions.structure_resource("Patient"), "resourceType": "StructureDefinition"})


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("$this", []),
        ("code.coding.code", [("name", "code"), ("name", "coding"), ("name", "code")]),
        ("resolve().code", [("resolve", ""), ("name", "code")]),
        ("value.ofType(Quantity)", [("name", "value"), ("ofType", "Quantity")]),
        ("extension('http://a.b/c').value", [("extension", "http://a.b/c"), ("name", "value")]),
        ("value[x]", [("name", "value")]),
    ],
)
def test_paths_of_discriminators(path: str, steps: list[Any]) -> None:
    assert list(steps_of(path)) == steps
