"""One JSON line per request: what was asked of which route, by which token, how it went, how long it took.

{"time", "request", "route", "method", "status", "ms", "bytes", "by"}; no address, query, resource id or body.
Lines are gathered and written by a thread: a reader that has stopped must never stop the server. When too much waits,
lines are dropped and counted.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from server.clock import now_ms
from server.config import SettingRefused
from server.store.contract import instant

FLUSH_SECONDS = 0.2
MAX_WAITING = 20_000
"""Lines."""


class Dropped(Protocol):
    def log_dropped(self, lines: int) -> None: ...


class RequestLog:
    """destination: "stderr", "off" or a file, which is appended to. Raises: SettingRefused (it cannot be written)."""

    def __init__(self, destination: str, dropped: Dropped) -> None:
        self._destination = destination
        self._dropped = dropped
        self._lines: list[str] = []
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, "request-log")
        self._file = self._open()

    @property
    def on(self) -> bool:
        return self._file >= 0

    def record(self, request: str, route: str, method: str, status: int, seconds: float, size: int, by: str) -> None:
        """Texts must be plain: they come from the routes table, the server's own counter and token names."""
        if self._file < 0:
            return
        if len(self._lines) >= MAX_WAITING:
            self._dropped.log_dropped(1)
            return
        self._lines.append(
            f'{{"time":"{instant(now_ms())}","request":"{request}","route":"{route}","method":"{method}",'
            f'"status":{status},"ms":{seconds * 1000:.2f},"bytes":{size},"by":"{by}"}}\n'
        )
        if self._timer is None and not self._writing:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def reopen(self) -> None:
        """Opens the file anew: it was moved away (log rotation). If that fails, the old one stays."""
        if self._destination not in ("stderr", "off"):
            try:
                old, self._file = self._file, self._open()
            except SettingRefused as error:
                sys.stderr.write(f"onecard: {error}; the old file stays\n")
            else:
                self._thread.submit(os.close, old)

    async def close(self) -> None:
        """Writes what waits, for a second at most."""
        if self._timer is not None:
            self._timer.cancel()
        text = self._taken()
        if self.on and text:
            work = asyncio.get_running_loop().run_in_executor(self._thread, _write, self._file, text)
            await asyncio.wait([work], timeout=1)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> int:
        if self._destination == "off":
            return -1
        if self._destination == "stderr":
            return 2
        try:
            return os.open(self._destination, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError as error:
            raise SettingRefused(f"request-log: {self._destination!r} cannot be written: {error.strerror}") from None

    def _taken(self) -> bytes:
        text = "".join(self._lines).encode()
        self._lines.clear()
        return text

    def _flush(self) -> None:
        self._timer = None
        self._writing = True
        work = asyncio.get_running_loop().run_in_executor(self._thread, _write, self._file, self._taken())
        work.add_done_callback(self._written)

    def _written(self, work: asyncio.Future[None]) -> None:
        self._writing = False
        if work.cancelled() or work.exception() is not None:
            self._dropped.log_dropped(1)
        if self._lines and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)


def _write(file: int, text: bytes) -> None:
    while text:
        text = text[os.write(file, text) :]
