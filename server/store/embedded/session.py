"""Everything that one thread needs to read: a connection, and the readers on it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from server.store.bodies import Bodies
from server.store.contract import SearchRules
from server.store.embedded.driver import SqlError, connect, failures, is_interrupt, stop_when
from server.store.embedded.estimates import Estimates
from server.store.embedded.history import Histories
from server.store.embedded.reader import Reader
from server.store.embedded.search import Searcher
from server.store.embedded.symbols import Symbols

T = TypeVar("T")

_STEPS = 2000
_INLINE_STEPS = 20
"""Times _STEPS virtual machine steps that work on the event loop may take: about a millisecond."""


class TooLong(Exception):
    """Work on the event loop was given up: it belongs on a thread."""


class Session:
    """One reading connection. Used by one thread at a time."""

    def __init__(
        self,
        path: Path,
        symbols: Symbols,
        estimates: Estimates,
        dictionaries: dict[int, bytes],
        rules: SearchRules,
    ) -> None:
        self.connection = connect(path, cache=16)
        self.bodies = Bodies(dictionaries)
        self.reader = Reader(self.connection, symbols, self.bodies)
        self.histories = Histories(self.connection, symbols, self.bodies)
        self.searcher = Searcher(self.connection, symbols, estimates, self.bodies, rules)
        self._ticks = 0
        self._bounded = False
        self._deadline = 0.0

    def inline(self, work: Callable[[Session], T]) -> T:
        """On the event loop. Raises: TooLong after about a millisecond of work."""
        self._ticks = 0
        self._bounded = True
        try:
            return self._snapshot(work)
        except SqlError as error:
            if is_interrupt(error):
                raise TooLong from None
            raise

    def bound_inline(self) -> None:
        """For the session of the event loop: counts steps, since statements of one search differ in length."""
        stop_when(self.connection, self._tick, _STEPS)

    def _tick(self) -> bool:
        self._ticks += 1
        return self._bounded and self._ticks > _INLINE_STEPS

    def within(self, seconds: float, work: Callable[[Session], T]) -> T:
        """On a thread. Raises: QueryTooCostly once the time is over."""
        self._deadline = time.monotonic() + seconds
        stop_when(self.connection, self._late, _STEPS * 5)
        try:
            with failures():
                return self._snapshot(work)
        finally:
            stop_when(self.connection, None)

    def _late(self) -> bool:
        return time.monotonic() > self._deadline

    def _snapshot(self, work: Callable[[Session], T]) -> T:
        """All statements see the same state of the store: symbols found and rows searched fit together."""
        self.connection.execute("BEGIN")
        try:
            return work(self)
        finally:
            self._bounded, self._deadline = False, math.inf  # the end of a search must not be interrupted too
            self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()


class Sessions:
    """Sessions for threads, made when first needed and used again."""

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._idle: SimpleQueue[Session] = SimpleQueue()

    def run(self, seconds: float, work: Callable[[Session], T]) -> T:
        """Blocks; call it on a thread of its own."""
        try:
            session = self._idle.get_nowait()
        except Empty:
            session = self._make()
        try:
            return session.within(seconds, work)
        finally:
            self._idle.put(session)

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return
