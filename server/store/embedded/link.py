"""A worker's end of the way to the writing process (central.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from server.store.contract import Commit, Written
from server.store.embedded.handover import Plain, Unframing, commit_out, framed, outcome_in
from server.store.embedded.rows import Made

AGAIN_SECONDS = 0.5
"""Between two attempts to reach the writing process: until then the worker writes by itself."""


class Unanswered(Exception):
    """The writing process does not say what became of a commit: it ended, or it could not do it."""


class Link(asyncio.Protocol):
    """Sends commits and gives what became of them. Belongs to one event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._transport: asyncio.WriteTransport | None = None
        self._lost = asyncio.Event()
        self.greeted = asyncio.Event()
        """Somebody is there to answer: a connection alone may wait for a process that is being started."""
        self._waiting: dict[int, asyncio.Future[Plain]] = {}
        self._number = 0
        self._outgoing: list[Plain] = []
        self._unframing = Unframing()
        self._keeping = asyncio.create_task(self._keep())

    @property
    def open(self) -> bool:
        return self.greeted.is_set()

    async def commit(self, commit: Commit, ahead: Mapping[int, Made]) -> list[Written]:
        """Only while it is open. Raises: CommitRefused, StoreFull, StoreUnavailable, Unanswered."""
        loop = asyncio.get_running_loop()
        self._number += 1
        future = self._waiting[self._number] = loop.create_future()
        if not self._outgoing:
            loop.call_soon(self._send)
        self._outgoing.append((self._number, commit_out(commit, ahead)))
        plain = await future
        if plain is None:
            raise Unanswered
        return outcome_in(commit, plain)

    def _send(self) -> None:
        """What one turn of the loop has gathered."""
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None:
            self._transport.write(framed(outgoing))

    async def close(self) -> None:
        self._keeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeping
        if self._transport is not None:
            self._transport.close()

    async def _keep(self) -> None:
        """Connects, and again whenever the other end was lost."""
        while True:
            self._lost.clear()
            try:
                await asyncio.get_running_loop().create_unix_connection(lambda: self, str(self._path))
            except OSError:
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                await self._lost.wait()

    # -------------------------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are of no class of asyncio

    def data_received(self, data: bytes) -> None:
        for outcomes in self._unframing.feed(data):
            self.greeted.set()
            for number, plain in outcomes:
                self._answer(number, plain)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.greeted.clear()
        self._unframing = Unframing()
        for number in list(self._waiting):
            self._answer(number, None)
        self._lost.set()

    def _answer(self, number: int, plain: Any) -> None:
        future = self._waiting.pop(number)
        if not future.done():  # the request was cancelled; its commit stands
            future.set_result(plain)
