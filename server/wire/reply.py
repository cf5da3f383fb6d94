"""Answers, written to the connection in one piece: what aiohttp asks of a response, without its cost.

aiohttp's own response builds a case-insensitive dictionary, sets defaults and serialises it again for every answer;
ours is one string and one write. https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.wire.incoming import Connection

BODILESS = frozenset({204, 304})
"""Statuses whose answers never have a body.   https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1"""

# A raw Binary may be HTML that somebody stored: no browser may run it as a page of this server.
SAFETY = (
    "X-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\n"
    "Cache-Control: no-store\r\n"
)

STATUS_LINES: Mapping[int, str] = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}

WRITE_SECONDS = 60.0
"""How long a client may take no byte of an answer."""


class Reply:
    """One answer."""

    __slots__ = ("body", "chunked", "head", "keep_alive", "sent", "status", "stream")

    def __init__(
        self,
        status: int,
        head: str,
        body: bytes,
        *,
        keep_alive: bool,
        stream: AsyncIterator[bytes] | None = None,
        chunked: bool = False,
    ) -> None:
        self.status = status
        self.head = head
        self.body = body
        self.keep_alive = keep_alive
        """Whether the connection goes on."""
        self.stream = stream
        self.chunked = chunked
        self.sent = 0
        """Bytes."""

    async def send(self, connection: Connection) -> None:
        """Raises: ConnectionError (the client is gone, or takes nothing)."""
        self._write(connection, self.head.encode("latin-1") + self.body)
        if connection.writing_paused:
            await _drained(connection)
        if self.stream is not None:
            await self._send(connection, self.stream)

    async def _send(self, connection: Connection, stream: AsyncIterator[bytes]) -> None:
        try:
            async for chunk in stream:
                if chunk:
                    self._write(connection, b"%x\r\n%b\r\n" % (len(chunk), chunk) if self.chunked else chunk)
                    if connection.writing_paused:
                        await _drained(connection)
        except Exception:
            # The status is out already: only a broken connection tells the client that this is not all.
            _abort(connection)
            raise
        if self.chunked:
            self._write(connection, b"0\r\n\r\n")

    def _write(self, connection: Connection, data: bytes) -> None:
        transport = connection.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        transport.write(data)
        self.sent += len(data)


def _abort(connection: Connection) -> None:
    if connection.transport is not None:
        connection.transport.abort()


async def _drained(connection: Connection) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await connection.drained()
    except TimeoutError:
        _abort(connection)
        raise ConnectionResetError("the client takes nothing") from None


_date: tuple[int, str] = (0, "")


def date_header() -> str:
    """IMF-fixdate of now, made once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)))
    return _date[1]


def header_lines(headers: Mapping[str, str]) -> str:
    """Raises: ValueError if a value would break out of its line or has no bytes in HTTP."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or not text.isascii():
        raise ValueError("a header value holds a line break or a letter beyond ASCII")
    return text
