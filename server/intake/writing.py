"""One document into the store, by the very handlers that answer HTTP: nothing is checked less, nothing twice.

What a document creates gets ids that come from its place in its file, keyed with a secret of the store: when an import
is interrupted between a commit and its checkpoint, the repeat meets the same ids and sees that the document is in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fhir_profiles.json_reading import ReadError, read_json, write_json
from server.access.principal import Principal
from server.boundary import handle
from server.context import Context
from server.errors import BadRequest
from server.messages import FhirRequest, FhirResponse
from server.outcome import response_of

IMPORTER = Principal("import")

# https://hl7.org/fhir/R4/valueset-bundle-type.html: of the other types the Bundle itself is stored.
LOADED_BY_ENTRY = frozenset(("collection", "searchset", "history"))
SENT_AS_IS = frozenset(("transaction", "batch"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document."""

    source: str
    number: int
    resources: int
    """Resources it holds (entries of a bundle)."""
    status: int
    """HTTP status of the answer; 200 also for what was in already."""
    repeated: bool = False
    refused: int = 0
    """Resources of it that were refused: all, unless it is a batch."""
    issues: tuple[dict[str, Any], ...] = ()
    """OperationOutcome issues of a refusal."""
    data: bytes = b""
    """What was refused, for the quarantine."""
    written: tuple[tuple[str, str, int], ...] = ()
    """Type, id and number of every version that it wrote, as far as the answer tells."""


def document_ids(secret: bytes, source_digest: str, number: int, started_ms: int) -> Callable[[], str]:
    """Ids for what the document creates: UUIDs of version 8 (RFC 9562 5.8), time-ordered by the start of the import."""
    ordinal = 0

    def new_id() -> str:
        nonlocal ordinal
        key = f"{source_digest}/{number}/{ordinal}".encode()
        ordinal += 1
        random = int.from_bytes(hmac.digest(secret, key, hashlib.sha256)[:10], "big")
        value = started_ms << 80 | random
        value = value & ~(0xF << 76) | 0x8 << 76
        value = value & ~(0b11 << 62) | 0b10 << 62
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    return new_id


async def write_document(
    ctx: Context, source: str, number: int, data: bytes, new_id: Callable[[], str], *, base: str
) -> Outcome:
    """Store one bundle or resource. Never raises for what is wrong with the document: that is in the outcome."""
    try:
        document = read_json(data, max_depth=ctx.settings.max_depth)
    except ReadError as error:
        return _refused(source, number, 1, response_of(BadRequest(str(error), issues=error.issues), ""), data)
    request, created, resources = _request(document, new_id, base)
    if created is not None and (found := await ctx.store.read(*created)) is not None and not found.deleted:
        repeated = await _repeated(ctx, request)
        return Outcome(source, number, resources, 200, repeated=True, written=repeated)
    response = await handle(ctx, request)
    if response.status >= 400:
        return _refused(source, number, resources, response, data)
    assert request.resource is not None
    if not request.path:
        answers = (response.resource or read_json(response.body or b"{}")).get("entry", [])
        written = tuple(_versions(request.resource["entry"], answers))
        failed = _failed_entries(source, number, request.resource, answers)
        return replace(failed or Outcome(source, number, resources, response.status), written=written)
    location = _version_of(response.headers.get("Location", ""))
    return Outcome(source, number, resources, response.status, written=(location,) if location else ())


async def _repeated(ctx: Context, request: FhirRequest) -> tuple[tuple[str, str, int], ...]:
    """The versions of what a document had created when its import was interrupted."""
    assert request.resource is not None
    named = (
        [request.path]
        if request.path
        else [
            tuple(entry["request"]["url"].split("/"))
            for entry in request.resource["entry"]
            if entry.get("request", {}).get("method") == "PUT"
        ]
    )
    found = await ctx.store.read_many([(each[0], each[1]) for each in named if len(each) == 2])
    return tuple((each.type, each.id, each.version) for each in found if each is not None and not each.deleted)


