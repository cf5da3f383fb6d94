"""Questions that come within a few turns of the event loop leave together: what the driver costs for each is shared.

No timer: a batch leaves when it is full, or when no question came for some turns of the loop, which take microseconds
when nothing else is to do. While as many batches as allowed are on their way, the next gathers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

QUIET_TURNS = 3
"""Turns without a new question before a batch leaves. Requests that were read from their sockets ask one or two turns
later; clients that were answered together send their next requests one by one."""

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batches(Generic[Question, Answer]):
    def __init__(self, ask: Callable[[list[Question]], Awaitable[list[Answer]]], *, largest: int, at_once: int) -> None:
        """ask: answers to several questions, in their order; what it raises, all of them get. largest: questions of a
        batch. at_once: batches that may be on their way."""
        self._ask = ask
        self._largest = largest
        self._at_once = at_once
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._running: set[asyncio.Task[None] | None] = set()

    def ask(self, question: Question) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if len(self._running) < self._at_once:
            self._running.add(asyncio.create_task(self._run()))
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._gathered()
                await self._leave()
        finally:
            # Not by a callback of the task: who is woken by the last batch may ask before that would be called.
            self._running.discard(asyncio.current_task())

    async def _gathered(self) -> None:
        there, quiet = len(self._waiting), 0
        while there < self._largest and quiet < QUIET_TURNS:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._waiting) == there else 0
            there = len(self._waiting)

    async def _leave(self) -> None:
        batch = [each for each in self._waiting[: self._largest] if not each[1].done()]
        del self._waiting[: self._largest]
        if not batch:
            return
        try:
            answers = await self._ask([question for question, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
