"""Moves the write-ahead log into the database, beside the writers and off every request's path.

SQLite would do it inside some unlucky commit. A thread of its own copies the bulk while commits go on; what was
added meanwhile is little, and the writer's own thread finishes it between two groups, so that the log starts anew.
https://sqlite.org/wal.html#ckpt
"""

from __future__ import annotations

import threading
from pathlib import Path

from server.store.embedded.driver import Connection, checkpoint, connect, on_commit

PAGES = 4000
"""Log pages (16 MB) at which copying begins."""


class Checkpointer:
    """For one writing connection."""

    def __init__(self, path: Path, writer: Connection) -> None:
        self._path = path
        self._writer = writer
        self._due = threading.Event()
        self._copied = threading.Event()
        self._closed = False
        on_commit(writer, self._committed)
        self._thread = threading.Thread(target=self._run, name="onecard-checkpoint", daemon=True)
        self._thread.start()

    def _committed(self, pages: int) -> None:
        if pages >= PAGES:
            self._due.set()

    def between_groups(self) -> None:
        """On the writer's thread, before it begins: nobody of this process adds to the log now."""
        if self._copied.is_set():
            self._copied.clear()
            checkpoint(self._writer)

    def _run(self) -> None:
        connection = connect(self._path, cache=1)
        try:
            while True:
                self._due.wait()
                self._due.clear()
                if self._closed:
                    return
                if checkpoint(connection):
                    self._copied.set()
        finally:
            connection.close()

    def close(self) -> None:
        self._closed = True
        self._due.set()
        self._thread.join()
