"""Waiting for the cluster's answers without tasks.

PyMongo makes three tasks for each command: one to write, one to read, and one that only looks every half second whether
the command is to be given up. Each costs some ten microseconds, and an answer that is there reaches its caller only
after seven turns of the event loop, which take milliseconds under load. Here the caller waits for the answer itself,
and a timer looks after it.

What is replaced are two private functions of PyMongo 4.20, and two things are done that it has no public name for;
another version keeps its own.
https://github.com/mongodb/mongo-python-driver/blob/4.20.1/pymongo/network_layer.py
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pymongo
from pymongo import AsyncMongoClient, _csot
from pymongo.asynchronous import pool
from pymongo.common import MAX_MESSAGE_SIZE
from pymongo.errors import ProtocolError, _OperationCancelled
from pymongo.message import _UNPACK_REPLY
from pymongo.network_layer import PyMongoProtocol

_KNOWN = (4, 20)
_LOOK_SECONDS = 0.5
"""As often as PyMongo looks whether a command is to be given up: its pool says so when a primary is lost."""


def wait_directly() -> bool:
    """From now on, for all clients of this process; whether this version of PyMongo is known."""
    if _is_known():
        vars(pool).update(async_sendall=_send, async_receive_message=_receive)
    return _is_known()


def _is_known() -> bool:
    return pymongo.version_tuple[:2] == _KNOWN


class _Watch:
    """Ends the wait for an answer that takes too long or is not wanted any more."""

    __slots__ = ("_connection", "_deadline", "_timer")

    def __init__(self, connection: pool.AsyncConnection, deadline: float | None) -> None:
        self._connection = connection
        self._deadline = deadline
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        protocol = self._connection.conn.get_conn
        if self._connection.cancel_context.cancelled:
            protocol.close(_OperationCancelled("operation cancelled"))
        elif self._deadline is not None and time.monotonic() >= self._deadline:
            protocol.close(TimeoutError("timed out"))
        else:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def end(self) -> None:
        self._timer.cancel()


async def _send(connection: PyMongoProtocol, message: bytes) -> None:
    await connection.write(message)  # into the buffer of the transport: it never waits


async def _receive(
    connection: pool.AsyncConnection,
    request: int | None,
    largest: int = MAX_MESSAGE_SIZE,
) -> Any:
    """Raises: OSError (TimeoutError among them), _OperationCancelled."""
    timeout = connection.conn.gettimeout
    deadline = _csot.get_deadline() if _csot.get_timeout() else time.monotonic() + timeout if timeout else None
    watch = _Watch(connection, deadline)
    try:
        data, kind = await connection.conn.get_conn.read(request, largest)
    finally:
        watch.end()
    try:
        unpack = _UNPACK_REPLY[kind]
    except KeyError:
        raise ProtocolError(f"an answer of the unknown kind {kind!r}") from None
    return unpack(data)


# ---------------------------------------------------------------- what the driver has no public name for


async def wake(client: AsyncMongoClient[Any]) -> None:
    """Who waits for a server that may be asked looks now, not in half a second."""
    if not _is_known():
        return
    topology = client._topology
    async with topology._lock:
        topology._condition.notify_all()


async def leave(client: AsyncMongoClient[Any], address: tuple[str, int | None]) -> None:
    """Ends the wait for whatever was asked of a server that says nothing itself and was replaced meanwhile. PyMongo
    does so when a heartbeat stays away, seconds later."""
    server = client._topology._servers.get(address) if _is_known() else None
    if server is not None and not server.description.is_server_type_known:
        await server.pool.reset(interrupt_connections=True)
