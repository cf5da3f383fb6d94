"""What expressions give on resources as json_reading reads them.   https://hl7.org/fhir/R4/fhirpath.html"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import Environment, FhirPathError, compile_expression
from fhir_profiles.fhirpath.units import Measure
from fhir_profiles.json_reading import read_json

PATIENT = read_json(
    """{
      "resourceType": "Patient", "id": "p1", "meta": {"versionId": "3", "profile": ["http://x.test/p"]},
      "contained": [{"resourceType": "Organization", "id": "o1", "name": "รพ."},
                    {"resourceType": "Practitioner", "id": "d1"}],
      "identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}],
      "active": true,
      "name": [{"use": "official", "family": "ใจดี", "given": ["สมชาย", null], "_given": [null, {"id": "g2"}]},
               {"use": "usual", "given": ["ชาย"]}],
      "birthDate": "1970-03-30",
      "_birthDate": {"extension": [{"url": "urn:time", "valueDateTime": "1970-03-30T06:00:00+07:00"}]},
      "_gender": {"extension": [{"url": "urn:unknown", "valueCode": "asked"}]},
      "deceasedDateTime": "2020-01",
      "multipleBirthInteger": 2,
      "contact": [{"name": {"family": "ก"}, "gender": "male"}, {"name": {"family": "ข"}}],
      "managingOrganization": {"reference": "#o1"},
      "generalPractitioner": [{"reference": "#d1"}, {"reference": "Organization/9"},
                              {"reference": "http://h.test/fhir/PractitionerRole/4/_history/2"},
                              {"identifier": {"value": "x"}, "type": "Practitioner"}]
    }""".encode()
)
OBSERVATION = read_json(
    b"""{
      "resourceType": "Observation", "status": "final",
      "code": {"coding": [{"system": "http://loinc.org", "code": "a"}]},
      "subject": {"reference": "Patient/1"}, "valueQuantity": {"value": 4.50, "unit": "mg", "code": "mg",
      "system": "http://unitsofmeasure.org"},
      "component": [{"code": {"coding": [{"code": "x"}]}, "valueString": "s"},
                    {"code": {"coding": [{"code": "y"}]}, "valueInteger": 7},
                    {"code": {"coding": [{"code": "z"}]}, "_valueBoolean": {"id": "v"}}]
    }"""
)
RESOURCES = {"Patient": PATIENT, "Observation": OBSERVATION}
DEATH = [("2020-01", "dateTime")]

NODES: dict[str, list[tuple[Any, str]]] = {
    "Patient.name.family": [("ใจดี", "string")],
    "Patient.name.given": [("สมชาย", "string"), ("ชาย", "string")],
    "Patient.name.where(use = 'official').given": [("สมชาย", "string")],
    "Patient.name.where(use = 'official').given.id": [("g2", "string")],
    "Patient.name[1].given": [("ชาย", "string")],
    "Patient.birthDate": [("1970-03-30", "date")],
    "Patient.birthDate.extension.value": [("1970-03-30T06:00:00+07:00", "dateTime")],
    "Patient.birthDate.extension('urn:time').value": [("1970-03-30T06:00:00+07:00", "dateTime")],
    "Patient.birthDate.value": [("1970-03-30", "System.Date")],
    "Patient.gender": [],
    "Patient.gender.extension.value": [("asked", "code")],
    "Patient.deceased": DEATH,
    "Patient.deceased.ofType(dateTime)": DEATH,
    "(Patient.deceased as dateTime)": DEATH,
    "Patient.deceased.ofType(boolean)": [],
    "Patient.deceased.exists() and Patient.deceased != false": [(True, "System.Boolean")],
    "Patient.multipleBirth + 1": [(3, "System.Integer")],
    "Patient.contact.name.family": [("ก", "string"), ("ข", "string")],
    "Patient.contact.where(gender = 'male')": [(PATIENT["contact"][0], "Patient.contact")],
    "Patient.contained.name": [("รพ.", "string")],
    "Patient.contained.ofType(Organization).name": [("รพ.", "string")],
    "Patient.contained.id": [("o1", "id"), ("d1", "id")],
    "Patient.managingOrganization.resolve().name": [("รพ.", "string")],
    "Patient.managingOrganization.where(resolve() is Organization).reference": [("#o1", "string")],
    "Patient.generalPractitioner.where(resolve() is Practitioner)": [
        (PATIENT["generalPractitioner"][0], "Reference"),
        (PATIENT["generalPractitioner"][3], "Reference"),
    ],
    "Patient.generalPractitioner.where(resolve() is PractitionerRole).count()": [(1, "System.Integer")],
    "Resource.id": [("p1", "id")],
    "DomainResource.contained.id.count()": [(2, "System.Integer")],
    "FHIR.Patient.id": [("p1", "id")],
    "Patient.name | Practitioner.name": [(each, "HumanName") for each in PATIENT["name"]],
    "Practitioner.name | Practitioner.telecom.where(use = 'home')": [],
    "Patient.unknown": [],
    "Observation.value": [(OBSERVATION["valueQuantity"], "Quantity")],
    "(Observation.value as CodeableConcept)": [],
    "Observation.component.value": [("s", "string"), (7, "integer")],
    "Observation.component.value.count()": [(3, "System.Integer")],
    "Observation.component.value.id": [("v", "string")],
    "Observation.component.where(value.empty()).count()": [(0, "System.Integer")],
    "Observation.component.value as integer": [(7, "integer")],
    "Observation.subject.where(resolve() is Patient)": [({"reference": "Patient/1"}, "Reference")],
    "Observation.subject.where(resolve() is Group)": [],
    "Observation.value.value.type().name": [("decimal", "System.String")],
    "Observation.value > 4 'mg' and Observation.value = 0.0045 'g'": [(True, "System.Boolean")],
    "Observation.value.value.toString()": [("4.50", "System.String")],
}


@pytest.mark.parametrize("text", NODES)
def test_nodes(definitions: Definitions, text: str) -> None:
    resource = OBSERVATION if "Observation" in text else PATIENT
    expression = compile_expression(text, definitions, resource["resourceType"])
    assert expression.nodes(resource) == NODES[text]
    known = {fhir_type for _, fhir_type in NODES[text]}
    assert expression.types is None or known <= expression.types


@pytest.mark.parametrize("text", NODES)
def test_without_a_start_type_the_same_is_found(definitions: Definitions, text: str) -> None:
    resource = OBSERVATION if "Observation" in text else PATIENT
    assert compile_expression(text, definitions).nodes(resource) == NODES[text]


def test_a_decimal_keeps_its_digits(definitions: Definitions) -> None:
    found = compile_expression("value.value", definitions, "Observation").evaluate(OBSERVATION)
    assert bytes(found[0]) == b"4.50"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5 + 1", Decimal("2.5")),
        ("2 'mg' * 3", Measure(Decimal(6), "mg")),
        ("@2020-01-31 + 1 month", "2020-02-29"),
        ("@2016-02-29 + 1 year", "2017-02-28"),
        ("@2014 + 23 months", "2015"),
        ("@T23:30 + 1 hour", "00:30"),
        ("@2020-01-01T00:00:00.5Z - 1 second", "2019-12-31T23:59:59.5Z"),
        ("'a' + 'b'", "ab"),
        ("2.power(10)", 1024),
        ("2.power(-1)", Decimal("0.5")),
        ("7 mod -3", 1),
        ("-7 div 2", -3),
        ("2147483647 + 0", 2147483647),
        ("{} & 'x'", "x"),
        ("(1 | 2 | 3).aggregate($this + $total, 0)", 6),
        ("(10 | 20).select($index).last()", 1),
        ("((10 | 20).select((1 | 2 | 3).select($index).count() + $index)).last()", 4),
        ("'abc'.replaceMatches('(b)', '<$1>')", "a<b>c"),
        ("(1 | 2).trace('x').count()", 2),
        ("defined.empty()", True),
        ("(3 | 1 | 2).sort().first()", 1),
        ("'1 wk'.toQuantity().empty()", True),
        ("1000 'mg'.toQuantity('g') = 1 'g'", True),
    ],
)
def test_values(definitions: Definitions, text: str, value: Any) -> None:
    assert compile_expression(text, definitions, "Patient").evaluate(PATIENT) == [value]


@pytest.mark.parametrize("text", ["2147483647 + 1", "1 / 0", "1 mod 0", "9999999999.0 div 1", "@9999-12-31 + 1 day"])
def test_what_has_no_value_is_empty(definitions: Definitions, text: str) -> None:
    assert compile_expression(text, definitions, "Patient").evaluate(PATIENT) == []


@pytest.mark.parametrize(
    "text",
    [
        *("name.single()", "active and name", "name.given + 'x'", "1 + 'a'", "'a' - 'b'", "1 < 'a'"),
        *("identifier.upper()", "'a'.matches('(')", "%unknown", "now()", "name[active]", "(1).contains('a')"),
        *("unknownFunction()", "first(1)", "active is Nothing", "1.repeat($this + 1)", "'a'.replaceMatches('a', '$7')"),
        *("100000000.exp()", "name.given & 'x'", "1 'mg' + @2020", "@2020 + 1 'mg'", "-active", "identifier.toDate(1)"),
        "(1|2|3|4|5|6|7|8|9).aggregate(iif($total.empty(), 'aaaaaaaaaa', $total & $total & $total & $total & $total))",
    ],
)
def test_what_the_specification_forbids_is_an_error(definitions: Definitions, text: str) -> None:
    with pytest.raises(FhirPathError):
        compile_expression(text, definitions, "Patient").evaluate(PATIENT)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("name.exists()", True),
        ("photo.exists()", False),
        ("{}", None),
        ("birthDate < @2000", True),
        ("birthDate = @1970", None),
        ("birthDate", True),
        ("active", True),
        ("gender.exists()", True),
        ("gender.hasValue()", False),
        ("gender = 'male'", None),
        ("gender.empty()", False),
        ("deceased.exists()", True),
        ("true and {}", None),
        ("{} or true", True),
        ("{} implies {}", None),
        ("name.all(given.exists())", True),
        ("name.given.all(length() > 4)", None),
        ("identifier.select(system).isDistinct()", True),
    ],
)
def test_truth(definitions: Definitions, text: str, truth: bool | None) -> None:
    expected = False if text == "name.given.all(length() > 4)" else truth  # all() counts empty as not true
    assert compile_expression(text, definitions, "Patient").truth(PATIENT) is expected
    assert compile_expression(text, definitions).truth(PATIENT) is expected


@pytest.mark.parametrize("amount", ["1e999999999", "1e-999999999", "-" + "9" * 300 + ".5"])
@pytest.mark.parametrize(
    "text",
    [
        *(
            "value.value.toString().length() < 1000",
            "value > 1 'g'",
            "value ~ 1 'mg'",
            "value.value ~ 1",
            "value.value + 1",
        ),
        *(
            "value.value.round(2)",
            "value.value.floor()",
            "value.value.toInteger()",
            "value.value.lowBoundary()",
            "-value",
        ),
        *(
            "value.toString().length() < 1000",
            "value | (2 'mg')",
            "value.value.precision()",
            "value * value",
            "value / 2",
        ),
        *(
            "value.value.exp()",
            "value.value.power(3)",
            "(value.value | 1).count()",
            "@2020 + value",
            "value.value div 7",
        ),
    ],
)
def test_no_number_takes_long(definitions: Definitions, amount: str, text: str) -> None:
    resource = read_json(
        f"""{{"resourceType": "Observation", "valueQuantity": {{"value": {amount}, "code": "mg",
        "system": "http://unitsofmeasure.org"}}}}""".encode()
    )
    try:
        found = compile_expression(text, definitions, "Observation").evaluate(resource)
    except FhirPathError:
        return
    assert "length" not in text or found == [True]


def test_truth_of_several_items_is_an_error(definitions: Definitions) -> None:
    with pytest.raises(FhirPathError):
        compile_expression("name", definitions, "Patient").truth(PATIENT)


# --- elements as context --------------------------------------------------------------------------------------------


def test_an_element_is_the_context_and_its_resource_in_the_environment(definitions: Definitions) -> None:
    expression = compile_expression(
        "value.exists() and %resource.status = 'final'", definitions, "Observation.component"
    )
    component = OBSERVATION["component"][0]
    assert expression.truth(component, Environment(resource=OBSERVATION)) is True
    assert expression.truth(component, Environment(resource={"resourceType": "Observation"})) is None


def test_a_choice_as_context_takes_its_type_from_the_caller(definitions: Definitions) -> None:
    expression = compile_expression(
        "($this as dateTime).toString().length() >= 8", definitions, "Observation.effective[x]"
    )
    assert expression.truth("2020-01-01", fhir_type="dateTime") is True
    assert expression.truth("2020-01", fhir_type="dateTime") is False
    assert expression.truth({"start": "2020"}, fhir_type="Period") is None


def test_a_primitive_as_context_brings_its_sibling(definitions: Definitions) -> None:
    expression = compile_expression("hasValue() or extension.exists()", definitions, "Patient.gender")
    assert expression.truth("male") is True
    assert expression.truth(None, sibling=PATIENT["_gender"]) is True
    assert expression.truth(None) is False


def test_context_resource_and_container_are_told_apart(definitions: Definitions) -> None:
    organization = PATIENT["contained"][0]
    environment = Environment(resource=organization, root=PATIENT)
    expression = compile_expression("%context.id | %resource.id | %rootResource.id", definitions, "Organization")
    assert expression.evaluate(organization, environment) == ["o1", "p1"]


def test_unknown_start_types_are_a_key_error(definitions: Definitions) -> None:
    with pytest.raises(KeyError):
        compile_expression("id", definitions, "Nothing")


def test_compiled_expressions_are_kept(definitions: Definitions) -> None:
    assert compile_expression("name", definitions, "Patient") is compile_expression("name", definitions, "Patient")
    assert compile_expression("Practitioner.name", definitions, "Patient").never is True
    assert compile_expression("name", definitions, "Patient").never is False


# --- the environment ------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=7)))


def test_the_clock_is_the_environments(definitions: Definitions) -> None:
    expression = compile_expression("now().toString() | today().toString() | timeOfDay().toString()", definitions)
    found = expression.evaluate(PATIENT, Environment(now=NOW))
    assert found == ["2026-01-31T09:30:00.000+07:00", "2026-01-31", "09:30:00.000"]


def test_variables_terminology_profiles_and_resolving_come_from_the_environment(definitions: Definitions) -> None:
    traced: list[Any] = []
    asked: list[Any] = []

    def member_of(value: Any, fhir_type: str, value_set: str) -> bool:
        asked.append((value, fhir_type, value_set))
        return True

    environment = Environment(
        variables={"answer": 42, "list": ["a", Decimal("1.5"), None]},
        resolve=lambda reference: {"resourceType": "Organization", "id": reference[-1]},
        member_of=member_of,
        conforms_to=lambda value, profile: profile == "urn:p",
        subsumes=lambda wider, narrower: wider["code"] < narrower["code"],
        trace=lambda name, values: traced.append((name, values)),
    )

    def evaluate(text: str, resource: dict[str, Any]) -> list[Any]:
        return compile_expression(text, definitions, resource["resourceType"]).evaluate(resource, environment)

    assert evaluate("%answer + 1", PATIENT) == [43]
    assert evaluate("%list", PATIENT) == ["a", Decimal("1.5")]
    assert evaluate("generalPractitioner[1].resolve().id", PATIENT) == ["9"]
    assert evaluate("status.memberOf('urn:vs')", OBSERVATION) == [True]
    assert asked == [("final", "code", "urn:vs")]
    assert evaluate("conformsTo('urn:p')", PATIENT) == [True]
    assert evaluate("component[0].code.coding.subsumes(%resource.component[1].code.coding)", OBSERVATION) == [True]
    assert evaluate("component[0].code.coding.subsumedBy(%resource.component[1].code.coding)", OBSERVATION) == [False]
    assert evaluate("name.trace('n', use).count()", PATIENT) == [2]
    assert traced == [("n", ["official", "usual"])]


def test_references_are_resolved_within_a_bundle(definitions: Definitions) -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "a"}},
            {"fullUrl": "http://h.test/Patient/b", "resource": {"resourceType": "Patient", "id": "b"}},
            {"resource": {"resourceType": "Encounter", "id": "c", "subject": {"reference": "urn:uuid:1"}}},
            {"resource": {"resourceType": "Encounter", "id": "d", "subject": {"reference": "Patient/b"}}},
            {"resource": {"resourceType": "Flag", "encounter": {"reference": "Encounter/c"}}},
        ],
    }
    text = "entry.resource.subject.resolve().id | entry.resource.encounter.resolve().id"
    assert compile_expression(text, definitions, "Bundle").evaluate(bundle) == ["a", "b", "c"]
    encounter = bundle["entry"][2]["resource"]  # type: ignore[index]
    inner = compile_expression("subject.resolve() is Patient", definitions, "Encounter")
    assert inner.truth(encounter, Environment(resource=encounter, root=encounter, bundle=bundle)) is True


def test_narratives_are_checked(definitions: Definitions) -> None:
    expression = compile_expression("htmlChecks()", definitions, "Narrative.div")
    assert expression.truth('<div xmlns="http://www.w3.org/1999/xhtml">ok</div>') is True
    assert expression.truth('<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>') is False


# --- strictness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strict_only"),
    [
        ("name.unknown", True),
        ("Practitioner.name", True),
        ("valueQuantity", True),
        ("name.as(HumanName).use", True),
        ("children().skip(1)", True),
        ("iif('x', 1, 2)", True),
    ],
)
def test_strict_expressions_refuse_what_others_leave_empty(
    definitions: Definitions, text: str, strict_only: bool
) -> None:
    compile_expression(text, definitions, "Patient").evaluate(PATIENT)
    with pytest.raises(FhirPathError):
        compile_expression(text, definitions, "Patient", strict=True).evaluate(PATIENT)


def test_all_official_invariants_and_search_parameters_compile(definitions: Definitions) -> None:
    compiled = 0
    for resource_type in sorted(definitions.resource_types):
        for parameter in definitions.search_parameters(resource_type).values():
            if parameter.expression:
                compile_expression(parameter.expression, definitions, resource_type)
                compiled += 1
        for element in definitions.structure(resource_type).elements:
            for constraint in element.constraints:
                if constraint.expression:
                    compile_expression(constraint.expression, definitions, element.path)
                    compiled += 1
    assert compiled > 3000
