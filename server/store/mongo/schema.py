"""Collections and indexes of the store, its versions, and what is checked before it is opened.

    resource    current version of every resource, tombstones too: its body, values and keys (documents.py)
    history     superseded versions, by {_id: "Type/id/version"}
    symbol      small numbers for codes, units, sets of parameters: exact keys (symbols.py)
    writer      which process is committing since when (order.py)
    claim       what conditional interactions compete for (claims.py); each lives for an hour
    setting     the store's settings; dictionary: zstd dictionaries; state: zone, epoch, secret, version

A new database gets all it needs from whoever opens it first. One that holds resources is opened only if its version is
this program's and no index is missing: `make_ready` and `migrate` are commands (`onecard store init`, `store migrate`),
because on a large store they take long. Layout and its measurements: docs/decisions/mongodb-layout.md
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.store.contract import StoreInUse, StoreRefused
from server.store.mongo.driver import (
    Binary,
    Collection,
    Database,
    Document,
    IndexModel,
    failures,
    insert_if_absent,
    make_collection,
    others,
)
from server.store.mongo.order import forget_silent

SCHEMA = 4
REZONING = "?"
"""Before the zone of a store whose dates are just being read anew."""
CLAIM_SECONDS = 3600

Key = list[tuple[str, int]]
INDEXES: dict[str, dict[str, tuple[Key, dict[str, Any]]]] = {
    "resource": {
        "k": ([("k", 1), ("n", 1)], {"partialFilterExpression": {"k": {"$exists": True}}}),
        "c": ([("c", 1), ("d", -1), ("n", 1), ("e", 1)], {"partialFilterExpression": {"c": {"$exists": True}}}),
        "r": ([("r.p", 1), ("r.l", 1), ("r.u", 1)], {"sparse": True}),
        "s": ([("s", 1)], {"sparse": True}),
        "g": ([("g", 1)], {"sparse": True}),
        "l": ([("t", 1), ("l", -1), ("n", 1)], {}),
        "d": ([("t", 1), ("d", -1), ("n", 1), ("e", 1)], {"partialFilterExpression": {"d": {"$exists": True}}}),
        "ca": ([("c", 1), ("a", 1), ("n", 1)], {"partialFilterExpression": {"c": {"$exists": True}}}),
        "a": ([("t", 1), ("a", 1), ("n", 1)], {"partialFilterExpression": {"a": {"$exists": True}}}),
        # Of all, but only for questions that speak of q: to the others it would be one more plan to weigh.
        "q": ([("t", 1), ("q", 1)], {"partialFilterExpression": {"q": {"$exists": True}}}),
    },
    "history": {
        "q": ([("t", 1), ("q", 1)], {}),
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


Progress = Callable[[str, int, int], None]
"""progress(what is being done, done, total)"""
Migration = Callable[[Collections, Progress], Awaitable[None]]
Migrations = Mapping[int, Migration]
"""Version -> what brings a store from it to the next. Each may be begun again after a break."""


async def prepare(database: Database, zone: str, dictionary: tuple[int, bytes], *, rezone: bool) -> State:
    """Makes what a new store needs and checks what an older one has.

    Raises: StoreRefused (another version, a missing index, another program's database, another time zone; one in use,
    if its zone is to change).
    """
    collections = Collections(database)
    with failures():
        state = await _state(database, collections, zone)
        _refuse_other_version(state)
        missing = await _missing(database)
        if missing and await collections.resource.find_one({}, {"_id": 1}) is not None:
            raise StoreRefused(
                f"the store lacks {', '.join(f'index {name} of {where}' for where, name in missing)}, without which "
                "searches would read everything: run `onecard store init` once, with the same --store"
            )
        await _make(database, missing)
        await forget_silent(collections.writer)
        number, data = dictionary
        await insert_if_absent(collections.dictionary, [{"_id": number, "data": Binary(data)}])
    if state["zone"] != zone:
        if not rezone:
            raise StoreRefused(
                f"the store reads dates without a zone in {state['zone'].removeprefix(REZONING)}, asked for is {zone}: "
                "run `onecard store reindex` with the new zone first"
            )
        await _refuse_in_use(database)
        with failures():
            await set_zone(collections, REZONING + zone)
    return State(zone, state["epoch"], bytes(state["secret"]))


async def make_ready(database: Database, zone: str, progress: Progress) -> tuple[int, int]:
    """Makes what is missing, one index after the other; (indexes there, made just now). zone: of a new store.

    Raises: StoreRefused (another version, another program's database or index).
    """
    with failures():
        _refuse_other_version(await _state(database, Collections(database), zone))
        missing = await _missing(database)
        for number, (where, name) in enumerate(missing):
            progress(f"{where}.{name}", number, len(missing))
            await _make(database, [(where, name)])
        await _make(database, [])
    progress("indexes", len(missing), len(missing))
    return sum(map(len, INDEXES.values())), len(missing)


async def migrate(database: Database, progress: Progress, migrations: Migrations, to: int = SCHEMA) -> tuple[int, int]:
    """Brings a store to this program's version; (version before, version now). Goes on after a break.

    Raises: StoreRefused (no store, a newer one, one too old to be brought up, one that is in use).
    """
    collections = Collections(database)
    with failures():
        state = await collections.state.find_one({"_id": "onecard"})
        if state is None:
            raise StoreRefused("there is no store yet: run `onecard store init`")
        first = int(state["schema"])
        _refuse_newer(first, to)
        if first < to:
            await _refuse_in_use(database)
        for number, version in enumerate(range(first, to)):
            if version not in migrations:
                raise StoreRefused(
                    f"this program cannot bring a store of version {version} up: migrate it with an older"
                )
            progress(f"{version} -> {version + 1}", number, to - first)
            await migrations[version](collections, progress)
            await _refuse_in_use(database)  # an older program may have been started meanwhile: it wrote as before
            await collections.state.update_one({"_id": "onecard", "schema": version}, {"$inc": {"schema": 1}})
    progress(f"version {to}", to - first, to - first)
    return first, to


async def _refuse_in_use(database: Database) -> None:
    """Raises: StoreInUse."""
    with failures():
        found = await others(database.client, database.name)
    if found:
        raise StoreInUse(", ".join(found))


def _refuse_other_version(state: Document) -> None:
    found = int(state["schema"])
    _refuse_newer(found, SCHEMA)
    if found < SCHEMA:
        raise StoreRefused(
            f"the store has schema {found}, this program writes {SCHEMA}: back it up with the older program, stop all "
            "servers, then run `onecard store migrate` with the same --store"
        )


def _refuse_newer(found: int, known: int) -> None:
    if found > known:
        raise StoreRefused(f"the store has schema {found}, this program knows {known}: use the newer program")


async def _state(database: Database, collections: Collections, zone: str) -> Document:
    """The store's state, made in a new database."""
    state = await collections.state.find_one({"_id": "onecard"})
    if state is not None:
        return state
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


async def _missing(database: Database) -> list[tuple[str, str]]:
    """(collection, index) of those that are not there. Raises: StoreRefused for one that is another than ours."""
    there = set(await database.list_collection_names())
    missing = []
    for where, wanted in INDEXES.items():
        found = await database[where].index_information() if where in there else {}
        for name, (key, options) in wanted.items():
            if name in found and not _is(found[name], key, options):
                raise _other(where, name, f"index {name} of {where} is not as OneCard made it")
            if name in found:
                continue
            for other in found:
                if _is(found[other], key, options):  # beside it MongoDB makes none
                    raise _other(where, other, f"index {other} of {where} stands where OneCard's index {name} must be")
            missing.append((where, name))
    return missing


def _is(found: Document, key: Key, options: dict[str, Any]) -> bool:
    """Whether an index is this one. More than its options would be wrong too: one that is hidden finds nothing, one of
    a part of the documents not all."""
    said = {name: value for name, value in found.items() if value and name not in _NOT_ASKED}
    return [(field, int(way)) for field, way in found["key"]] == key and said == options


_NOT_ASKED = frozenset({"v", "key", "ns", "background", "storageEngine"})
"""What an index says of itself that changes nothing of what it finds."""


def _other(where: str, name: str, what: str) -> StoreRefused:
    return StoreRefused(f'{what}: drop it with db.{where}.dropIndex("{name}"), then run `onecard store init`')


async def _make(database: Database, missing: list[tuple[str, str]]) -> None:
    """The indexes, those of a collection in one pass over it; collections that a transaction writes to exist before."""
    there = set(await database.list_collection_names())
    for where in sorted(set(INDEXES) - there):
        await make_collection(database, where)  # by name: an index would make it without compression
    for where in sorted({where for where, _ in missing}):
        models = [
            IndexModel(INDEXES[where][name][0], name=name, **INDEXES[where][name][1])
            for collection, name in missing
            if collection == where
        ]
        await database[where].create_indexes(models)


async def set_zone(collections: Collections, zone: str) -> None:
    await collections.state.update_one({"_id": "onecard"}, {"$set": {"zone": zone}})
