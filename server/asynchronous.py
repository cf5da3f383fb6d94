"""`Prefer: respond-async`: the request is accepted, and answered at an address of its own.

https://hl7.org/fhir/R4/async.html The answer is a Bundle of type batch-response whose one entry holds what the request
would have been answered with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson

from server.context import Context
from server.interactions.entry import response_entry
from server.messages import FhirRequest, FhirResponse
from server.wire.media import FHIR_JSON

NEVER = frozenset({"capabilities", "async-status"})
"""Interactions that are answered at once whatever is preferred."""


async def later(
    ctx: Context, request: FhirRequest, answer: Callable[[FhirRequest], Awaitable[FhirResponse]]
) -> FhirResponse:
    """202 with Content-Location, where the answer will be; `answer` raises nothing."""
    wishes = (part for part in request.headers["prefer"].split(",") if part.strip().lower() != "respond-async")
    now = replace(request, headers={**request.headers, "prefer": ",".join(wishes), "accept": FHIR_JSON})

    async def work() -> bytes:
        response = await answer(now)
        await response.collect()
        head = orjson.dumps({"resourceType": "Bundle", "type": "batch-response"})[:-1]
        return head + b',"entry":[' + response_entry(now, response) + b"]}"

    job_id = await ctx.jobs.submit(request.principal.name, work)
    return FhirResponse(202, {"Content-Location": f"{request.base}/$async-status/{job_id}"})
