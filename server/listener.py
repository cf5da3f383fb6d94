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
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from fhir_profiles.issue import Issue
from server.config import Settings
from server.outcome import operation_outcome
from server.tls import Certificate
from server.web import Shell
from server.wire.incoming import Incoming, Said

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
_SETTLE_SECONDS = 0.1
_TURNS = 4
"""Of the loop: to accept a connection, to read from it, to begin with its request; however busy the loop was."""


class Connection(RequestHandler):
    """aiohttp's connection: its parser, its limits, its timers. Requests are answered in the connection's own task; a
    task, a request object and a writer for each, as aiohttp makes them, would be a third of what a read costs."""

    __slots__ = ("_counted", "_server", "_shell", "remote", "said", "secure")

    def __init__(self, server: LowLevelServer, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server
        self._shell = server.shell
        self._counted = False
        self.said: Said | None = None
        self.secure = False
        self.remote = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._server.open >= self._server.most:
            # Idle connections must not take the descriptors that the store and the others need.
            cast(asyncio.Transport, transport).abort()
            return
        self._server.open += 1
        self._counted = True
        self.secure = transport.get_extra_info("sslcontext") is not None
        self.remote = str((transport.get_extra_info("peername") or ("",))[0])
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._counted:
            self._server.open -= 1
            self._counted = False
        super().connection_lost(exc)

    @property
    def busy(self) -> bool:
        """A request of this connection has come: it is being read or answered, or is about to be."""
        return self._request_in_progress or bool(self._messages)

    async def drained(self) -> None:
        await self._drain_helper()

    async def start(self) -> None:
        """Answers one request after the other until the connection ends."""
        try:
            while not self._force_close:
                if not self._messages:
                    await self._next_message()
                if not await self._one() or self._close or self._force_close:
                    break
                self._keep_open()
        except ConnectionError:
            pass  # the client is gone
        except asyncio.CancelledError:
            raise
        except Exception:
            # An answer that broke off; the Shell has recorded why.
            self.force_close()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _next_message(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _one(self) -> bool:
        """Answers one request; whether the connection goes on."""
        message, content = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        if not isinstance(message, RawRequestMessage):
            await self._shell.unread(*unreadable(message.exc)).send(self)
            return False
        request = Incoming(message, content, self)
        self._request_in_progress = True
        try:
            # Who reads the body learns from it that the connection is lost.
            self._current_request = cast(web.BaseRequest, request)
            goes_on = await self._shell(request)
        except asyncio.CancelledError:
            self.force_close()
            raise
        finally:
            self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        if self._upgraded:
            self._stay_http()
        if not content.is_eof():
            goes_on = await self._rest_dropped(content) and goes_on
        return goes_on

    def _stay_http(self) -> None:
        """No other protocol is spoken here: what came behind a request that asked for one is read as HTTP."""
        if self._messages or self._parser is None:
            return
        self._parser.set_upgraded(False)
        self._upgraded = False
        rest, self._message_tail = self._message_tail, b""
        if rest:
            self.data_received(rest)
        if self._buffer_paused:
            self._resume_reading_if_drained()

    async def _rest_dropped(self, content: StreamReader) -> bool:
        """Reads what is left of a refused body, for some time; whether that was all of it."""
        if not self._force_close:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._lingering_time):
                    while not content.is_eof():
                        await content.readany()
        return content.is_eof()

    def _keep_open(self) -> None:
        """For the next request, a while."""
        close_time = self._loop.time() + self._keepalive_timeout
        self._next_keepalive_close_time = close_time
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(close_time, self._process_keepalive)

    def log_exception(self, *args: object, **kwargs: object) -> None:
        """Nothing: what concerns the server is logged by the Shell, the rest is the client's."""


def unreadable(failure: BaseException) -> tuple[int, bytes]:
    """Status and body for what is no HTTP. The parser's message quotes what it found: it stays out of the answer and
    of every log."""
    code, text, status = TOO_LONG if isinstance(failure, LineTooLong) else NOT_HTTP
    return status, orjson.dumps(operation_outcome([Issue("fatal", code, text)]))


class LowLevelServer(web.Server):
    def __init__(self, shell: Shell, most: int, **settings: Any) -> None:
        super().__init__(_unused, **settings)
        self.shell = shell
        self.open = 0
        self.most = most
        self._settings = settings

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=asyncio.get_running_loop(), **self._settings)


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    """aiohttp wants a handler of its own kind; connections ask the Shell instead."""
    raise NotImplementedError


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
        # Connections and requests that wait in the system's queues came before the stop: they are taken in first.
        await asyncio.sleep(_SETTLE_SECONDS)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        if self._connections is not None:
            await self._finish(self._connections)
            await self._connections.shutdown(1.0)
        for watcher in self._watchers:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    async def _finish(self, connections: web.Server) -> None:
        """Until no connection has a request, or the setting's time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.shutdown_timeout
        while loop.time() < end:
            # A busy connection that was told to close would drop the rest of its request's body; a busy one closes
            # after its answer anyway, as the Shell is draining.
            idle = [each for each in connections.connections if not cast(Connection, each).busy]
            for connection in idle:
                connection.close()
            if len(idle) == len(connections.connections):
                return
            await self._shell.idle(end - loop.time())
            await asyncio.sleep(0)  # for those that have an answer to send, or are about to begin

    async def _watch_certificate(self, certificate: Certificate) -> None:
        while True:
            await asyncio.sleep(_CERTIFICATE_SECONDS)
            certificate.reload_if_changed()
