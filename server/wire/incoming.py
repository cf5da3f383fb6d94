"""One HTTP request as aiohttp's parser gives it, and what its header lines say.

aiohttp's own request object reads the address into a URL, asks the socket for names and needs a writer; this one keeps
what the parser found. A connection sends the same header lines again and again (those of reads are all the same), so
what they say is remembered until they change.   https://www.rfc-editor.org/rfc/rfc9110#section-5
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from aiohttp import StreamReader
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EmptyStreamReader
from multidict import CIMultiDictProxy

from server.errors import BadRequest
from server.setting_kinds import Network
from server.wire.compression import accepts_gzip
from server.wire.proxy import Client, client_of

# More of these would mean different things to us and to a proxy.
_ONLY_ONCE = (
    "host",
    "authorization",
    "content-type",
    "content-length",
    "if-match",
    "if-none-exist",
    "origin",
    "cookie",
)

HTTP_1_1 = (1, 1)


class Said:
    """What the header lines of a request say."""

    __slots__ = ("client", "gzip", "headers", "lines")

    def __init__(self, lines: object, headers: Mapping[str, str], client: Client) -> None:
        self.lines = lines
        self.headers = headers
        """Names in lower case; repeated headers joined by a comma. Shared by requests: nobody may change it."""
        self.client = client
        self.gzip = accepts_gzip(headers.get("accept-encoding", ""))


class Connection(Protocol):
    """What a request needs of its connection."""

    said: Said | None
    """Of the request before."""

    @property
    def transport(self) -> asyncio.Transport | None: ...

    @property
    def writing_paused(self) -> bool: ...

    @property
    def secure(self) -> bool: ...

    @property
    def remote(self) -> str: ...

    async def drained(self) -> None:
        """Returns when the client has taken what was written. Raises: ConnectionError."""


class Incoming:
    """One request."""

    __slots__ = ("_message", "body_exists", "connection", "content", "method", "modern", "path")

    def __init__(self, message: RawRequestMessage, content: StreamReader, connection: Connection) -> None:
        self._message = message
        self.method = message.method
        self.path = message.path
        """The request target as it was sent."""
        self.content = content
        self.body_exists = type(content) is not EmptyStreamReader
        self.modern = message.version >= HTTP_1_1
        """HTTP/1.1: connections stay open unless said otherwise, answers may come in chunks."""
        self.connection = connection

    @property
    def keep_alive(self) -> bool:
        return not self._message.should_close

    def said(self, trusted_proxies: Sequence[Network]) -> Said:
        """Raises: BadRequest (a header more than once that may be there once, a Host that is none)."""
        connection, lines = self.connection, self._message.raw_headers
        said = connection.said
        if said is None or said.lines != lines:
            headers = _joined(self._message.headers)
            client = client_of(headers, trusted_proxies, secure=connection.secure, remote=connection.remote)
            said = connection.said = Said(lines, headers, client)
        return said

    def _cancel(self, failure: BaseException) -> None:
        """aiohttp calls it when the connection is lost: who waits for the body must learn of it."""
        self.content.set_exception(failure)


def _joined(sent: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """Names in lower case; repeated headers joined by a comma.   https://www.rfc-editor.org/rfc/rfc9110#section-5.3"""
    found = {name.lower(): value for name, value in sent.items()}
    if len(found) != len(sent):
        for name in found:
            values = sent.getall(name)
            if len(values) > 1:
                if name in _ONLY_ONCE:
                    raise BadRequest(f"The header {name} is there more than once.")
                found[name] = ", ".join(values)
    return found