def _versions(sent: list[dict[str, Any]], answers: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """What the entries of a transaction or batch wrote; a conditional create that found its resource wrote nothing."""
    for entry, answer in zip(sent, answers, strict=False):
        method, response = entry["request"]["method"], answer["response"]
        place = _version_of(str(response.get("location", "")))
        if place and (method, response["status"][:3]) != ("POST", "200"):
            yield place
        elif method == "DELETE" and (etag := _ETAG.match(str(response.get("etag", "")))):
            kind, _, number = str(entry["request"]["url"]).partition("/")
            if number and "?" not in number:
                yield kind, number, int(etag[1])


def _version_of(location: str) -> tuple[str, str, int] | None:
    """`.../Type/id/_history/version`"""
    found = _LOCATION.search(location)
    return (found[1], found[2], int(found[3])) if found else None


_LOCATION = re.compile(r"([A-Za-z]+)/([^/]+)/_history/([0-9]+)\Z")
_ETAG = re.compile(r'W/"([0-9]+)"\Z')


def _request(
    document: dict[str, Any], new_id: Callable[[], str], base: str
) -> tuple[FhirRequest, tuple[str, str] | None, int]:
    """The request that stores a document, the first resource it creates under a new id, and how many it holds."""
    kind = document.get("resourceType")
    if kind == "Bundle" and document.get("type") in SENT_AS_IS | LOADED_BY_ENTRY:
        bundle = dict(document)
        entries = [e for e in document.get("entry") or [] if isinstance(e, dict)]
        if document["type"] in LOADED_BY_ENTRY:
            bundle = {"resourceType": "Bundle", "type": "transaction"}
            entries = [_loading(entry) for entry in entries if isinstance(entry.get("resource"), dict)]
        created: list[tuple[str, str]] = []
        bundle["entry"] = [_with_id(entry, new_id, created) for entry in entries]
        return _message("POST", (), bundle, base), created[0] if created else None, len(entries)
    number = document.get("id")
    if isinstance(number, str) or not isinstance(kind, str):
        return _message("PUT", (str(kind), str(number)), document, base), None, 1
    number = new_id()
    return _message("PUT", (kind, number), {**document, "id": number}, base), (kind, number), 1


def _message(method: str, path: tuple[str, ...], resource: dict[str, Any], base: str) -> FhirRequest:
    headers = {"prefer": "return=minimal"}
    return FhirRequest(method, path, [], headers, base, IMPORTER, media_type="application/fhir+json", resource=resource)


def _loading(entry: dict[str, Any]) -> dict[str, Any]:
    """A transaction entry that stores the resource of a collection, searchset or history entry."""
    resource = entry["resource"]
    kind, number = resource.get("resourceType"), resource.get("id")
    url = f"{kind}/{number}" if number else str(kind)
    loading = {"resource": resource, "request": {"method": "PUT" if number else "POST", "url": url}}
    if "fullUrl" in entry:
        loading["fullUrl"] = entry["fullUrl"]
    return loading


def _with_id(entry: dict[str, Any], new_id: Callable[[], str], created: list[tuple[str, str]]) -> dict[str, Any]:
    """The entry, an unconditional POST made a PUT under a known id; `created` collects those."""
    request, resource = entry.get("request"), entry.get("resource")
    if not isinstance(request, dict) or not isinstance(resource, dict):
        return entry
    if (
        request.get("method") != "POST"
        or request.get("ifNoneExist")
        or request.get("url") != resource.get("resourceType")
    ):
        return entry
    number = new_id()
    created.append((resource["resourceType"], number))
    url = f"{resource['resourceType']}/{number}"
    return {**entry, "resource": {**resource, "id": number}, "request": {**request, "method": "PUT", "url": url}}


def _failed_entries(source: str, number: int, sent: dict[str, Any], answers: list[dict[str, Any]]) -> Outcome | None:
    """Of a batch, whose entries stand or fall on their own: those that failed, as a batch to try again."""
    if sent.get("type") != "batch":
        return None
    failed = [i for i, a in enumerate(answers) if int(a["response"]["status"][:3]) >= 400]
    if not failed:
        return None
    issues = [issue for i in failed for issue in (answers[i]["response"].get("outcome") or {}).get("issue", ())]
    again = write_json({**sent, "entry": [sent["entry"][i] for i in failed]})
    status = int(answers[failed[0]]["response"]["status"][:3])
    return Outcome(source, number, len(answers), status, refused=len(failed), issues=tuple(issues), data=again)


def _refused(source: str, number: int, resources: int, response: FhirResponse, data: bytes) -> Outcome:
    outcome = response.resource or (read_json(response.body) if response.body else {})
    issues = tuple(outcome.get("issue", ()))
    return Outcome(source, number, resources, response.status, refused=resources, issues=issues, data=data)
