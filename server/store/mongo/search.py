"""Executes a compiled query: a page of hits, an exact count, the explanation of a plan."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from server.search.query import Chain, Criterion, Has, Query
from server.store.contract import Hit, Hits, QueryTooCostly, SearchRules
from server.store.mongo.candidates import Candidate, Judge, Key, keys_of, links
from server.store.mongo.documents import Hashes
from server.store.mongo.driver import POOL, Client, Document, Session, failures, snapshot
from server.store.mongo.filters import LIVE, NOTHING, Filter, Filters, both
from server.store.mongo.frames import Frames
from server.store.mongo.ordering import Order, Page, phases, server_order
from server.store.mongo.pages import Pages, Question
from server.store.mongo.schema import Collections
from server.store.mongo.sorting import Sorter
from server.store.mongo.symbols import Symbols
from server.store.ordering import compare

FIELDS = {"v": 1, "q": 1, "l": 1, "m": 1, "n": 1, "d": 1, "a": 1, "b": 1}
FEW = 1000
"""Resources that a chain or `_has` is turned round by: more are asked for each batch of candidates."""
_FEW_ALTERNATIVES = 12
_BATCH = 100
_LARGEST_BATCH = 400
_ESTIMATED = 10_000
_AT_ONCE = POOL - 8
"""Searches that are on their way alone; the other connections are for pages that go together, reads by id, symbols and
the writer."""
_TOO_LONG = "The search takes too long. Narrow it: name a patient, a code or a date, or leave _total=accurate out."


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
        self._client = client
        self._collections = collections
        self._symbols = symbols
        self._hashes = hashes
        self._frames = frames
        self._rules = rules
        self._seconds = seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._pages = Pages(collections.resource, self._slots)

    # -------------------------------------------------------------------------------- what is asked

    async def search(self, query: Query) -> Hits:
        page = Page(query.limit + 1, query.after, query.before)
        async with self._running(query, page=True) as run:
            found = await run.page(query, page)
        more = len(found) > query.limit
        found = found[: query.limit]
        if page.backward:
            found.reverse()
        return Hits([Hit(one.version(), position) for position, one in found], more)

    async def ids(self, query: Query, most: int, session: Session) -> list[tuple[str, str]]:
        """Type/id pairs of the first matches, as the transaction of the session sees them."""
        found = await self._run(session).page(query, Page(most))
        return [(one.type, one.id) for _, one in found]

    async def count(self, query: Query) -> int:
        async with self._running(query) as run:
            return await run.count(query)

    async def estimate(self, query: Query) -> int:
        """What the indexes find, without a look at the values, up to a limit."""
        async with self._running(query) as run:
            plan = await run.plan(query, Order())
            return await self._collections.resource.count_documents(plan.where, limit=_ESTIMATED)

    async def explain(self, query: Query) -> dict[str, object]:
        async with self._running(query) as run:
            order = server_order(query.types, query.sort)
            plan = await run.plan(query, order or Order())
            page = Page(query.limit + 1, query.after, query.before)
            phase = phases(order or Order(), page, query.types[0])[0]
            where = plan.walk if plan.walk and order == Order() else plan.where
            cursor = self._collections.resource.find(both([Filter(where, ""), Filter(phase.where, "")]).where, FIELDS)
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

    def _run(self, session: Session | None) -> Run:
        deadline = time.monotonic() + self._seconds
        return Run(
            self._collections, self._symbols, self._hashes, self._frames, self._rules, self._pages, session, deadline
        )

    @asynccontextmanager
    async def _running(self, query: Query, *, page: bool = False) -> AsyncIterator[Run]:
        """One at a time of those that may be on their way; pages in the order of the server go together with others.
        What asks several questions asks them of one snapshot."""
        several = any(links(query.where)) or any(key.chain for key in query.sort)
        if page and not several and server_order(query.types, query.sort) is not None:
            with failures():
                yield self._run(None)
            return
        async with self._slots:
            with failures():
                if several:
                    async with snapshot(self._client) as session:
                        yield self._run(session)
                else:
                    yield self._run(None)


Found = tuple[tuple[object, ...], Candidate]
"""(position, candidate)"""


class Run:
    """One search, on one snapshot if it asks for other resources."""

    def __init__(
        self,
        collections: Collections,
        symbols: Symbols,
        hashes: Hashes,
        frames: Frames,
        rules: SearchRules,
        pages: Pages,
        session: Session | None,
        deadline: float,
    ) -> None:
        self._collections = collections
        self._symbols = symbols
        self._hashes = hashes
        self._frames = frames
        self._pages = pages
        self._session = session
        self._deadline = deadline
        self._judge = Judge(rules, self._linked)
        self._staged: dict[tuple[int, str], set[Key] | None] = {}

    # -------------------------------------------------------------------------------- plan

    def filters(self, type: str) -> Filters:
        return Filters(type, self._symbols, self._hashes, self._stage)

    async def plan(self, query: Query, order: Order) -> Filter:
        """What finds candidates of all types of the query."""
        found = [await self._of_type(type, query.where, order) for type in dict.fromkeys(query.types)]
        told = [one for one in found if one is not NOTHING]
        if len(told) == 1:
            return told[0]
        if not told:
            return NOTHING
        keys = [one.where["k"] for one in told if one.where.keys() == {"k"} and isinstance(one.where["k"], int)]
        exact = all(one.exact for one in told)
        if len(keys) == len(told):
            return Filter({"k": {"$in": keys}}, told[0].name, exact)
        return Filter({"$or": [one.where for one in told]}, " | ".join(one.name for one in told), exact)

    async def _of_type(self, type: str, where: Sequence[Criterion], order: Order) -> Filter:
        filters = self.filters(type)
        listing = await filters.listing()
        if listing is NOTHING:
            return NOTHING
        found = await filters.all(where, by_date=order.field in ("d", "a"))
        if found is NOTHING:
            return NOTHING
        by_type = Filter({"t": type, **LIVE}, "type", finds=False)
        if found.finds:
            if order.field in ("l", "d", "a"):
                return both([found, by_type], found.name)
            if order.field is None and not _keyed(found.where):
                return _along(found, listing)
            return found
        return both([found, by_type if order.field in ("l", "d", "a") else listing])

    # -------------------------------------------------------------------------------- pages and counts

    async def page(self, query: Query, page: Page) -> list[Found]:
        order = server_order(query.types, query.sort)
        if order is None:
            return await self._sorted(query, page)
        plan = await self.plan(query, order)
        found: list[Found] = []
        if plan is NOTHING:
            return found
        type, size = query.types[0], page.limit if plan.exact else min(page.limit, _BATCH)
        kind = f"{query.types} {plan.name} {order.field} {order.descending}"
        rest = phases(order, page, type)
        walks = plan.walk if order.field is None else {}
        while rest:
            where = both([plan, Filter(rest[0].where, "")]).where
            walk = both([Filter(walks, ""), Filter(rest[0].where, "")]).where if walks else None
            documents = await self._first(Question(where, FIELDS, rest[0].sort, size, self._deadline, kind, walk))
            for one in await self._fulfilling(documents, query.types, query.where, plan.exact):
                found.append((order.position(one.document), one))
                if len(found) == page.limit:
                    return found
            if len(documents) < size:
                rest = rest[1:]
                continue
            # Most of what the index found does not fulfil the criteria: further from here on.
            position = order.position(documents[-1])
            beyond = Page(page.limit, before=position) if page.backward else Page(page.limit, after=position)
            rest = phases(order, beyond, type)
            size = min(size * 2, _LARGEST_BATCH)
        return found

    async def _first(self, question: Question) -> list[Document]:
        left = self._left()
        if self._session is None:
            return await self._pages.ask(question)
        # Within a transaction the time is limited by that of the transaction.
        cursor = self._collections.resource.find(
            question.where, question.fields, sort=question.sort, limit=-question.limit, session=self._session
        )
        return await cursor.max_time_ms(left).to_list(None)

    async def _fulfilling(
        self, documents: Sequence[Document], types: Sequence[str], criteria: Sequence[Criterion], exact: bool
    ) -> list[Candidate]:
        # A hashed key may lead to another type as well.
        batch = [one for one in (Candidate(document, self._frames) for document in documents) if one.type in types]
        return batch if exact else await self._judge.fulfilled(batch, criteria)

    async def _matching(
        self, where: Document, types: Sequence[str], criteria: Sequence[Criterion], exact: bool
    ) -> AsyncIterator[Candidate]:
        """All that really fulfils the criteria, in any order, batch by batch."""
        size = _BATCH
        # Within a transaction the time is limited by that of the transaction.
        cursor = self._collections.resource.find(where, FIELDS, session=self._session, batch_size=size + 1)
        cursor = cursor.max_time_ms(self._left())
        try:
            while True:
                documents = await cursor.to_list(size)
                for one in await self._fulfilling(documents, types, criteria, exact):
                    yield one
                if len(documents) < size:
                    return
                size = min(size * 2, _LARGEST_BATCH)
                self._left()
        finally:
            await cursor.close()

    def _left(self) -> int:
        """Milliseconds. Raises: QueryTooCostly."""
        left = int((self._deadline - time.monotonic()) * 1000)
        if left <= 0:
            raise QueryTooCostly(_TOO_LONG)
        return left

    async def count(self, query: Query) -> int:
        plan = await self.plan(query, Order())
        if plan is NOTHING:
            return 0
        if plan.exact:
            options = {"maxTimeMS": self._left()}
            return await self._collections.resource.count_documents(plan.where, session=self._session, **options)
        total = 0
        async for _ in self._matching(plan.where, query.types, query.where, False):
            total += 1
        return total

    async def _sorted(self, query: Query, page: Page) -> list[Found]:
        plan = await self.plan(query, Order())
        if plan is NOTHING:
            return []
        sorter = Sorter(query.sort, page, compare(query.sort), self._frames, self.documents)
        batch: list[Candidate] = []
        async for one in self._matching(plan.where, query.types, query.where, plan.exact):
            batch.append(one)
            if len(batch) == _BATCH:
                await sorter.add(batch)
                batch = []
        await sorter.add(batch)
        return sorter.found()

    # -------------------------------------------------------------------------------- other resources

    async def documents(self, keys: set[Key]) -> list[Candidate]:
        """Live resources by Type/id."""
        if not keys:
            return []
        where = {"_id": {"$in": sorted(keys)}, **LIVE}
        found = await self._collections.resource.find(where, FIELDS, session=self._session).to_list(None)
        return [Candidate(document, self._frames) for document in found]

    async def _stage(self, criterion: Chain | Has, type: str) -> set[Key] | None:
        """Type/id of what a chain leads to, or of what is referred to by `_has`; None if there are many."""
        kept = (id(criterion), type)
        if kept not in self._staged:
            self._staged[kept] = await self._few(criterion, type)
        return self._staged[kept]

    async def _few(self, criterion: Chain | Has, type: str) -> set[Key] | None:
        there = criterion.target if isinstance(criterion, Chain) else criterion.source
        filters = self.filters(there)
        if await filters.listing() is NOTHING:
            return set()
        inner = await filters.all((criterion.criterion,))
        if inner is NOTHING:
            return set()
        if not inner.finds:
            return None
        cursor = self._collections.resource.find(inner.where, FIELDS, session=self._session, batch_size=FEW + 1)
        documents = await cursor.limit(FEW + 1).max_time_ms(self._left()).to_list(None)
        if len(documents) > FEW:
            return None
        batch = [one for one in (Candidate(document, self._frames) for document in documents) if one.type == there]
        found = await self._judge.fulfilled(batch, (criterion.criterion,))
        if isinstance(criterion, Chain):
            return {one.key for one in found}
        return _referred(found, criterion.parameter.code, f"{type}/")

    async def _linked(self, criterion: Chain | Has, candidates: Sequence[Candidate]) -> set[Key]:
        """See candidates.Linked."""
        if isinstance(criterion, Chain):
            prefix = f"{criterion.target}/"
            targets = _referred(candidates, criterion.parameter.code, prefix, read=False)
            found = await self.documents(targets)
            return {one.key for one in await self._judge.fulfilled(found, (criterion.criterion,))}
        keys = {one.key for one in candidates}
        filters = self.filters(criterion.source)
        if not keys or await filters.listing() is NOTHING:
            return set()
        inner = await filters.of(criterion.criterion)
        where = await self._referring(filters, criterion, keys, inner)
        if where is NOTHING:
            return set()
        reached: set[Key] = set()
        async for one in self._matching(where.where, (criterion.source,), (criterion.criterion,), False):
            reached |= _referred((one,), criterion.parameter.code, "")
            if keys <= reached:
                break
        return reached & keys

    async def _referring(self, filters: Filters, criterion: Has, keys: set[Key], inner: Filter) -> Filter:
        """Resources of the source type that refer to one of the keys and may fulfil the criterion."""
        refers = filters.referring(criterion.parameter.code, keys, "reference")
        if inner is NOTHING:
            return NOTHING
        if inner.codes and refers.patients and len(inner.codes) <= 16:
            pairs = sorted({self._hashes.patient_code(id, code) for id in refers.patients for code in inner.codes})
            return Filter({"c": {"$in": pairs}}, "patient and code", exact=False)
        return both([refers, inner])


def _keyed(where: Document) -> bool:
    """Whether an index that gives creation order, or few resources, leads to what is asked."""
    return any(field in each for each in (where, *where.get("$and", ())) for field in ("k", "c", "_id"))


def _along(found: Filter, listing: Filter) -> Filter:
    """Sorted by the server unless its planner sees that it meets enough of them on the way along the type. Of many
    alternatives it would take longer to think than that saves."""
    both_ways = both([found, listing], found.name)
    few = len(found.where.get("$or", ())) <= _FEW_ALTERNATIVES
    return both_ways if few else replace(both_ways, where=found.where)


def _referred(sources: Sequence[Candidate], code: str, prefix: str, *, read: bool = True) -> set[Key]:
    """Type/id that they refer to by the parameter, of the types with the prefix."""
    keys: set[Key] = set()
    for one in sources:
        if read:
            one.read((code,))
        keys |= {key for key in keys_of(one.index.get(code, ())) if key.startswith(prefix)}
    return keys
