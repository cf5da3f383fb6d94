"""Whether the event loop goes on while something is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """How often another task had its turn."""

    count = 0


@asynccontextmanager
async def turns_beside(pause: float = 0.0) -> AsyncIterator[Turns]:
    """A task that has its turn every `pause` seconds, as long as the block lasts."""
    turns = Turns()

    async def turning() -> None:
        while True:
            await asyncio.sleep(pause)
            turns.count += 1

    beside = asyncio.create_task(turning())
    try:
        yield turns
    finally:
        beside.cancel()
