"""$validate, and validation of what is written.

https://hl7.org/fhir/R4/resource-operation-validate.html https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import pytest

from tests.spec.people import LOINC, observation, organization, patient, reference


def errors(answer):
    """Expressions of the errors of an OperationOutcome."""
    assert answer.json["resourceType"] == "OperationOutcome"
    return [each.get("expression", [""])[0] for each in answer.json["issue"] if each["severity"] in ("error", "fatal")]


def parameters(**named):
    rows = [
        {"name": name, "resource" if isinstance(value, dict) else "valueCode" if name == "mode" else "valueUri": value}
        for name, value in named.items()
    ]
    return {"resourceType": "Parameters", "parameter": rows}


@pytest.mark.parametrize("url", ["$validate", "Patient/$validate", "Patient/1/$validate"])
async def test_a_bare_resource_is_validated_at_system_type_and_instance_level(fhir, given, url):
    await given(patient("1"))
    answer = await fhir.post(url, patient("1", active=True))
    assert (answer.status, errors(answer)) == (200, [])
    answer = await fhir.post(url, patient("1", gender="m"))
    assert (answer.status, errors(answer)) == (200, ["Patient.gender"])


async def test_nothing_is_stored(fhir):
    await fhir.post("Patient/$validate", patient())
    assert (await fhir.get("_history")).json["total"] == 0


async def test_the_resource_may_be_posted_in_parameters(fhir):
    assert errors(await fhir.post("$validate", parameters(resource=patient(gender="m")))) == ["Patient.gender"]
    assert errors(await fhir.post("$validate", parameters(resource=patient()))) == []


async def test_the_stored_resource_is_validated_when_none_is_sent(fhir, given):
    await given(patient("1"))
    assert errors(await fhir.get("Patient/1/$validate")) == []
    assert errors(await fhir.post("Patient/1/$validate", parameters())) == []


async def test_another_type_than_the_url_says_is_an_error(fhir):
    assert "resourceType" in errors(await fhir.post("Patient/$validate", organization()))


async def test_mode_update_needs_the_id_of_the_url(fhir, given):
    await given(patient("1"))
    assert errors(await fhir.post("Patient/1/$validate?mode=update", patient())) == ["id"]
    assert errors(await fhir.post("Patient/1/$validate?mode=update", patient("2"))) == ["id"]
    assert errors(await fhir.post("Patient/1/$validate?mode=update", patient("1"))) == []


async def test_mode_create_takes_a_resource_without_an_id(fhir):
    assert errors(await fhir.post("Patient/$validate", parameters(resource=patient(), mode="create"))) == []


async def test_mode_delete_tells_whether_others_refer_to_it(fhir, given):
    await given(patient("1"), patient("2"), observation("o", subject=reference("Patient/1")))
    answer = await fhir.post("Patient/1/$validate?mode=delete")
    assert errors(answer) == [""]
    assert "Observation/o" in answer.diagnostics
    assert errors(await fhir.post("Patient/2/$validate?mode=delete")) == []
    assert (await fhir.get("Patient/2")).status == 200


async def test_mode_delete_of_what_is_not_there_is_404_or_410(fhir, given):
    assert (await fhir.post("Patient/1/$validate?mode=delete")).status == 404
    await given(patient("1"))
    await fhir.delete("Patient/1")
    assert (await fhir.post("Patient/1/$validate?mode=delete")).status == 410


async def test_a_profile_parameter_is_checked_the_vital_signs_profiles_included(fhir):
    profile = "http://hl7.org/fhir/StructureDefinition/bodyweight"
    plain = observation()
    assert errors(await fhir.post("$validate", plain)) == []
    found = errors(await fhir.post(f"$validate?profile={profile}", plain))
    assert found
    assert errors(await fhir.post("$validate", parameters(resource=plain, profile=profile))) == found
    weight = observation(
        category=[
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                ]
            }
        ],
        code={"coding": [{"system": LOINC, "code": "29463-7"}]},
        subject=reference("Patient/1"),
        effectiveDateTime="2024-03-01",
        valueQuantity={"value": 54, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    )
    assert errors(await fhir.post(f"$validate?profile={profile}", weight)) == []


async def test_an_unknown_profile_is_an_error(fhir):
    answer = await fhir.post("$validate?profile=urn:nothing", patient())
    assert errors(answer) != []
    assert "urn:nothing" in answer.diagnostics


async def test_a_stored_profile_is_used(fhir, server):
    base = server.ctx.definitions.structure_resource("Patient")
    elements = [
        {name: each[name] for name in ("id", "path", "min", "max", "base", "type", "contentReference") if name in each}
        for each in base["snapshot"]["element"]
    ]
    for each in elements:
        each.setdefault("base", {name: each[name] for name in ("path", "min", "max")})
        each["definition"] = "as in the base definition"
    next(each for each in elements if each["path"] == "Patient.birthDate")["min"] = 1
    profile = {
        "resourceType": "StructureDefinition",
        "url": "urn:example:patient-with-birth-date",
        "name": "PatientWithBirthDate",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "snapshot": {"element": elements},
    }
    assert (await fhir.post("StructureDefinition", profile)).status == 201
    found = errors(await fhir.post("$validate?profile=urn:example:patient-with-birth-date", patient()))
    assert found == ["Patient.birthDate"]


@pytest.mark.parametrize("query", ["mode=fly", "nonsense=1"])
async def test_a_question_that_is_wrong_itself_is_400(fhir, query):
    assert (await fhir.post(f"$validate?{query}", patient())).status == 400


async def test_nothing_to_validate_is_400(fhir):
    assert (await fhir.post("$validate")).status == 400


# ---------------------------------------------------------------- what is written is validated


@pytest.mark.parametrize(
    ("resource", "expression"),
    [
        (patient(surplus=1), "Patient.surplus"),
        (patient(active="true"), "Patient.active"),
        (patient(birthDate="2001-02-30"), "Patient.birthDate"),
        (patient(gender="m"), "Patient.gender"),
        (patient(name={"family": "A"}), "Patient.name"),
        (patient(name=[]), "Patient.name"),
        (patient(deceasedBoolean=True, deceasedDateTime="2001"), "Patient.deceased"),
        (patient(managingOrganization=reference("Patient/1")), "Patient.managingOrganization.reference"),
        (patient(contact=[{"gender": "male"}]), "Patient.contact[0]"),
        (patient(contained=[{"resourceType": "Organization", "id": "o", "active": 1}]), "Patient.contained[0].active"),
        (patient(contained=[organization("o")] * 2, managingOrganization=reference("#o")), "Patient.contained[1].id"),
        ({"resourceType": "Observation", "code": {"text": "x"}}, "Observation.status"),
        ({"resourceType": "Observation", "status": "final"}, "Observation.code"),
        (observation(valueQuantity={"value": "1"}), "Observation.value.value"),
        (patient(name=[{"given": [None]}]), "Patient.name[0].given"),
        (
            patient(_birthDate={"extension": [{"url": "urn:x", "valueBoolean": "y"}]}),
            "Patient.birthDate.extension[0].value",
        ),
        (
            {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient(gender="m")}]},
            "Bundle.entry[0].resource.gender",
        ),
    ],
)
async def test_each_broken_rule_is_a_422_that_names_the_element(fhir, resource, expression):
    answer = await fhir.post(resource["resourceType"], resource)
    assert answer.status == 422
    assert expression in {each.split(" ")[0] for each in errors(answer)} | {
        each.rpartition("[")[0] for each in errors(answer)
    }


async def test_extensions_of_primitives_and_nulls_beside_them_are_taken_and_kept(fhir):
    extension = [{"url": "urn:example:x", "valueString": "y"}]
    resource = patient(
        birthDate="2001",
        _birthDate={"extension": extension},
        name=[{"given": ["A", None], "_given": [None, {"extension": extension}]}],
    )
    answer = await fhir.post("Patient", resource)
    assert answer.status == 201, answer.text
    assert answer.json["name"] == resource["name"]
    assert answer.json["_birthDate"] == resource["_birthDate"]
