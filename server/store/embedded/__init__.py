"""The embedded engine: `open_embedded` gives a Store on one SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from server.clock import now_ms
from server.store.contract import SearchRules, StoreRefused
from server.store.embedded.store import EmbeddedStore
from server.store.embedded.versions import Progress, bring_up, make_ready

__all__ = ["EmbeddedStore", "init_embedded", "migrate_embedded", "open_embedded"]

T = TypeVar("T")


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

    return await _in_thread(
        lambda: EmbeddedStore(Path(path), rules, zone=zone, clock=clock, search_seconds=search_seconds, rezone=rezone),
        Path(path),
    )


async def init_embedded(path: Path | str, zone: str, progress: Progress) -> tuple[int, int]:
    """Makes a new store, or the indexes that one lacks; (indexes there, made just now). Raises: as `open_embedded`."""
    return await _in_thread(lambda: make_ready(Path(path), zone, progress), Path(path))


async def migrate_embedded(path: Path | str, progress: Progress) -> tuple[int, int]:
    """Brings a store to this program's version; (version before, version now). Raises: as `open_embedded`."""
    return await _in_thread(lambda: bring_up(Path(path), progress), Path(path))


async def _in_thread(work: Callable[[], T], path: Path) -> T:
    def run() -> T:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return work()
        except OSError as error:
            raise StoreRefused(f"the folder of the store cannot be used: {error.strerror}") from error

    return await asyncio.get_running_loop().run_in_executor(None, run)
