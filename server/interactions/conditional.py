"""Conditional interactions: which resources match, and the condition that keeps that true until the commit.

The criteria are searched first; the commit carries `Matches`, so the store refuses it if another request changed the
matches meanwhile, and the interaction starts over.   https://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from server.context import Context
from server.errors import BadRequest, PreconditionFailed
from server.search.query import Query
from server.store.contract import CommitRefused, ConditionFailed, Matches, Version
from server.wire import target

PATIENCE = 8
"""How often an interaction starts over when others were faster."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Found:
    """What the criteria match now."""

    query: Query
    versions: tuple[Version, ...]
    more: bool
    """There are further matches than those."""

    @property
    def condition(self) -> Matches:
        """Holds while the matches are exactly these."""
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
    if not criteria:
        raise BadRequest("Conditional interactions need search parameters as criteria", code="required")
    query = replace(ctx.search.criteria(resource_type, criteria, base), limit=limit)
    hits = await ctx.store.search(query)
    return Found(query, tuple(hit.version for hit in hits.hits), hits.more)


def header_criteria(ctx: Context, text: str, resource_type: str) -> list[tuple[str, str]]:
    """Parameters of If-None-Exist: `identifier=x`; a leading `?` or `Patient?` is forgiven."""
    query = text.strip().removeprefix(resource_type).removeprefix("?")
    return target.parameters(query, ctx.settings.max_parameters)


def url_criteria(query: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Criteria of a URL: its parameters without those that only shape the answer."""
    return [(name, value) for name, value in query if name not in ("_format", "_pretty")]


class Overtaken(CommitRefused):
    """Another request changed a resource between reading and storing it, and the client set no condition."""


async def patiently(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Try again, a bounded number of times, while the commit is refused only because another request was faster."""
    for _ in range(PATIENCE - 1):
        try:
            return await attempt()
        except (Overtaken, ConditionFailed):
            continue
    return await attempt()
