"""Executes a compiled query: a page of hits, an exact count, the explanation of a plan."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from server.search.query import And, Criterion, Not, Or, Query
from server.store.asked import Page
from server.store.contract import Hit, Hits, SearchRules
from server.store.mongo.candidates import links
from server.store.mongo.documents import Hashes
from server.store.mongo.driver import POOL, Client, Session, failures
from server.store.mongo.filters import Filter, both
from server.store.mongo.frames import Frames
from server.store.mongo.made import FIELDS, Kept, together
from server.store.mongo.ordering import Order, phases, server_order
from server.store.mongo.pages import Pages, within
from server.store.mongo.run import Run
from server.store.mongo.schema import Collections
from server.store.mongo.snapshots import Snapshots
from server.store.mongo.symbols import Symbols
from server.store.mongo.ways import Ways

T = TypeVar("T")

_AT_ONCE = POOL - 9
"""Searches that are on their way alone; the other connections are for pages that go together, reads by id, symbols,
the place in the commit order and the writer."""


class Searcher:
    def __init__(
        self,
        client: Client,
        collections: Collections,
        symbols: Symbols,
        hashes: Hashes,
        frames: Frames,
        rules: SearchRules,
        seconds: float,
    ) -> None:
        self._collections = collections
        self._symbols = symbols
        self._hashes = hashes
        self._frames = frames
        self._rules = rules
        self._seconds = seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._pages = Pages(collections.resource, self._slots)
        self._snapshots = Snapshots(client, collections.resource, self._slots)
        self._kept = Kept()
        self._ways = Ways(collections.resource)

    # -------------------------------------------------------------------------------- what is asked

    async def search(self, query: Query) -> Hits:
        page = Page(query.limit + 1, query.after, query.before)
        made = self._kept.get(query)
        if made is not None:
            found = await self._run(self._pages).found(made, page)
        else:
            found = await self._asked(query, lambda run: run.page(query, page, self._kept), together=True)
        more = len(found) > query.limit
        found = found[: query.limit]
        if page.backward:
            found.reverse()
        return Hits([Hit(one.version(), position) for position, one in found], more)

    async def ids(self, query: Query, most: int, session: Session) -> list[tuple[str, str]]:
        """Type/id pairs of the first matches, as the transaction of the session sees them."""
        run = self._run(within(self._collections.resource, session, uncommitted=True))
        found = await run.page(query, Page(most))
        return [(one.type, one.id) for _, one in found]

    async def count(self, query: Query) -> int:
        return await self._asked(query, lambda run: run.count(query), together=True, several=_denies(query.where))

    async def estimate(self, query: Query) -> int:
        """What the indexes find, without a look at the values, up to a limit."""
        return await self._asked(query, lambda run: run.estimate(query))

    async def explain(self, query: Query) -> dict[str, object]:
        order = server_order(query.types, query.sort)
        plan = await self._asked(query, lambda run: run.plan(query, order))
        page = Page(query.limit + 1, query.after, query.before)
        sorted_by = order or Order()
        phase = together(phases(sorted_by, page, query.types[0]), sorted_by, page, plan)[0]
        where = plan.walk if plan.walk and order == Order() else plan.where
        if plan.parts is not None:
            where = plan.parts.ordered
        cursor = self._collections.resource.find(both([Filter(where, ""), Filter(phase.where, "")]).where, FIELDS)
        with failures():
            told = await (cursor.sort(phase.sort) if order else cursor).limit(page.limit).explain()
        stats = told.get("executionStats", {})
        return {
            "engine": "mongodb",
            "driver": plan.name if where is plan.where else f"order, compared with {plan.name}",
            "exact": plan.exact,
            "sorted": "by the server" if order is not None else "in memory",
            "keys": stats.get("totalKeysExamined"),
            "documents": stats.get("totalDocsExamined"),
            "plan": told.get("queryPlanner", {}).get("winningPlan"),
        }

    # -------------------------------------------------------------------------------- how

    def _run(self, pages: Pages, deadline: float | None = None) -> Run:
        deadline = time.monotonic() + self._seconds if deadline is None else deadline
        return Run(pages, self._symbols, self._hashes, self._frames, self._rules, self._ways, deadline)

    async def _asked(
        self, query: Query, work: Callable[[Run], Awaitable[T]], *, together: bool = False, several: bool = False
    ) -> T:
        """What asks several questions asks them of one snapshot.   together: with other searches, if it is quick.
        several: it does so even if it concerns no other resources."""
        others = list(links(query.where))
        if several or others or any(key.chain for key in query.sort):
            named = " ".join(f"{type(one).__name__} {one.parameter.code}" for one in others)
            quick = together and server_order(query.types, query.sort) is not None
            kind = f"{query.types} {named or 'alone'}" if quick else None
            return await self._snapshots.ask(kind, lambda pages, until: work(self._run(pages, until)))
        with failures():
            return await work(self._run(self._pages))


def _denies(criteria: Sequence[Criterion]) -> bool:
    """Whether one says what is not to be: see Filter.less."""
    return any(
        isinstance(one, Not) or (isinstance(one, And | Or) and _denies(one.criteria))  # of a chain: links
        for one in criteria
    )
