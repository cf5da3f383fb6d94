"""The writer: one task per process that commits the waiting work of all requests in groups.

While one group is on its way the next gathers: a transaction of its own costs a commit 880 us of Python, its share of a
group of 64 costs 57. So a group waits for as many commits as there were on their way when the last one ended, whose
callers are about to come again, but not for long (`_SHARE`), and a commit that comes alone waits for nobody. A group
that fails is repeated commit by commit.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from server.store.contract import (
    Commit,
    CommitRefused,
    Delete,
    Exists,
    Put,
    QueryTooCostly,
    Replayed,
    ResourceTooLarge,
    StoreError,
    StoreUnavailable,
    Unreferenced,
)
from server.store.mongo.batches import Batches
from server.store.mongo.documents import Builder
from server.store.mongo.driver import Again, Client, Session, end_abandoned, failures, transact
from server.store.mongo.frames import values
from server.store.mongo.marks import NO_MARK
from server.store.mongo.order import Stamp
from server.store.mongo.transaction import Prepared, Transaction, Unmarked, Work
from server.turn import Turn

LARGEST_GROUP = 64
LARGEST_BYTES = 1 << 20
"""Of bodies in a group; a single commit may be larger."""
ENOUGH_BYTES = 1 << 16
"""A group of so much waits for nobody."""
_SHARE = 0.5
"""A group waits for others at most for this share of the time that the last one took, and for so long:"""
_LONGEST_WAIT = 0.005
_CONFLICT_SECONDS = 2.0
_GONE_SECONDS = 1.0
"""A cluster that was waited for so long, in vain, is gone for all who waited as long."""
SECONDS = 10.0
"""How long a commit is begun anew after conflicts and elections before it fails."""


@dataclass(slots=True, eq=False)
class _Waiting:
    work: Commit | list[Replayed]
    future: asyncio.Future[Any]
    size: int
    mark: int = NO_MARK
    """In what it deletes, where nobody may refer to that."""
    came: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Attempt:
    """At a group."""

    group: Sequence[_Waiting]
    prepared: dict[int, Prepared]
    stays: bool
    first: bool = True
    unmarked: bool = False


class Writer:
    def __init__(self, client: Client, work: Work, builder: Callable[[], Builder]) -> None:
        self._client = client
        self._work = work
        self._builder = builder
        self._queue: list[_Waiting] = []
        self._alone: list[_Waiting] = []
        """Of a group that failed: they are repeated one by one."""
        self._marking = Batches(self._marks, largest=LARGEST_GROUP, at_once=1)
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._expected = 1
        """Commits that the next group waits for."""
        self._lasted = 0.0
        """Seconds that the last group took."""
        self._complete = asyncio.Event()

    async def submit(self, work: Commit | list[Replayed]) -> Any:
        """Written of a Commit. Raises: CommitRefused, QueryTooCostly, StoreFull, StoreUnavailable."""
        waiting = _Waiting(work, asyncio.get_running_loop().create_future(), _size(work))
        unreferenced = _unreferenced([work])
        if unreferenced:
            waiting.mark = await self._marked(unreferenced)
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._queue.append(waiting)
        if self._is_complete():
            self._complete.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await waiting.future

    async def _marked(self, keys: set[str]) -> int:
        try:
            return await self._marking.ask(keys)
        except Again:
            return NO_MARK  # which its transaction finds out, to begin anew with another

    async def _marks(self, keys: list[set[str]]) -> list[int]:
        """Beside the groups that are on their way: what is deleted waits for those of other processes."""
        mark = await self._work.marks.set(set().union(*keys))
        return [mark] * len(keys)

    async def close(self) -> None:
        """Finishes what is waiting."""
        self._closed = True
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        await asyncio.sleep(0)  # what is asked in this turn of the loop comes along
        while self._queue:
            while self._queue:
                group = self._gather()
                began = time.monotonic()
                await self._write(group, stays=len(group) + len(self._queue) > 1)
                self._lasted = time.monotonic() - began
                self._expected = min(LARGEST_GROUP, len(group) + len(self._queue))
                await self._company()
            await self._work.order.rest()
        self._expected = 1
        self._task = None

    def _is_complete(self) -> bool:
        return len(self._queue) >= self._expected or sum(each.size for each in self._queue) >= ENOUGH_BYTES

    async def _company(self) -> None:
        """Waits until the next group is complete, or for a while. If nobody is there, only while readers of the commit
        order wait too: then whoever comes soon saves a registration."""
        await asyncio.sleep(0)
        if self._is_complete() or not (self._queue or self._work.order.registered):
            return
        self._complete.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._lasted * _SHARE, _LONGEST_WAIT)):
                await self._complete.wait()

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

    async def _write(self, group: list[_Waiting], *, stays: bool) -> None:
        """stays: others follow at once."""
        if not group:
            return
        began = time.monotonic()
        gone = False
        try:
            outcomes = await self._until(group, time.monotonic() + (SECONDS if len(group) == 1 else 0.5), stays)
        except (Again, Exception) as error:
            of_one = isinstance(error, Again | QueryTooCostly | ResourceTooLarge) or not isinstance(error, StoreError)
            if len(group) > 1 and of_one:
                self._alone = group
                for waiting in group:
                    if not waiting.future.done():
                        await self._write([waiting], stays=True)
                self._alone = []
                return
            failure = StoreUnavailable("the store was too busy: repeat") if isinstance(error, Again) else error
            outcomes = [failure for _ in group]
            gone = isinstance(error, StoreUnavailable) and time.monotonic() - began > _GONE_SECONDS
        for waiting, outcome in zip(group, outcomes, strict=True):
            if waiting.future.done():
                continue  # the request was cancelled; its commit stands
            if isinstance(outcome, BaseException):
                waiting.future.set_exception(outcome)
            else:
                waiting.future.set_result(outcome)
        if gone:
            self._tell_others(began)

    def _tell_others(self, began: float) -> None:
        """Whoever waited as long for a cluster that does not answer, else each group would wait for it again."""
        for waiting in (*self._alone, *self._queue):
            if waiting.came <= began and not waiting.future.done():
                waiting.future.set_exception(StoreUnavailable("the cluster has no primary that answers"))
        self._queue = [waiting for waiting in self._queue if not waiting.future.done()]

    async def _until(self, group: Sequence[_Waiting], deadline: float, stays: bool) -> list[Any]:
        """Begins anew until it is through or the time is up. Raises: Again, StoreError."""
        prepared = await self._prepare(group)
        attempt = _Attempt(group, prepared, stays)
        pause = 0.002
        conflict = time.monotonic() + _CONFLICT_SECONDS
        while True:
            try:
                return await self._together(attempt)
            except Again as again:
                attempt.unmarked = isinstance(again, Unmarked)
                if again.lost:  # once more in any case: if the cluster is gone, registering tells it to all together
                    await self._work.order.give_up()
                if time.monotonic() > deadline + (SECONDS if again.lost else 0):
                    raise
                if time.monotonic() > conflict:  # no transaction takes so long: perhaps its process was killed
                    conflict += _CONFLICT_SECONDS
                    with failures():
                        await end_abandoned(self._client)
            except BaseException:
                await self._work.order.give_up()
                raise
            attempt.first = False
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads, keeps no secret
            pause = min(pause * 2, 0.25)

    async def _prepare(self, group: Sequence[_Waiting]) -> dict[int, Prepared]:
        """Keys and values of all that is put; symbols that are new are made once for the whole group. Commits that are
        prepared as they come cost a tenth more CPU than a group's together."""
        builder, turn = self._builder(), Turn()
        made: dict[int, Prepared] = {}
        puts = [put for waiting in group for put in _puts(waiting.work)]
        while puts:
            lacking = []
            for put in puts:
                if turn.is_over():
                    await asyncio.sleep(0)
                number, type, id, index, text = put
                document = builder.build(type, id, index, text)
                if builder.lacking:
                    lacking.append(put)
                else:
                    made[number] = Prepared(document, values(index, text))
            if builder.missing or builder.links:
                await builder.settle()
            puts = lacking
        return made

    async def _together(self, attempt: _Attempt) -> list[Any]:
        works = [waiting.work for waiting in attempt.group]
        order = self._work.order
        changes = sum(len(work.changes if isinstance(work, Commit) else work) for work in works)
        if attempt.unmarked:
            await order.rest()  # else two that delete would wait for each other
            [mark] = await self._marks([_unreferenced(works)])
            for waiting in attempt.group:
                waiting.mark = mark
            attempt.unmarked = False
        await order.register()

        async def work(session: Session) -> tuple[Stamp, list[Any]]:
            stamp = await order.stamp(session, changes, stays=attempt.stays)
            transaction = Transaction(self._work, session, stamp, attempt.prepared)
            await transaction.load(_ids(works, trusting=attempt.first), _all_new(works))
            commits = [work for work in works if isinstance(work, Commit)]
            await transaction.claim(commits)
            await transaction.look_for_referrers(commits)
            outcomes: list[Any] = []
            for waiting in attempt.group:
                try:
                    if isinstance(waiting.work, Commit):
                        outcomes.append(await transaction.apply(waiting.work, waiting.mark))
                    else:
                        await transaction.replay(waiting.work)
                        outcomes.append(None)
                except CommitRefused as refusal:
                    outcomes.append(refusal)
                except QueryTooCostly as costly:  # it ends the transaction: the others begin anew without it
                    if not waiting.future.done():
                        waiting.future.set_exception(costly)
                    raise
            await transaction.finish()
            return stamp, outcomes

        stamp, outcomes = await transact(self._client, work)
        order.through(stamp)
        return outcomes


def _unreferenced(works: Sequence[Commit | list[Replayed]]) -> set[str]:
    """Type/id of what nobody may refer to."""
    return {
        f"{one.type}/{one.id}"
        for work in works
        if isinstance(work, Commit)
        for one in work.conditions
        if isinstance(one, Unreferenced)
    }


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


def _ids(works: Sequence[Commit | list[Replayed]], *, trusting: bool) -> list[tuple[str, str]]:
    """What must be looked up. trusting: not what was made for these very changes."""
    ids: list[tuple[str, str]] = []
    for work in works:
        if isinstance(work, Commit):
            ids += (
                (change.type, change.id)
                for change in work.changes
                if not (trusting and isinstance(change, Put) and change.fresh)
            )
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
