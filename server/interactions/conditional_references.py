"""Conditional references of a transaction: `Patient?identifier=x`.   https://hl7.org/fhir/R4/http.html#trules

They are resolved as things will be after the writes, so they may mean what the transaction itself creates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from server.context import Context
from server.errors import BadRequest, FhirError, PreconditionFailed
from server.interactions import conditional
from server.interactions.conditional import Found
from server.interactions.entry import located
from server.interactions.links import Links
from server.interactions.step import Step
from server.messages import FhirRequest
from server.search.query import Query
from server.search.values import Index
from server.store.contract import Condition
from server.wire import target


async def resolve(ctx: Context, request: FhirRequest, links: Links, writes: Sequence[Step]) -> list[Condition]:
    """Replace conditional references by the one resource that matches, as things will be after the writes."""
    texts = list(links.searches)
    queries = []
    for text in texts:
        with _locating_reference(links.searches[text][0], writes):
            queries.append(_search_of(ctx, request, text))
    after = AfterWrites(ctx, writes)
    results = await conditional.found_by_each(ctx, queries, 3)
    for text, found in zip(texts, results, strict=True):
        with _locating_reference(links.searches[text][0], writes):
            matches = after.matches(found)
            if len(matches) != 1:
                many = "more than one resource matches" if matches else "no resource matches"
                raise PreconditionFailed(
                    f"Conditional reference to {found.query.types[0]}: {many}",
                    code="multiple-matches" if matches else "not-found",
                )
        for element in links.searches[text]:
            element["reference"] = matches[0]
    return [found.condition for found in results]


def _search_of(ctx: Context, request: FhirRequest, text: str) -> Query:
    """Query of a conditional reference. Raises: BadRequest."""
    resource_type, _, query = text.partition("?")
    if resource_type not in ctx.definitions.resource_types:
        raise BadRequest(f"Conditional reference: {resource_type[:40]!r} is not a resource type of FHIR R4")
    criteria = target.parameters(query, ctx.settings.max_parameters)
    return conditional.compiled(ctx, resource_type, criteria, request.base)


class AfterWrites:
    """What conditional references match once the writes are done: stored resources that stay, and the new ones."""

    def __init__(self, ctx: Context, writes: Sequence[Step]) -> None:
        self._ctx = ctx
        self._changed: set[tuple[str, str]] = set()
        self._new: dict[str, list[Step]] = {}
        self._indexes: dict[int, Index] = {}
        self._by_identifier: dict[str, dict[str, list[Step]]] = {}
        for step in writes:
            if not step.matched:
                self._changed.update(step.identities())
                if step.interaction != "delete":
                    self._new.setdefault(step.type, []).append(step)

    def matches(self, found: Found) -> list[str]:
        """Type/id of each match."""
        [kind] = found.query.types
        fresh = [
            f"{kind}/{step.id}"
            for step in self._candidates(kind, found.query)
            if self._ctx.search.matches(found.query, step.id, step.resource, self._index(step))
        ]
        kept = [f"{each.type}/{each.id}" for each in found.versions if (each.type, each.id) not in self._changed]
        return fresh + kept

    def _candidates(self, kind: str, query: Query) -> Sequence[Step]:
        """New resources that may match: by their identifiers where the query asks for those alone."""
        steps = self._new.get(kind, [])
        wanted = conditional.identifiers_of(query)
        if not steps or not wanted:
            return steps
        by_identifier = self._by_identifier.get(kind)
        if by_identifier is None:
            by_identifier = self._by_identifier[kind] = {}
            for step in steps:
                for value in conditional.identifiers_in(self._index(step)):
                    by_identifier.setdefault(value, []).append(step)
        chosen = {step.number: step for value in wanted for step in by_identifier.get(value, ())}
        return list(chosen.values())

    def _index(self, step: Step) -> Index:
        if step.number not in self._indexes:
            self._indexes[step.number] = self._ctx.search.extract(step.type, step.resource)
        return self._indexes[step.number]


@contextmanager
def _locating_reference(element: dict[str, Any], writes: Sequence[Step]) -> Iterator[None]:
    """Errors raised within point to the entry that holds the element."""
    try:
        yield
    except FhirError as error:
        holder = next(step for step in writes if step.request.resource and _holds(step.request.resource, element))
        raise located(error, holder.number) from None


def _holds(value: Any, element: dict[str, Any]) -> bool:
    if value is element:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(each, element) for each in inner)
