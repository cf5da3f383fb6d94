"""The Python clients fhirpy (async) and fhirclient (SMART's) do their ordinary work."""

from __future__ import annotations

import asyncio
from typing import Any

import fhirpy
import pytest
from fhirclient import client as smart
from fhirclient.models import bundle, humanname, observation, patient
from fhirpy.base.exceptions import ResourceNotFound

from tests.serving import Running

# count() sends a parameter of its own beside _count=0: without this a parameter that FHIR does not know is refused.
LENIENT = {"Prefer": "handling=lenient"}


async def test_fhirpy_creates_reads_searches_updates_and_deletes(server: Running) -> None:
    client = fhirpy.AsyncFHIRClient(f"{server.url}/fhir", extra_headers=LENIENT)
    person = client.resource("Patient", name=[{"family": "ทดสอบ", "given": ["หนึ่ง"]}], gender="female")
    await person.save()
    assert person["meta"]["versionId"] == "1"

    person["birthDate"] = "2001-02-03"
    await person.save()
    await person.patch(active=True)
    again = await client.reference("Patient", person["id"]).to_resource()
    assert (again["birthDate"], again["active"]) == ("2001-02-03", True)

    for i in range(5):
        await client.resource(
            "Observation", status="final", code={"text": f"o{i}"}, subject=person.to_reference()
        ).save()
    observations = client.resources("Observation").search(patient=person["id"])
    assert await observations.count() == 5
    assert [o["code"]["text"] async for o in observations.limit(2)] == [f"o{i}" for i in range(5)]
    first = await client.resources("Patient").search(gender="female", birthdate__ge="2001-01-01").first()
    assert first is not None
    assert first["id"] == person["id"]

    fresh, created = (
        await client.resources("Patient")
        .search(identifier="urn:test|1")
        .get_or_create(client.resource("Patient", identifier=[{"system": "urn:test", "value": "1"}]))
    )
    assert created
    await fresh.delete()
    with pytest.raises(ResourceNotFound):
        await client.reference("Patient", "never").to_resource()


def _smart_work(base: str) -> dict[str, Any]:
    server = smart.FHIRClient(settings={"app_id": "test", "api_base": base}).server
    person = patient.Patient()
    person.name = [humanname.HumanName({"family": "ทดสอบ", "given": ["สอง"]})]
    answer = person.create(server)
    read = patient.Patient.read(answer["id"], server)
    seen: dict[str, Any] = {"family": read.name[0].family}
    read.gender = "male"
    seen["version"] = read.update(server)["meta"]["versionId"]
    for i in range(3):
        made = observation.Observation(
            {"status": "final", "code": {"text": f"o{i}"}, "subject": {"reference": f"Patient/{answer['id']}"}}
        )
        made.create(server)
    search = observation.Observation.where({"patient": answer["id"]})
    seen["observations"] = sorted(o.code.text for o in search.perform_resources_iter(server))
    found: list[bundle.Bundle] = list(patient.Patient.where({"gender": "male", "_count": "1"}).perform_iter(server))
    seen["searchset"] = found[0].type
    read.delete(server)
    return seen


async def test_fhirclient_creates_reads_searches_updates(start: Any) -> None:
    server: Running = await start(referential_integrity=False)
    seen = await asyncio.to_thread(_smart_work, f"{server.url}/fhir/")
    assert seen == {
        "family": "ทดสอบ",
        "version": "2",
        "observations": ["o0", "o1", "o2"],
        "searchset": "searchset",
    }
