"""The embedded store: SQLite in one file, nothing to administer.   docs/decisions/embedded-layout.md

Bounded reads run inline on the event loop, everything else on threads with connections of their own; one thread
writes. Readers never wait for the writer (write-ahead log).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from server.search.query import Match, Query
from server.store.asked import Asked
from server.store.bodies import Bodies
from server.store.contract import (
    Commit,
    History,
    Hits,
    Matches,
    Replayed,
    Scope,
    SearchRules,
    StoreInfo,
    Version,
    Written,
)
from server.store.embedded.ahead import Ahead
from server.store.embedded.checkpoint import Checkpointer
from server.store.embedded.driver import Connection, connect, failures, stop_when
from server.store.embedded.estimates import Estimates
from server.store.embedded.lock import Gate
from server.store.embedded.rows import Builder, Parameters
from server.store.embedded.schema import changes_zone, install, prepare
from server.store.embedded.search import Searcher
from server.store.embedded.session import Session, Sessions, TooLong
from server.store.embedded.symbols import Allocation, Symbols
from server.store.embedded.transaction import Transaction
from server.store.embedded.upkeep import Extracted, extracted, snapshot, verify
from server.store.embedded.writer import Writer

T = TypeVar("T")
_AHEAD = 64
"""Changes whose rows are made before others have their turn on the loop."""
_THREADS = 4
_CONDITION_SECONDS = 5.0
"""Longest search of a condition, since all writers wait for it."""
_WRITER_CACHE = 32
"""MiB."""
_SMALL = 8
"""Types and criteria of a search that is tried on the event loop."""


class EmbeddedStore:
    """`server.store.contract.Store` on SQLite. Made by `open_embedded`."""

    def __init__(
        self,
        path: Path,
        rules: SearchRules,
        *,
        zone: str,
        clock: Callable[[], int],
        search_seconds: float,
        rezone: bool = False,
    ) -> None:
        """Blocks while it makes the tables. Raises: StoreRefused, StoreInUse (its zone is to change), StoreFull."""
        self.path = path
        self._rules = rules
        self._clock = clock
        self._seconds = search_seconds
        self._symbols = Symbols()
        self._parameters = Parameters(rules.parameter)
        self._estimates = Estimates()
        self._gate = Gate(path.with_name(path.name + ".lock"))
        try:
            connection = self._prepared(zone, rezone)
        except BaseException:
            self._gate.close()
            raise
        self._write_bodies = Bodies(self._dictionaries)
        self._searcher = Searcher(connection, self._symbols, self._estimates, self._write_bodies, rules)
        self._inline = self._session()
        self._inline.bound_inline()
        self._ahead = Ahead(self._inline.connection, self._symbols, self._parameters)
        self._sessions = Sessions(self._session)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="onecard-search")
        self._written_by = connection
        self._checkpointer = Checkpointer(path, connection)
        self._writer = Writer(connection, self._gate, self._begin, self._committed, self._checkpointer.between_groups)

    def _prepared(self, zone: str, rezone: bool) -> Connection:
        """The writing connection, to a store whose tables are up to date."""
        connection = connect(self.path, create=True, cache=_WRITER_CACHE)
        try:
            with self._gate.held():
                if rezone and changes_zone(connection, zone):
                    connection.close()
                    connect(self.path, alone=True).close()  # else others would go on reading dates in the old zone
                    connection = connect(self.path, cache=_WRITER_CACHE)
                prepare(connection, zone, rezone=rezone)
                with failures(), connection:
                    self._dictionaries = install(connection)
            self._epoch = str(connection.execute("SELECT epoch FROM state").get)
        except BaseException:
            connection.close()
            raise
        return connection

    def _session(self) -> Session:
        return Session(self.path, self._symbols, self._estimates, self._dictionaries, self._rules)

    # -------------------------------------------------------------------------------- writing

    async def commit(self, commit: Commit) -> list[Written]:
        changes = commit.changes
        coming = {(change.type, change.id) for change in changes} if len(changes) > 1 else ()
        early = self._ahead.of(changes[:_AHEAD], coming)
        for start in range(_AHEAD, len(changes), _AHEAD):
            await asyncio.sleep(0)
            early |= self._ahead.of(changes[start : start + _AHEAD], coming)
        written: list[Written] = await self._writer.submit(commit, early)
        return written

    def _begin(self, connection: Connection) -> Transaction:
        allocation = Allocation(connection, self._symbols)
        builder = Builder(allocation, self._parameters)
        return Transaction(connection, allocation, builder, self._write_bodies, self._clock, self._found)

    def _found(self, condition: Matches) -> list[tuple[str, str]]:
        """On the writer's connection, within its transaction. Raises: QueryTooCostly: others wait meanwhile."""
        end = time.monotonic() + min(self._seconds, _CONDITION_SECONDS)
        stop_when(self._written_by, lambda: time.monotonic() > end)
        try:
            with failures():
                return self._searcher.ids(condition.query, len(condition.ids) + 1)
        finally:
            stop_when(self._written_by, None)

    def _committed(self, transaction: Transaction) -> None:
        if transaction.epoch != self._epoch:
            self._symbols.clear()
            self._epoch = transaction.epoch
        transaction.allocation.publish()

    # -------------------------------------------------------------------------------- reading

    async def read(self, type: str, id: str) -> Version | None:
        return self._inline.reader.read(type, id)

    async def read_many(self, ids: Sequence[tuple[str, str]]) -> list[Version | None]:
        return self._inline.reader.read_many(ids)

    async def vread(self, type: str, id: str, version: int) -> Version | None:
        return self._inline.reader.vread(type, id, version)

    async def history(
        self,
        scope: Scope,
        *,
        since: int | None = None,
        at: tuple[int, int] | None = None,
        before: int | None = None,
        until: int | None = None,
        limit: int = 50,
    ) -> History:
        asked = Asked(scope, since, at, before, until, limit)
        if scope.id is not None and at is None:
            return self._inline.histories.history(asked)
        return await self._in_thread(lambda session: session.histories.history(asked))

    async def search(self, query: Query) -> Hits:
        if _is_small(query):
            try:
                return self._inline.inline(lambda session: session.searcher.search(query))
            except TooLong:
                pass
        return await self._in_thread(lambda session: session.searcher.search(query))

    async def count(self, query: Query, *, estimate: bool = False) -> int:
        if estimate:
            return await self._in_thread(lambda session: session.searcher.estimate(query))
        return await self._in_thread(lambda session: session.searcher.count(query))

    async def explain(self, query: Query) -> dict[str, object]:
        return await self._in_thread(lambda session: session.searcher.explain(query))

    async def place(self, types: Sequence[str]) -> int:
        return int(self._inline.connection.execute("SELECT seq FROM state").get)

    async def changes(self, since: int) -> AsyncIterator[Version]:
        while True:
            found = await self._in_thread(partial(_next_changes, since))
            if not found:
                return
            for version in found:
                yield version
            since = found[-1].seq

    async def _in_thread(self, work: Callable[[Session], T], seconds: float | None = None) -> T:
        limit = self._seconds if seconds is None else seconds
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._sessions.run, limit, work)

    # -------------------------------------------------------------------------------- the store itself

    async def info(self) -> StoreInfo:
        return await self._in_thread(self._info)

    def _info(self, session: Session) -> StoreInfo:
        execute = session.connection.execute
        epoch, zone = execute("SELECT epoch, zone FROM state").get
        counts = execute(
            "SELECT name, (SELECT count(*) FROM res WHERE res.t = type.t AND m < 3) FROM type ORDER BY name"
        )
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return StoreInfo(
            engine="sqlite",
            zone=zone,
            epoch=epoch,
            counts={name: count for name, count in counts if count},
            size=sum(file.stat().st_size for file in files if file.exists()),
        )

    async def get_setting(self, key: str) -> bytes | None:
        value: bytes | None = self._inline.connection.execute("SELECT value FROM setting WHERE key = ?", (key,)).get
        return value

    async def put_setting(self, key: str, value: bytes, *, only_if_absent: bool = False) -> bytes:
        conflict = "NOTHING" if only_if_absent else "UPDATE SET value = excluded.value"

        def put(transaction: Transaction) -> bytes:
            execute = transaction.connection.execute
            execute(f"INSERT INTO setting VALUES(?, ?) ON CONFLICT DO {conflict}", (key, value))
            return bytes(execute("SELECT value FROM setting WHERE key = ?", (key,)).get)

        stored: bytes = await self._writer.submit(put)
        return stored

    async def all_settings(self) -> dict[str, bytes]:
        return dict(self._inline.connection.execute("SELECT key, value FROM setting").fetchall())

    # -------------------------------------------------------------------------------- the whole of it

    async def replay(self, versions: Sequence[Replayed]) -> None:
        await self._writer.submit(lambda transaction: transaction.replay(versions))

    async def reindex(self, types: Sequence[str], progress: Callable[[int, int], None]) -> None:
        counts = (await self.info()).counts
        total = sum(counts.get(type, 0) for type in types)
        done = 0
        progress(done, total)
        for type in types:
            after = 0
            while True:
                found, after = await self._in_thread(partial(self._extracted, type, after))
                if not found:
                    break
                await self._writer.submit(partial(_reindex, found))
                done += len(found)
                progress(done, max(done, total))
        self._estimates.clear()

    def _extracted(self, type: str, after: int, session: Session) -> tuple[list[Extracted], int]:
        return extracted(session.connection, self._symbols, session.bodies, self._rules, type, after)

    async def rezone(self, zone: str, progress: Callable[[int, int], None]) -> None:
        """Reads the dates of all resources in another zone; for a store opened with `rezone`. Goes on after a break."""
        await self.reindex(list((await self.info()).counts), progress)
        await self._writer.submit(partial(_finish_rezoning, zone))

    async def snapshot(self, target: Path) -> None:
        """See upkeep.snapshot."""
        session = self._session()
        try:
            await asyncio.get_running_loop().run_in_executor(None, snapshot, session.connection, target)
        finally:
            session.close()

    async def verify(self, progress: Callable[[int], None] = lambda done: None) -> list[str]:
        """See upkeep.verify. progress is called on a thread."""
        return await self._in_thread(
            lambda session: verify(session.connection, session.bodies, progress), seconds=math.inf
        )

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.close)
        await loop.run_in_executor(None, self._checkpointer.close)
        await loop.run_in_executor(None, self._threads.shutdown)
        self._sessions.close()
        self._inline.close()
        self._written_by.close()
        self._gate.close()


def _is_small(query: Query) -> bool:
    """Whether planning it is a matter of microseconds, so that the event loop may try."""
    values = sum(len(criterion.operands) for criterion in query.where if isinstance(criterion, Match))
    return len(query.types) <= _SMALL and len(query.where) <= _SMALL and values <= 10 * _SMALL


def _reindex(found: Sequence[Extracted], transaction: Transaction) -> None:
    transaction.reindex(found)


def _finish_rezoning(zone: str, transaction: Transaction) -> None:
    transaction.connection.execute("UPDATE state SET zone = ?", (zone,))


def _next_changes(since: int, session: Session) -> list[Version]:
    return session.histories.changes(since)
