"""Room for large requests: what is worked on at one time in a process has a limit, and its memory is given back.

A parsed resource takes ten times the bytes of its JSON, and all that is made of a Bundle (changes, index values, rows)
lives until it is stored. The work is done by one thread anyway, so large ones beside one another would not be faster.

The collector of cyclic garbage finds nothing among a million objects that are in use, but a look at all of them holds
everybody up for a third of a second. So it rests while large Bundles are at work, for some seconds at a time.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

LARGE = 256 * 1024
"""Bytes of JSON from which on a Bundle takes room."""
MOST = 4 * 1024 * 1024
"""Bytes of large Bundles at work at one time; one that is larger is alone."""
REST = 10.0
"""Seconds without a look for cyclic garbage, after which the next Bundle that ends lets the collector have one."""


class Room:
    """First come, first served."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._left = most
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._inside = 0
        self._resting_since: float | None = None
        """When the collector was told to rest; None: it works, or never did."""

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """size: bytes of the Bundle. Waits until there is room for it."""
        if size < LARGE:
            yield
            return
        need = min(size, self._most)
        if self._waiting or need > self._left:
            await self._turn(need)
        else:
            self._left -= need
        self._come_in()
        try:
            yield
        finally:
            self._go_out()
            self._left += need
            self._admit()
            asyncio.get_running_loop().run_in_executor(None, _give_back)

    def _come_in(self) -> None:
        self._inside += 1
        if gc.isenabled():
            gc.disable()
            self._resting_since = monotonic()

    def _go_out(self) -> None:
        self._inside -= 1
        if self._resting_since is None:
            return
        if self._inside == 0:
            # Not before all that this Bundle was made of is forgotten, an error on its way included.
            asyncio.get_running_loop().call_soon(self._end_rest)
        elif monotonic() - self._resting_since > REST:
            gc.collect(0)
            self._resting_since = monotonic()

    def _end_rest(self) -> None:
        if self._inside == 0 and self._resting_since is not None:
            self._resting_since = None
            gc.enable()

    async def _turn(self, need: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((need, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._left += need  # it was its turn just now
            else:
                self._waiting.remove((need, turn))
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            need, turn = self._waiting.popleft()
            self._left -= need
            turn.set_result(None)


def _trim() -> Callable[[int], int] | None:
    """malloc_trim of the GNU C library, which keeps what was freed between other things; None elsewhere."""
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found


_malloc_trim = _trim()


def _give_back() -> None:
    """Returns free pages to the system. Takes up to a tenth of a second, for which nobody needs to wait."""
    if _malloc_trim is not None:
        _malloc_trim(0)
