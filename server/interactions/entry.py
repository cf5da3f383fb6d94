"""Entries of a batch or transaction: from Bundle.entry to a request, and from an answer to Bundle.entry.

https://hl7.org/fhir/R4/http.html#transaction https://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson

from fhir_profiles.issue import Issue
from fhir_profiles.json_reading import write_json
from server.context import Context
from server.errors import BadRequest, FhirError, TooCostly, TooLarge, Unprocessable
from server.interactions.preconditions import http_date
from server.messages import FhirRequest, FhirResponse
from server.search.instant import interval
from server.turn import Turn
from server.wire import target
from server.wire.media import FHIR_JSON

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
JSON = "application/fhir+json"

_PLAIN_ENTRY = frozenset({"fullUrl", "resource", "request"})
_PLAIN_REQUEST = frozenset({"method", "url"})
_PLAIN_URL = re.compile(r"[!-~]+").fullmatch

# Bundle.entry.request element -> header of the same meaning.
_CONDITIONS = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist"}


def entries_of(ctx: Context, bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a transaction whose envelope is sound; their resources are not looked at.

    Raises: TooLarge (too many entries), Unprocessable.
    """
    rows = _listed(ctx, bundle)
    for number, row in enumerate(rows):
        _check_request(row, number)
    _check_envelope(ctx, bundle, rows)
    return rows


async def entries_or_errors_of(ctx: Context, bundle: dict[str, Any]) -> list[dict[str, Any] | FhirError]:
    """The entries of a batch, each of which stands for itself: in place of one that is not sound, what is wrong.

    Raises: TooLarge (too many entries), Unprocessable (the Bundle is wrong whatever its entries are).
    """
    rows, turn = _listed(ctx, bundle), Turn()
    found: list[dict[str, Any] | FhirError] = [_with_request_or_error(row, number) for number, row in enumerate(rows)]
    try:
        _check_envelope(ctx, bundle, _sound(found))
    except Unprocessable:
        for number, row in enumerate(found):
            if turn.is_over():
                await asyncio.sleep(0)
            if not isinstance(row, FhirError):
                found[number] = _entry_or_error(ctx, bundle, row, number)
        _check_envelope(ctx, bundle, _sound(found))
    return found


def _sound(found: Sequence[dict[str, Any] | FhirError]) -> list[dict[str, Any]]:
    return [row for row in found if not isinstance(row, FhirError)]


def _with_request_or_error(row: Any, number: int) -> dict[str, Any] | FhirError:
    try:
        _check_request(row, number)
    except Unprocessable as error:
        return error
    found: dict[str, Any] = row
    return found


def _entry_or_error(ctx: Context, bundle: dict[str, Any], row: Any, number: int) -> dict[str, Any] | FhirError:
    alone = {"resourceType": "Bundle", "type": bundle.get("type"), "entry": [_without_resource(row)]}
    issues = [
        issue._replace(expression=(issue.expression or "Bundle.entry[0]").replace("entry[0]", f"entry[{number}]"))
        for issue in ctx.validator.validate(alone)
    ]
    if any(issue.severity in ("error", "fatal") for issue in issues):
        return Unprocessable("The entry breaks rules of FHIR", issues=issues)
    found: dict[str, Any] = row
    return found


def _listed(ctx: Context, bundle: dict[str, Any]) -> list[Any]:
    """Raises: TooLarge, Unprocessable."""
    rows = bundle.get("entry", [])
    if not isinstance(rows, list):
        raise Unprocessable("entry must be a list", code="structure", expression="Bundle.entry")
    if len(rows) > ctx.settings.max_entries:
        raise TooLarge(f"More than {ctx.settings.max_entries} entries", expression="Bundle.entry")
    return list(rows)


def _check_envelope(ctx: Context, bundle: dict[str, Any], rows: list[Any]) -> None:
    """Raises: Unprocessable."""
    envelope = {name: value for name, value in bundle.items() if name != "entry"}
    if rows:
        # Entries that are right at sight need not all be validated: one of them stands for the Bundle having some.
        envelope["entry"] = [_without_resource(row) for row in (rows[:1] if _are_plain(rows) else rows)]
    elif bundle.get("entry") == []:
        envelope["entry"] = []  # an empty array is nothing that JSON of FHIR has
    issues = ctx.validator.validate(envelope)
    if any(issue.severity in ("error", "fatal") for issue in issues):
        twice = _twice(rows)
        issues = [
            issue._replace(expression=twice) if twice and "(bdl-7)" in issue.diagnostics else issue for issue in issues
        ]
        raise Unprocessable("The Bundle breaks rules of FHIR", issues=issues)


