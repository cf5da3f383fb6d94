"""Questions of one turn of the event loop leave together: what the driver costs for each is shared.

No timer: a question that comes alone leaves alone. While as many batches as allowed are on their way, the next gathers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

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
                await self._leave()
        finally:
            # Not by a callback of the task: who is woken by the last batch may ask before that would be called.
            self._running.discard(asyncio.current_task())

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
