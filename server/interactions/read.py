"""Current version of one resource.   https://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

from server.context import Context
from server.errors import Gone, NotFound
from server.interactions import binary, subsets
from server.interactions.preconditions import not_modified, version_headers
from server.messages import FhirRequest, FhirResponse
from server.store.contract import Version


async def read(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with the resource, or 304.

    Raises: NotFound (never existed), Gone (deleted; carries the ETag of the deletion).
    """
    resource_type, resource_id = request.path
    version = await ctx.store.read(resource_type, resource_id)
    return answer(ctx, request, version)


def answer(ctx: Context, request: FhirRequest, version: Version | None) -> FhirResponse:
    """What read and vread say of a version."""
    if version is None:
        raise NotFound(f"{'/'.join(request.path)} is not known")
    if version.body is None:
        raise Gone(f"{version.type}/{version.id} was deleted", headers=version_headers(version))
    headers = request.headers
    if "if-none-match" in headers or "if-modified-since" in headers:
        unchanged = not_modified(headers, version)
        if unchanged is not None:
            return unchanged
    found = version_headers(version)
    if version.type == "Binary":
        raw = binary.raw_answer(request, version, found)
        if raw is not None:
            return raw
    if request.query:
        subset = subsets.requested(ctx, request.query, version.type)
        if subset is not None:
            return FhirResponse(200, found, body=subset.of(version.body))
    return FhirResponse(200, found, body=version.body)