def _twice(rows: Sequence[Any]) -> str | None:
    """Where a fullUrl stands that stood before."""
    seen: set[str] = set()
    for number, row in enumerate(rows):
        url = row.get("fullUrl") if isinstance(row, dict) else None
        if isinstance(url, str):
            if url in seen:
                return f"Bundle.entry[{number}].fullUrl"
            seen.add(url)
    return None


def _check_request(row: Any, number: int) -> None:
    """What is no object is left to the validator. Raises: Unprocessable."""
    if isinstance(row, dict) and "request" not in row:
        raise Unprocessable(
            "request is missing: an entry says by its method and url what to do (bdl-3)",
            code="required",
            expression=f"Bundle.entry[{number}].request",
        )


def _are_plain(rows: list[Any]) -> bool:
    """Every entry has nothing but a method and a url, perhaps a resource, and a fullUrl of its own (bdl-7, bdl-8)."""
    urls: set[str] = set()
    for row in rows:
        if row.__class__ is not dict or not row.keys() <= _PLAIN_ENTRY:
            return False
        request, full_url = row.get("request"), row.get("fullUrl", "-")
        if request.__class__ is not dict or request.keys() != _PLAIN_REQUEST:
            return False
        method, url = request["method"], request["url"]
        if not (method.__class__ is url.__class__ is full_url.__class__ is str) or method not in METHODS:
            return False
        if not _PLAIN_URL(url) or not _PLAIN_URL(full_url) or "/_history/" in full_url:
            return False
        if "fullUrl" in row:
            if full_url in urls:
                return False
            urls.add(full_url)
    return True


def _without_resource(row: Any) -> Any:
    if isinstance(row, dict) and "resource" in row:
        return {name: value for name, value in row.items() if name != "resource"}
    return row


