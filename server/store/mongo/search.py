"""Executes a compiled query: a page of hits, an exact count, the explanation of a plan."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from server.search.query import Chain, Criterion, Has, Query
from server.store.contract import Hit, Hits, QueryTooCostly, SearchRules
from server.store.mongo.candidates import Candidate, Judge, Key, keys_of, links
from server.store.mongo.documents import Hashes
from server.store.mongo.driver import POOL, Client, Document, Session, failures, snapshot
from server.store.mongo.filters import LIVE, NOTHING, Filter, Filters, both
from server.store.mongo.frames import Frames
from server.store.mongo.ordering import Order, Page, phases, server_order
from server.store.mongo.reader import version_of
from server.store.mongo.schema import Collections
from server.store.mongo.sorting import Sorter
from server.store.mongo.symbols import Symbols
from server.store.ordering import compare

FIELDS = {"t": 1, "v": 1, "q": 1, "l": 1, "m": 1, "n": 1, "d": 1, "a": 1, "b": 1}
FEW = 1000
"""Resources that a chain or `_has` is turned round by: more are asked for each batch of candidates."""
_BATCH = 100
_LARGEST_BATCH = 400
_ESTIMATED = 10_000
_AT_ONCE = POOL - 4
"""Searches on their way; the other connections are for reads by id, the writer and the monitor."""
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

    # -------------------------------------------------------------------------------- what is asked

    async def search(self, query: Query) -> Hits:
        page = Page(query.limit + 1, query.after, query.before)
        async with self._running(query) as run:
            found = await run.page(query, page)
        more = len(found) > query.limit
        found = found[: query.limit]
        if page.backward:
            found.reverse()
        hits = [Hit(version_of(one.type, one.id, one.document, self._frames), position) for position, one in found]
        return Hits(hits, more)

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
            cursor = self._collections.resource.find(both([plan, Filter(phase.where, "")]).where, FIELDS)
            told = await (cursor.sort(phase.sort) if order else cursor).limit(page.limit).explain()
            stats = told.get("executionStats", {})
        return {
            "engine": "mongodb",
            "driver": plan.name,
            "exact": plan.exact,
            "sorted": "by the server" if order is not None else "in memory",
            "keys": stats.get("totalKeysExamined"),
            "documents": stats.get("totalDocsExamined"),
            "plan": told.get("queryPlanner", {}).get("winningPlan"),
        }

    # -------------------------------------------------------------------------------- how

    def _run(self, session: Session | None) -> Run:
        deadline = time.monotonic() + self._seconds
        return Run(self._collections, self._symbols, self._hashes, self._frames, self._rules, session, deadline)

    @asynccontextmanager
    async def _running(self, query: Query) -> AsyncIterator[Run]:
        """One at a time of those that may be on their way. What asks several questions asks them of one snapshot."""
        async with self._slots:
            with failures():
                if any(links(query.where)) or any(key.chain for key in query.sort):
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
        session: Session | None,
        deadline: float,
    ) -> None:
        self._collections = collections
        self._symbols = symbols
        self._hashes = hashes
        self._frames = frames
        self._rules = rules
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
        found = await filters.all(where, by_date=order.field == "d")
        if found is NOTHING:
            return NOTHING
        by_type = Filter({"t": type, **LIVE}, "type", finds=False)
        if found.finds:
            return both([found, by_type], found.name) if order.field in ("l", "d") else found
        return both([found, by_type if order.field in ("l", "d") else listing])

    # -------------------------------------------------------------------------------- pages and counts

    async def page(self, query: Query, page: Page) -> list[Found]:
        order = server_order(query.types, query.sort)
        if order is None:
            return await self._sorted(query, page)
        plan = await self.plan(query, order)
        found: list[Found] = []
        if plan is NOTHING:
            return found
        for phase in phases(order, page, query.types[0]):
            where = both([plan, Filter(phase.where, "")]).where
            async for one in self._matching(
                where, query.types, query.where, plan.exact, phase.sort, page.limit - len(found)
            ):
                found.append((order.position(one.document), one))
                if len(found) == page.limit:
                    return found
        return found

    async def _matching(
        self,
        where: Document,
        types: Sequence[str],
        criteria: Sequence[Criterion],
        exact: bool,
        sort: list[tuple[str, int]] | None,
        wanted: int | None,
    ) -> AsyncIterator[Candidate]:
        """What really fulfils the criteria, in the order of the server, batch by batch."""
        size = _BATCH if wanted is None else min(wanted, _BATCH)
        # Within a transaction the time is limited by that of the transaction.
        cursor = self._collections.resource.find(where, FIELDS, session=self._session, batch_size=size + 1)
        if sort is not None:
            cursor = cursor.sort(sort)
        if exact and wanted is not None:
            cursor = cursor.limit(wanted)
        cursor = cursor.max_time_ms(self._left())
        try:
            while True:
                documents = await cursor.to_list(size)
                # A hashed key may lead to another type as well.
                batch = [Candidate(document, self._frames) for document in documents if document["t"] in types]
                for one in batch if exact else await self._judge.fulfilled(batch, criteria):
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
        async for _ in self._matching(plan.where, query.types, query.where, False, None, None):
            total += 1
        return total

    async def _sorted(self, query: Query, page: Page) -> list[Found]:
        plan = await self.plan(query, Order())
        if plan is NOTHING:
            return []
        sorter = Sorter(query.sort, page, compare(query.sort), self._frames, self.documents)
        batch: list[Candidate] = []
        async for one in self._matching(plan.where, query.types, query.where, plan.exact, None, None):
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
        batch = [Candidate(document, self._frames) for document in documents if document["t"] == there]
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
        async for one in self._matching(where.where, (criterion.source,), (criterion.criterion,), False, None, None):
            reached |= _referred((one,), criterion.parameter.code, "")
            if keys <= reached:
                break
        return reached & keys

    async def _referring(self, filters: Filters, criterion: Has, keys: set[Key], inner: Filter) -> Filter:
        """Resources of the source type that refer to one of the keys and may fulfil the criterion."""
        refers = filters.referring(criterion.parameter.code, keys, "reference")
        if inner is NOTHING:
            return NOTHING
        if inner.codes and refers.where.keys() == {"c"} and len(inner.codes) <= 16:
            patients = [key.partition("/")[2] for key in keys if key.startswith("Patient/")]
            pairs = sorted({self._hashes.patient_code(id, code) for id in patients for code in inner.codes})
            return Filter({"c": {"$in": pairs}}, "patient and code", exact=False)
        return both([refers, inner])


def _referred(sources: Sequence[Candidate], code: str, prefix: str, *, read: bool = True) -> set[Key]:
    """Type/id that they refer to by the parameter, of the types with the prefix."""
    keys: set[Key] = set()
    for one in sources:
        if read:
            one.read((code,))
        keys |= {key for key in keys_of(one.index.get(code, ())) if key.startswith(prefix)}
    return keys
