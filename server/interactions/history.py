"""Versions of a resource, of a type, of everything, newest first.   https://hl7.org/fhir/R4/http.html#history"""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any
from urllib.parse import urlencode

import orjson

from server.context import Context
from server.errors import BadRequest, NotFound
from server.interactions.subsets import Subset, subset
from server.messages import FhirRequest, FhirResponse
from server.search.compile import LONGEST_COUNT
from server.search.instant import interval
from server.store.contract import REMADE, Scope, Version, instant

_PARAMETERS = frozenset({"_count", "_since", "_at", "_cursor", "_format", "_pretty", "_summary", "_elements"})
_STATUS = {"POST": "201", "PUT": "200", "PATCH": "200", "DELETE": "204", REMADE: "201"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Parameters of a history, as they travel in its cursors."""

    count: int
    since: int | None = None
    at: tuple[int, int] | None = None
    before: int | None = None
    """`seq` of the last version of the page before."""
    until: int | None = None
    """What the page before said of those that follow."""
    summary: str | None = None
    elements: tuple[str, ...] = ()


async def history(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a Bundle of type history; deletions are entries without a resource.

    Raises: NotFound (an instance that never existed), BadRequest (parameters).
    """
    scope = Scope(*request.path[:-1])
    asked = _asked(ctx, request)
    found = await ctx.store.history(
        scope, since=asked.since, at=asked.at, before=asked.before, until=asked.until, limit=max(asked.count, 1)
    )
    if scope.id is not None and not found.versions and await ctx.store.read(scope.type or "", scope.id) is None:
        raise NotFound(f"{scope.type}/{scope.id} is not known")
    types = ctx.definitions.resource_types if scope.type is None else (scope.type,)
    cut = subset(ctx.definitions, asked.summary, asked.elements, types)
    versions = found.versions if asked.count else ()
    links = [("self", _self_url(request))]
    if found.more and versions:
        following = replace(asked, before=versions[-1].seq, until=found.until)
        links.append(("next", _next_url(ctx, request, following)))
    total = await _total(ctx, scope, asked, found.more, len(found.versions))
    return FhirResponse(200, body=_bundle(ctx, request.base, versions, cut, links, total))


async def _total(ctx: Context, scope: Scope, asked: Asked, more: bool, seen: int) -> int | None:
    """Bundle.total where it costs nothing: the one page is all there is, or the versions of an instance without a
    deletion between (they are numbered)."""
    if not more and asked.before is None:
        return seen
    if scope.id is not None and asked.since is None and asked.at is None:
        current = await ctx.store.read(scope.type or "", scope.id)
        return current.version if current is not None else None
    return None


# ---------------------------------------------------------------- parameters


def _asked(ctx: Context, request: FhirRequest) -> Asked:
    values: dict[str, str] = {}
    for name, value in request.query:
        if name not in _PARAMETERS:
            raise BadRequest(
                f"A history has no parameter {name[:40]!r}, only _count, _since and _at", code="not-supported"
            )
        if name in values:
            raise BadRequest(f"{name} is given twice", code="value")
        values[name] = value
    if values.get("_summary") == "count":
        values["_count"] = "0"
    if "_cursor" in values:
        return _from_cursor(ctx, request, values["_cursor"])
    if "_since" in values and "_at" in values:
        raise BadRequest("_since and _at exclude each other", code="value")
    zone = zoneinfo.ZoneInfo(ctx.settings.timezone)
    since = at = None
    if "_since" in values:
        since = -(-_moment("_since", values["_since"], zone)[0] // 1000)
    if "_at" in values:
        lower, upper = _moment("_at", values["_at"], zone)
        at = (lower // 1000, (upper - 1) // 1000)
    elements = tuple(values.get("_elements", "").split(","))
    return Asked(page_size(ctx, values.get("_count")), since, at, None, None, values.get("_summary"), elements)


def _moment(name: str, text: str, zone: zoneinfo.ZoneInfo) -> tuple[int, int]:
    # A + in a URL that was not escaped arrives as a space.
    found = interval(text.strip().replace(" ", "+"), zone)
    if found is None:
        raise BadRequest(f"{name} must be a date or an instant such as 2026-11-24T13:30:00+07:00", code="value")
    return found


def page_size(ctx: Context, text: str | None) -> int:
    """Entries of a page by `_count`, cut to the largest allowed. Raises: BadRequest."""
    if text is None:
        return ctx.settings.page_size
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_COUNT):
        raise BadRequest("_count must be a whole number, 0 or more", code="value")
    return min(int(text), ctx.settings.max_page_size)


# ---------------------------------------------------------------- paging


def _self_url(request: FhirRequest) -> str:
    query = [(name, value) for name, value in request.query if name not in ("_format", "_pretty")]
    url = "/".join((request.base, *request.path))
    return f"{url}?{urlencode(query)}" if query else url


def _next_url(ctx: Context, request: FhirRequest, asked: Asked) -> str:
    payload = [list(request.path), *astuple(asked)]
    text = ctx.search.cursors.seal(payload, request.principal.name)
    return f"{'/'.join((request.base, *request.path))}?_cursor={text}"


def _from_cursor(ctx: Context, request: FhirRequest, text: str) -> Asked:
    payload: Any = ctx.search.cursors.open(text, request.principal.name)
    try:
        path, count, since, at, before, until, summary, elements = payload
    except (TypeError, ValueError):
        path = None
    if path != list(request.path):
        raise BadRequest("_cursor: this page link belongs to another address", code="value")
    return Asked(count, since, tuple(at) if at else None, before, until, summary, tuple(elements))


# ---------------------------------------------------------------- bundle


def _bundle(
    ctx: Context,
    base: str,
    versions: Sequence[Version],
    cut: Subset | None,
    links: Sequence[tuple[str, str]],
    total: int | None,
) -> bytes:
    """Bundle of type history, the resources as they are stored unless a subset of them is asked for."""
    head: dict[str, Any] = {
        "resourceType": "Bundle",
        "id": ctx.ids(),
        "meta": {"lastUpdated": instant(ctx.clock())},
        "type": "history",
    }
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    start = orjson.dumps(head)[:-1]
    if not versions:
        return start + b"}"
    return start + b',"entry":[' + b",".join(_entry(base, each, cut) for each in versions) + b"]}"


def _entry(base: str, version: Version, cut: Subset | None) -> bytes:
    where = f"{version.type}/{version.id}"
    method = "DELETE" if version.body is None else version.method
    status = "201" if version.version == 1 else _STATUS[method]
    method = "PUT" if method == REMADE else method
    url = version.type if method == "POST" else where
    response = (
        f'"request":{{"method":"{method}","url":"{url}"}},"response":{{"status":"{status}",'
        f'"etag":"W/\\"{version.version}\\"","lastModified":"{instant(version.last_updated)}"}}}}'
    )
    resource = b""
    if version.body is not None:
        resource = b'"resource":' + (cut.of(version.body) if cut else version.body) + b","
    return f'{{"fullUrl":"{base}/{where}",'.encode() + resource + response.encode()
