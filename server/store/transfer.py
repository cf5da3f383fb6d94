"""Whole stores from one place to another, version by version in commit order: backup, restore, copy.

The versions of a store only ever grow, so all up to a point of the commit order are a consistent state: nothing has to
stop meanwhile, and one format serves every engine. Index values are extracted anew on the way in.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import IO, Any

from fhir_profiles.json_reading import read_json
from server.context import Context
from server.reindexing import is_unfinished
from server.search.query import Query
from server.store.archive import ArchiveError, Protection, Setting, read_archive, write_archive
from server.store.contract import Replayed, Store, StoreRefused, Version
from server.store.open import INCOMPLETE, SERVED

GROUP = 500
"""Versions stored in one transaction."""


class Digest:
    """A checksum over versions in commit order, whatever engine they come from."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self.versions = 0

    def add(self, v: Version) -> None:
        self.versions += 1
        self._sum.update(f"{v.type}/{v.id}/{v.version}/{v.last_updated}/{v.method}/{len(v.body or b'')}\n".encode())
        self._sum.update(v.body or b"")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and self._sum.digest() == other._sum.digest()

    __hash__ = None  # type: ignore[assignment]  # it grows


async def backup(store: Store, out: IO[bytes], protection: Protection, advance: Callable[[int], None]) -> None:
    """A backup of all that is committed when it reaches the end, beside normal service.

    Raises: ArchiveError, StoreError, OSError.
    """
    info = await store.info()
    settings = [Setting(key, value) for key, value in sorted((await store.all_settings()).items())]
    about = {"engine": info.engine, "zone": info.zone, "counts": info.counts}
    await write_archive(out, protection, about, settings, store.changes(0), advance)


def check_backup(source: IO[bytes], advance: Callable[[int], None], **keys: Any) -> list[bytes]:
    """Reads a backup to its end, so that one that is damaged or cut off is refused before anything is written.

    Gives the SearchParameter resources in it, which say what the others are indexed for. keys: as of `restore`.
    Raises: ArchiveError.
    """
    parameters: dict[str, bytes | None] = {}
    for row in read_archive(source, **keys):
        if isinstance(row, Version):
            advance(1)
            if row.type == "SearchParameter":
                parameters[row.id] = row.body
    return [body for body in parameters.values() if body is not None]


async def restore(
    ctx: Context, source: IO[bytes], parameters: Iterable[bytes], advance: Callable[[int], None], **keys: Any
) -> dict[str, int]:
    """A backup into `ctx.store`, which must be new and empty; live resources by type, checked against the backup.

    parameters: what `check_backup` gave. keys: `passphrase` or `identities` of `read_archive`.
    Raises: ArchiveError, StoreRefused.
    """
    await _refuse_unless_empty(ctx.store)
    ctx.reindexing.know(map(read_json, parameters))
    rows = read_archive(source, **keys)
    about = next(rows)
    assert isinstance(about, dict)
    _refuse_other_zone(about["zone"], (await ctx.store.info()).zone)
    await ctx.store.put_setting(INCOMPLETE, b"1")
    written = Digest()
    group: list[Version] = []
    for row in rows:
        if isinstance(row, Setting):
            await _keep(ctx.store, row.key, row.value)
        elif isinstance(row, Version):
            written.add(row)
            group.append(row)
            if len(group) == GROUP:
                await _replay(ctx, group)
                advance(len(group))
                group = []
    await _replay(ctx, group)
    advance(len(group))
    return await _verified(ctx.store, written)


async def copy(source: Store, ctx: Context, advance: Callable[[int], None]) -> dict[str, int]:
    """All of `source` into `ctx.store`, which must be new and empty; `source` goes on serving reads.

    Raises: StoreRefused, StoreError.
    """
    await _refuse_unless_empty(ctx.store)
    _refuse_other_zone((await source.info()).zone, (await ctx.store.info()).zone)
    await ctx.store.put_setting(INCOMPLETE, b"1")
    for key, value in (await source.all_settings()).items():
        await _keep(ctx.store, key, value)
    ctx.reindexing.know([parameter async for parameter in _parameters(source)])
    written = Digest()
    async for group in _groups(source.changes(0)):
        for version in group:
            written.add(version)
        await _replay(ctx, group)
        advance(len(group))
    return await _verified(ctx.store, written)


async def _keep(store: Store, key: str, value: bytes) -> None:
    if key != INCOMPLETE and not is_unfinished(key, value):
        await store.put_setting(key, value)


async def _parameters(source: Store) -> AsyncIterator[dict[str, Any]]:
    """SearchParameter resources of a store."""
    query = Query(("SearchParameter",), limit=GROUP)
    while True:
        page = await source.search(query)
        for hit in page.hits:
            yield read_json(hit.version.body or b"{}")
        if not page.more:
            return
        query = query.page(after=page.hits[-1].position)


async def _groups(versions: AsyncIterator[Version]) -> AsyncIterator[list[Version]]:
    group: list[Version] = []
    async for version in versions:
        group.append(version)
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group


async def _replay(ctx: Context, versions: Iterable[Version]) -> None:
    await ctx.store.replay([_replayed(ctx, version) for version in versions])


def _replayed(ctx: Context, version: Version) -> Replayed:
    if version.body is None:
        return Replayed(version, {})
    resource = read_json(version.body)
    text = ctx.search.text(version.type, resource) if ctx.settings.text_search else None
    return Replayed(version, ctx.search.extract(version.type, resource), text)


async def _refuse_unless_empty(store: Store) -> None:
    if (await store.info()).counts or [version async for version in store.changes(0)]:
        raise StoreRefused("the store to write into must be new and empty; this one holds resources: choose another")
    if await store.get_setting(SERVED):
        raise StoreRefused(
            "the store to write into must be new; a server was started on this one and may be serving it: "
            "choose another"
        )


def _refuse_other_zone(zone: str, own: str) -> None:
    if zone != own:
        raise StoreRefused(f"the resources were indexed for the time zone {zone}: give --timezone {zone}, not {own}")


async def _verified(store: Store, written: Digest) -> dict[str, int]:
    """Live resources by type, once the store gives back in the same order what was written into it: it is whole."""
    found = Digest()
    async for version in store.changes(0):
        found.add(version)
    if found != written:
        raise ArchiveError(
            f"the store does not give back what was written: {written.versions} versions went in, "
            f"{found.versions} came out or differ. Do not use it; check the disk and repeat"
        )
    await store.put_setting(INCOMPLETE, b"")
    return {kind: count for kind, count in sorted((await store.info()).counts.items()) if count}
