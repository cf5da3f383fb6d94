"""The embedded engine: `open_embedded` gives a Store on one SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from server.context import now_ms
from server.store.contract import SearchRules, StoreRefused
from server.store.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore", "open_embedded"]


async def open_embedded(
    path: Path | str,
    rules: SearchRules,
    *,
    zone: str = "Asia/Bangkok",
    clock: Callable[[], int] = now_ms,
    search_seconds: float = 20.0,
    rezone: bool = False,
) -> EmbeddedStore:
    """Opens the store in the file `path`, making it (and its folder) if absent.

    zone: IANA name of the zone of dates without one; must be the store's own. clock: milliseconds UTC.
    search_seconds: after which a search or count ends as QueryTooCostly. rezone: take another zone than the store's;
    `EmbeddedStore.rezone` must follow.
    Raises: StoreRefused, StoreFull.
    """

    def make() -> EmbeddedStore:
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            return EmbeddedStore(file, rules, zone=zone, clock=clock, search_seconds=search_seconds, rezone=rezone)
        except OSError as error:
            raise StoreRefused(f"the folder of the store cannot be used: {error.strerror}") from error

    return await asyncio.get_running_loop().run_in_executor(None, make)
