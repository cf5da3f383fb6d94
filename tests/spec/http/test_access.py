"""Who may use which interaction; what belongs to whom.

https://hl7.org/fhir/R4/security.html https://hl7.org/fhir/R4/http.html#security
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.access.tokens import add_token
from tests.spec.people import bundle, entry, links_of, patient


@pytest.fixture
async def clients(start, tmp_path, clock):
    """Clients of one server that asks for tokens: writer, other, reader (read-only), nobody (no token)."""
    file = Path(tmp_path) / "tokens.json"
    secrets = {
        name: add_token(file, name, now=clock(), read_only=name == "reader") for name in ("writer", "other", "reader")
    }
    server = await start(open=False)
    found = {name: server.client.with_headers(Authorization=f"Bearer {secret}") for name, secret in secrets.items()}
    return {**found, "nobody": server.client}


async def test_without_a_token_everything_but_metadata_is_401(clients):
    nobody = clients["nobody"]
    assert (await nobody.get("metadata")).status == 200
    for answer in (
        await nobody.get("Patient/1"),
        await nobody.get("Patient"),
        await nobody.get("Nothing/1"),
        await nobody.post("Patient", patient()),
        await nobody.post("", bundle("batch", entry("GET", "metadata"))),
    ):
        assert (answer.status, answer.json["issue"][0]["code"]) == (401, "login")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_read_only_token_reads_and_searches_and_is_403_for_writes(clients):
    reader = clients["reader"]
    await clients["writer"].put("Patient/1", patient("1"))
    for answer in (
        await reader.get("Patient/1"),
        await reader.get("Patient"),
        await reader.get("Patient/1/_history"),
        await reader.get("Patient/1/$everything"),
        await reader.post("Patient/$validate", patient()),
    ):
        assert answer.status == 200
    for answer in (
        await reader.post("Patient", patient()),
        await reader.put("Patient/1", patient("1")),
        await reader.patch("Patient/1", b"[]", headers={"Content-Type": "application/json-patch+json"}),
        await reader.delete("Patient/1"),
        await reader.delete("Patient?name=x"),
        await reader.post("Patient/1/$meta-add", {"resourceType": "Parameters"}),
    ):
        assert (answer.status, answer.json["issue"][0]["code"]) == (403, "forbidden")


async def test_each_entry_of_a_batch_is_decided_on_its_own(clients):
    answer = await clients["reader"].post(
        "", bundle("batch", entry("GET", "metadata"), entry("POST", "Patient", patient()), entry("GET", "Patient"))
    )
    assert [each["response"]["status"][:3] for each in answer.json["entry"]] == ["200", "403", "200"]


async def test_a_transaction_with_one_entry_that_is_not_allowed_is_refused_whole(clients):
    answer = await clients["reader"].post(
        "", bundle("transaction", entry("GET", "metadata"), entry("POST", "Patient", patient()))
    )
    assert (answer.status, answer.json["issue"][0]["expression"]) == (403, ["Bundle.entry[1]"])


async def test_a_page_link_works_only_for_whom_it_was_made(clients):
    for number in range(3):
        await clients["writer"].put(f"Patient/{number}", patient(str(number)))
    for path in ("Patient?_count=1", "Patient/_history?_count=1", "Patient/$everything?_count=1"):
        link = links_of((await clients["writer"].get(path)).json)["next"]
        assert (await clients["writer"].get(link)).status == 200
        assert (await clients["other"].get(link)).status == 400


async def test_an_asynchronous_answer_is_given_only_to_who_asked(clients):
    answer = await clients["writer"].get("Patient", headers={"Prefer": "respond-async"})
    location = answer.headers["Content-Location"]
    assert (await clients["other"].get(location)).status == 404
    assert (await clients["other"].delete(location)).status == 404
    for _ in range(200):
        own = await clients["writer"].get(location)
        if own.status != 202:
            break
        await asyncio.sleep(0.01)
    assert own.status == 200
