"""Pages in the order of the server, ready to be asked for, and those that are kept for searches that come again."""

from __future__ import annotations

from dataclasses import dataclass

from server.search.query import Query
from server.store.asked import Page
from server.store.mongo.candidates import Checks
from server.store.mongo.filters import Filter, both
from server.store.mongo.ordering import CREATION, Order, Phase
from server.store.mongo.pages import Question

FIELDS = {"v": 1, "q": 1, "l": 1, "m": 1, "n": 1, "b": 1}
_SORTED = {field: FIELDS | {field: 1} for field in ("d", "a")}
_MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Made:
    """A page in the order of the server, ready to be asked for."""

    query: Query
    order: Order
    plan: Filter
    checks: Checks | None
    """None: all that is found fulfils the criteria."""
    phases: list[Phase]
    first: Question | None
    """Of the first phase."""

    def question(self, phase: Phase, size: int) -> Question:
        plan, order = self.plan, self.order
        where = both([plan, Filter(phase.where, "")]).where
        walks = plan.walk if order.field is None else {}
        walk = both([Filter(walks, ""), Filter(phase.where, "")]).where if walks else None
        kind = f"{self.query.types} {plan.name} {order.field} {order.descending}"
        key = plan.key if phase == CREATION else None
        # What lies before a place far along the type is no beginning of a later page.
        along = plan.along if phase == CREATION else None
        fields = _SORTED.get(order.field or "", FIELDS)
        # Of the phase of those without a date nothing lies between two.
        apart = plan.parts if order.field in phase.sort[0] else None
        wheres = () if apart is None else (apart.ordered, apart.others)
        parts = [both([Filter(each, ""), Filter(phase.where, "")]).where for each in wheres]
        return Question(where, fields, phase.sort, size, kind, walk, along, key, parts=parts)


class Kept:
    """What is asked for first pages, by the identity of their queries: the very same object is asked again for a search
    that comes again (server/search/lasting.py). Kept from the second time on."""

    def __init__(self) -> None:
        self._seen: dict[int, Query] = {}
        """Held, so that no other object can have its identity."""
        self._made: dict[int, Made] = {}

    def get(self, query: Query) -> Made | None:
        return self._made.get(id(query))

    def offer(self, made: Made) -> None:
        query = made.query
        if query.after is not None or query.before is not None:
            return
        if id(query) in self._seen:
            self._made[id(query)] = made
            return
        if len(self._seen) >= _MOST_KEPT:
            self._seen.clear()
            self._made.clear()
        self._seen[id(query)] = query


def together(rest: list[Phase], order: Order, page: Page, plan: Filter) -> list[Phase]:
    """A page from the start in one phase, where all have a date; or where the index over keys and dates leads: it has
    those without a date too, which come last by themselves if it is read from the highest on."""
    first = page.after is None and page.before is None
    by_keys = any("c" in each for each in (plan.where, *plan.where.get("$and", ())))
    one = (order.absent and plan.dated) or (order == Order("d", True, True) and by_keys)
    return [Phase({}, rest[0].sort)] if first and one else rest
