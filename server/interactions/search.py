"""Search a type, the system or a compartment.   https://hl7.org/fhir/R4/http.html#search

A page is what the store found, strung together, with links that carry the whole compiled search in a sealed cursor: no
link but `self` names a value, and each page stands by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from fhir_profiles.issue import Issue
from server.context import Context
from server.errors import BadRequest, NotFound
from server.interactions.includes import MOST, Included
from server.interactions.searchset import Bundle, Link
from server.interactions.subsets import Subset, subset
from server.messages import FhirRequest, FhirResponse
from server.prefer import prefer
from server.search.query import Position
from server.search.request import SearchRequest
from server.store.contract import Hits


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of which search; what a cursor carries."""

    plan: SearchRequest
    total: int | None = None
    after: Position | None = None
    before: Position | None = None


async def search(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a Bundle of type searchset. Raises: BadRequest (naming the parameter), QueryTooCostly."""
    sealed = next((value for name, value in request.query if name == "_cursor"), None)
    if sealed is not None:
        page = ctx.search.cursors.open(sealed, request.principal.name)
        if not isinstance(page, Page):
            raise BadRequest("This _cursor belongs to another kind of request", code="value")
        return await _answer(ctx, request, page, first=False)
    plan = compiled(ctx, request)
    if plan.summary == "count":
        return await _count_only(ctx, request, plan)
    return await _answer(ctx, request, Page(plan), first=True)


def compiled(ctx: Context, request: FhirRequest) -> SearchRequest:
    """The search that a request asks for. Raises: BadRequest, NotFound (no compartment)."""
    path = request.path[:-1] if request.path[-1:] == ("_search",) else request.path
    strict = prefer(request.headers).handling != "lenient"
    types: tuple[str, ...] = path[:1]
    compartment = None
    if len(path) == 3:
        if path[0] not in ctx.definitions.compartment_types:
            raise NotFound(
                f"{path[0]} is no compartment; those are {', '.join(sorted(ctx.definitions.compartment_types))}"
            )
        compartment = (path[0], path[1])
        types = () if path[2] == "*" else path[2:]
    return ctx.search.compile(types, request.query, base=request.base, strict=strict, compartment=compartment)


async def _count_only(ctx: Context, request: FhirRequest, plan: SearchRequest) -> FhirResponse:
    """`_summary=count` and `_count=0`: the exact number, no entries."""
    total = await ctx.store.count(plan.query)
    bundle = Bundle(ctx, request.base)
    entries = _outcome(bundle, plan, cut=False)
    return FhirResponse(200, body=bundle.whole("searchset", entries, [("self", self_url(request, plan))], total))


async def _answer(ctx: Context, request: FhirRequest, page: Page, *, first: bool) -> FhirResponse:
    plan = page.plan
    hits = await ctx.store.search(plan.query.page(after=page.after, before=page.before))
    if first:
        page = Page(plan, await _total(ctx, plan, hits))
    versions = [hit.version for hit in hits.hits]
    included = Included(ctx, plan, versions)
    if plan.includes or plan.revincludes:
        await included.collect(versions)
    bundle = Bundle(ctx, request.base)
    cut = _subset(ctx, plan)
    entries = [bundle.entry(each, "match", cut) for each in versions]
    # `_elements` names elements of the matches; a summary is one of everything on the page.
    entries += [bundle.entry(each, "include", None if plan.elements else cut) for each in included.added]
    entries += _outcome(bundle, plan, included.cut)
    links = _links(ctx, request, page, hits, first)
    return FhirResponse(200, body=bundle.whole("searchset", entries, links, page.total))


async def _total(ctx: Context, plan: SearchRequest, hits: Hits) -> int | None:
    """Bundle.total of a search, as `_total` asks; free if the first page is the only one."""
    if not hits.more:
        return len(hits.hits)
    if plan.total == "none":
        return None
    return await ctx.store.count(plan.query, estimate=plan.total == "estimate")


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
    path = request.path[:-1] if request.path[-1:] == ("_search",) else request.path
    url = "/".join((request.base, *path))
    if request.method == "POST" or not plan.used:
        return url
    return f"{url}?{urlencode(plan.used, safe=':/,|$-')}"


def _links(ctx: Context, request: FhirRequest, page: Page, hits: Hits, first: bool) -> list[Link]:
    """https://hl7.org/fhir/R4/http.html#paging"""
    path = request.path[:-1] if request.path[-1:] == ("_search",) else request.path
    url = "/".join((request.base, *path))

    def link(relation: str, after: Position | None = None, before: Position | None = None) -> Link:
        target = Page(page.plan, page.total, after, before)
        return relation, f"{url}?_cursor={ctx.search.cursors.seal(target, request.principal.name)}"

    if first:
        links: list[Link] = [("self", self_url(request, page.plan))]
    else:
        links = [link("self", page.after, page.before)]
    backwards = page.before is not None
    has_next = hits.more if not backwards else page.before != ()
    has_previous = hits.more if backwards else page.after is not None
    if not (has_next or has_previous):
        return links
    links.append(link("first"))
    if has_previous and hits.hits:
        links.append(link("previous", before=hits.hits[0].position))
    if has_next and hits.hits:
        links.append(link("next", after=hits.hits[-1].position))
    links.append(link("last", before=()))
    return links
