"""New resource with an id of the server.   https://hl7.org/fhir/R4/http.html#create"""

from __future__ import annotations

from server.context import Context
from server.interactions import conditional
from server.interactions.storing import Resource, beside, commit, prepare, read_resource
from server.interactions.written import written_answer
from server.messages import FhirRequest, FhirResponse


async def create(ctx: Context, request: FhirRequest) -> FhirResponse:
    """201 with Location; an id in the body is ignored. With If-None-Exist: 200 with the one that matches already.

    Raises: BadRequest, Unprocessable, PreconditionFailed (several matches).
    """
    resource = await read_resource(ctx, request, request.path[0])
    condition = request.headers.get("if-none-exist")
    if condition is not None:
        key = f"{request.path[0]}?{condition}"
        return await conditional.patiently(ctx, key, lambda: _conditional_create(ctx, request, resource, condition))
    prepared = await beside(len(request.body), prepare, ctx, request.base, resource, ctx.ids(), "POST")
    [written] = await commit(ctx, [prepared.put], prepared.conditions)
    return written_answer(request, written.version, created=True, warnings=prepared.warnings)


async def _conditional_create(ctx: Context, request: FhirRequest, resource: Resource, text: str) -> FhirResponse:
    """https://hl7.org/fhir/R4/http.html#ccreate"""
    resource_type = resource["resourceType"]
    parameters = conditional.header_criteria(ctx, text, resource_type)
    found = await conditional.find(ctx, resource_type, parameters, request.base)
    existing = found.one_or_none()
    if existing is not None:
        return written_answer(request, existing, created=False)
    prepared = await beside(len(request.body), prepare, ctx, request.base, resource, ctx.ids(), "POST")
    [written] = await commit(ctx, [prepared.put], [*prepared.conditions, found.condition])
    return written_answer(request, written.version, created=True, warnings=prepared.warnings)
