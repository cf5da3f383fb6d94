"""Asynchronous request pattern.   https://hl7.org/fhir/R4/async.html"""

from __future__ import annotations

import asyncio

from tests.spec.people import bundle, entry, patient

ASYNC = {"Prefer": "respond-async"}


async def finished(fhir, answer):
    """The answer at the Content-Location, when the work is done."""
    for _ in range(200):
        status = await fhir.get(answer.headers["Content-Location"])
        if status.status != 202:
            return status
        await asyncio.sleep(0.01)
    raise AssertionError("not finished in time")


async def test_the_request_is_accepted_with_202_and_content_location(fhir):
    answer = await fhir.get("Patient", headers=ASYNC)
    assert (answer.status, answer.body) == (202, b"")
    assert answer.headers["Content-Location"].startswith(fhir.base)


async def test_the_result_of_a_batch_is_fetched_there(fhir):
    answer = await fhir.post("", bundle("batch", entry("POST", "Patient", patient())), headers=ASYNC)
    result = await finished(fhir, answer)
    assert (result.status, result.json["type"]) == (200, "batch-response")
    [only] = result.json["entry"]
    assert only["response"]["status"] == "200 OK"
    assert only["resource"]["entry"][0]["response"]["status"] == "201 Created"
    assert (await fhir.get("Patient/id-1")).status == 200


async def test_a_binary_is_a_resource_in_the_result(fhir):
    await fhir.post("Binary", b"\x89PNG", headers={"Content-Type": "image/png"})
    result = await finished(fhir, await fhir.get("Binary/id-1", headers={**ASYNC, "Accept": "image/png"}))
    assert result.json["entry"][0]["resource"]["contentType"] == "image/png"


async def test_a_request_that_fails_tells_so_in_its_result(fhir):
    result = await finished(fhir, await fhir.get("Patient?nonsense=1", headers=ASYNC))
    [only] = result.json["entry"]
    assert only["response"]["status"] == "400 Bad Request"
    assert only["response"]["outcome"]["resourceType"] == "OperationOutcome"


async def test_other_preferences_are_kept(fhir):
    answer = await fhir.post("Patient", patient(), headers={"Prefer": "respond-async, return=minimal"})
    [only] = (await finished(fhir, answer)).json["entry"]
    assert only["response"]["status"] == "201 Created"
    assert "resource" not in only


async def test_delete_forgets_the_request(fhir):
    answer = await fhir.get("Patient", headers=ASYNC)
    location = answer.headers["Content-Location"]
    assert (await fhir.delete(location)).status == 202
    assert (await fhir.get(location)).status == 404


async def test_an_unknown_request_is_404(fhir):
    assert (await fhir.get("$async-status/nobody")).status == 404


async def test_a_streamed_answer_is_kept_whole(fhir, given):
    await given(patient("1"))
    [only] = (await finished(fhir, await fhir.get("Patient/1/$everything", headers=ASYNC))).json["entry"]
    assert only["resource"]["entry"][0]["resource"]["id"] == "1"


async def test_the_result_is_forgotten_after_a_day(fhir, server, clock):
    answer = await fhir.get("Patient", headers=ASYNC)
    assert (await finished(fhir, answer)).status == 200
    clock.advance(24 * 60 * 60 * 1000 + 1)
    location = answer.headers["Content-Location"]
    assert (await fhir.get(location)).status == 404
    await server.ctx.jobs.sweep()
    job_id = location.rpartition("/")[2]
    assert await server.ctx.store.get_setting(f"job/{job_id}") == b""


async def test_a_worker_that_ended_before_its_work_is_503(fhir, start, clock, server):
    hanging = asyncio.Event()

    async def work():
        await hanging.wait()
        return b""

    job_id = await server.ctx.jobs.submit("open", work)
    assert (await fhir.get(f"$async-status/{job_id}")).status == 202
    clock.advance(61_000)
    assert (await fhir.get(f"$async-status/{job_id}")).status == 503


async def test_too_many_at_a_time_are_429(fhir, server, monkeypatch):
    monkeypatch.setattr("server.jobs.MOST_AT_WORK", 0)
    answer = await fhir.get("Patient", headers=ASYNC)
    assert (answer.status, "Retry-After" in answer.headers) == (429, True)


async def test_another_worker_answers_for_it_too(fhir, start):
    answer = await fhir.post("Patient", patient(), headers=ASYNC)
    await finished(fhir, answer)
    other = (await start()).client
    path = answer.headers["Content-Location"].removeprefix(fhir.base + "/")
    assert (await other.get(path)).json["entry"][0]["response"]["status"] == "201 Created"
