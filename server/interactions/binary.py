"""Raw content of a Binary, by Content-Type and Accept.   https://hl7.org/fhir/R4/binary.html#rest"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from server.errors import BadRequest
from server.messages import FhirRequest, FhirResponse
from server.store.contract import Version
from server.wire.media import FORMATS, RESOURCE_TYPES, SHORT_NAMES, XML_TYPES, negotiate, not_acceptable, split

_AMBIGUOUS = RESOURCE_TYPES - {"application/fhir+json", "application/json+fhir"}
"""Media types that a FHIR resource may have, and any other JSON as well."""
_FHIR = frozenset(name for name in FORMATS if "fhir" in name)
"""Media types that mean FHIR and nothing else."""


def is_raw(request: FhirRequest) -> bool:
    """Whether the body is content of a Binary rather than a Binary resource."""
    if request.resource is not None or request.media_type in XML_TYPES or not request.media_type:
        return False
    if request.media_type in _AMBIGUOUS:
        return b'"Binary"' not in request.body[:4096]
    return request.media_type not in RESOURCE_TYPES


def from_raw(request: FhirRequest) -> dict[str, Any]:
    """{"resourceType": "Binary", "contentType", "securityContext"?, "data"?} of a raw body."""
    content_type = request.headers.get("content-type", request.media_type)
    resource: dict[str, Any] = {"resourceType": "Binary", "contentType": content_type}
    context = request.headers.get("x-security-context")
    if context:
        resource["securityContext"] = {"reference": context.strip()}
    if request.body:
        resource["data"] = base64.b64encode(request.body).decode()
    if request.method == "PUT" and len(request.path) > 1:  # a conditional update names no id
        resource["id"] = request.path[1]
    return resource


def wants_raw(request: FhirRequest, content_type: str) -> bool:
    """Whether the answer is to be the content itself: unless FHIR is asked for, also with no Accept or `*/*`."""
    form = next((value for name, value in request.query if name == "_format"), None)
    if form is not None:
        wanted = [split(form.replace(" ", "+"))[0]]
        if wanted[0] in SHORT_NAMES:
            return False
    else:
        wanted = _accepted(request.headers.get("accept", "")) or ["*/*"]
    own = split(content_type)[0]
    for media_type in wanted:
        if media_type in _FHIR:
            return False
        if media_type in ("*/*", own, own.partition("/")[0] + "/*"):
            return True
        if media_type in FORMATS or media_type == "application/*":
            return False
    return True


def _accepted(accept: str) -> list[str]:
    """Media types of an Accept header, the most wanted first."""
    ranges = [split(each) for each in accept.split(",") if each.strip()]
    return [name for name, parameters in sorted(ranges, key=lambda each: -_quality(each[1]))]


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def raw_answer(request: FhirRequest, version: Version, headers: dict[str, str]) -> FhirResponse | None:
    """The content of a Binary, if the client wants that; None if it wants the resource."""
    assert version.body is not None
    resource = orjson.loads(version.body)
    content_type = resource.get("contentType", "application/octet-stream")
    if not wants_raw(request, content_type):
        if negotiate(request.headers.get("accept", ""), None).format is None and not request.query:
            raise not_acceptable()
        return None
    try:
        content = base64.b64decode(resource.get("data", ""))
    except binascii.Error:
        raise BadRequest("The data of this Binary is not base64", expression="Binary.data") from None
    context = resource.get("securityContext", {}).get("reference")
    if context:
        headers = {**headers, "X-Security-Context": context}
    # The content is somebody's upload: it must not run in a browser as a page of this server.
    headers = {**headers, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return FhirResponse(200, headers, body=content, media_type=content_type)
