"""Changes to a resource: JSON Patch, JSON Merge Patch, FHIRPath Patch.   https://hl7.org/fhir/R4/http.html#patch"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_profiles.json_reading import read_json
from fhir_profiles.patch import PatchError, fhirpath_patch, json_patch, merge_patch
from server.context import Context
from server.errors import BadRequest, Gone, NotFound, Unprocessable, UnsupportedMedia
from server.interactions import conditional, labels
from server.interactions.preconditions import check_if_match, version_headers
from server.interactions.storing import Resource, beside, commit, prepare
from server.interactions.written import written_answer
from server.messages import FhirRequest, FhirResponse
from server.store.contract import Condition, Version, VersionConflict
from server.wire.media import RESOURCE_TYPES

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
PLAIN_JSON = "application/json"
"""Names no kind of patch: Parameters are a FHIRPath Patch, all else a merge patch, as the client fhirpy sends it."""


async def patch(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with the new version. Without If-Match a patch that another request overtook is applied anew.

    Raises: NotFound, Gone, BadRequest (no patch), Unprocessable (cannot be applied, or the result is not valid),
    PreconditionFailed (If-Match).
    """
    resource_type, resource_id = request.path

    async def attempt() -> FhirResponse:
        current = await ctx.store.read(resource_type, resource_id)
        if current is None:
            raise NotFound(f"{resource_type}/{resource_id} is not known")
        return await _apply(ctx, request, current)

    return await conditional.patiently(ctx, f"{resource_type}/{resource_id}", attempt)


async def conditional_patch(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The one resource that matches is patched. Raises: NotFound (none), PreconditionFailed (several)."""
    resource_type = request.path[0]
    parameters = conditional.url_criteria(request.query)

    async def attempt() -> FhirResponse:
        found = await conditional.find(ctx, resource_type, parameters, request.base)
        current = found.one_or_none()
        if current is None:
            raise NotFound(f"No {resource_type} matches the criteria")
        return await _apply(ctx, request, current, [found.condition])

    return await conditional.patiently(ctx, f"{resource_type}?{parameters}", attempt)


async def _apply(
    ctx: Context, request: FhirRequest, current: Version, conditions: Sequence[Condition] = ()
) -> FhirResponse:
    expected = check_if_match(request.headers, current)
    resource = patched(ctx, request, current)
    guard, size = labels.at(current.version, current), len(current.body or b"") + len(request.body)
    prepared = await beside(size, prepare, ctx, request.base, resource, current.id, "PATCH", guard)
    try:
        [written] = await commit(ctx, [prepared.put], [*prepared.conditions, *conditions])
    except VersionConflict as error:
        if expected is None:
            raise conditional.Overtaken(str(error)) from None
        raise
    return written_answer(request, written.version, created=False, warnings=prepared.warnings)


def patched(ctx: Context, request: FhirRequest, current: Version) -> Resource:
    """The current version with the changes of the body. Raises: Gone, BadRequest, Unprocessable, UnsupportedMedia."""
    if current.body is None:
        raise Gone(f"{current.type}/{current.id} was deleted", headers=version_headers(current))
    resource = read_json(current.body)
    try:
        changed: Any = _changed(ctx, request, resource)
    except PatchError as error:
        refusal = BadRequest if error.kind == "malformed" else Unprocessable
        raise refusal(str(error), issues=error.issues) from None
    if not isinstance(changed, dict) or changed.get("resourceType") != current.type or changed.get("id") != current.id:
        raise Unprocessable("A patch cannot change resourceType or id")
    return changed


def _changed(ctx: Context, request: FhirRequest, resource: Resource) -> Any:
    if request.media_type == JSON_PATCH:
        return json_patch(resource, _json_array(ctx, request.body))
    if request.media_type == MERGE_PATCH:
        return merge_patch(resource, read_json(request.body, max_depth=ctx.settings.max_depth))
    if request.resource is None and request.media_type not in RESOURCE_TYPES:
        raise UnsupportedMedia(f"A patch is {JSON_PATCH}, {MERGE_PATCH} or Parameters as application/fhir+json")
    parameters = request.resource or read_json(request.body, max_depth=ctx.settings.max_depth)
    if parameters.get("resourceType") != "Parameters":
        if request.media_type == PLAIN_JSON:
            return merge_patch(resource, parameters)
        raise BadRequest("A FHIRPath Patch is a Parameters resource", code="structure", expression="resourceType")
    return fhirpath_patch(resource, parameters, ctx.definitions)


def _json_array(ctx: Context, body: bytes) -> list[Any]:
    """Operations of a JSON Patch. `read_json` reads objects, so the array is read as the member of one."""
    text = body.strip()
    if text[:1] != b"[" or text[-1:] != b"]":
        raise BadRequest("A JSON Patch is an array of operations (RFC 6902)", code="structure")
    members = read_json(b'{"patch":' + text + b"}", max_depth=ctx.settings.max_depth)
    if len(members) != 1:
        raise BadRequest("A JSON Patch is one array of operations (RFC 6902)", code="structure")
    operations: list[Any] = members["patch"]
    return operations
