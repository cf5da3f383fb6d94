"""What is right at sight is right: the walk without messages never accepts what the whole validation refuses.

The oracle is the whole validation itself, which `advice=True` always asks.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_profiles.definitions import CORE, Definitions
from fhir_profiles.json_reading import copy_json, read_json
from fhir_profiles.thai import ThaiProfiles, add_to
from fhir_profiles.thai.differential import profile_url
from fhir_profiles.validation import Validator
from fhir_profiles.validation.invariants import FhirPathInvariants, predicate
from fhir_profiles.validation.problems import Run
from fhir_profiles.validation.sight import Sight
from fhir_profiles.validation.sight_values import Memory, speaks_for_itself
from terminology.service import TerminologyService
from tests.unit.fhir_profiles.validation.test_mutations import EXAMPLES, bend, names, places, scalars
from tests.unit.fhir_profiles.validation.test_vital_signs import blood_pressure

TESTS = Path(__file__).parents[3]
THAI: dict[str, Any] = json.loads((TESTS / "unit/fhir_profiles/thai/examples.json").read_text("utf-8"))
DEFINITIONS = add_to(Definitions())
VALIDATOR = Validator(DEFINITIONS, TerminologyService())
CLAIMS = [profile_url(name) for name in ThaiProfiles().sources] + [
    CORE + name
    for name in ("vitalsigns", "bp", "bmi", "heartrate", "bodyweight", "Patient", "familymemberhistory-genetic")
]


def claiming(resource: dict[str, Any], *urls: str) -> dict[str, Any]:
    meta = resource.get("meta", {})
    return {**resource, "meta": {**meta, "profile": [*meta.get("profile", ()), *urls]}}


def golden() -> list[dict[str, Any]]:
    """Resources of the mappers."""
    files = sorted((TESTS / "golden/f43/resources").glob("*.json"))
    return [each for path in files for each in read_json(b'{"all":' + path.read_bytes() + b"}")["all"]]


OFFICIAL = [read_json(path.read_bytes()) for path in sorted(EXAMPLES.glob("*.json"))]
MAPPED = golden()
PROFILED = [claiming(each["good"], profile_url(name)) for name, each in THAI.items()]
SEEDS = [*OFFICIAL, *MAPPED, *PROFILED, claiming(blood_pressure(), CORE + "bp")]
WORDS = [
    "2567-01-31",
    "2024-02-30",
    "Patient/1",
    "Observation/1",
    "#x",
    "9999999999994",
    "1234567890123",
    "final",
    " x",
]
EXTENSION = {"url": CORE + "patient-birthPlace", "valueAddress": {"city": "Nan"}}


def is_right(validator: Validator, resource: Any) -> bool:
    """What the walk says by itself."""
    profiles = (resource.get("meta") or {}).get("profile") or []
    sight: Sight = validator._sight
    return sight.is_right(resource["resourceType"], resource, Run(resource=resource, root=resource), tuple(profiles))


def errors(validator: Validator, resource: Any) -> list[str]:
    issues = validator.validate(resource, advice=True, limit=1000)
    return [each.diagnostics for each in issues if each.severity == "error"]


def test_nearly_everything_that_the_mappers_make_is_right_at_sight() -> None:
    assert len(MAPPED) > 100
    left = [each["resourceType"] for each in MAPPED if not is_right(VALIDATOR, each)]
    assert len(left) < len(MAPPED) / 10, left


def test_what_is_right_at_sight_is_right_the_second_time_too() -> None:
    first = [is_right(VALIDATOR, each) for each in SEEDS]
    assert first == [is_right(VALIDATOR, each) for each in SEEDS]


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_a_seed_that_is_right_at_sight_has_no_error(number: int) -> None:
    if is_right(VALIDATOR, SEEDS[number]):
        assert errors(VALIDATOR, SEEDS[number]) == []


@pytest.mark.parametrize("name", THAI)
def test_a_bad_example_of_a_profile_is_not_right_at_sight(name: str) -> None:
    good = claiming(THAI[name]["good"], profile_url(name))
    for _, change in THAI[name]["bad"]:
        bad = copy_json(good)
        for path, value in change.items():
            put(bad, path, value)
        assert not is_right(VALIDATOR, bad), change


def put(resource: Any, path: str, value: Any) -> None:
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        resource = resource[step]
    if value is None:
        del resource[last]
    else:
        resource[last] = value


@st.composite
def bent(draw: st.DrawFn) -> Any:
    """A seed with some mutations, which may also bring texts, objects and profiles of other seeds."""
    resource = copy_json(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places(resource)))
        how = draw(st.sampled_from(["replace", "remove", "add", "wrap", "double"]))
        other = draw(st.sampled_from(SEEDS))
        value = draw(
            scalars
            | st.sampled_from(WORDS)
            | st.just(EXTENSION)
            | st.just([EXTENSION])
            | st.sampled_from([copy_json(at(other, each)) for each in places(other)])
        )
        if place != ("resourceType",):
            bend(resource, place, how, value, draw(names | st.sampled_from(list(other))))
    if draw(st.booleans()) and resource.get("meta", {}).__class__ is dict:
        profiles = resource.get("meta", {}).get("profile", [])
        if profiles.__class__ is list:
            resource = {
                **resource,
                "meta": {**resource.get("meta", {}), "profile": [*profiles, draw(st.sampled_from(CLAIMS))]},
            }
    return resource


@st.composite
def containing(draw: st.DrawFn) -> Any:
    """A seed with bent ones within it, most of them referred to."""
    contained = [{**draw(bent()), "id": f"c{number}"} for number in range(draw(st.integers(1, 2)))]
    for each in contained:
        if draw(st.integers(0, 3)):
            each.pop("meta", None)
    local = [f"#{each['id']}" for each in contained]
    targets = draw(st.just(local) | st.lists(st.sampled_from([*local, "#", "#c"]), max_size=2))
    meant = [{"url": "http://example.org/see", "valueReference": {"reference": each}} for each in targets]
    return {**draw(st.sampled_from(SEEDS)), "contained": contained, **({"extension": meant} if meant else {})}


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        value = value[step]
    return value


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(bent())
def test_what_the_walk_accepts_the_whole_validation_accepts(resource: Any) -> None:
    compare(resource)


def compare(resource: Any) -> None:
    if isinstance(resource.get("resourceType"), str) and not VALIDATOR.validate(resource):
        assert errors(VALIDATOR, resource) == []


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(containing())
def test_the_same_with_contained_resources(resource: Any) -> None:
    compare(resource)


MEDICATION = {"resourceType": "Medication", "id": "m", "code": {"text": "x"}}
PRESCRIPTION = {
    "resourceType": "MedicationRequest",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/1"},
    "contained": [MEDICATION],
    "medicationReference": {"reference": "#m"},
}


def test_what_is_contained_is_seen_too() -> None:
    assert is_right(VALIDATOR, PRESCRIPTION)


def test_what_is_contained_may_refer_to_its_container_and_its_neighbours() -> None:
    def patient(of_link: str) -> dict[str, Any]:
        link = {"type": "seealso", "other": {"reference": of_link}}
        organization = {"resourceType": "Organization", "id": "o", "name": "x"}
        inner = {
            "resourceType": "Patient",
            "id": "p",
            "managingOrganization": {"reference": "#o"},
            "link": [link],
        }
        return {
            "resourceType": "Patient",
            "contained": [organization, inner],
            "link": [{**link, "other": {"reference": "#p"}}],
        }

    assert is_right(VALIDATOR, patient("#"))
    assert is_right(VALIDATOR, patient("#p"))
    assert not is_right(VALIDATOR, patient("#o"))  # an Organization is no Patient
    assert not is_right(VALIDATOR, {**patient("#"), "contained": patient("#")["contained"][1:]})


def test_what_a_profile_says_of_contained_resources_is_asked() -> None:
    definitions = add_to(Definitions())
    url = "http://example.org/StructureDefinition/dosed"
    profile = profile_binding_code(url, "http://example.org/ValueSet/letters")
    for each in profile["snapshot"]["element"]:
        if each["path"] == "Basic.contained":
            rule = {"key": "x-1", "severity": "error", "human": "active", "expression": "active = true"}
            each["constraint"] = [rule]
    definitions.add(profile)
    validator = Validator(definitions, TerminologyService())
    code = {"coding": [{"system": "http://example.org", "code": "a"}]}
    subject = {"resourceType": "Patient", "id": "p", "active": False}
    basic = {"resourceType": "Basic", "code": code, "subject": {"reference": "#p"}, "contained": [subject]}
    assert is_right(validator, basic)
    assert not is_right(validator, claiming(basic, url))
    assert errors(validator, claiming(basic, url))
    assert not errors(validator, claiming({**basic, "contained": [{**subject, "active": True}]}, url))


@pytest.mark.parametrize(
    "contained",
    [
        [],
        [{**MEDICATION, "id": "n"}],
        [MEDICATION, {**MEDICATION, "id": "n"}],
        [{**MEDICATION, "status": "gone"}],
        [{**MEDICATION, "meta": {"versionId": "1"}}],
        [{**MEDICATION, "contained": [{"resourceType": "Patient", "id": "p"}]}],
        [{"resourceType": "Patient", "id": "m"}],
        [{"resourceType": "Medicine", "id": "m"}],
        [{"resourceType": ["Medication"], "id": "m"}],
        [{**MEDICATION, "meta": {"profile": [profile_url("patient")]}}],
        {"resourceType": "Medication", "id": "m"},
        ["m"],
    ],
)
def test_what_is_contained_and_wrong_is_not_right(contained: Any) -> None:
    assert not is_right(VALIDATOR, {**PRESCRIPTION, "contained": contained})


LOCAL = st.sampled_from(["a", "b", "#", "", "a b"])
POINTING = st.dictionaries(
    st.sampled_from(["reference", "valueUri", "url", "extension"]),
    st.builds("#{}".format, LOCAL),
    max_size=2,
)


@settings(max_examples=300)
@given(
    st.lists(st.builds(lambda local, links: {"id": local, "link": links}, LOCAL, st.lists(POINTING, max_size=2))),
    st.lists(POINTING, max_size=2),
)
def test_contained_resources_are_referred_to_as_the_expression_says(inner: list[Any], outer: list[Any]) -> None:
    """dom-3 by members named `reference`, held against its FHIRPath."""
    contained = [{**each, "resourceType": "Patient", "link": [{"other": x} for x in each["link"]]} for each in inner]
    resource = {"resourceType": "Patient", "contained": contained, "link": [{"other": each} for each in outer]}
    [dom_3] = [each for each in DEFINITIONS.element("DomainResource").constraints if each.key == "dom-3"]
    around = Run(resource=resource, root=resource)
    expected = predicate(dom_3, DEFINITIONS, "Patient")(resource, around)
    assert FhirPathInvariants(DEFINITIONS).compile(dom_3, "Patient").holds(resource, around) is expected


DAYS = st.sampled_from(["2024", "2025", "2024-02", "2024-02-01", "2024-02-02", "2023-12-31"])
CLOCKS = st.sampled_from(["10:00:00", "09:00:00", "09:30:00", "03:00:00", "10:00:00.5", "10:00:00.50"])
ZONES = st.sampled_from(["Z", "+07:00", "-07:00"])
MOMENTS = DAYS | st.builds("2024-02-0{}T{}{}".format, st.sampled_from("12"), CLOCKS, ZONES)


@settings(max_examples=300)
@given(st.fixed_dictionaries({}, optional={"start": MOMENTS, "end": MOMENTS}))
def test_a_period_that_shows_to_be_right_is_right(period: dict[str, str]) -> None:
    """per-1 by its texts, held against its FHIRPath."""
    [per_1] = [each for each in DEFINITIONS.element("Period").constraints if each.key == "per-1"]
    around = Run()
    expected = predicate(per_1, DEFINITIONS, "Period")(period, around)
    assert FhirPathInvariants(DEFINITIONS).compile(per_1, "Period").holds(period, around) is expected


def test_the_comparison_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a walk that accepts everything, the bent resources tell."""
    monkeypatch.setattr(Sight, "is_right", lambda *_: True)
    wrong = {"resourceType": "Patient", "gender": "boy"}
    assert VALIDATOR.validate(wrong) == []
    assert errors(VALIDATOR, wrong) != []


