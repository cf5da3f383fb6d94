"""One search on its way: its plan, its pages, its count, and what other resources decide of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from server.search.query import Chain, Criterion, Has, Query
from server.store.asked import Page
from server.store.contract import QueryTooCostly, SearchRules
from server.store.mongo.candidates import Candidate, Checks, Judge, Key, keys_of
from server.store.mongo.documents import Hashes, type_name
from server.store.mongo.driver import Document
from server.store.mongo.filters import LIVE, NOTHING, Filter, Filters, all_but, both, hidden
from server.store.mongo.frames import Frames, single_reference
from server.store.mongo.made import FIELDS, Kept, Made, together
from server.store.mongo.ordering import Order, phases, server_order
from server.store.mongo.pages import FEW, Pages, Question
from server.store.mongo.sorting import Sorter
from server.store.mongo.symbols import Symbols
from server.store.mongo.ways import Ways
from server.store.ordering import compare

_KEY, _READ = {"_id": 1}, {"l": 1, "b": 1}
_FEW_ALTERNATIVES = 12
_LINKED_BATCH = 30
"""Candidates that are judged by other resources together at first: each batch asks for those."""
_BATCH = 100
_LARGEST_BATCH = 400
_ESTIMATED = 10_000
_TOO_LONG = "The search takes too long. Narrow it: name a patient, a code or a date, or leave _total=accurate out."

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
        rest = together(phases(order, page, query.types[0]), order, page, plan)
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


def _keyed(where: Document) -> bool:
    """Whether an index that gives creation order, or few resources, leads to what is asked."""
    return any(field in each for each in (where, *where.get("$and", ())) for field in ("k", "c", "_id")) or (
        "$or" in where and all(map(_keyed, where["$or"]))
    )


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
