"""Whether others have their turn on the event loop while something long is done."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def counted_turns() -> AsyncIterator[list[int]]:
    """[turns that another task had so far]"""
    turns = [0]

    async def other() -> None:
        for turns[0] in itertools.count(1):
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    try:
        yield turns
    finally:
        task.cancel()