def test_an_object_that_was_refused_settles_no_rule_for_others() -> None:
    """A rule that asks for presence is settled by objects that are right alone."""
    broken = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueString": 1}
    reason = {"dataAbsentReason": {"text": "x"}}  # obs-6: never beside a value
    assert not is_right(VALIDATOR, {**broken, **reason})
    both = {**broken, **reason, "valueString": "1"}
    assert errors(VALIDATOR, both)
    for _ in range(3):
        assert not is_right(VALIDATOR, both)


def test_a_new_definition_or_value_set_is_asked_at_once() -> None:
    definitions = add_to(Definitions())
    terminology = TerminologyService()
    validator = Validator(definitions, terminology)
    url = "http://example.org/StructureDefinition/strict"
    resource = claiming(
        {"resourceType": "Basic", "code": {"coding": [{"system": "http://example.org", "code": "a"}]}}, url
    )
    assert is_right(validator, resource)
    definitions.add(profile_binding_code(url, "http://example.org/ValueSet/letters"))
    assert is_right(validator, resource)  # the value set is not known
    terminology.add(letters("b"))
    assert not is_right(validator, resource)
    terminology.add(letters("a"))
    assert is_right(validator, resource)


def letters(code: str) -> dict[str, Any]:
    return {
        "resourceType": "ValueSet",
        "url": "http://example.org/ValueSet/letters",
        "status": "active",
        "compose": {"include": [{"system": "http://example.org", "concept": [{"code": code}]}]},
    }


