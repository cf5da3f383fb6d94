"""`_contained`: the containers that a query finds, looked into where the index cannot tell whether they match.

https://hl7.org/fhir/R4/search.html#contained
All criteria must be met by one and the same contained resource. The index of a container holds the values of all of its
contained resources together, so with several criteria, or a negative one, each container is read before it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fhir_profiles.json_reading import read_json
from server.context import Context
from server.errors import TooCostly
from server.interactions.searchset import Bundle
from server.search.query import Query
from server.search.request import SearchRequest
from server.store.contract import Hit, Hits, Version

MOST = 20_000
"""Containers that one request may look into."""
_PAGE = 500


async def confirmed(ctx: Context, plan: SearchRequest) -> Hits:
    """A page of what matches. Raises: TooCostly."""
    query, looked, limit = plan.query, 0, plan.query.limit
    backwards = query.before is not None
    kept: list[Hit] = []
    while True:
        page = await ctx.store.search(query)
        fresh = [hit for hit in page.hits if _matches(ctx, plan, hit)]
        kept = fresh + kept if backwards else kept + fresh
        looked += len(page.hits)
        if len(kept) > limit:
            return Hits(kept[-limit:] if backwards else kept[:limit], True)
        if not page.more:
            return Hits(kept, False)
        _refuse_many(looked)
        query = _further(query, page.hits)


async def count_confirmed(ctx: Context, plan: SearchRequest) -> int:
    """How many containers match. Raises: TooCostly."""
    query, looked, found = replace(plan.query, after=None, before=None, sort=(), limit=_PAGE), 0, 0
    while True:
        page = await ctx.store.search(query)
        found += sum(_matches(ctx, plan, hit) for hit in page.hits)
        looked += len(page.hits)
        if not page.more:
            return found
        _refuse_many(looked)
        query = _further(query, page.hits)


def _further(query: Query, hits: Sequence[Hit]) -> Query:
    return query.page(after=hits[-1].position) if query.before is None else query.page(before=hits[0].position)


def _refuse_many(looked: int) -> None:
    if looked >= MOST:
        raise TooCostly(f"More than {MOST} resources had to be looked into; add criteria", expression="_contained")


def _matches(ctx: Context, plan: SearchRequest, hit: Hit) -> bool:
    resource = read_json(hit.version.body or b"{}")
    return bool(ctx.search.contained(plan, resource)) or ctx.search.matches_itself(plan, resource)


def contained_entries(ctx: Context, bundle: Bundle, plan: SearchRequest, versions: Sequence[Version]) -> list[bytes]:
    """`_containedType=contained`: the contained resources; with `_contained=both` also what matches by itself."""
    entries: list[bytes] = []
    for version in versions:
        resource = read_json(version.body or b"{}")
        if ctx.search.matches_itself(plan, resource):
            entries.append(bundle.entry(version, "match"))
        entries += [bundle.contained_entry(version, each) for each in ctx.search.contained(plan, resource)]
    return entries
