"""What is read on first use and takes long: read in steps, between which others have their turn on the loop.

The parameters of all 146 types take a third of a second; most requests need those of one type, a few (`/metadata`,
searches of all types, `_revinclude=*`) need all. A worker reads them right after it began to answer (`warm`); a request
that comes before waits for them without letting others wait.
"""

from __future__ import annotations

import asyncio

from server.context import Context
from server.messages import FhirRequest
from server.observability import failures

_INCLUDES = ("_include", "_revinclude")


async def warm(ctx: Context) -> None:
    """In the background of a worker; what fails here fails again, with an answer, where it is needed."""
    try:
        await every_parameter(ctx)
    except Exception as error:
        failures.record(error, "warming")


async def every_parameter(ctx: Context) -> None:
    """Have the search parameters of all resource types read."""
    parameters = ctx.search.parameters
    for each in sorted(ctx.definitions.resource_types):
        if not parameters.is_read(each):
            parameters.of(each)
            await asyncio.sleep(0)


def needs_every_parameter(request: FhirRequest) -> bool:
    """Whether a search looks at all types: that of the system, of a whole compartment, or with `*` as an include."""
    path = request.path[:-1] if request.path[-1:] == ("_search",) else request.path
    if not path or path[-1] == "*":
        return True
    return any(value == "*" and name.startswith(_INCLUDES) for name, value in request.query)
