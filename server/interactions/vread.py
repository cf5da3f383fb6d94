"""One version of one resource.   https://hl7.org/fhir/R4/http.html#vread"""

from __future__ import annotations

from server.context import Context
from server.errors import NotFound
from server.interactions.read import answer
from server.messages import FhirRequest, FhirResponse


async def vread(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with the resource as it was, or 304.

    Raises: NotFound (no such version), Gone (the version is a deletion).
    """
    resource_type, resource_id, _, version_id = request.path
    if not (version_id.isascii() and version_id.isdecimal() and len(version_id) < 16):
        raise NotFound(f"{resource_type}/{resource_id} has no such version; version ids are whole numbers here")
    return answer(ctx, request, await ctx.store.vread(resource_type, resource_id, int(version_id)))
