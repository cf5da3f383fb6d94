"""Everything that one thread needs to read: a connection, and the readers on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from server.store.embedded.bodies import Bodies
from server.store.embedded.driver import connect, failures
from server.store.embedded.history import Histories
from server.store.embedded.reader import Reader
from server.store.embedded.symbols import Symbols

T = TypeVar("T")


class Session:
    """One reading connection. Used by one thread at a time."""

    def __init__(self, path: Path, symbols: Symbols, dictionaries: dict[int, bytes]) -> None:
        self.connection = connect(path)
        self.symbols = symbols
        self.bodies = Bodies(dictionaries)
        self.reader = Reader(self.connection, symbols, self.bodies)
        self.histories = Histories(self.connection, symbols, self.bodies)

    def close(self) -> None:
        self.connection.close()


class Sessions:
    """Sessions for threads, made when first needed and used again."""

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._idle: SimpleQueue[Session] = SimpleQueue()

    def run(self, work: Callable[[Session], T]) -> T:
        """Blocks; call it on a thread of its own."""
        try:
            session = self._idle.get_nowait()
        except Empty:
            session = self._make()
        try:
            with failures():
                return work(session)
        finally:
            self._idle.put(session)

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return
