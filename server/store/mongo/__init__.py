"""The MongoDB engine: `open_mongo` gives a Store on a replica set or a sharded cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from server.clock import now_ms
from server.store.bodies import SHIPPED, shipped_dictionary
from server.store.contract import SearchRules
from server.store.mongo.cluster import check_cluster
from server.store.mongo.driver import Database, connect, failures
from server.store.mongo.hashing import Hash, keyed
from server.store.mongo.migrations import MIGRATIONS
from server.store.mongo.naming import refuse_unlikely, refuse_unmade
from server.store.mongo.schema import Collections, Progress, make_ready, migrate, prepare
from server.store.mongo.store import MongoStore

__all__ = ["MongoStore", "init_mongo", "migrate_mongo", "open_mongo"]


async def open_mongo(
    url: str,
    rules: SearchRules,
    *,
    zone: str = "Asia/Bangkok",
    clock: Callable[[], int] = now_ms,
    search_seconds: float = 20.0,
    rezone: bool = False,
    must_exist: bool = False,
    wary: bool = False,
    hash: Callable[[bytes], Hash] = keyed,
) -> MongoStore:
    """Opens the store in the database that `url` names ("onecard" if none), making it if absent.

    zone: IANA name of the zone of dates without one; must be the store's own. clock: milliseconds UTC.
    search_seconds: after which a search or count ends as QueryTooCostly. rezone: take another zone than the store's;
    `MongoStore.rezone` must follow. must_exist: no new store is made. wary: none is made beside a store whose database
    has a name much like this one. hash: makes the hash of the store's keys from its secret.
    Raises: StoreRefused, StoreUnavailable.
    """
    client, name = connect(url)
    try:
        await check_cluster(client, name)
        if must_exist:
            await refuse_unmade(client, name)
        elif wary:
            await refuse_unlikely(client, name)
        database = client[name]
        state = await prepare(database, zone, (SHIPPED, shipped_dictionary()), rezone=rezone)
        with failures():
            stored = {doc["_id"]: bytes(doc["data"]) async for doc in Collections(database).dictionary.find({})}
    except BaseException:
        await client.close()
        raise
    return MongoStore(
        client,
        database,
        state,
        rules,
        dictionaries=stored,
        hash=hash(state.secret),
        clock=clock,
        search_seconds=search_seconds,
    )


async def init_mongo(url: str, zone: str, progress: Progress) -> tuple[int, int]:
    """Makes a new store, or the indexes that one lacks; (indexes there, made just now).

    Raises: StoreRefused, StoreUnavailable.
    """
    async with _database(url) as database:
        return await make_ready(database, zone, progress)


async def migrate_mongo(url: str, progress: Progress) -> tuple[int, int]:
    """Brings a store to this program's version; (version before, version now).

    Raises: StoreRefused, StoreUnavailable.
    """
    async with _database(url) as database:
        return await migrate(database, progress, MIGRATIONS)


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    client, name = connect(url)
    try:
        await check_cluster(client, name)
        yield client[name]
    finally:
        await client.close()
