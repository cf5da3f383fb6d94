"""Collections and indexes of the store, and what is checked before it is opened.

    resource    current version of every resource, tombstones too: its body, values and keys (documents.py)
    history     superseded versions, by {_id: "Type/id/version"}
    symbol      small numbers for codes, units, sets of parameters: exact keys (symbols.py)
    writer      which process is committing since when (order.py)
    claim       what conditional interactions compete for (transaction.py); each lives for an hour
    setting     the store's settings; dictionary: zstd dictionaries; state: zone, epoch, secret, version

Layout and its measurements: docs/decisions/mongodb-layout.md
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from server.store.contract import StoreRefused
from server.store.mongo.driver import (
    Binary,
    Client,
    Collection,
    Database,
    Document,
    IndexModel,
    failures,
    insert_if_absent,
)

SCHEMA = 1
OLDEST = (6, 0)
"""MongoDB 6.0: snapshot reads outside of transactions, internal tables that this is tested with."""
DELETED = 3
METHODS = ("POST", "PUT", "PATCH", "DELETE")
"""`m` of a version is an index of these; DELETED is a tombstone."""
REZONING = "?"
"""Before the zone of a store whose dates are just being read anew."""
CLAIM_SECONDS = 3600

Key = list[tuple[str, int]]
INDEXES: dict[str, dict[str, tuple[Key, dict[str, Any]]]] = {
    "resource": {
        "k": ([("k", 1), ("n", 1)], {"partialFilterExpression": {"k": {"$exists": True}}}),
        "c": ([("c", 1), ("d", -1), ("n", 1)], {"partialFilterExpression": {"c": {"$exists": True}}}),
        "r": ([("r.p", 1), ("r.l", 1), ("r.u", 1)], {"sparse": True}),
        "s": ([("s", 1)], {"sparse": True}),
        "g": ([("g", 1)], {"sparse": True}),
        "l": ([("t", 1), ("l", -1), ("n", 1)], {}),
        "d": ([("t", 1), ("d", -1), ("n", 1)], {"partialFilterExpression": {"d": {"$exists": True}}}),
        "q": ([("q", 1)], {}),
    },
    "history": {
        "q": ([("q", 1)], {}),
        "l": ([("t", 1), ("l", 1)], {}),
    },
    "symbol": {"k": ([("k", 1), ("v", 1)], {})},
    "writer": {},
    "claim": {"at": ([("at", 1)], {"expireAfterSeconds": CLAIM_SECONDS})},
}
"""Collection -> name -> (key, options)."""


@dataclass(frozen=True, slots=True)
class State:
    zone: str
    epoch: str
    secret: bytes
    """Key of all hashes in the store: an identifier cannot be found by guessing without it."""


class Collections:
    """The store's collections, reading and writing by the majority."""

    def __init__(self, database: Database) -> None:
        self.resource: Collection = database["resource"]
        self.history: Collection = database["history"]
        self.symbol: Collection = database["symbol"]
        self.writer: Collection = database["writer"]
        self.claim: Collection = database["claim"]
        self.setting: Collection = database["setting"]
        self.dictionary: Collection = database["dictionary"]
        self.state: Collection = database["state"]


async def check_server(client: Client) -> None:
    """Raises: StoreRefused (a standalone server, too old a version), StoreUnavailable."""
    with failures():
        hello = await client.admin.command("hello")
        version = (await client.admin.command("buildInfo"))["versionArray"]
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreRefused(
            "this mongod stands alone, and only a replica set has transactions: start it with --replSet rs0, run "
            "rs.initiate() once (one member is enough), then use mongodb://HOST/DATABASE?replicaSet=rs0"
        )
    if tuple(version[:2]) < OLDEST:
        found = ".".join(map(str, version[:3]))
        raise StoreRefused(f"MongoDB {found} is too old: OneCard needs {OLDEST[0]}.{OLDEST[1]} or newer")


async def prepare(database: Database, zone: str, dictionary: tuple[int, bytes], *, rezone: bool) -> State:
    """Makes what a new store needs and checks what an older one has.

    Raises: StoreRefused (newer schema, another program's database, another time zone, missing rights).
    """
    collections = Collections(database)
    with failures():
        state = await collections.state.find_one({"_id": "onecard"})
        if state is None:
            state = await _made(database, collections, zone)
        if state["schema"] > SCHEMA:
            raise StoreRefused(
                f"the store has schema {state['schema']}, this program knows {SCHEMA}: use the newer program"
            )
        await _indexes(database)
        number, data = dictionary
        await insert_if_absent(collections.dictionary, [{"_id": number, "data": Binary(data)}])
    if state["zone"] != zone:
        if not rezone:
            raise StoreRefused(
                f"the store reads dates without a zone in {state['zone'].removeprefix(REZONING)}, asked for is {zone}: "
                "run `onecard store reindex` with the new zone first"
            )
        with failures():
            await set_zone(collections, REZONING + zone)
    return State(zone, state["epoch"], bytes(state["secret"]))


async def _made(database: Database, collections: Collections, zone: str) -> Document:
    names = set(await database.list_collection_names())
    if names & set(INDEXES) and await collections.state.find_one({"_id": "onecard"}) is None:
        raise StoreRefused("the database holds collections of another program: choose an empty one")
    made = {
        "_id": "onecard",
        "schema": SCHEMA,
        "zone": zone,
        "epoch": secrets.token_hex(8),
        "secret": Binary(secrets.token_bytes(32)),
    }
    await insert_if_absent(collections.state, [made])
    found = await collections.state.find_one({"_id": "onecard"})
    assert found is not None, "just inserted, or by another process"
    return found


async def _indexes(database: Database) -> None:
    """Collections that a transaction writes to must exist before it."""
    there = set(await database.list_collection_names())
    for name, wanted in INDEXES.items():
        found = await database[name].index_information() if name in there else {}
        for index, (key, _) in wanted.items():
            if index in found and [(field, int(way)) for field, way in found[index]["key"]] != key:
                raise StoreRefused(f"index {index} of collection {name} is another program's: drop it")
        if name not in there and not wanted:
            await database.create_collection(name)
        missing = [IndexModel(key, name=index, **more) for index, (key, more) in wanted.items() if index not in found]
        if missing:
            await database[name].create_indexes(missing)


async def set_zone(collections: Collections, zone: str) -> None:
    await collections.state.update_one({"_id": "onecard"}, {"$set": {"zone": zone}})
