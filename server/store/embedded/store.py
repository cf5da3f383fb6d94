"""The embedded store: SQLite in one file, nothing to administer.   docs/decisions/embedded-layout.md

Bounded reads run inline on the event loop, everything else on threads with connections of their own; one thread
writes. Readers never wait for the writer (write-ahead log).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from server.search.query import Query
from server.store.contract import (
    Commit,
    History,
    Hits,
    Matches,
    Scope,
    SearchRules,
    StoreInfo,
    Version,
    Written,
)
from server.store.embedded.bodies import Bodies, install
from server.store.embedded.driver import Connection, connect, failures
from server.store.embedded.estimates import Estimates
from server.store.embedded.history import Asked
from server.store.embedded.lock import Gate
from server.store.embedded.rows import Builder
from server.store.embedded.schema import prepare
from server.store.embedded.search import Searcher
from server.store.embedded.session import Session, Sessions, TooLong
from server.store.embedded.symbols import Allocation, Symbols
from server.store.embedded.transaction import Transaction
from server.store.embedded.writer import Writer

T = TypeVar("T")
_THREADS = 4


class EmbeddedStore:
    """`server.store.contract.Store` on SQLite. Made by `open_embedded`."""

    def __init__(
        self, path: Path, rules: SearchRules, *, zone: str, clock: Callable[[], int], search_seconds: float
    ) -> None:
        """Blocks while it makes or migrates the tables. Raises: StoreRefused, StoreFull."""
        self.path = path
        self._rules = rules
        self._clock = clock
        self._seconds = search_seconds
        self._symbols = Symbols()
        self._estimates = Estimates()
        self._gate = Gate(path.with_name(path.name + ".lock"))
        connection = connect(path, create=True)
        with self._gate.held():
            prepare(connection, zone)
            with failures(), connection:
                self._dictionaries = install(connection)
            self._epoch = str(connection.execute("SELECT epoch FROM state").get)
        self._write_bodies = Bodies(self._dictionaries)
        self._searcher = Searcher(connection, self._symbols, self._estimates, self._write_bodies, rules)
        self._inline = self._session()
        self._inline.bound_inline()
        self._sessions = Sessions(self._session)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="onecard-search")
        self._writer = Writer(connection, self._gate, self._begin, self._committed)
        self._written_by = connection

    def _session(self) -> Session:
        return Session(self.path, self._symbols, self._estimates, self._dictionaries, self._rules)

    # -------------------------------------------------------------------------------- writing

    async def commit(self, commit: Commit) -> list[Written]:
        written: list[Written] = await self._writer.submit(commit)
        return written

    def _begin(self, connection: Connection) -> Transaction:
        allocation = Allocation(connection, self._symbols)
        builder = Builder(allocation, self._rules.parameter)
        return Transaction(connection, allocation, builder, self._write_bodies, self._clock, self._found)

    def _found(self, condition: Matches) -> list[tuple[str, str]]:
        """On the writer's connection, within its transaction."""
        return self._searcher.ids(condition.query, len(condition.ids) + 1)

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
        limit: int = 50,
    ) -> History:
        asked = Asked(scope, since, at, before, limit)
        if scope.id is not None and at is None:
            return self._inline.histories.history(asked)
        return await self._in_thread(lambda session: session.histories.history(asked))

    async def search(self, query: Query) -> Hits:
        try:
            return self._inline.inline(lambda session: session.searcher.search(query))
        except TooLong:
            return await self._in_thread(lambda session: session.searcher.search(query))

    async def count(self, query: Query, *, estimate: bool = False) -> int:
        if estimate:
            return await self._in_thread(lambda session: session.searcher.estimate(query))
        return await self._in_thread(lambda session: session.searcher.count(query))

    async def explain(self, query: Query) -> dict[str, object]:
        return await self._in_thread(lambda session: session.searcher.explain(query))

    async def changes(self, since: int) -> AsyncIterator[Version]:
        while True:
            found = await self._in_thread(partial(_next_changes, since))
            if not found:
                return
            for version in found:
                yield version
            since = found[-1].seq

    async def _in_thread(self, work: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._sessions.run, self._seconds, work)

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
        return self._inline.connection.execute("SELECT value FROM setting WHERE key = ?", (key,)).get

    async def put_setting(self, key: str, value: bytes, *, only_if_absent: bool = False) -> bytes:
        conflict = "NOTHING" if only_if_absent else "UPDATE SET value = excluded.value"

        def put(transaction: Transaction) -> bytes:
            execute = transaction.connection.execute
            execute(f"INSERT INTO setting VALUES(?, ?) ON CONFLICT DO {conflict}", (key, value))
            return bytes(execute("SELECT value FROM setting WHERE key = ?", (key,)).get)

        stored: bytes = await self._writer.submit(put)
        return stored

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.close)
        await loop.run_in_executor(None, self._threads.shutdown)
        self._sessions.close()
        self._inline.close()
        self._written_by.close()
        self._gate.close()


def _next_changes(since: int, session: Session) -> list[Version]:
    return session.histories.changes(since)
