"""Opens the store that a URL names, makes it ready, migrates it: the only place that knows which engines there are.

Engines are imported when asked for: an embedded server loads no MongoDB driver.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from server.context import now_ms
from server.store.contract import SearchRules, Store, StoreRefused

Progress = Callable[[str, int, int], None]
"""progress(what is being done, done, total)"""


async def open_store(
    url: str,
    rules: SearchRules,
    *,
    zone: str = "Asia/Bangkok",
    clock: Callable[[], int] = now_ms,
    rezone: bool = False,
) -> Store:
    """`sqlite:///relative/path`, `sqlite:////absolute/path` or `mongodb://...`.

    rezone: another zone than the store's is taken; the caller then calls `rezone` of the store.
    Raises: StoreRefused, StoreFull, StoreUnavailable.
    """
    path = _path(url)
    if path is not None:
        from server.store.embedded import open_embedded

        return await open_embedded(path, rules, zone=zone, clock=clock, rezone=rezone)
    from server.store.mongo import open_mongo

    return await open_mongo(url, rules, zone=zone, clock=clock, rezone=rezone)


async def init_store(url: str, zone: str, progress: Progress) -> tuple[int, int]:
    """Makes a new store, or the indexes that one lacks: (indexes there, made just now).   zone: of a new store.

    Raises: StoreRefused, StoreFull, StoreUnavailable.
    """
    path = _path(url)
    if path is not None:
        from server.store.embedded import init_embedded

        return await init_embedded(path, zone, progress)
    from server.store.mongo import init_mongo

    return await init_mongo(url, zone, progress)


async def migrate_store(url: str, progress: Progress) -> tuple[int, int]:
    """Brings a store to this program's version: (version before, version now).

    Raises: StoreRefused, StoreFull, StoreUnavailable.
    """
    path = _path(url)
    if path is not None:
        from server.store.embedded import migrate_embedded

        return await migrate_embedded(path, progress)
    from server.store.mongo import migrate_mongo

    return await migrate_mongo(url, progress)


def _path(url: str) -> str | None:
    """Of the embedded store's file; None for a cluster. Raises: StoreRefused."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return unquote(parts.path[1:])
    if parts.scheme in ("mongodb", "mongodb+srv"):
        return None
    raise StoreRefused("a store is sqlite:///PATH or mongodb://HOST/DATABASE")
