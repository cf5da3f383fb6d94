"""One keep-alive HTTP/1.1 connection that sends bytes as they are and opens again when it was closed.

For fuzzing, soaks and storms: an HTTP library would mend or refuse what they want to send.
https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple


class Broken(ConnectionError):
    """The server closed the connection before the answer was whole: whether the request was done is unknown."""


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Line:
    """Used by one task at a time."""

    def __init__(self, host: str, port: int, *, patience: float = 60.0) -> None:
        """patience: seconds to wait for an answer; a longer one is a stall and raises TimeoutError."""
        self._host = host
        self._port = port
        self._patience = patience
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.opened = 0
        """How often it had to connect."""

    async def ask(self, request: bytes, *, anew: bool = False) -> Reply:
        """The answer to a whole request.   anew: on a new connection, which another worker may take.

        Raises: Broken, TimeoutError, ConnectionError (nobody listens).
        """
        if anew:
            self.close()
        async with asyncio.timeout(self._patience):  # wait_for of Python 3.11 can lose a cancellation
            return await self._ask(request)

    async def _ask(self, request: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
            self.opened += 1
        reader, writer = self._streams
        try:
            writer.write(request)
            reply = await _reply(reader, request.startswith(b"HEAD "))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.close()
            raise Broken("the connection ended before the answer did") from error
        except BaseException:
            self.close()
            raise
        if reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _reply(reader: asyncio.StreamReader, to_head: bool) -> Reply:
    status = 100
    while status < 200:  # 100 Continue and its like precede the answer
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if to_head or status in (204, 304):
        return Reply(status, headers, b"")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Reply(status, headers, await _chunks(reader))
    return Reply(status, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)
