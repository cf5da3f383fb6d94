"""Questions for a page or a number, asked together: those of one turn of the event loop leave as one aggregation of
`$unionWith`.

A question of its own costs 200 us of Python and 150 of mongod, in company of eight 40 and 75 (docs/decisions/speed.md).
Whoever asks something slow must not hold up the others: what does not end in time together is asked again one by one,
and questions of the kind that took long go alone for a while.

Which question a document answers is told by which of three fields are there, not by a computed one: mongod projects
fields at half the price when nothing is computed.
https://www.mongodb.com/docs/manual/reference/operator/aggregation/unionWith/

Questions for a key that hardly more than one document has, as those by identifier, are one find with all the keys:
13 and 10 us each in company of sixteen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any

from server.store.contract import QueryTooCostly
from server.store.mongo.batches import Batches
from server.store.mongo.driver import Collection, Document, Session, failures

LARGEST_BATCH = 8
AT_ONCE = 2
SMALL = 60
"""Documents of a question that goes together with others."""
FEW = 1000
"""Resources that a chain or `_has` is turned round by: more are asked for each batch of candidates."""
_BATCH = 100
_LARGEST_BATCH = 400
"""Documents of all there are that are read at a time."""
LARGEST_KEYED = 64
WALKED = 1000
"""Documents of a type that are compared on the way: 1.2 us each."""
_GROWN_SECONDS = 10.0
"""For so long a type with fewer documents than that may grow before it is asked anew."""
_TOGETHER_MS = 250
_WALK_MS = 100
_SLOW_SECONDS = 0.05
_APART_SECONDS = 60.0
_MOST_KINDS = 1000
_BITS = ("p", "t", "k.0")
"""Of fields that live documents have and no page needs: of `k` an empty list is projected."""
Turn = AbstractAsyncContextManager[Any]
FREE: Turn = nullcontext()
_NUMBER = "number"
"""Field of the answer to a count."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    where: Document
    fields: Document
    """To show of each document; none of those that number the questions."""
    sort: list[tuple[str, int]]
    limit: int
    kind: str
    """Of what is asked alike."""
    walk: Document | None = None
    """The same, found by going along the order until there are enough: tried first, soon done if many do."""
    along: int | None = None
    """Key of a type that the walk goes along from its beginning."""
    key: int | None = None
    """All that is asked, if it is one key that few documents have; they are asked for in creation order."""
    counts: bool = False
    """How many there are is asked."""
    parts: Sequence[Document] = ()
    """Conditions of which one or more hold where `where` does: each is asked for by itself, in the order of a number
    that all have and of creation."""


