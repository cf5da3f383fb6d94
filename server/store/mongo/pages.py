"""Questions for a page, asked together: those of one turn of the event loop leave as one aggregation of `$unionWith`.

A question of its own costs 370 us of Python, in company of eight 110 (docs/performance.md). Whoever asks something slow
must not hold up the others: what does not end in time together is asked again one by one, and questions of the kind
that took long go alone for a while.

Which question a document answers is told by which of three fields are there, not by a computed one: mongod projects
fields at half the price when nothing is computed.
https://www.mongodb.com/docs/manual/reference/operator/aggregation/unionWith/
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from server.store.contract import QueryTooCostly
from server.store.mongo.batches import Batches
from server.store.mongo.driver import Collection, Document, failures

LARGEST_BATCH = 8
AT_ONCE = 2
SMALL = 60
"""Documents of a question that goes together with others."""
_TOGETHER_MS = 250
_WALK_MS = 50
_SLOW_SECONDS = 0.05
_APART_SECONDS = 60.0
_MOST_KINDS = 1000
_BITS = ("p", "t", "k.0")
"""Of fields that live documents have and no page needs: of `k` an empty list is projected."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    where: Document
    fields: Document
    """To show of each document; none of those that number the questions."""
    sort: list[tuple[str, int]]
    limit: int
    deadline: float
    """By time.monotonic()."""
    kind: str
    """Of what is asked alike."""
    walk: Document | None = None
    """The same, found by going along the order until there are enough: tried first, soon done if many do."""


class Pages:
    """Asks for live documents of one collection."""

    def __init__(self, collection: Collection, at_once: asyncio.Semaphore) -> None:
        """at_once: questions that may be on their way alone."""
        self._collection = collection
        self._alone_at_once = at_once
        self._together = Batches(self._asked, largest=LARGEST_BATCH, at_once=AT_ONCE)
        self._walks = Batches(self._walked, largest=LARGEST_BATCH, at_once=AT_ONCE)
        self._apart: dict[str, float] = {}

    async def ask(self, question: Question) -> list[Document]:
        """The first documents, in their order. Raises: QueryTooCostly, StoreUnavailable."""
        if question.walk is not None:
            kind = f"walk {question.kind}"
            if question.limit <= SMALL and not self._is_apart(kind):
                try:
                    return await self._walks.ask(question)
                except QueryTooCostly:
                    self._set_apart(kind)
        elif question.limit <= SMALL and not self._is_apart(question.kind):
            try:
                return await self._together.ask(question)
            except QueryTooCostly:
                pass
        return await self._alone(question)

    def _is_apart(self, kind: str) -> bool:
        return self._apart.get(kind, 0.0) > time.monotonic()

    def _set_apart(self, kind: str) -> None:
        if len(self._apart) >= _MOST_KINDS:
            self._apart.clear()
        self._apart[kind] = time.monotonic() + _APART_SECONDS

    async def _asked(self, questions: list[Question]) -> list[list[Document]]:
        return await self._union(questions, _TOGETHER_MS)

    async def _walked(self, questions: list[Question]) -> list[list[Document]]:
        return await self._union([replace(each, where=each.walk or each.where) for each in questions], _WALK_MS)

    async def _union(self, questions: list[Question], milliseconds: int) -> list[list[Document]]:
        if len(questions) == 1:
            return [await self._find(questions[0], milliseconds)]
        first, *others = (_pipeline(question, number) for number, question in enumerate(questions))
        unions = [{"$unionWith": {"coll": self._collection.name, "pipeline": each}} for each in others]
        most = sum(question.limit for question in questions)
        found: list[list[Document]] = [[] for _ in questions]
        with failures():
            cursor = await self._collection.aggregate([*first, *unions], batchSize=most + 1, maxTimeMS=milliseconds)
            for document in await cursor.to_list(None):
                found[_number(document)].append(document)
        return found

    async def _alone(self, question: Question) -> list[Document]:
        async with self._alone_at_once:
            began = time.monotonic()
            try:
                return await self._find(question, max(1, int((question.deadline - began) * 1000)))
            finally:
                if time.monotonic() - began > _SLOW_SECONDS:
                    self._set_apart(question.kind)

    async def _find(self, question: Question, milliseconds: int) -> list[Document]:
        with failures():
            # A negative limit asks for a single batch: the server keeps no cursor that must be ended.
            cursor = self._collection.find(question.where, question.fields, sort=question.sort, limit=-question.limit)
            return await cursor.max_time_ms(milliseconds).to_list(None)


def _pipeline(question: Question, number: int) -> list[Document]:
    bits = {projected: 1 for bit, projected in enumerate(_BITS) if number >> bit & 1}
    return [
        {"$match": question.where},
        {"$sort": dict(question.sort)},
        {"$limit": question.limit},
        {"$project": question.fields | bits},
    ]


def _number(document: Document) -> int:
    # Written out: it is asked of each document.
    return ("p" in document) + 2 * ("t" in document) + 4 * ("k" in document)
