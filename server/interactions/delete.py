"""Delete a resource; its history stays.   https://hl7.org/fhir/R4/http.html#delete"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_profiles.issue import Issue
from server.context import Context
from server.errors import TooCostly
from server.interactions import conditional
from server.interactions.preconditions import check_if_match, version_headers
from server.interactions.storing import commit
from server.messages import FhirRequest, FhirResponse
from server.outcome import operation_outcome
from server.prefer import prefer
from server.store.contract import Condition, Delete, Unreferenced, Written

MOST = 1000
"""Resources that one conditional delete may take away."""


async def delete(ctx: Context, request: FhirRequest) -> FhirResponse:
    """204, also if there was nothing to delete; 200 with an outcome if that is preferred.

    Raises: PreconditionFailed (If-Match), ConditionFailed (others refer to it, with referential integrity).
    """
    resource_type, resource_id = request.path
    expected = None
    if "if-match" in request.headers:
        expected = check_if_match(request.headers, await ctx.store.read(resource_type, resource_id))
    change = Delete(resource_type, resource_id, expected)
    [written] = await commit(ctx, [change], unreferenced(ctx, [change]))
    return deleted_answer(request, [written])


async def conditional_delete(ctx: Context, request: FhirRequest) -> FhirResponse:
    """Delete what matches: one, or many if the setting allows that.   https://hl7.org/fhir/R4/http.html#3.1.0.7.1

    Raises: PreconditionFailed (many match, and only one may), TooCostly (more than MOST).
    """
    resource_type = request.path[0]
    parameters = conditional.url_criteria(request.query)
    limit = MOST if ctx.settings.conditional_delete_multiple else 2

    async def attempt() -> FhirResponse:
        found = await conditional.find(ctx, resource_type, parameters, request.base, limit)
        if not ctx.settings.conditional_delete_multiple:
            found.one_or_none()
        if found.more:
            raise TooCostly(f"More than {MOST} resources match; delete them in smaller steps")
        for version in found.versions:
            check_if_match(request.headers, version)
        changes = [Delete(each.type, each.id, each.version) for each in found.versions]
        if not changes:
            return deleted_answer(request, [])
        written = await commit(ctx, changes, [found.condition, *unreferenced(ctx, changes)])
        return deleted_answer(request, written)

    return await conditional.patiently(ctx, f"{resource_type}?{parameters}", attempt)


def unreferenced(ctx: Context, changes: Sequence[Delete]) -> list[Condition]:
    """What referential integrity demands of deletes."""
    if not ctx.settings.referential_integrity:
        return []
    return [Unreferenced(each.type, each.id) for each in changes]


def deleted_answer(request: FhirRequest, written: Sequence[Written]) -> FhirResponse:
    headers = version_headers(written[0].version) if len(written) == 1 and written[0].version.version else {}
    if prefer(request.headers).answer != "OperationOutcome":
        return FhirResponse(204, headers)
    count = sum(each.changed for each in written)
    issue = Issue("information", "informational", f"{count} resource{'' if count == 1 else 's'} deleted")
    return FhirResponse(200, headers, resource=operation_outcome([issue]))
