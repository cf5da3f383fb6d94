"""Searches that ask several questions, as chains and `_has` do, ask them of one snapshot.

Those that come together share it, and their questions go together: what the driver costs for a question, and the
server for a snapshot, is paid once for all. Each gets its answer when it has it. One that turns out to be slow begins
anew in a snapshot of its own, and so do others of its kind for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from server.store.contract import QueryTooCostly
from server.store.mongo.batches import Batches
from server.store.mongo.driver import Client, Collection, failures, snapshot
from server.store.mongo.pages import FEW, LARGEST_BATCH, Apart, Pages, within

T = TypeVar("T")
Work = Callable[[Pages, float | None], Awaitable[T]]
"""A search: by what it asks, and its deadline by time.monotonic() (None: the usual one)."""

_AT_ONCE = 2
_SECONDS = 0.5
"""Of a search in company."""


class _Job(NamedTuple):
    work: Work[Any]
    done: asyncio.Future[Any]


class Snapshots:
    def __init__(self, client: Client, collection: Collection, at_once: asyncio.Semaphore) -> None:
        """at_once: snapshots."""
        self._client = client
        self._collection = collection
        self._at_once = at_once
        self._groups = Batches(self._group, largest=LARGEST_BATCH, at_once=_AT_ONCE)
        self._apart = Apart()

    async def ask(self, kind: str | None, work: Work[T]) -> T:
        """kind: of searches alike; None: it goes alone."""
        if kind is not None and kind not in self._apart:
            done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._groups.ask(_Job(work, done)).add_done_callback(partial(_failed, done))
            try:
                return await done
            except QueryTooCostly:
                self._apart.add(kind)
        async with self._at_once:
            with failures():
                async with snapshot(self._client) as session:
                    return await work(within(self._collection, session), None)

    async def _group(self, jobs: list[_Job]) -> list[None]:
        async with self._at_once, snapshot(self._client) as session:
            pages = Pages(self._collection, None, session=session, small=FEW + 1, at_once=1)
            await asyncio.gather(*(_run(job, pages) for job in jobs))
        return [None] * len(jobs)


def _failed(done: asyncio.Future[Any], group: asyncio.Future[None]) -> None:
    """A group that did not come to its searches tells them why."""
    if not done.done() and not group.cancelled() and (error := group.exception()):
        done.set_exception(error)


async def _run(job: _Job, pages: Pages) -> None:
    """Its answer is given before the others have theirs."""
    try:
        with failures():
            found = await job.work(pages, time.monotonic() + _SECONDS)
    except Exception as error:
        if not job.done.done():
            job.done.set_exception(error)
    else:
        if not job.done.done():
            job.done.set_result(found)
