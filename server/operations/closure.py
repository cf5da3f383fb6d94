"""$closure: a client's table of subsumption, kept in the store under its name and the principal's.

https://hl7.org/fhir/R4/conceptmap-operation-closure.html
"""

from __future__ import annotations

import hashlib

import orjson

from server.context import Context
from server.messages import FhirRequest, FhirResponse
from server.operations.terminology import answered, failure, given
from server.store.contract import instant
from terminology.errors import TerminologyError
from terminology.operations import ClosureTable
from terminology.operations import closure as grow
from terminology.operations.closure import closure_name


async def closure(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a ConceptMap of what is new in the table, or Parameters `result` for a table that begins."""
    parameters = await given(ctx, request)
    try:
        name = closure_name(parameters)
    except TerminologyError as error:
        raise failure(error) from None
    key = _key(request.principal.name, name)
    stored = await ctx.store.get_setting(key)
    table = ClosureTable.from_json(orjson.loads(stored)) if stored else None
    grown: list[ClosureTable] = []

    def work() -> dict[str, object]:
        answer, after = grow(ctx.terminology, parameters, table, now=instant(ctx.clock()))
        grown.append(after)
        return answer

    response = await answered(work)
    if grown[0] is not table:
        await ctx.store.put_setting(key, orjson.dumps(grown[0].to_json()))
    return response


def _key(owner: str, name: str) -> str:
    return "closure/" + hashlib.sha256(f"{owner}\0{name}".encode()).hexdigest()
