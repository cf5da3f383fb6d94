"""The writer: one task per process that commits the waiting work of all requests in groups.

While one group is on its way the next gathers, so no timer is needed: a transaction of its own costs a commit 880 us of
Python, its share of a group of 64 costs 57. A group that fails is repeated commit by commit.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.store.contract import (
    Commit,
    CommitRefused,
    Condition,
    Delete,
    Exists,
    Put,
    Replayed,
    StoreError,
    StoreUnavailable,
    Unreferenced,
)
from server.store.mongo.documents import Builder
from server.store.mongo.driver import Again, Client, Session, end_abandoned, failures, transact
from server.store.mongo.frames import values
from server.store.mongo.transaction import Prepared, Transaction, Work

LARGEST_GROUP = 64
LARGEST_BYTES = 1 << 20
"""Of bodies in a group; a single commit may be larger."""
_CONFLICT_SECONDS = 2.0
SECONDS = 10.0
"""How long a commit is begun anew after conflicts and elections before it fails."""


@dataclass(slots=True, eq=False)
class _Waiting:
    work: Commit | list[Replayed]
    future: asyncio.Future[Any]
    size: int


class Writer:
    def __init__(self, client: Client, work: Work, builder: Callable[[], Builder]) -> None:
        self._client = client
        self._work = work
        self._builder = builder
        self._queue: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, work: Commit | list[Replayed]) -> Any:
        """Written of a Commit. Raises: CommitRefused, StoreFull, StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(work, future, _size(work)))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Finishes what is waiting."""
        self._closed = True
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._queue:
                await asyncio.sleep(0)  # what is asked in this turn of the loop comes along
                await self._write(self._gather())
        finally:
            self._task = None

    def _gather(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        for waiting in self._queue[:LARGEST_GROUP]:
            size += waiting.size
            if group and size > LARGEST_BYTES:
                break
            group.append(waiting)
        del self._queue[: len(group)]
        return [waiting for waiting in group if not waiting.future.done()]

    async def _write(self, group: list[_Waiting]) -> None:
        if not group:
            return
        try:
            outcomes = await self._until(group, time.monotonic() + (SECONDS if len(group) == 1 else 0.5))
        except (Again, Exception) as error:
            if len(group) > 1 and (isinstance(error, Again) or not isinstance(error, StoreError)):
                for waiting in group:
                    await self._write([waiting])
                return
            failure = StoreUnavailable("the store was too busy: repeat") if isinstance(error, Again) else error
            outcomes = [failure for _ in group]
        for waiting, outcome in zip(group, outcomes, strict=True):
            if waiting.future.done():
                continue  # the request was cancelled; its commit stands
            if isinstance(outcome, BaseException):
                waiting.future.set_exception(outcome)
            else:
                waiting.future.set_result(outcome)

    async def _until(self, group: Sequence[_Waiting], deadline: float) -> list[Any]:
        """Begins anew until it is through or the time is up. Raises: Again, StoreError."""
        prepared = await self._prepare(group)
        pause = 0.002
        conflict = time.monotonic() + _CONFLICT_SECONDS
        while True:
            try:
                return await self._together(group, prepared)
            except Again:
                await self._work.order.give_up()
                if time.monotonic() > deadline:
                    raise
                if time.monotonic() > conflict:  # no transaction takes so long: perhaps its process was killed
                    conflict += _CONFLICT_SECONDS
                    with failures():
                        await end_abandoned(self._client)
            except BaseException:
                await self._work.order.give_up()
                raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads, keeps no secret
            pause = min(pause * 2, 0.25)

    async def _prepare(self, group: Sequence[_Waiting]) -> dict[int, Prepared]:
        """Keys and values of all that is put; symbols that are new are made once for the whole group."""
        puts = [put for waiting in group for put in _puts(waiting.work)]
        builder = self._builder()
        documents = [builder.build(type, id, index, text) for _, type, id, index, text in puts]
        if builder.missing:
            while builder.missing:
                await builder.settle()
                documents = [builder.build(type, id, index, text) for _, type, id, index, text in puts]
        if builder.links:
            await builder.settle()
        return {
            number: Prepared(document, values(index, text))
            for (number, _, _, index, text), document in zip(puts, documents, strict=True)
        }

    async def _together(self, group: Sequence[_Waiting], prepared: dict[int, Prepared]) -> list[Any]:
        works = [waiting.work for waiting in group]
        changes = sum(len(work.changes) if isinstance(work, Commit) else 1 for work in works)
        unreferenced = {f"{one.type}/{one.id}" for one in _conditions(works) if isinstance(one, Unreferenced)}
        mark = await self._work.marks.set(unreferenced) if unreferenced else 0
        stamp = await self._work.order.register(changes)

        async def work(session: Session) -> list[Any]:
            transaction = Transaction(self._work, session, stamp, prepared, mark)
            await transaction.load(_ids(works), _all_new(works))
            outcomes: list[Any] = []
            for waiting in group:
                try:
                    if isinstance(waiting.work, Commit):
                        outcomes.append(await transaction.apply(waiting.work))
                    else:
                        await transaction.replay(waiting.work)
                        outcomes.append(None)
                except CommitRefused as refusal:
                    outcomes.append(refusal)
            await transaction.finish()
            return outcomes

        return await transact(self._client, work)


def _conditions(works: Sequence[Commit | list[Replayed]]) -> list[Condition]:
    return [condition for work in works if isinstance(work, Commit) for condition in work.conditions]


def _all_new(works: Sequence[Commit | list[Replayed]]) -> set[str] | None:
    """Type/id of all that changes, if it is all to be created."""
    keys: set[str] = set()
    for work in works:
        if not isinstance(work, Commit):
            return None
        for change in work.changes:
            if not isinstance(change, Put) or (change.expected != 0 and change.method != "POST"):
                return None
            keys.add(f"{change.type}/{change.id}")
    return keys


def _ids(works: Sequence[Commit | list[Replayed]]) -> list[tuple[str, str]]:
    ids: list[tuple[str, str]] = []
    for work in works:
        if isinstance(work, Commit):
            ids += ((change.type, change.id) for change in work.changes)
            ids += ((one.type, one.id) for one in work.conditions if isinstance(one, Exists | Unreferenced))
        else:
            ids += ((one.version.type, one.version.id) for one in work)
    return ids


def _puts(work: Commit | list[Replayed]) -> list[tuple[int, str, str, Any, Any]]:
    if isinstance(work, Commit):
        puts = [change for change in work.changes if not isinstance(change, Delete)]
        return [(id(put), put.type, put.id, put.index, put.text) for put in puts]
    live = [one for one in work if not one.version.deleted]
    return [(id(one), one.version.type, one.version.id, one.index, one.text) for one in live]


def _size(work: Commit | list[Replayed]) -> int:
    if isinstance(work, Commit):
        return sum(len(c.body.head) + len(c.body.tail) for c in work.changes if not isinstance(c, Delete))
    return LARGEST_BYTES
