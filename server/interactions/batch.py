"""A Bundle posted to the base: batch (each entry on its own) or transaction (whole or nothing).

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from server import boundary
from server.context import Context
from server.errors import BadRequest, FhirError
from server.interactions.entry import Answers, entries_or_errors_of, entry_request, response_bundle, response_entry
from server.interactions.storing import read_bundle
from server.interactions.transaction import transaction
from server.messages import FhirRequest, FhirResponse
from server.outcome import response_of

TOGETHER = 64
"""Entries of a batch at work at one time: enough to share the commits of the store."""

# Order of the specification, also for a batch (3.1.0.11.1).
PHASES: Sequence[tuple[str, ...]] = (("DELETE",), ("POST",), ("PUT", "PATCH"), ("GET", "HEAD"))


async def bundle(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a Bundle of type batch-response or transaction-response. Raises: BadRequest for another Bundle."""
    async with ctx.room.taken(len(request.body)):
        return await _bundle(ctx, request)


async def _bundle(ctx: Context, request: FhirRequest) -> FhirResponse:
    body = await read_bundle(ctx, request)
    kind = body.get("type")
    if kind == "transaction":
        return await transaction(ctx, request, body)
    if kind == "batch":
        return await _batch(ctx, request, body)
    raise BadRequest("The type of the Bundle must be batch or transaction", code="value", expression="Bundle.type")


async def _batch(ctx: Context, request: FhirRequest, body: dict[str, Any]) -> FhirResponse:
    rows = await entries_or_errors_of(ctx, body)
    if request.resource is None:  # else its sender reads it again
        body.clear()
    answers: list[bytes] = [b""] * len(rows)
    gate = asyncio.Semaphore(TOGETHER)
    taken = Answers(ctx.settings.max_body_bytes)

    async def answer(number: int) -> None:
        async with gate:
            row, rows[number] = rows[number], {}  # one by one: to forget them all at once takes its time
            answers[number] = await _answer(ctx, request, row, taken)

    # Entries that cannot be read are answered with the first.
    method_of = [PHASES[0][0] if isinstance(row, FhirError) else row["request"]["method"] for row in rows]
    for methods in PHASES:
        chosen = [number for number, method in enumerate(method_of) if method in methods]
        await asyncio.gather(*map(answer, chosen))
    return FhirResponse(200, body=response_bundle(ctx, "batch-response", answers))


async def _answer(ctx: Context, outer: FhirRequest, row: dict[str, Any] | FhirError, taken: Answers) -> bytes:
    try:
        if isinstance(row, FhirError):
            raise row
        request = entry_request(ctx, outer, row)
        if request.method == "POST" and not request.path:
            raise BadRequest("A Bundle within a Bundle is not processed")
        if request.resource is None:
            taken.check_room()
        response = await boundary.handle(ctx, request)
        await taken.take(response)
    except FhirError as error:
        return response_entry(outer, response_of(error, outer.request_id))
    return response_entry(request, response)