def profile_binding_code(url: str, value_set: str) -> dict[str, Any]:
    base = DEFINITIONS.structure_resource("Basic")
    elements = [dict(each) for each in base["snapshot"]["element"]]
    for each in elements:
        if each["path"] == "Basic.code":
            each["binding"] = {"strength": "required", "valueSet": value_set}
    return {
        "resourceType": "StructureDefinition",
        **base,
        "url": url,
        "derivation": "constraint",
        "snapshot": {"element": elements},
    }


def test_a_reference_that_was_right_is_judged_anew_by_another_place_and_by_what_is_contained() -> None:
    """What is remembered says nothing of other elements, nor of what a resource contains (ref-1)."""
    base = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}

    def errors(**members: Any) -> list[str]:
        return [each.severity for each in VALIDATOR.validate({**base, **members})]

    patient = {"reference": "Patient/1"}
    for _ in range(2):
        assert errors(subject=patient) == errors(performer=[patient]) == []
        assert errors(encounter=patient) == ["error"]
        assert errors(subject={"reference": "#"}) == ["error"]
        assert errors(subject={"reference": "#p"}, contained=[{"resourceType": "Patient", "id": "p"}]) == []
        assert errors(subject={"reference": "#p"}) == ["error"]
        assert errors(subject={"reference": "Patient/1/_history/2"}) == []


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "Patient/1"}, True),
        ({"reference": "Patient/1", "display": "x"}, True),
        ({"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}, True),
        ({"reference": "Practitioner/1"}, False),
        ({"reference": "Patient/"}, False),
        ({"reference": "Patient/1 "}, False),
        ({"reference": "Patient/1", "display": ""}, False),
        ({"reference": "Patient/1", "display": "\x00"}, False),
        ({"reference": "Patient/1", "subject": "x"}, False),
        ({"reference": "Patient/1", "type": "Practitioner"}, False),
        ({"reference": "#p"}, False),
        ({"reference": 1}, False),
        ({}, False),
    ],
)
def test_a_plain_reference_is_right_by_its_type_and_its_characters(reference: Any, expected: bool) -> None:
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": reference}
    assert is_right(VALIDATOR, observation) is expected
    assert (not errors(VALIDATOR, observation)) is expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"reference":"Patient/1"}', True),
        (b'{"reference":"#p"}', False),
        (b'{"reference":"Patient/1/_history/2"}', False),
        (b'{"extension":[]}', False),
        (b'{"_extension":[]}', False),
    ],
)
def test_only_contents_that_speak_for_themselves_are_remembered(content: bytes, expected: bool) -> None:
    assert speaks_for_itself(content) is expected


def test_what_is_remembered_is_bounded() -> None:
    memory = Memory(limit=10_000)
    seen = memory.place()
    for number in range(1000):
        memory.keep(seen, f"{number}")
    assert 0 < len(seen) < 200
    memory.keep(seen, "x" * 5000)
    assert "x" * 5000 not in seen


def test_many_ways_to_write_a_resource_do_not_pile_up() -> None:
    validator = Validator(DEFINITIONS, TerminologyService())
    draw = random.Random(1)
    basic = {"resourceType": "Basic", "code": {"text": "x"}}
    for number in range(30):
        url = f"http://example.org/{draw.random()}/{number}"
        assert is_right(validator, {**basic, "extension": [{"url": url, "valueString": "x"}]})
    assert validator._sight.kept < 200
