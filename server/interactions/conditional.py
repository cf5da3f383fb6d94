"""Conditional interactions: which resources match, and the condition that keeps that true until the commit.

The criteria are searched first; the commit carries `Matches`, so the store refuses it if another request changed the
matches meanwhile, and the interaction starts over.   https://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from server.context import Context
from server.errors import BadRequest, PreconditionFailed
from server.search.query import Match, Query, TokenOperand
from server.search.values import Index, Token
from server.store.contract import CommitRefused, ConditionFailed, LabelsChanged, Matches, Version
from server.wire import target

PATIENCE = 32
"""How often an interaction starts over when others were faster: at first at once, then after growing pauses."""
_AT_ONCE = 8
_LONGEST_PAUSE = 0.1

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Found:
    """What the criteria match now."""

    query: Query
    versions: tuple[Version, ...]
    more: bool
    """There are further matches than those."""
    shared: Matches | None = None
    """The condition of all that were found by one search together."""

    @property
    def condition(self) -> Matches:
        """Holds while the matches are exactly these."""
        if self.shared is not None:
            return self.shared
        query = replace(self.query, limit=len(self.versions) + 1)
        return Matches(query, frozenset((each.type, each.id) for each in self.versions))

    def one_or_none(self) -> Version | None:
        """Raises: PreconditionFailed for several matches."""
        if len(self.versions) > 1:
            raise PreconditionFailed(
                "The criteria match more than one resource; they must be selective enough", code="multiple-matches"
            )
        return self.versions[0] if self.versions else None


async def find(
    ctx: Context, resource_type: str, criteria: Sequence[tuple[str, str]], base: str, limit: int = 2
) -> Found:
    """Resources of a type that match, up to `limit`. Raises: BadRequest (no criteria, or none that filter)."""
    return await found_by(ctx, compiled(ctx, resource_type, criteria, base), limit)


def compiled(ctx: Context, resource_type: str, criteria: Sequence[tuple[str, str]], base: str) -> Query:
    """Raises: BadRequest (no criteria, or none that filter)."""
    if not criteria:
        raise BadRequest("Conditional interactions need search parameters as criteria", code="required")
    return ctx.search.criteria(resource_type, criteria, base)


async def found_by(ctx: Context, query: Query, limit: int = 2) -> Found:
    query = replace(query, limit=limit)
    hits = await ctx.store.search(query)
    return Found(query, tuple(hit.version for hit in hits.hits), hits.more)


# ---------------------------------------------------------------- many at a time

TOGETHER = 100
"""Identifiers asked for by one search."""


async def found_by_each(ctx: Context, queries: Sequence[Query], limit: int = 2) -> list[Found]:
    """What each query finds. Those that ask for one identifier each, as most conditional references of a transaction
    do, are answered together: one search and one condition of the commit for a hundred of them."""
    found: list[Found | None] = [None] * len(queries)
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, query in enumerate(queries):
        if identifiers_of(query):
            groups.setdefault(query.types, []).append(number)
    for numbers in groups.values():
        for start in range(0, len(numbers), TOGETHER):
            chunk = numbers[start : start + TOGETHER]
            if len(chunk) > 1:
                together = await _found_together(ctx, [queries[number] for number in chunk], limit)
                for number, each in zip(chunk, together, strict=False):
                    found[number] = each
    alone = [number for number, each in enumerate(found) if each is None]
    for number, each in zip(
        alone, await asyncio.gather(*(found_by(ctx, queries[n], limit) for n in alone)), strict=True
    ):
        found[number] = each
    return [each for each in found if each is not None]


def identifiers_of(query: Query) -> frozenset[str]:
    """Values that a query for identifiers alone asks for, in lower case; empty for other queries."""
    if len(query.where) != 1:
        return frozenset()
    match = query.where[0]
    if not isinstance(match, Match) or match.parameter.code != "identifier" or match.modifier:
        return frozenset()
    codes = [each.code for each in match.operands if isinstance(each, TokenOperand) and each.code is not None]
    return frozenset(code.lower() for code in codes) if len(codes) == len(match.operands) else frozenset()


def identifiers_in(index: Index) -> frozenset[str]:
    """Identifier values of a resource, in lower case."""
    return frozenset(each.code.lower() for each in index.get("identifier", ()) if isinstance(each, Token) and each.code)


async def _found_together(ctx: Context, queries: Sequence[Query], limit: int) -> list[Found]:
    """What queries for identifiers of the same type find; nothing if there are too many matches to tell."""
    matches = [query.where[0] for query in queries]
    operands = dict.fromkeys(operand for match in matches if isinstance(match, Match) for operand in match.operands)
    assert isinstance(matches[0], Match)
    union = Query(queries[0].types, (Match(matches[0].parameter, "", tuple(operands)),), limit=len(queries) * limit)
    hits = await ctx.store.search(union)
    if hits.more:
        return []
    by_value: dict[str, list[tuple[Version, Index]]] = {}
    for hit in hits.hits:
        index = ctx.search.extract(hit.version.type, hit.version.body or b"{}")
        for value in identifiers_in(index):
            by_value.setdefault(value, []).append((hit.version, index))
    ids = frozenset((hit.version.type, hit.version.id) for hit in hits.hits)
    shared = Matches(replace(union, limit=len(ids) + 1), ids)
    found = []
    for query, match in zip(queries, matches, strict=True):
        candidates = {
            version.id: (version, index)
            for value in identifiers_of(query)
            for version, index in by_value.get(value, ())
        }
        versions = [version for version, index in candidates.values() if ctx.search.holds(match, version.type, index)]
        found.append(Found(replace(query, limit=limit), tuple(versions[:limit]), len(versions) > limit, shared))
    return found


def header_criteria(ctx: Context, text: str, resource_type: str) -> list[tuple[str, str]]:
    """Parameters of If-None-Exist: `identifier=x`; a leading `?` or `Patient?` is forgiven.
    Raises: BadRequest, also for an address before the `?`."""
    query = text.strip().removeprefix(resource_type).removeprefix("?")
    if "/" in query.partition("=")[0]:
        raise BadRequest(f"Criteria are what would stand behind the ? of a search for {resource_type}: identifier=...")
    return target.parameters(query, ctx.settings.max_parameters)


def url_criteria(query: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Criteria of a URL: its parameters without those that only shape the answer."""
    return [(name, value) for name, value in query if name not in ("_format", "_pretty")]


class Overtaken(CommitRefused):
    """Another request changed a resource between reading and storing it, and the client set no condition."""


_FASTER = (Overtaken, LabelsChanged, ConditionFailed)
"""What says that another request was faster."""


async def patiently(ctx: Context, key: str, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Try again, a bounded number of times, while the commit is refused only because another request was faster.

    key: what is contended for. After a first defeat the requests of this process for it take turns, so that a hundred
    patches of one resource are a hundred commits and not a hundred rounds of one winner.
    """
    try:
        return await attempt()
    except _FASTER:
        turn = ctx.turns.get(key)
        if turn is None:
            turn = ctx.turns[key] = asyncio.Lock()
    async with turn:
        for defeats in range(PATIENCE):
            try:
                return await attempt()
            except _FASTER:
                await asyncio.sleep(_pause(defeats))
        return await attempt()


def _pause(defeats: int) -> float:
    """Seconds. Those who contend by other keys or in other processes are not met by the lock, but at another time."""
    if defeats < _AT_ONCE:
        return 0
    longest = min(0.002 * (1 << (defeats - _AT_ONCE)), _LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads, keeps no secret
