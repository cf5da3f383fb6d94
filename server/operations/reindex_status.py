"""Progress of indexing new search parameters."""

from __future__ import annotations

from server.context import Context
from server.messages import FhirRequest, FhirResponse
from server.operations.parameters import parameters


async def status(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with Parameters: one `parameter` for each active SearchParameter, its parts url, code, state, done, total."""
    rows = [
        {
            "name": "parameter",
            "part": [
                {"name": "url", "valueUri": each.url},
                {"name": "code", "valueCode": each.code},
                {"name": "state", "valueCode": each.state},
                {"name": "done", "valueInteger": each.done},
                {"name": "total", "valueInteger": each.total},
                *([{"name": "reason", "valueString": each.reason}] if each.reason else []),
            ],
        }
        for each in await ctx.reindexing.progress()
    ]
    return FhirResponse(200, resource=parameters(rows))
