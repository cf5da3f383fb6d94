"""Opens the store that a URL names: the only place that knows which engines there are."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from server.context import now_ms
from server.store.contract import SearchRules, Store, StoreRefused


async def open_store(
    url: str, rules: SearchRules, *, zone: str = "Asia/Bangkok", clock: Callable[[], int] = now_ms
) -> Store:
    """`sqlite:///relative/path`, `sqlite:////absolute/path` or `mongodb://...`.

    Engines are imported when asked for: an embedded server loads no MongoDB driver.
    Raises: StoreRefused, StoreFull, StoreUnavailable.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        from server.store.embedded import open_embedded

        return await open_embedded(unquote(parts.path[1:]), rules, zone=zone, clock=clock)
    if parts.scheme in ("mongodb", "mongodb+srv"):
        from server.store.mongo import open_mongo

        return await open_mongo(url, rules, zone=zone, clock=clock)
    raise StoreRefused("a store is sqlite:///PATH or mongodb://HOST/DATABASE")