class Apart:
    """Questions and kinds of them that take long, keys that many documents have.

    What was slow once, as anything is on a machine that is busy, is so for a second; what is so again, four times as
    long, up to a minute."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[float, float]] = {}
        """Until when, and how long that was."""

    def __contains__(self, kind: Hashable) -> bool:
        known = self._known.get(kind)
        return known is not None and known[0] > time.monotonic()

    def add(self, kind: Hashable) -> None:
        now = time.monotonic()
        until, seconds = self._known.get(kind, (0.0, 0.0))
        seconds = min(seconds * 4, _APART_SECONDS) if now - until < _APART_SECONDS and seconds else 1.0
        if len(self._known) >= _MOST_KINDS:
            self._known = {each: known for each, known in self._known.items() if known[0] > now}
        if len(self._known) >= _MOST_KINDS:
            self._known.clear()
        self._known[kind] = now + seconds, seconds


class Pages:
    """Asks for live documents of one collection."""

    def __init__(
        self,
        collection: Collection,
        alone: asyncio.Semaphore | None,
        *,
        session: Session | None = None,
        small: int = SMALL,
        at_once: int = AT_ONCE,
        uncommitted: bool = False,
    ) -> None:
        """alone: of questions that may be on their way alone; None: what is too slow to go together is refused.
        small: the most documents of a question that goes together with others. at_once: batches of pages.
        uncommitted: as `failures` says."""
        self._collection = collection
        self._alone_at_once = alone
        self._session = session
        self._uncommitted = uncommitted
        # A session is used by one at a time.
        self._turn = FREE if session is None else asyncio.Lock()
        self._small = small
        self._together = Batches(self._asked, largest=LARGEST_BATCH, at_once=at_once)
        self._walks = Batches(self._walked, largest=LARGEST_BATCH, at_once=1)
        self._keys = Batches(self._keyed, largest=LARGEST_KEYED, at_once=1)
        self._apart = Apart()
        self._usual = 0.0
        """Seconds that pages in company took of late: all is slower on a machine that is busy."""
        self._ends: dict[int, tuple[int | None, float]] = {}
        self._ending = asyncio.Lock()

    async def ask(self, question: Question, deadline: float) -> list[Document]:
        """The first documents, in their order.   deadline: by time.monotonic().

        Raises: QueryTooCostly, StoreUnavailable."""
        if question.parts:
            return await self._of_parts(question, deadline)
        if question.limit <= self._small:
            if question.key is not None and question.key not in self._apart:
                found = await self._keys.ask(question)
                if found is not None:
                    return found
            if question.walk is not None:
                found = await self._walk(question, question.walk)
                if found is not None:
                    return found
            if question.kind not in self._apart:
                with suppress(QueryTooCostly):
                    return await self._together.ask(question)
        return await self._alone(question, deadline)

    async def _of_parts(self, question: Question, deadline: float) -> list[Document]:
        """One of an index that has their order is soon done, though it could not be together with one that has not."""
        each = [
            replace(question, where=part, parts=(), kind=f"{question.kind}, part {number}")
            for number, part in enumerate(question.parts)
        ]
        answers = await asyncio.gather(*(self.ask(one, deadline) for one in each))
        found = {document["_id"]: document for answer in answers for document in answer}
        (first, way), (then, on) = question.sort
        return sorted(found.values(), key=lambda one: (way * one[first], on * one[then]))[: question.limit]

    async def _walk(self, question: Question, walk: Document) -> list[Document] | None:
        """None if too few are found on the way, or too late."""
        kind = f"walk {question.kind}"
        if question in self._apart or kind in self._apart:
            return None
        with suppress(QueryTooCostly):
            if question.along is None:
                return await self._walks.ask(question)
            end = await self._end(question.along)
            if end is None:
                return await self._together.ask(replace(question, where=walk))
            found = await self._together.ask(replace(question, where={"$and": [walk, {"n": {"$lte": end}}]}))
            if len(found) == question.limit:
                return found
            self._apart.add(question)
            return None
        self._apart.add(kind)
        return None

    async def _end(self, key: int) -> int | None:
        """Creation number of the last document of a type that is walked to; None: all are."""
        async with self._ending:
            end, until = self._ends.get(key, (None, 0.0))
            if end is None and until < time.monotonic():
                asked = self._collection.find({"k": key}, {"_id": 0, "n": 1}, sort=[("n", 1)], limit=1, skip=WALKED)
                with failures():
                    found = await asked.max_time_ms(_TOGETHER_MS).to_list(None)
                end = found[0]["n"] if found else None
                self._ends[key] = end, time.monotonic() + _GROWN_SECONDS
            return end

    async def count(self, where: Document, kind: str, deadline: float) -> int:
        """How many documents there are. Raises: QueryTooCostly, StoreUnavailable."""
        found = await self.ask(Question(where, {}, [], 1, f"count {kind}", counts=True), deadline)
        return int(found[0][_NUMBER]) if found else 0

    async def guess(self, where: Document, most: int, deadline: float) -> int:
        """How many documents there are, or the most that is counted. Raises: QueryTooCostly, StoreUnavailable."""
        left, session = _until(deadline), self._session
        with failures():
            async with self._turn:
                return await self._collection.count_documents(where, session, limit=most, maxTimeMS=left)

    async def some(self, where: Document, fields: Document, most: int, deadline: float) -> list[Document]:
        """As many as that, of few that are found by their ids."""
        return await self._find(Question(where, fields, [], most, ""), _until(deadline))

    async def all(self, where: Document, fields: Document, deadline: float) -> AsyncIterator[list[Document]]:
        """All there are, in any order, in batches that grow."""
        size = _BATCH
        async with FREE if self._alone_at_once is None or self._session else self._alone_at_once:
            cursor = self._collection.find(where, fields, session=self._session, batch_size=size + 1)
            cursor = cursor.max_time_ms(_until(deadline))
            try:
                while True:
                    async with self._turn:
                        documents = await cursor.to_list(size)
                    yield documents
                    if len(documents) < size:
                        return
                    size = min(size * 2, _LARGEST_BATCH)
            finally:
                async with self._turn:
                    await cursor.close()

    async def _asked(self, questions: list[Question]) -> list[list[Document]]:
        return await self._union(questions, _TOGETHER_MS)

    async def _walked(self, questions: list[Question]) -> list[list[Document]]:
        return await self._union([replace(each, where=each.walk or each.where) for each in questions], _WALK_MS)

    async def _keyed(self, questions: list[Question]) -> list[list[Document] | None]:
        """None where the key is not as rare as it was taken for."""
        most = sum(question.limit for question in questions)
        first = questions[0]
        wanted = Question(
            {"k": {"$in": [question.key for question in questions]}}, {**first.fields, "k": 1}, first.sort, most, ""
        )
        try:
            documents = await self._find(wanted, _TOGETHER_MS)
        except QueryTooCostly:
            return [None] * len(questions)
        by_key: dict[int, list[Document]] = {question.key: [] for question in questions if question.key is not None}
        for document in documents:
            for key in by_key.keys() & document["k"]:
                by_key[key].append(document)
        if len(documents) == most:
            for key, found in by_key.items():
                if len(found) > most // len(questions):
                    self._apart.add(key)
            return [None] * len(questions)
        return [by_key[question.key or 0][: question.limit] for question in questions]

    async def _union(self, questions: list[Question], milliseconds: int) -> list[list[Document]]:
        if len(questions) == 1 and not questions[0].counts:
            return [await self._find(questions[0], milliseconds)]
        first, *others = (_pipeline(question, number) for number, question in enumerate(questions))
        unions = [{"$unionWith": {"coll": self._collection.name, "pipeline": each}} for each in others]
        most = sum(question.limit for question in questions)
        found: list[list[Document]] = [[] for _ in questions]
        began = time.monotonic()
        with failures(uncommitted=self._uncommitted):
            async with self._turn:
                cursor = await self._collection.aggregate(
                    [*first, *unions], session=self._session, batchSize=most + 1, maxTimeMS=milliseconds
                )
                documents = await cursor.to_list(None)
        self._usual += (time.monotonic() - began - self._usual) / 8
        for document in documents:
            found[_number(document)].append(document)
        return found

    async def _alone(self, question: Question, deadline: float) -> list[Document]:
        if self._alone_at_once is None:
            raise QueryTooCostly("This question goes alone")
        async with self._alone_at_once:
            began = time.monotonic()
            milliseconds = _until(deadline)
            try:
                if question.counts:
                    [found] = await self._union([question], milliseconds)
                    return found
                return await self._find(question, milliseconds)
            finally:
                if time.monotonic() - began > max(_SLOW_SECONDS, 4 * self._usual):
                    self._apart.add(question.kind)

    async def _find(self, question: Question, milliseconds: int) -> list[Document]:
        """A batch has room for one more than all: the server ends the cursor with the last of them. What is to end with
        its first batch ends at 16 MB.   https://www.mongodb.com/docs/manual/reference/command/find/"""
        most = question.limit
        cursor = self._collection.find(
            question.where, question.fields, sort=question.sort, limit=most, batch_size=most + 1, session=self._session
        )
        with failures(uncommitted=self._uncommitted):
            async with self._turn:
                return await cursor.max_time_ms(milliseconds).to_list(None)


def within(collection: Collection, session: Session, *, uncommitted: bool = False) -> Pages:
    """Of one search by itself, in a transaction (uncommitted) or a snapshot: nothing is tried with a short limit
    first."""
    return Pages(collection, asyncio.Semaphore(1), session=session, small=0, uncommitted=uncommitted)


def _until(deadline: float) -> int:
    """Milliseconds."""
    return max(1, int((deadline - time.monotonic()) * 1000))


def _pipeline(question: Question, number: int) -> list[Document]:
    bits = [projected for bit, projected in enumerate(_BITS) if number >> bit & 1]
    if question.counts:
        told: dict[str, Any] = {projected.partition(".")[0]: {"$literal": 1} for projected in bits}
        return [{"$match": question.where}, {"$count": _NUMBER}, {"$project": {_NUMBER: 1, **told}}]
    sort = [{"$sort": dict(question.sort)}] if question.sort else []
    project = {"$project": question.fields | dict.fromkeys(bits, 1)}
    return [{"$match": question.where}, *sort, {"$limit": question.limit}, project]


def _number(document: Document) -> int:
    # Written out: it is asked of each document.
    return ("p" in document) + 2 * ("t" in document) + 4 * ("k" in document)
