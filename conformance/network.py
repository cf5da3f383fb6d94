"""A network between the nodes of one machine, in which a node can be cut off from all others without any rights.

Every node has a door: a port at which it is found by its set and by its clients, and from which bytes are passed on to
its own. Who knocks is told by /proc: a connection belongs to the process that has its socket open (Linux). While a node
is cut off nothing passes, in either direction, on any connection of it, and nobody is told: as when a cable is pulled.
When it is joined again, what was under way arrives.   https://www.rfc-editor.org/rfc/rfc9293#section-3.8
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True, eq=False)
class _Connection:
    nodes: frozenset[int]
    """Ports of the nodes at its ends: one, or two where a node knocks."""
    open: asyncio.Event = field(default_factory=asyncio.Event)


class Network:
    """Runs in a thread of its own. Close it at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._owners: dict[int, int] = {}
        self._doors: dict[int, tuple[int, asyncio.Server]] = {}
        self._cut: set[int] = set()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def owns(self, port: int, pid: int) -> None:
        """Process `pid` is the node that listens at `port`."""
        self._owners[port] = pid

    def door(self, port: int) -> int:
        """The port at which others find the node of `port`."""
        if port not in self._doors:
            server = self._run(self._opened(port))
            self._doors[port] = server.sockets[0].getsockname()[1], server
        return self._doors[port][0]

    def cut(self, port: int) -> None:
        self._run(self._set(self._cut | {port}))

    def join(self, port: int) -> None:
        self._run(self._set(self._cut - {port}))

    def close(self) -> None:
        self._run(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _opened(self, port: int) -> asyncio.Server:
        async def knocked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None, "the server runs this as a task"
            self._tasks.add(task)
            try:
                await self._pass_on(port, reader, writer)
            except (OSError, asyncio.CancelledError):
                pass
            finally:
                writer.close()
                self._tasks.discard(task)

        return await asyncio.start_server(knocked, "127.0.0.1", 0)

    async def _pass_on(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = self._guest(writer.get_extra_info("peername")[1])
        connection = _Connection(frozenset({port} | ({guest} if guest else set())))
        self._connections.add(connection)
        self._gate(connection)
        try:
            await connection.open.wait()
            inner, outer = await asyncio.open_connection("127.0.0.1", port)
            both = [
                asyncio.create_task(_pump(reader, outer, connection)),
                asyncio.create_task(_pump(inner, writer, connection)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                outer.close()
        finally:
            self._connections.discard(connection)

    def _guest(self, port: int) -> int | None:
        """Which node has the socket of this local port open; None: no node, a client."""
        socket = f"socket:[{_inode(port)}]"
        for node, pid in self._owners.items():
            with contextlib.suppress(OSError):  # ended meanwhile
                for name in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        if os.readlink(f"/proc/{pid}/fd/{name}") == socket:
                            return node
        return None

    async def _set(self, cut: set[int]) -> None:
        self._cut = cut
        for connection in self._connections:
            self._gate(connection)

    def _gate(self, connection: _Connection) -> None:
        if connection.nodes & self._cut:
            connection.open.clear()
        else:
            connection.open.set()

    async def _closed(self) -> None:
        for _, server in self._doors.values():
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            await connection.open.wait()
            writer.write(data)
            await writer.drain()
        await connection.open.wait()  # nobody is told of an end while the cable is out


def _inode(port: int) -> str:
    """Of the socket that is connected from this local port, "" if there is none."""
    wanted = f":{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(wanted) and fields[3] == "01":
            return fields[9]
    return ""
