"""$validate: whether a resource could be stored, without storing it.

https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

import asyncio
from typing import Any

from fhir_profiles.issue import Issue
from fhir_profiles.json_reading import read_json
from server.context import Context
from server.errors import BadRequest, Gone, NotFound
from server.interactions.storing import LARGE, about, json_in_turns
from server.messages import FhirRequest, FhirResponse
from server.operations.parameters import Inputs, inputs
from server.outcome import outcome_response
from server.search.query import And, Criterion, IsType, Or, Query, references_to
from server.search.values import Reference
from server.store.contract import RECORDS, Version
from server.warming import every_parameter
from server.wire.media import RESOURCE_TYPES

MODES = ("create", "update", "delete", "profile")


async def validate(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with an OperationOutcome, whatever is found; errors in it mean that the write would be refused.

    Raises: BadRequest (the question itself is wrong), NotFound, Gone (an instance to be checked is not there).
    """
    async with ctx.room.taken(len(request.body)):
        return await _validated(ctx, request)


async def _validated(ctx: Context, request: FhirRequest) -> FhirResponse:
    if len(request.body) > LARGE and request.media_type in RESOURCE_TYPES:
        request.resource = await json_in_turns(ctx, request.body)
    asked = inputs(ctx, request, "Resource-validate", bare="resource")
    mode = asked.one("mode")
    if mode is not None and mode not in MODES:
        raise BadRequest(f"mode must be one of {', '.join(MODES)}", code="value", expression="mode")
    segments = request.path[:-1]
    resource = asked.one("resource")
    stored = await _stored(ctx, segments)
    if mode == "delete":
        issues = await _delete_issues(ctx, stored, segments)
    else:
        if resource is None:
            if stored is None or stored.body is None:
                raise BadRequest("The resource to validate is missing", code="required", expression="resource")
            resource = read_json(stored.body)
        if about(resource) < LARGE:
            issues = _issues(ctx, asked, mode, segments, resource)
        else:  # others are answered meanwhile
            issues = await asyncio.to_thread(_issues, ctx, asked, mode, segments, resource)
        if mode == "update" and stored is None and len(segments) == 2:
            issues.append(Issue("information", "not-found", "The resource does not exist: an update would create it"))
    return outcome_response(200, issues or [Issue("information", "informational", "No issues found")])


async def _stored(ctx: Context, segments: tuple[str, ...]) -> Version | None:
    return await ctx.store.read(segments[0], segments[1]) if len(segments) == 2 else None


def _issues(ctx: Context, asked: Inputs, mode: str | None, segments: tuple[str, ...], resource: Any) -> list[Issue]:
    """What the validator says, and what the mode and the URL add."""
    issues: list[Issue] = []
    profile = asked.one("profile")
    profiles = [profile] if profile else []
    if profile and not ctx.definitions.has_structure(profile):
        issues.append(Issue("error", "not-found", f"The profile {profile[:200]} is not known here"))
        profiles = []
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if segments and kind != segments[0] and isinstance(kind, str) and kind in ctx.definitions.resource_types:
        text = f"The URL says {segments[0]}, the resource is a {kind}"
        issues.append(Issue("error", "invalid", text, "resourceType"))
    if mode == "update":
        issues += _update_issues(segments, resource)
    return issues + ctx.validator.validate(resource, profiles=profiles, advice=True)


def _update_issues(segments: tuple[str, ...], resource: Any) -> list[Issue]:
    given = resource.get("id")
    if given is None:
        return [Issue("error", "required", "An update needs the id of the resource", "id")]
    if len(segments) == 2 and given != segments[1]:
        return [Issue("error", "invalid", "The resource has another id than the URL", "id")]
    return []


async def _delete_issues(ctx: Context, stored: Version | None, segments: tuple[str, ...]) -> list[Issue]:
    if len(segments) != 2:
        raise BadRequest("mode delete is asked of an instance: [type]/[id]/$validate", expression="mode")
    where = "/".join(segments)
    if stored is None:
        raise NotFound(f"{where} is not known")
    if stored.deleted:
        raise Gone(f"{where} was deleted already")
    if not ctx.settings.referential_integrity:
        return []
    await every_parameter(ctx)
    hits = await ctx.store.search(referring_to(ctx, segments[0], segments[1]))
    if not hits.hits:
        return []
    first = hits.hits[0].version
    return [Issue("error", "conflict", f"{where} cannot be deleted: {first.type}/{first.id} refers to it")]


def referring_to(ctx: Context, resource_type: str, resource_id: str) -> Query:
    """Resources of any type that refer to this one."""
    aim = [Reference(resource_type, resource_id, None, None)]
    branches: dict[str, Criterion] = {}
    for source in sorted(ctx.definitions.resource_types - RECORDS):
        matches = [
            references_to(each.parameter, aim)
            for each in ctx.search.parameters.of(source).values()
            if each.parameter.type == "reference" and resource_type in each.parameter.targets
        ]
        if matches:
            branches[source] = And((IsType((source,)), Or(tuple(matches))))
    return Query(tuple(branches), (Or(tuple(branches.values())),), limit=1)
