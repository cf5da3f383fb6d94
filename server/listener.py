"""The listening side of one process: sockets, aiohttp's low-level server over the Shell, a stop that finishes work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, cast

import orjson
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from fhir_profiles.issue import Issue
from server.config import Settings
from server.outcome import operation_outcome
from server.tls import Certificate
from server.web import Shell

BACKLOG = 1024
MAX_HEADERS = 100
TOO_LONG = ("too-long", "A line of the request is too long.", 431)
NOT_HTTP = (
    "structure",
    "This is not a well-formed HTTP request; letters beyond ASCII in an address must be percent-encoded.",
    400,
)
LINGERING_SECONDS = 2.0
"""How long the rest of a refused body is read and thrown away, so that the client gets to see the answer."""
_CERTIFICATE_SECONDS = 5.0


class Connection(RequestHandler):
    """aiohttp's connection, with an OperationOutcome instead of a text for what is no HTTP."""

    __slots__ = ("_counted", "_server", "_shell")

    def __init__(self, server: LowLevelServer, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server
        self._shell = server.shell
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._server.open >= self._server.most:
            # Idle connections must not take the descriptors that the store and the others need.
            cast(asyncio.Transport, transport).abort()
            return
        self._server.open += 1
        self._counted = True
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._counted:
            self._server.open -= 1
            self._counted = False
        super().connection_lost(exc)

    @property
    def busy(self) -> bool:
        """A request of this connection is being read or answered."""
        return self._request_in_progress

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        # The parser's message quotes what it found: it stays out of the answer and of every log.
        code, text, status = TOO_LONG if isinstance(exc, LineTooLong) else NOT_HTTP
        body = orjson.dumps(operation_outcome([Issue("fatal", code, text)]))
        return cast(web.StreamResponse, self._shell.unread(status, body))

    def log_exception(self, *args: object, **kwargs: object) -> None:
        """Nothing: what concerns the server is logged by the Shell, the rest is the client's."""


class LowLevelServer(web.Server):
    def __init__(self, shell: Shell, most: int, **settings: Any) -> None:
        super().__init__(shell, **settings)
        self.shell = shell
        self.open = 0
        self.most = most
        self._settings = settings

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=asyncio.get_running_loop(), **self._settings)


def listen(host: str, port: int, *, copies: int = 1) -> list[socket.socket]:
    """Listening sockets, one per worker. Where the system can, they share the port and the kernel deals connections
    out; a worker's queue outlives it, as the parent holds all sockets. Elsewhere all workers accept from one.

    Raises: OSError.
    """
    family, _, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    share = copies > 1 and sys.platform == "linux"
    found = [_bound(family, address, share)]
    if copies > 1:
        port = found[0].getsockname()[1]
        for _ in range(copies - 1):
            found.append(_bound(family, (address[0], port, *address[2:]), share) if share else found[0])
    return found


def _bound(family: int, address: tuple[object, ...], share: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # on Windows this would let two servers take the same port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


class Listener:
    """Accepts on sockets and answers by the Shell until `stop`."""

    def __init__(self, shell: Shell, settings: Settings, certificate: Certificate | None = None) -> None:
        self._shell = shell
        self._settings = settings
        self.certificate = certificate
        self._servers: list[asyncio.Server] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._connections: web.Server | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        settings = self._settings
        self._connections = LowLevelServer(
            self._shell,
            settings.max_connections,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=settings.idle_timeout,
            lingering_time=LINGERING_SECONDS,
            max_line_size=settings.max_target,
            max_field_size=settings.max_target,
            max_headers=MAX_HEADERS,
        )
        context = self.certificate.context if self.certificate else None
        loop = asyncio.get_running_loop()
        for opened in sockets:
            self._servers.append(
                await loop.create_server(
                    self._connections,
                    sock=opened,
                    backlog=BACKLOG,
                    ssl=context,
                    ssl_handshake_timeout=10 if context else None,
                    ssl_shutdown_timeout=2 if context else None,
                )
            )
        self._watchers.append(asyncio.create_task(self._shell.watch_time()))
        if self.certificate:
            self._watchers.append(asyncio.create_task(self._watch_certificate(self.certificate)))

    async def stop(self) -> None:
        """No new connections; what is in flight is finished within the setting's time; idle connections close."""
        self._shell.drain()
        for server in self._servers:
            server.close()
        if self._connections is not None:
            # A busy connection that was told to close would drop the rest of its request's body; a busy one closes
            # after its answer anyway, as the Shell is draining.
            for connection in self._connections.connections:
                if not cast(Connection, connection).busy:
                    connection.close()
            await self._shell.idle(self._settings.shutdown_timeout)
            await self._connections.shutdown(1.0)
        for watcher in self._watchers:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    async def _watch_certificate(self, certificate: Certificate) -> None:
        while True:
            await asyncio.sleep(_CERTIFICATE_SECONDS)
            certificate.reload_if_changed()
