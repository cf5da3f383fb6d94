"""The writer: one thread per process that commits the waiting work of all requests in groups.

While one group is being made durable the next gathers, so the price of fsync is shared (590 us a resource alone,
97 us in a group of 32) and no timer is needed. Processes take turns at the gate (lock.py).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from server.store.contract import Commit, CommitRefused, Exists, QueryTooCostly, StoreError, StoreUnavailable
from server.store.embedded.ahead import Early
from server.store.embedded.driver import Connection, failures
from server.store.embedded.lock import Gate
from server.store.embedded.transaction import Transaction

Job = Callable[[Transaction], Any]
"""Work inside the write transaction that is not a Commit: settings, reindexing."""

LARGEST_GROUP = 256


@dataclass(slots=True)
class _Waiting:
    work: Commit | Job
    ahead: dict[int, Early]
    """See ahead.py."""
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@dataclass(slots=True)
class _Outcome:
    waiting: _Waiting
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Takes work from any event loop, answers on it."""

    def __init__(
        self,
        connection: Connection,
        gate: Gate,
        begin: Callable[[Connection], Transaction],
        committed: Callable[[Transaction], None],
        between: Callable[[], None],
    ) -> None:
        """begin: the Transaction of a group. committed: after COMMIT. between: inside the gate, before BEGIN."""
        self._connection = connection
        self._gate = gate
        self._begin = begin
        self._committed = committed
        self._between = between
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="onecard-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Commit | Job, ahead: dict[int, Early] | None = None) -> asyncio.Future[Any]:
        """ahead: see ahead.py. Raises (in the future): CommitRefused, StoreFull, StoreUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailable("the store is closed"))
        else:
            self._queue.put(_Waiting(work, ahead or {}, future, loop))
        return future

    def close(self) -> None:
        """Finishes what is waiting; blocks until then."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    # -------------------------------------------------------------------------------- on the writer's thread

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            self._deliver(self._write(group, self._gather))
            del first, group  # all index values of a large commit would live until the next one

    def _gather(self, group: list[_Waiting]) -> None:
        """Adds what waits by now."""
        while len(group) < LARGEST_GROUP:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return
            if waiting is None:
                self._queue.put(None)  # the end is for `_run` to see
                return
            group.append(waiting)

    def _write(self, group: list[_Waiting], gather: Callable[[list[_Waiting]], None] | None = None) -> list[_Outcome]:
        try:
            return self._together(group, gather)
        except StoreError as error:
            return [_Outcome(waiting, error=error) for waiting in group]
        except Exception as error:
            # A bug or a value that SQLite refuses: only the commit that brought it may suffer.
            if len(group) == 1:
                return [_Outcome(group[0], error=error)]
            return [outcome for waiting in group for outcome in self._write([waiting])]

    def _together(self, group: list[_Waiting], gather: Callable[[list[_Waiting]], None] | None) -> list[_Outcome]:
        connection = self._connection
        with failures(), self._gate.held():
            self._between()
            if gather is not None:  # what came while others held the gate
                gather(group)
            connection.execute("BEGIN IMMEDIATE")
            try:
                transaction = self._begin(connection)
                outcomes = self._apply(transaction, group)
                transaction.finish()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        self._committed(transaction)
        return outcomes

    def _apply(self, transaction: Transaction, group: Sequence[_Waiting]) -> list[_Outcome]:
        commits = [waiting.work for waiting in group if isinstance(waiting.work, Commit)]
        transaction.load(change for commit in commits for change in commit.changes)
        transaction.load_existence(
            (condition.type, condition.id)
            for commit in commits
            for condition in commit.conditions
            if isinstance(condition, Exists)
        )
        outcomes = []
        for waiting in group:
            work = waiting.work
            try:
                result = transaction.apply(work, waiting.ahead) if isinstance(work, Commit) else work(transaction)
                outcomes.append(_Outcome(waiting, result))
            except (CommitRefused, QueryTooCostly) as refusal:
                outcomes.append(_Outcome(waiting, error=refusal))
        return outcomes

    def _deliver(self, outcomes: Sequence[_Outcome]) -> None:
        """One wake-up of the loop for the whole group."""
        by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
        for outcome in outcomes:
            by_loop.setdefault(outcome.waiting.loop, []).append(outcome)
        for loop, mine in by_loop.items():
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(_answer, mine)


def _answer(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.waiting.future
        if future.done():  # the request was cancelled; its commit stands
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.result)
