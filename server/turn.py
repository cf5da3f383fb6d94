"""Long work on the event loop, in turns with the others."""

from __future__ import annotations

from time import perf_counter

LONG = 0.004
"""Seconds of work after which others have their turn."""


class Turn:
    """When it is over, `asyncio.sleep(0)` lets the others work."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end = perf_counter() + LONG

    def is_over(self) -> bool:
        """Whether this turn has lasted long; the next one begins then."""
        now = perf_counter()
        if now < self._end:
            return False
        self._end = now + LONG
        return True
