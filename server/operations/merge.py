"""Patient/$merge: two Patients are one person; the source stays, inactive, with a link to the target.

R4 has no such operation; this is R5's, without `preview` and `result-patient`: what the target says is computed from
the registrations of both. `onecard identity merge` does the same, and `onecard identity split` undoes it.
https://hl7.org/fhir/R5/patient-operation-merge.html
"""

from __future__ import annotations

import re
from typing import Any

from fhir_profiles.json_reading import read_json
from server.context import Context
from server.errors import BadRequest, Unprocessable
from server.interactions.conditional import find
from server.messages import FhirRequest, FhirResponse
from server.operations.parameters import Inputs, inputs, parameters

_LOCAL = re.compile(r"Patient/([A-Za-z0-9\-.]{1,64})\Z")


async def merge(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with `outcome` and `result`.

    Raises: BadRequest (who is meant is not told), NotFound, Unprocessable (nobody or several have the identifiers; the
    same; merged before; different citizen ids; without registrations of hospitals).
    """
    # Imported here: a server that is only asked and written to needs no mappers.
    from server.intake.f43 import rejoin, review

    given = inputs(ctx, request, "patient-merge")
    source, target = [await _patient(ctx, request, given, which) for which in ("source", "target")]
    moved = await rejoin.merge(ctx, source, target)
    await review.settle(ctx, {source, target}, review.MERGED)
    result = await ctx.store.read("Patient", target)
    told = f"{moved.resources} resources of Patient/{source} belong to Patient/{target} now"
    rows: list[dict[str, Any]] = [{"name": "outcome", "resource": _done(told)}]
    if result is not None and result.body is not None:
        rows.append({"name": "result", "resource": read_json(result.body, max_depth=ctx.settings.max_depth)})
    return FhirResponse(200, resource=parameters(rows))


def _done(told: str) -> dict[str, Any]:
    issue = {"severity": "information", "code": "informational", "diagnostics": told}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


async def _patient(ctx: Context, request: FhirRequest, given: Inputs, which: str) -> str:
    """Id of the Patient that the inputs name, by reference or by all of some identifiers."""
    reference, numbers = given.one(f"{which}-patient"), given.many(f"{which}-patient-identifier")
    if (reference is None) == (not numbers):
        raise BadRequest(f"{which}-patient or {which}-patient-identifier: one of them is needed", code="required")
    if reference is not None:
        text = str(reference.get("reference", "")).removeprefix(f"{request.base}/")
        if (found := _LOCAL.match(text)) is None:
            raise BadRequest(f"{which}-patient is no reference to a Patient of this server", code="value")
        return found[1]
    criteria = [("identifier", _token(each, which)) for each in numbers]
    versions = (await find(ctx, "Patient", criteria, request.base, limit=2)).versions
    if len(versions) != 1:
        count = "Several Patients have" if versions else "No Patient has"
        raise Unprocessable(f"{count} what {which}-patient-identifier says", code="not-found")
    return versions[0].id


def _token(identifier: dict[str, Any], which: str) -> str:
    """Criterion of a search.   https://hl7.org/fhir/R4/search.html#token"""
    value = identifier.get("value")
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{which}-patient-identifier needs a value", code="required")
    system = identifier.get("system")
    text = re.sub(r"([\\,|$])", r"\\\1", value)
    return f"{system}|{text}" if isinstance(system, str) else text
