"""Opens the store that a URL names, makes it ready, migrates it: the only place that knows which engines there are.

Engines are imported when asked for: an embedded server loads no MongoDB driver.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from server.clock import now_ms
from server.store.contract import SearchRules, Store, StoreRefused

INCOMPLETE = "incomplete"
"""Setting of a store that a restore or copy fills; empty once all is in. One that stayed half filled is not served."""

SERVED = "served"
"""Setting of a store that a server was started on: nothing is restored into it, perhaps it is served right now."""

_FORMS = "a store is sqlite:///PATH or mongodb://HOST/DATABASE"

Progress = Callable[[str, int, int], None]
"""progress(what is being done, done, total)"""


async def open_store(
    url: str,
    rules: SearchRules,
    *,
    zone: str = "Asia/Bangkok",
    clock: Callable[[], int] = now_ms,
    rezone: bool = False,
    must_exist: bool = False,
    wary: bool = False,
) -> Store:
    """`sqlite:///relative/path`, `sqlite:////absolute/path` or `mongodb://...`.

    rezone: another zone than the store's is taken; the caller then calls `rezone` of the store.
    must_exist: a store that is not there is refused, not made: a mistyped path would look like an empty one.
    wary: a new database is refused where a store lies in one of a much like name; `init_store` makes it then.
    Raises: StoreRefused, StoreFull, StoreUnavailable.
    """
    path = _path(url, must_exist=must_exist)
    if path is not None:
        from server.store.embedded import open_embedded

        return await _whole(await open_embedded(path, rules, zone=zone, clock=clock, rezone=rezone))
    from server.store.mongo import open_mongo

    return await _whole(
        await open_mongo(url, rules, zone=zone, clock=clock, rezone=rezone, must_exist=must_exist, wary=wary)
    )


async def _whole(store: Store) -> Store:
    """Raises: StoreRefused (a restore or a copy into this store was broken off)."""
    try:
        if await store.get_setting(INCOMPLETE):
            raise StoreRefused("a restore or copy into this store was broken off: remove it, and repeat into a new one")
    except BaseException:
        await store.close()
        raise
    return store


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


def _path(url: str, *, must_exist: bool = False) -> str | None:
    """Of the embedded store's file; None for a cluster. Raises: StoreRefused."""
    try:
        parts = urlsplit(url)
    except ValueError as error:  # a bracket too much
        raise StoreRefused(_FORMS) from error
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        path = unquote(parts.path[1:])
        if must_exist and not Path(path).exists():
            raise StoreRefused(f"there is no store at {path}: name it with --store, ONECARD_STORE or --config")
        return path
    if parts.scheme in ("mongodb", "mongodb+srv"):
        return None
    raise StoreRefused(_FORMS)
