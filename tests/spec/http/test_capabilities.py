"""capabilities.

https://hl7.org/fhir/R4/http.html#capabilities https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

import asyncio

import pytest

from server.access.decide import ANONYMOUS
from server.interactions.capabilities import capabilities
from server.messages import FhirRequest
from server.routes import ROUTES
from tests.others import counted_turns


async def test_metadata_is_a_capability_statement_of_this_instance(fhir):
    answer = await fhir.get("metadata")
    statement = answer.json
    assert (answer.status, statement["resourceType"], statement["kind"]) == (200, "CapabilityStatement", "instance")
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == fhir.base
    assert set(statement["patchFormat"]) >= {"application/json-patch+json", "application/fhir+json"}


async def test_it_is_a_valid_resource(fhir, server):
    for mode in ("full", "normative", "terminology"):
        statement = (await fhir.get(f"metadata?mode={mode}")).json
        issues = server.ctx.validator.validate(statement)
        assert [issue for issue in issues if issue.severity == "error"] == []


async def test_every_concrete_resource_type_has_every_interaction_of_the_routes(fhir, server):
    [rest] = (await fhir.get("metadata")).json["rest"]
    types = {each["type"]: each for each in rest["resource"]}
    assert set(types) == server.ctx.definitions.resource_types
    routed = {row.interaction for row in ROUTES if row.path.startswith("[type]")} - {"operation", ""}
    for each in types.values():
        assert routed - {"search-system"} == {row["code"] for row in each["interaction"]}


async def test_system_interactions_are_those_of_the_routes(fhir):
    [rest] = (await fhir.get("metadata")).json["rest"]
    assert {each["code"] for each in rest["interaction"]} == {
        "transaction", "batch", "search-system", "history-system",
    }  # fmt: skip


async def test_search_parameters_and_includes_of_a_type_are_told(fhir):
    [rest] = (await fhir.get("metadata")).json["rest"]
    observation = next(each for each in rest["resource"] if each["type"] == "Observation")
    parameters = {each["name"]: each for each in observation["searchParam"]}
    assert parameters["code-value-quantity"]["type"] == "composite"
    assert parameters["code"]["definition"] == "http://hl7.org/fhir/SearchParameter/clinical-code"
    assert {"*", "Observation:subject"} <= set(observation["searchInclude"])
    patient = next(each for each in rest["resource"] if each["type"] == "Patient")
    assert "Observation:subject" in patient["searchRevInclude"]


async def test_conditional_interactions_follow_the_settings(fhir, start):
    def of_patient(statement):
        return next(each for each in statement["rest"][0]["resource"] if each["type"] == "Patient")

    found = of_patient((await fhir.get("metadata")).json)
    assert (found["conditionalDelete"], found["conditionalRead"]) == ("multiple", "full-support")
    assert "enforced" in found["referencePolicy"]
    other = await start(conditional_delete_multiple=False, referential_integrity=False)
    found = of_patient((await other.client.get("metadata")).json)
    assert found["conditionalDelete"] == "single"
    assert "enforced" not in found["referencePolicy"]


async def test_operations_are_those_of_the_routes_with_their_definitions(fhir):
    [rest] = (await fhir.get("metadata")).json["rest"]
    patient = next(each for each in rest["resource"] if each["type"] == "Patient")
    operations = {each["name"]: each["definition"] for each in patient["operation"]}
    assert operations["everything"] == "http://hl7.org/fhir/OperationDefinition/Patient-everything"
    assert operations["validate"] == "http://hl7.org/fhir/OperationDefinition/Resource-validate"
    assert "lastn" not in operations
    assert "meta" in {each["name"] for each in rest["operation"]}


async def test_mode_terminology_gives_terminology_capabilities(fhir):
    statement = (await fhir.get("metadata?mode=terminology")).json
    assert statement["resourceType"] == "TerminologyCapabilities"
    assert "http://hl7.org/fhir/administrative-gender" in {each["uri"] for each in statement["codeSystem"]}


async def test_mode_normative_gives_the_normative_types_only(fhir):
    [rest] = (await fhir.get("metadata?mode=normative")).json["rest"]
    assert "Patient" in {each["type"] for each in rest["resource"]}
    assert "Encounter" not in {each["type"] for each in rest["resource"]}


async def test_another_mode_is_400(fhir):
    assert (await fhir.get("metadata?mode=all")).status == 400


@pytest.mark.parametrize("setting", ["Asia/Bangkok", "UTC"])
async def test_the_zone_of_dates_without_one_is_stated(start, setting):
    server = await start(timezone=setting)
    assert setting in (await server.client.get("metadata")).json["description"]


async def test_a_statement_is_made_in_steps_and_once_for_all_who_wait_for_it(fhir, server):
    """Others have their turn on the loop meanwhile: the first statement of a worker takes half a second."""
    async with counted_turns() as turns:
        made = await asyncio.gather(*(capabilities(server.ctx, request(server)) for _ in range(3)))
    assert turns[0] > len(server.ctx.definitions.resource_types)
    assert made[0].body is made[1].body is made[2].body


def request(server):
    return FhirRequest("GET", ("metadata",), [], {}, server.client.base, ANONYMOUS)
