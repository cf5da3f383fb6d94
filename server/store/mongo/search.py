"""Executes a compiled query: a page of hits, an exact count, the explanation of a plan."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from server.search.query import And, Chain, Criterion, Has, Not, Or, Query
from server.store.asked import Page
from server.store.contract import Hit, Hits, QueryTooCostly, SearchRules
from server.store.mongo.candidates import Candidate, Checks, Judge, Key, keys_of, links
from server.store.mongo.documents import Hashes, type_name
from server.store.mongo.driver import POOL, Client, Document, Session, failures
from server.store.mongo.filters import LIVE, NOTHING, Filter, Filters, all_but, both, hidden
from server.store.mongo.frames import Frames, single_reference
from server.store.mongo.ordering import CREATION, Order, Phase, phases, server_order
from server.store.mongo.pages import FEW, Pages, Question, within
from server.store.mongo.schema import Collections
from server.store.mongo.snapshots import Snapshots
from server.store.mongo.sorting import Sorter
from server.store.mongo.symbols import Symbols
from server.store.mongo.ways import Ways
from server.store.ordering import compare

T = TypeVar("T")

FIELDS = {"v": 1, "q": 1, "l": 1, "m": 1, "n": 1, "b": 1}
_SORTED = {field: FIELDS | {field: 1} for field in ("d", "a")}
_KEY, _READ = {"_id": 1}, {"l": 1, "b": 1}
_FEW_ALTERNATIVES = 12
_LINKED_BATCH = 30
"""Candidates that are judged by other resources together at first: each batch asks for those."""
_BATCH = 100
_LARGEST_BATCH = 400
_MOST_KEPT = 2000
_ESTIMATED = 10_000
_AT_ONCE = POOL - 9
"""Searches that are on their way alone; the other connections are for pages that go together, reads by id, symbols,
the place in the commit order and the writer."""
_TOO_LONG = "The search takes too long. Narrow it: name a patient, a code or a date, or leave _total=accurate out."


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
        phase = _together(phases(sorted_by, page, query.types[0]), sorted_by, page, plan)[0]
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


Found = tuple[tuple[object, ...], Candidate]
"""(position, candidate)"""


class Run:
    """One search, on one snapshot if it asks for other resources."""

    def __init__(
        self,
        pages: Pages,
        symbols: Symbols,
        hashes: Hashes,
        frames: Frames,
        rules: SearchRules,
        ways: Ways,
        deadline: float,
    ) -> None:
        self._pages = pages
        self._symbols = symbols
        self._hashes = hashes
        self._frames = frames
        self._ways = ways
        self._deadline = deadline
        self._judge = Judge(rules, self._linked)
        self._staged: dict[tuple[int, str], set[Key] | None] = {}
        self.lasting = True
        """See Filters."""
        self._whole = False
        """All matches are wanted, to be counted or sorted here, and not a page of them."""

    # -------------------------------------------------------------------------------- plan

    def filters(self, type: str) -> Filters:
        return Filters(type, self._symbols, self._hashes, self._stage)

    async def plan(self, query: Query, order: Order | None) -> Filter:
        """What finds candidates of all types of the query.   order: of a page; None: all are wanted."""
        self._whole = order is None
        names = {type: type_name(type) for type in query.types}
        absent = await self._symbols.load(names.values())
        self.lasting = self.lasting and not absent
        there = [type for type, name in names.items() if name not in absent]
        found = [await self._of_type(type, query.where, order) for type in there if self._left()]
        told = [one for one in found if one is not NOTHING]
        if len(told) == 1:
            [plan] = told
            newest = order is not None and order.field == "d"
            if plan.parts is None or (newest and await self._ways.parted(plan.parts.days)):
                return plan
            return replace(plan, parts=None)
        if not told:
            return NOTHING
        keys = [one.where["k"] for one in told if one.where.keys() == {"k"} and isinstance(one.where["k"], int)]
        exact = all(one.exact for one in told)
        if len(keys) == len(told):
            return Filter({"k": {"$in": keys}}, told[0].name, exact)
        return Filter({"$or": [one.where for one in told]}, " | ".join(one.name for one in told), exact)

    async def _of_type(self, type: str, where: Sequence[Criterion], order: Order | None) -> Filter:
        filters = self.filters(type)
        listing = await filters.listing()
        field = order.field if order is not None else None
        by_date = field in ("d", "a")
        found = NOTHING if listing is NOTHING else await filters.all(where, by_date=by_date)
        self.lasting = self.lasting and filters.lasting
        if found is NOTHING:
            return NOTHING
        by_type = Filter({"t": type, **LIVE}, "type", finds=False)
        if not found.finds:
            return both([found, by_type]) if by_date or field == "l" else all_but(found, listing)
        if order == Order():
            if found.dates is not None:
                return filters.in_creation_order(found)
            return found if found.dated or _keyed(found.where) else _along(found, listing)
        if by_date and found.dates is not None:
            return _by_date(found, by_type, descending=field == "d")
        return both([found, by_type], found.name) if by_date or field == "l" else found

    # -------------------------------------------------------------------------------- pages and counts

    async def page(self, query: Query, page: Page, kept: Kept | None = None) -> list[Found]:
        """kept: where what is asked is offered, if it stays right."""
        order = server_order(query.types, query.sort)
        if order is None:
            return await self._sorted(query, page)
        plan = await self.plan(query, order)
        if plan is NOTHING:
            return []
        rest = _together(phases(order, page, query.types[0]), order, page, plan)
        made = Made(query, order, plan, None if plan.exact else Checks(query.where, self._staged), rest, None)
        size = page.limit if plan.exact else min(page.limit, _BATCH)
        first = made.question(rest[0], max(size, _LINKED_BATCH) if None in self._staged.values() else size)
        made = replace(made, first=first)
        if kept is not None and self.lasting:
            kept.offer(made)
        return await self.found(made, page)

    async def found(self, made: Made, page: Page) -> list[Found]:
        found: list[Found] = []
        rest, question, position_of = made.phases, made.first, made.order.position
        while question is not None:
            documents = await self._pages.ask(question, self._left())
            for one in await self._fulfilling(documents, made.query.types, made.checks):
                found.append((position_of(one.document), one))
                if len(found) == page.limit:
                    return found
            size = question.limit
            if len(documents) < size:
                rest = rest[1:]
            else:
                # Most of what the index found does not fulfil the criteria: further from here on.
                position = position_of(documents[-1])
                beyond = Page(page.limit, before=position) if page.backward else Page(page.limit, after=position)
                rest = phases(made.order, beyond, made.query.types[0])
                size = min(size * 2, _LARGEST_BATCH)
            question = made.question(rest[0], size) if rest else None
        return found

    async def _fulfilling(
        self, documents: Sequence[Document], types: Sequence[str], checks: Checks | None
    ) -> Sequence[Candidate]:
        # A hashed key may lead to another type as well.
        batch = [one for one in [Candidate(document, self._frames) for document in documents] if one.type in types]
        return batch if checks is None else await self._judge.fulfilled(batch, checks)

    async def _matching(
        self, where: Document, types: Sequence[str], checks: Checks | None, fields: Document = FIELDS
    ) -> AsyncIterator[Candidate]:
        """All that really fulfils the criteria, in any order, batch by batch."""
        async for documents in self._pages.all(where, fields, self._left()):
            for one in await self._fulfilling(documents, types, checks):
                yield one
            self._left()

    def _left(self) -> float:
        """The deadline. Raises: QueryTooCostly."""
        if time.monotonic() >= self._deadline:
            raise QueryTooCostly(_TOO_LONG)
        return self._deadline

    async def count(self, query: Query) -> int:
        plan = await self.plan(query, None)
        if plan is NOTHING:
            return 0
        kind = f"{query.types} {plan.name}"
        if plan.less is not None:
            counts = [self._pages.count(where, f"{kind}, part", self._left()) for where in plan.less]
            every, denied = await asyncio.gather(*counts)
            return every - denied
        if plan.exact:
            return await self._pages.count(plan.where, kind, self._left())
        total = 0
        async for _ in self._matching(plan.where, query.types, Checks(query.where), _READ):
            total += 1
        return total

    async def estimate(self, query: Query) -> int:
        plan = await self.plan(query, None)
        return await self._pages.guess(plan.where, _ESTIMATED, self._left())

    async def _sorted(self, query: Query, page: Page) -> list[Found]:
        plan = await self.plan(query, None)
        if plan is NOTHING:
            return []
        sorter = Sorter(query.sort, page, compare(query.sort), self._frames, self.documents)
        batch: list[Candidate] = []
        async for one in self._matching(plan.where, query.types, None if plan.exact else Checks(query.where)):
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
        return [Candidate(one, self._frames) for one in await self._pages.some(where, FIELDS, len(keys), self._left())]

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
        told = isinstance(criterion, Chain) and inner.exact
        few = FEW if self._whole or isinstance(criterion, Chain) else await self._ways.few()
        asked = f"{few} {inner.where}"
        if asked in self._ways.many:
            return None
        question = Question(inner.where, _KEY if told else _READ, [], few + 1, f"{there} {inner.name}")
        documents = await self._pages.ask(question, self._left())
        if len(documents) > few:
            self._ways.many.add(asked)
            return None
        checks = None if told else Checks((criterion.criterion,))
        found = await self._fulfilling(documents, (there,), checks)
        if isinstance(criterion, Chain):
            return {one.key for one in found}
        return _referred(found, criterion.parameter.code, f"{type}/")

    async def _linked(self, criterion: Chain | Has, candidates: Sequence[Candidate]) -> set[Key]:
        """See candidates.Linked."""
        staged = [self._staged.get((id(criterion), type)) for type in {one.type for one in candidates}]
        if None not in staged:
            # All of them, of the same snapshot.
            return set().union(*(each or () for each in staged))
        if isinstance(criterion, Chain):
            prefix = f"{criterion.target}/"
            targets = _referred(candidates, criterion.parameter.code, prefix, read=False)
            reached = await self._judge.fulfilled(await self.documents(targets), Checks((criterion.criterion,)))
            return {one.key for one in reached}
        keys = {one.key for one in candidates}
        filters = self.filters(criterion.source)
        if not keys or await filters.listing() is NOTHING:
            return set()
        inner = await filters.of(criterion.criterion)
        where = await self._referring(filters, criterion, keys, inner)
        if where is NOTHING:
            return set()
        referred: set[Key] = set()
        async for one in self._matching(where.where, (criterion.source,), Checks((criterion.criterion,)), _READ):
            referred |= _referred((one,), criterion.parameter.code, "")
            if keys <= referred:
                break
        return referred & keys

    async def _referring(self, filters: Filters, criterion: Has, keys: set[Key], inner: Filter) -> Filter:
        """Resources of the source type that refer to one of the keys and may fulfil the criterion."""
        refers = filters.referring(criterion.parameter.code, keys, "reference")
        if inner is NOTHING:
            return NOTHING
        if inner.codes and refers.patients and len(inner.codes) <= 16:
            pairs = sorted({self._hashes.patient_code(id, code) for id in refers.patients for code in inner.codes})
            return Filter({"c": {"$in": pairs}}, "patient and code", exact=False)
        return both([refers, inner])


def _denies(criteria: Sequence[Criterion]) -> bool:
    """Whether one says what is not to be: see Filter.less."""
    return any(
        isinstance(one, Not) or (isinstance(one, And | Or) and _denies(one.criteria))  # of a chain: links
        for one in criteria
    )


def _keyed(where: Document) -> bool:
    """Whether an index that gives creation order, or few resources, leads to what is asked."""
    return any(field in each for each in (where, *where.get("$and", ())) for field in ("k", "c", "_id")) or (
        "$or" in where and all(map(_keyed, where["$or"]))
    )


def _together(rest: list[Phase], order: Order, page: Page, plan: Filter) -> list[Phase]:
    """A page from the start in one phase, where all have a date; or where the index over keys and dates leads: it has
    those without a date too, which come last by themselves if it is read from the highest on."""
    first = page.after is None and page.before is None
    by_keys = any("c" in each for each in (plan.where, *plan.where.get("$and", ())))
    one = (order.absent and plan.dated) or (order == Order("d", True, True) and by_keys)
    return [Phase({}, rest[0].sort)] if first and one else rest


def _by_date(found: Filter, by_type: Filter, *, descending: bool) -> Filter:
    """Along the dates of the type, if what is asked for lies at the end where they begin; or sorted."""
    dates = found.dates
    if dates is None or dates.narrow():
        return found
    if dates.open(above=descending):
        return replace(both([replace(found, where=hidden(dates.exact)), by_type], found.name), walk={}, parts=None)
    return both([found, by_type], found.name)


def _along(found: Filter, listing: Filter) -> Filter:
    """Sorted by the server unless its planner sees that it meets enough of them on the way along the type. Of many
    alternatives it would take longer to think than that saves."""
    both_ways = replace(both([found, listing], found.name), along=listing.where["k"])
    few = len(found.where.get("$or", ())) <= _FEW_ALTERNATIVES
    return both_ways if few else replace(both_ways, where=found.where)


def _referred(sources: Sequence[Candidate], code: str, prefix: str, *, read: bool = True) -> set[Key]:
    """Type/id that they refer to by the parameter, of the types with the prefix."""
    keys: set[Key] = set()
    for one in sources:
        if read:
            single = single_reference(one.stored, code)
            if single is not None:
                keys.update([single] if single.startswith(prefix) else ())
                continue
            one.read((code,))
        keys |= {key for key in keys_of(one.index.get(code, ())) if key.startswith(prefix)}
    return keys
