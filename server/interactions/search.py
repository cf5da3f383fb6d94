"""Search a type, the system or a compartment.   https://hl7.org/fhir/R4/http.html#search

A page is what the store found, strung together, with links that carry the whole compiled search in a sealed cursor: no
link but `self` names a value, and each page stands by itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlencode

from fhir_profiles.issue import Issue
from server.context import Context
from server.errors import BadRequest, NotFound
from server.interactions import by_url
from server.interactions.contained import confirmed, contained_entries, count_confirmed
from server.interactions.includes import MOST, Included
from server.interactions.searchset import Bundle, Link
from server.interactions.subsets import Subset, subset
from server.messages import FhirRequest, FhirResponse
from server.prefer import prefer
from server.search.query import Position
from server.search.request import SearchRequest
from server.store.contract import Hits
from server.warming import every_parameter, needs_every_parameter

_SAFE = ":/,|$-"
"""Characters that values keep in a link, for people to read."""
_PLAIN = re.compile(r"[\w.~:/,|$-]*", re.ASCII)
"""Text of which nothing needs to be encoded."""


async def search(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a Bundle of type searchset. Raises: BadRequest (naming the parameter), QueryTooCostly."""
    sealed = next((value for name, value in request.query if name == "_cursor"), None)
    if sealed is not None:
        plan = ctx.search.resume(sealed, request.principal.name, base=request.base)
        if (plan.resource_type, plan.compartment) != searched(ctx, request):
            raise BadRequest("_cursor: this page link belongs to another address", code="value")
        return await _answer(ctx, request, await by_url.resolved(ctx, plan), first=False)
    if needs_every_parameter(request):
        await every_parameter(ctx)
    plan = await by_url.resolved(ctx, compiled(ctx, request))
    if plan.summary == "count":
        return await _count_only(ctx, request, plan)
    return await _answer(ctx, request, plan, first=True)


def compiled(ctx: Context, request: FhirRequest) -> SearchRequest:
    """The search that a request asks for. Raises: BadRequest, NotFound (no compartment)."""
    resource_type, compartment = searched(ctx, request)
    lenient = prefer(request.headers).handling == "lenient"
    return ctx.search.compile(resource_type, request.query, base=request.base, compartment=compartment, lenient=lenient)


def searched(ctx: Context, request: FhirRequest) -> tuple[str | None, tuple[str, str] | None]:
    """Type (None for all) and compartment of the address. Raises: NotFound (no compartment)."""
    path = _address(request)
    if len(path) < 3:
        return (path[0] if path else None), None
    known = ctx.definitions.compartment_types
    if path[0] not in known:
        raise NotFound(f"{path[0]} is no compartment; those are {', '.join(sorted(known))}")
    return (None if path[2] == "*" else path[2]), (path[0], path[1])


def _address(request: FhirRequest) -> tuple[str, ...]:
    """What is searched: the path without `_search`."""
    return request.path[:-1] if request.path[-1:] == ("_search",) else request.path


async def _count_only(ctx: Context, request: FhirRequest, plan: SearchRequest) -> FhirResponse:
    """`_summary=count` and `_count=0`: the exact number, no entries."""
    total = await (count_confirmed(ctx, plan) if plan.needs_confirming else ctx.store.count(plan.query))
    bundle = Bundle(ctx, request.base)
    entries = _outcome(bundle, plan, cut=False)
    return FhirResponse(200, body=bundle.whole("searchset", entries, [("self", self_url(request, plan))], total))


async def _answer(ctx: Context, request: FhirRequest, plan: SearchRequest, *, first: bool) -> FhirResponse:
    hits = await (confirmed(ctx, plan) if plan.needs_confirming else ctx.store.search(plan.query))
    if first and plan.query.sort and hits.more:
        plan = replace(plan, seen_to=await ctx.store.place(plan.query.types))
    seen_to = None if first else plan.seen_to
    versions = [hit.version for hit in hits.hits if seen_to is None or hit.version.seq <= seen_to]
    included = Included(ctx, plan, versions)
    if plan.includes or plan.revincludes:
        await included.collect(versions)
    bundle = Bundle(ctx, request.base)
    cut = _subset(ctx, plan)
    if plan.contained_type == "contained" and plan.contained != "false":
        entries = contained_entries(ctx, bundle, plan, versions)
    else:
        entries = [bundle.entry(each, "match", cut) for each in versions]
    # `_elements` names elements of the matches; a summary is one of everything on the page.
    entries += [bundle.entry(each, "include", None if plan.elements else cut) for each in included.added]
    entries += _outcome(bundle, plan, included.cut)
    total = await _total(ctx, plan, hits, first)
    return FhirResponse(200, body=bundle.whole("searchset", entries, _links(ctx, request, plan, hits, first), total))


async def _total(ctx: Context, plan: SearchRequest, hits: Hits, first: bool) -> int | None:
    """Bundle.total of a search, as `_total` asks; free if the first page is the only one."""
    if first and not hits.more:
        return len(hits.hits)
    if plan.total == "none":
        return None
    if plan.needs_confirming:
        return await count_confirmed(ctx, plan)
    query = replace(plan.query, after=None, before=None)
    return await ctx.store.count(query, estimate=plan.total == "estimate")


def _subset(ctx: Context, plan: SearchRequest) -> Subset | None:
    summary = None if plan.summary in ("false", "count") else plan.summary
    return subset(ctx.definitions, summary, plan.elements, plan.query.types)


def _outcome(bundle: Bundle, plan: SearchRequest, cut: bool) -> list[bytes]:
    """Entry about parameters that were dropped and includes that were cut."""
    issues = [Issue("warning", "not-supported", f"{each.name}: {each.reason}", each.name) for each in plan.ignored]
    if cut:
        issues.append(
            Issue("warning", "incomplete", f"Includes add at most {MOST} resources to a page; some are missing")
        )
    return [bundle.outcome(issues)] if issues else []


# ---------------------------------------------------------------- links


def self_url(request: FhirRequest, plan: SearchRequest) -> str:
    """Address of the search with the parameters that shaped it; after a POST it names no values."""
    url = "/".join((request.base, *_address(request)))
    if request.method == "POST" or not plan.used:
        return url
    if _PLAIN.fullmatch("".join([name + value for name, value in plan.used])):
        return f"{url}?{'&'.join([f'{name}={value}' for name, value in plan.used])}"
    return f"{url}?{urlencode(plan.used, safe=_SAFE)}"


def _links(ctx: Context, request: FhirRequest, plan: SearchRequest, hits: Hits, first: bool) -> list[Link]:
    """https://hl7.org/fhir/R4/http.html#paging"""
    url = "/".join((request.base, *_address(request)))
    after, before = plan.query.after, plan.query.before

    def link(relation: str, after: Position | None = None, before: Position | None = None) -> Link:
        text = ctx.search.cursor(plan, request.principal.name, after=after, before=before)
        return relation, f"{url}?_cursor={text}"

    links: list[Link] = [("self", self_url(request, plan)) if first else link("self", after, before)]
    backwards = before is not None
    has_next = before != () if backwards else hits.more
    has_previous = hits.more if backwards else after is not None
    if not (has_next or has_previous):
        return links
    links.append(link("first"))
    if has_previous and hits.hits:
        links.append(link("previous", before=hits.hits[0].position))
    if has_next and hits.hits:
        links.append(link("next", after=hits.hits[-1].position))
    links.append(link("last", before=()))
    return links
