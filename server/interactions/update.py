"""New version of a resource, which is made if it is absent.   https://hl7.org/fhir/R4/http.html#update"""

from __future__ import annotations

from collections.abc import Sequence

from server.context import Context
from server.errors import BadRequest, Conflict
from server.interactions import conditional, labels
from server.interactions.preconditions import check_if_match, check_if_none_match
from server.interactions.storing import Resource, beside, commit, prepare, read_resource
from server.interactions.written import written_answer
from server.logical_id import is_id
from server.messages import FhirRequest, FhirResponse
from server.store.contract import Condition, Version, VersionConflict


async def update(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200, or 201 with Location if no live resource was there.

    Raises: BadRequest (id missing or another one), Unprocessable, PreconditionFailed (If-Match, If-None-Match).
    """
    resource_type, resource_id = request.path
    resource = await read_resource(ctx, request, resource_type)
    check_id(resource, resource_id)

    async def attempt() -> FhirResponse:
        current = await ctx.store.read(resource_type, resource_id)
        return await replace(ctx, request, resource, resource_id, current)

    return await conditional.patiently(ctx, f"{resource_type}/{resource_id}", attempt)


async def conditional_update(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The one that matches is updated; none: created, with the id of the body if that is free.

    https://hl7.org/fhir/R4/http.html#cond-update
    Raises: PreconditionFailed (several match), BadRequest (the body has another id), Conflict (its id is taken).
    """
    resource_type = request.path[0]
    resource = await read_resource(ctx, request, resource_type)
    parameters = conditional.url_criteria(request.query)

    async def attempt() -> FhirResponse:
        found = await conditional.find(ctx, resource_type, parameters, request.base)
        current = found.one_or_none()
        resource_id = await identity(ctx, resource, current)
        return await replace(ctx, request, resource, resource_id, current, [found.condition])

    return await conditional.patiently(ctx, f"{resource_type}?{parameters}", attempt)


async def identity(ctx: Context, resource: Resource, matched: Version | None) -> str:
    """Id under which a conditional update stores. Raises: BadRequest, Conflict."""
    given = resource.get("id")
    if matched is not None:
        if given is not None and given != matched.id:
            raise BadRequest("The resource has another id than the one that matches", expression="id")
        return matched.id
    if given is None:
        return ctx.ids()
    if not isinstance(given, str) or not is_id(given):
        raise BadRequest("id must have 1 to 64 characters of A-Z a-z 0-9 - and .", expression="id")
    taken = await ctx.store.read(resource["resourceType"], given)
    if taken is not None and not taken.deleted:
        raise Conflict(f"Nothing matches, and {taken.type}/{taken.id} is another resource", expression="id")
    return given


async def replace(
    ctx: Context,
    request: FhirRequest,
    resource: Resource,
    resource_id: str,
    current: Version | None,
    conditions: Sequence[Condition] = (),
) -> FhirResponse:
    """Store the resource over `current`, under the client's conditions.

    Raises: PreconditionFailed, Unprocessable, Overtaken (start over).
    """
    expected = check_if_match(request.headers, current)
    if check_if_none_match(request.headers, current):
        expected = 0
    resource = dict(resource)  # a repetition starts from what was sent
    guard = labels.carry(resource, current)
    if expected is not None:
        guard = labels.at(expected, current)
    size = len(request.body)
    prepared = await beside(size, prepare, ctx, request.base, resource, resource_id, "PUT", guard)
    try:
        [written] = await commit(ctx, [prepared.put], [*prepared.conditions, *conditions])
    except VersionConflict as error:
        if expected is None:
            raise conditional.Overtaken(str(error)) from None
        raise
    return written_answer(request, written.version, created=written.created, warnings=prepared.warnings)


def check_id(resource: Resource, resource_id: str) -> None:
    """The body has an id, and it is the one of the URL. Raises: BadRequest."""
    given = resource.get("id")
    if given is None:
        raise BadRequest("The resource must have the id of the URL, it has none", code="required", expression="id")
    if given != resource_id:
        raise BadRequest("The resource has another id than the URL", expression="id")
