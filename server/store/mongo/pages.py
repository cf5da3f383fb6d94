"""Questions for a page, asked together: those of one turn of the event loop leave as one aggregation of `$unionWith`.

A question of its own costs 370 us of Python, in company of eight 110 (docs/performance.md). No timer: a question that
comes alone leaves alone. Whoever asks something slow must not hold up the others: what does not end in time together is
asked again one by one, and questions of the kind that took long go alone for a while.
https://www.mongodb.com/docs/manual/reference/operator/aggregation/unionWith/
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from server.store.contract import QueryTooCostly
from server.store.mongo.driver import Collection, Document, failures

LARGEST_BATCH = 8
IN_FLIGHT = 2
SMALL = 60
"""Documents of a question that goes together with others."""
_TOGETHER_MS = 250
_SLOW_SECONDS = 0.05
_APART_SECONDS = 60.0
_MOST_KINDS = 1000
_NUMBER = "i"


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    where: Document
    fields: Document
    sort: list[tuple[str, int]]
    limit: int
    deadline: float
    """By time.monotonic()."""
    kind: str
    """Of what is asked alike."""


class Pages:
    """Asks for documents of one collection."""

    def __init__(self, collection: Collection, at_once: asyncio.Semaphore) -> None:
        """at_once: questions that may be on their way alone."""
        self._collection = collection
        self._at_once = at_once
        self._waiting: list[tuple[Question, asyncio.Future[list[Document]]]] = []
        self._running: set[asyncio.Task[None] | None] = set()
        self._slow: dict[str, float] = {}

    async def ask(self, question: Question) -> list[Document]:
        """The first documents, in their order. Raises: QueryTooCostly, StoreUnavailable."""
        if question.limit > SMALL or self._slow.get(question.kind, 0.0) > time.monotonic():
            return await self._alone(question)
        future: asyncio.Future[list[Document]] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if len(self._running) < IN_FLIGHT:
            self._running.add(asyncio.create_task(self._run()))
        try:
            return await future
        except QueryTooCostly:
            return await self._alone(question)

    async def _run(self) -> None:
        try:
            await self._until_none_waits()
        finally:
            # Not by a callback of the task: who is woken by the last batch may ask before that would be called.
            self._running.discard(asyncio.current_task())

    async def _until_none_waits(self) -> None:
        while self._waiting:
            # Shared evenly among those that may be on their way: two halves take less time than one whole.
            size = min(LARGEST_BATCH, -(-len(self._waiting) // IN_FLIGHT) + 1)
            batch = [each for each in self._waiting[:size] if not each[1].done()]
            del self._waiting[:size]
            if not batch:
                continue
            try:
                found = await self._together([question for question, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), documents in zip(batch, found, strict=True):
                if not future.done():
                    future.set_result(documents)

    async def _together(self, questions: list[Question]) -> list[list[Document]]:
        if len(questions) == 1:
            return [await self._find(questions[0], _TOGETHER_MS)]
        first, *others = (_pipeline(question, number) for number, question in enumerate(questions))
        unions = [{"$unionWith": {"coll": self._collection.name, "pipeline": each}} for each in others]
        most = sum(question.limit for question in questions)
        found: list[list[Document]] = [[] for _ in questions]
        with failures():
            cursor = await self._collection.aggregate([*first, *unions], batchSize=most + 1, maxTimeMS=_TOGETHER_MS)
            for document in await cursor.to_list(None):
                found[document[_NUMBER]].append(document)
        return found

    async def _alone(self, question: Question) -> list[Document]:
        async with self._at_once:
            began = time.monotonic()
            try:
                return await self._find(question, max(1, int((question.deadline - began) * 1000)))
            finally:
                if time.monotonic() - began > _SLOW_SECONDS:
                    if len(self._slow) >= _MOST_KINDS:
                        self._slow.clear()
                    self._slow[question.kind] = time.monotonic() + _APART_SECONDS

    async def _find(self, question: Question, milliseconds: int) -> list[Document]:
        with failures():
            # A negative limit asks for a single batch: the server keeps no cursor that must be ended.
            cursor = self._collection.find(question.where, question.fields, sort=question.sort, limit=-question.limit)
            return await cursor.max_time_ms(milliseconds).to_list(None)


def _pipeline(question: Question, number: int) -> list[Document]:
    return [
        {"$match": question.where},
        {"$sort": dict(question.sort)},
        {"$limit": question.limit},
        {"$project": {**question.fields, _NUMBER: {"$literal": number}}},
    ]