def entry_request(ctx: Context, outer: FhirRequest, row: dict[str, Any]) -> FhirRequest:
    """What an entry asks for, as a request. Raises: BadRequest."""
    asked = row["request"]
    method, url = asked["method"], asked["url"]
    path, _, query = _relative(url, outer.base).partition("?")
    # A Bundle holds resources: a Binary in it is never its raw content.
    headers = {"accept": FHIR_JSON} | {header: asked[name] for name, header in _CONDITIONS.items() if name in asked}
    if "ifModifiedSince" in asked:
        moment = interval(asked["ifModifiedSince"], UTC)
        if moment is not None:
            headers["if-modified-since"] = http_date(moment[0] // 1000)
    if "prefer" in outer.headers:
        headers["prefer"] = outer.headers["prefer"]
    request = FhirRequest(
        method=method,
        path=target.segments(path),
        query=target.parameters(query, ctx.settings.max_parameters),
        headers=headers,
        base=outer.base,
        principal=outer.principal,
        request_id=outer.request_id,
    )
    resource = row.get("resource")
    if resource is not None:
        _give_body(ctx, request, resource)
    elif method in ("POST", "PUT", "PATCH") and "$" not in path and not path.endswith("_search"):
        raise BadRequest(f"An entry with {method} needs a resource", code="required")
    return request


def _relative(url: str, base: str) -> str:
    """`request.url` below our base. Raises: BadRequest for another server's address."""
    text = url.removeprefix(base) if url.startswith((base + "/", base + "?")) else url
    if "://" in text.partition("?")[0]:
        raise BadRequest("request.url must be relative to the base of this server", code="value")
    return text.removeprefix("/")


def _give_body(ctx: Context, request: FhirRequest, resource: Any) -> None:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str) or kind not in ctx.definitions.resource_types:
        raise BadRequest(
            "resourceType must name a resource type of FHIR R4", code="structure", expression="resourceType"
        )
    if request.method in ("GET", "HEAD", "DELETE"):
        raise BadRequest(f"An entry with {request.method} has no resource", code="structure")
    if request.method == "PATCH" and kind == "Binary":
        try:
            request.body = base64.b64decode(resource.get("data", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise BadRequest("The data of the patch is not base64", expression="Binary.data") from None
        request.media_type = str(resource.get("contentType", "")).partition(";")[0].strip().lower()
    else:
        request.resource = resource
        request.media_type = JSON


# ---------------------------------------------------------------- answers


class Answers:
    """The answers of one Bundle, limited in sum: a thousand entries may ask for a thousand pages of a megabyte."""

    def __init__(self, most: int) -> None:
        """most: bytes."""
        self._most = self._left = most
        self._one = asyncio.Lock()

    def check_room(self) -> None:
        """Raises: TooCostly, when no further read should be begun."""
        if self._left <= 0:
            raise TooCostly(f"The answers of this Bundle are {self._most} bytes already; ask for the rest on its own")

    async def take(self, response: FhirResponse) -> None:
        """Counts an answer, whose body is then in one piece. Raises: TooCostly (a stream of no end)."""
        if response.stream is not None:
            async with self._one:  # each knows what those before it have left
                if not await response.collect(max(0, self._left)):
                    self._left = 0  # what was read in vain counts, too
                    raise TooCostly("The answer is too large for this Bundle; ask for pages (_count), or on its own")
                self._left -= len(response.body or b"")
        else:
            self._left -= len(response.body or b"")


def response_entry(request: FhirRequest, response: FhirResponse, last_modified: str | None = None) -> bytes:
    """Bundle.entry of an answer: the resource if there is one, and how it went.

    last_modified: FHIR instant of the version, where it is known better than by the header.
    """
    headers = response.headers
    said: dict[str, Any] = {"status": f"{response.status} {HTTPStatus(response.status).phrase}"}
    if "Location" in headers:
        said["location"] = headers["Location"]
    if "ETag" in headers:
        said["etag"] = headers["ETag"]
    body = _json_body(response)
    if "Last-Modified" in headers:
        said["lastModified"] = last_modified or _last_updated(body) or _instant(headers["Last-Modified"])
    if body is None or request.method == "HEAD":
        return orjson.dumps({"response": said})
    if response.status >= 400 or body.startswith(b'{"resourceType":"OperationOutcome","issue"'):
        return b'{"response":' + orjson.dumps(said)[:-1] + b',"outcome":' + body + b"}}"
    url = _full_url(request, headers)
    start = b'{"fullUrl":' + orjson.dumps(url) + b"," if url else b"{"
    return start + b'"resource":' + body + b',"response":' + orjson.dumps(said) + b"}"


def _json_body(response: FhirResponse) -> bytes | None:
    if response.body is not None and response.media_type.startswith(JSON):
        return response.body
    if response.resource is not None:
        return write_json(response.resource)
    if response.body is not None:
        binary = {"contentType": response.media_type, "data": base64.b64encode(response.body).decode()}
        return orjson.dumps({"resourceType": "Binary", **binary})
    return None


def _last_updated(body: bytes | None) -> str | None:
    """meta.lastUpdated of a stored resource, which has it near its start: the header knows whole seconds only."""
    start = body.find(b'"lastUpdated":"', 0, 300) if body else -1
    return body[start + 15 : start + 39].decode() if body and start > 0 else None


def _full_url(request: FhirRequest, headers: dict[str, str]) -> str | None:
    if "Location" in headers:
        return headers["Location"].partition("/_history/")[0]
    path = request.path
    if (len(path) == 2 and path[1][:1] not in ("$", "_")) or (len(path) == 4 and path[2] == "_history"):
        return f"{request.base}/{path[0]}/{path[1]}"
    return None


@lru_cache(maxsize=64)
def _instant(http: str) -> str:
    return parsedate_to_datetime(http).strftime("%Y-%m-%dT%H:%M:%SZ")


def response_bundle(ctx: Context, kind: str, entries: Sequence[bytes]) -> bytes:
    head = orjson.dumps({"resourceType": "Bundle", "id": ctx.ids(), "type": kind})[:-1]
    return head + b',"entry":[' + b",".join(entries) + b"]}" if entries else head + b"}"


# ---------------------------------------------------------------- failures


def located(error: FhirError, number: int, element: str = "") -> FhirError:
    """The same error, its issues pointing into the Bundle: `Bundle.entry[3].resource.name[0]`.
    element: of the entry, `request.url`, where that is what is wrong and not the resource."""
    where = f"Bundle.entry[{number}].{element}" if element else None
    issues = [issue._replace(expression=where or _within(issue, number)) for issue in error.issues]
    return type(error)(str(error), issues=issues, headers=error.headers)


def _within(issue: Issue, number: int) -> str:
    entry = f"Bundle.entry[{number}]"
    if issue.expression is None:
        return entry
    first, _, rest = issue.expression.partition(".")
    if first == "Bundle":
        return issue.expression
    below = rest if first[:1].isupper() else issue.expression
    return f"{entry}.resource.{below}" if below else f"{entry}.resource"
