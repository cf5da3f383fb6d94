"""Status of requests that are answered later.   https://hl7.org/fhir/R4/async.html"""

from __future__ import annotations

from server.context import Context
from server.errors import NotFound, Unavailable
from server.jobs import Job
from server.messages import FhirRequest, FhirResponse


async def status(ctx: Context, request: FhirRequest) -> FhirResponse:
    """202 with X-Progress while it runs; then 200 with a Bundle of type batch-response that holds the answer.

    Raises: NotFound (no such request of this sender, cancelled, or expired), Unavailable (its worker ended).
    """
    job = await _job(ctx, request)
    if job.state == "running":
        return FhirResponse(202, {"X-Progress": "in progress", "Retry-After": "1"})
    if job.state == "lost":
        raise Unavailable("The server ended before the request did; send it again")
    return FhirResponse(200, body=job.result)


async def cancel(ctx: Context, request: FhirRequest) -> FhirResponse:
    """202: the request is stopped if it still runs, its result is forgotten."""
    await ctx.jobs.cancel(await _job(ctx, request))
    return FhirResponse(202)


async def _job(ctx: Context, request: FhirRequest) -> Job:
    job = await ctx.jobs.find(request.path[1], request.principal.name)
    if job is None:
        raise NotFound("No such request; it was cancelled, or its result has expired")
    return job
