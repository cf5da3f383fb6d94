"""The answer to a write, as the client prefers it.   https://hl7.org/fhir/R4/http.html#ops"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_profiles.issue import Issue
from server.interactions.preconditions import version_headers
from server.messages import FhirRequest, FhirResponse
from server.outcome import operation_outcome
from server.prefer import prefer
from server.store.contract import Version


def written_answer(
    request: FhirRequest, version: Version, *, created: bool, warnings: Sequence[Issue] = ()
) -> FhirResponse:
    """200 or 201 with ETag, Last-Modified and Location; the body by `Prefer: return=`, else the resource."""
    headers = version_headers(version)
    headers["Location"] = f"{request.base}/{version.type}/{version.id}/_history/{version.version}"
    status = 201 if created else 200
    wanted = prefer(request.headers).answer
    if wanted == "minimal":
        return FhirResponse(status, headers)
    if wanted == "OperationOutcome":
        return FhirResponse(status, headers, resource=operation_outcome([_done(version, created), *warnings]))
    return FhirResponse(status, headers, body=version.body)


def _done(version: Version, created: bool) -> Issue:
    what = "created" if created else "updated"
    return Issue("information", "informational", f"{version.type}/{version.id} {what}, version {version.version}")
