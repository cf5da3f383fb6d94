"""From a request to its answer: find the route, decide on access, call the handler, turn errors into OperationOutcomes.

Entries of a batch come in here as well: an entry is a `FhirRequest` like any other. A transaction, which is whole or
nothing, calls `dispatch` and lets the error of an entry fail it all.
"""

from __future__ import annotations

from functools import partial

from fhir_profiles.json_reading import ReadError
from server.access.decide import decide
from server.asynchronous import NEVER, later
from server.context import Context
from server.errors import FhirError
from server.messages import FhirRequest, FhirResponse
from server.observability import failures
from server.outcome import response_of
from server.prefer import prefer
from server.search.refusal import BeingIndexed, UnknownParameter
from server.store.contract import StoreError


async def handle(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The answer, whatever happens; `request.route` is the row that gave it (None if no row fits)."""
    try:
        return await dispatch(ctx, request)
    except (FhirError, StoreError, ReadError) as error:
        return response_of(error, request.request_id)
    except Exception as error:
        failures.record(error, request.request_id)
        return response_of(error, request.request_id)


async def dispatch(ctx: Context, request: FhirRequest) -> FhirResponse:
    """Raises: what the handler raises; NotFound and MethodNotAllowed of the routes table; Unauthorized, Forbidden."""
    try:
        route = request.route = ctx.routes.find(request.method, request.path)
    except FhirError:
        decide(request.principal, None, request)
        raise
    decide(request.principal, route, request)
    if "prefer" in request.headers and route.interaction not in NEVER and prefer(request.headers).respond_async:
        return await later(ctx, request, partial(handle, ctx))
    try:
        return await route.handler(ctx, request)
    except (UnknownParameter, BeingIndexed):
        # Another worker may have added the parameter, or be through with it: nothing was stored for this request yet.
        if not await ctx.reindexing.look():
            raise
    return await route.handler(ctx, request)
