"""The gate that writing processes of one store pass one by one.

Outside SQLite on purpose: writers that wait inside SQLite keep the write-ahead log from being reset (it grew to
half a gigabyte in five seconds) and cost p99. The operating system frees the gate of a process that dies.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Gate:
    """An advisory lock on a file beside the database. One per writer thread; not re-entrant."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits without limit: whoever holds it is committing one group."""
        _lock(self._file)
        try:
            yield
        finally:
            _unlock(self._file)

    def close(self) -> None:
        os.close(self._file)


if sys.platform == "win32":  # pragma: no cover - not run in CI; the README says so
    import msvcrt
    import time

    def _lock(file: int) -> None:
        while True:
            os.lseek(file, 0, os.SEEK_SET)
            try:
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            except OSError:
                time.sleep(0.002)
            else:
                return

    def _unlock(file: int) -> None:
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
