"""Search a type, the system or a compartment.   https://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

from server.context import Context
from server.messages import FhirRequest, FhirResponse


async def search(ctx: Context, request: FhirRequest) -> FhirResponse:
    raise NotImplementedError
