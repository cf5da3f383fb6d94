"""The MongoDB store: a replica set or a sharded cluster behind the store contract.   docs/decisions/mongodb-layout.md

Everything that must be atomic is one transaction, acknowledged by the majority; reads are of the majority, so what was
acknowledged to anyone is read by everyone. Reads, writes and searches have queues of their own, never the driver's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from server.search.query import Query
from server.search.values import Index
from server.store.asked import Asked
from server.store.contract import (
    Commit,
    History,
    Hits,
    Matches,
    Replayed,
    Scope,
    SearchRules,
    StoreInfo,
    Version,
    Written,
)
from server.store.mongo.claims import claims
from server.store.mongo.documents import Builder, Hashes, type_name
from server.store.mongo.driver import Binary, Client, Database, Document, ReplaceOne, Session, failures
from server.store.mongo.frames import Frames, stored_texts, values
from server.store.mongo.hashing import Hash
from server.store.mongo.history import Histories
from server.store.mongo.marks import Marks
from server.store.mongo.order import Order
from server.store.mongo.reader import Reader
from server.store.mongo.referrers import Referrers
from server.store.mongo.schema import Collections, State, set_zone
from server.store.mongo.search import Searcher
from server.store.mongo.symbols import Symbols
from server.store.mongo.transaction import Work
from server.store.mongo.writer import Writer

_STEP = 200
"""Resources of one reindexing step."""


class MongoStore:
    """`server.store.contract.Store` on MongoDB. Made by `open_mongo`."""

    def __init__(
        self,
        client: Client,
        database: Database,
        state: State,
        rules: SearchRules,
        *,
        dictionaries: dict[int, bytes],
        hash: Hash,
        clock: Callable[[], int],
        search_seconds: float,
    ) -> None:
        self._client = client
        self._database = database
        self._state = state
        self._rules = rules
        self._collections = Collections(database)
        self._frames = Frames(dictionaries)
        self._hashes = Hashes(hash)
        self._symbols = Symbols(self._collections.symbol, hash, state.secret)
        self._order = Order(client, self._collections.writer, clock)
        self._reader = Reader(self._collections, self._frames)
        self._histories = Histories(client, self._collections, self._symbols, self._order, self._frames, search_seconds)
        self._searcher = Searcher(
            client, self._collections, self._symbols, self._hashes, self._frames, rules, search_seconds
        )
        self._referrers = Referrers(self._collections, self._symbols, self._hashes, self._frames)
        work = Work(
            self._collections,
            self._order,
            Marks(self._collections.resource, self._order),
            self._frames,
            self._claims,
            self._found,
            self._referrers.find,
        )
        self._writer = Writer(client, work, self._builder)

    def _builder(self) -> Builder:
        return Builder(self._symbols, self._hashes, self._rules.parameter)

    # -------------------------------------------------------------------------------- writing

    async def commit(self, commit: Commit) -> list[Written]:
        written: list[Written] = await self._writer.submit(commit)
        return written

    def _claims(self, commit: Commit) -> set[bytes]:
        return claims(commit, self._rules.parameter, self._state.secret)

    async def _found(self, condition: Matches, session: Session) -> Sequence[tuple[str, str]]:
        return await self._searcher.ids(condition.query, len(condition.ids) + 1, session)

    # -------------------------------------------------------------------------------- reading

    async def read(self, type: str, id: str) -> Version | None:
        return await self._reader.read(type, id)

    async def read_many(self, ids: Sequence[tuple[str, str]]) -> list[Version | None]:
        return await self._reader.read_many(ids)

    async def vread(self, type: str, id: str, version: int) -> Version | None:
        return await self._reader.vread(type, id, version)

    async def history(
        self,
        scope: Scope,
        *,
        since: int | None = None,
        at: tuple[int, int] | None = None,
        before: int | None = None,
        until: int | None = None,
        limit: int = 50,
    ) -> History:
        return await self._histories.history(Asked(scope, since, at, before, until, limit))

    async def search(self, query: Query) -> Hits:
        return await self._searcher.search(query)

    async def place(self, types: Sequence[str]) -> int:
        return await self._reader.place(types)

    async def count(self, query: Query, *, estimate: bool = False) -> int:
        return await (self._searcher.estimate(query) if estimate else self._searcher.count(query))

    async def explain(self, query: Query) -> dict[str, object]:
        return await self._searcher.explain(query)

    def changes(self, since: int) -> AsyncIterator[Version]:
        return self._histories.changes(since)

    # -------------------------------------------------------------------------------- the store itself

    async def info(self) -> StoreInfo:
        with failures():
            state = await self._collections.state.find_one({"_id": "onecard"})
            assert state is not None, "made when the store was opened"
            types = await self._symbols.types()
            await self._symbols.load(map(type_name, types))
            counts = {
                type: await self._collections.resource.count_documents({"k": self._symbols.key(type_name(type))})
                for type in types
            }
            size = await self._database.command("dbStats")
        return StoreInfo(
            engine="mongodb",
            zone=state["zone"],
            epoch=state["epoch"],
            counts={type: count for type, count in counts.items() if count},
            size=int(size["storageSize"] + size["indexSize"]),
        )

    async def get_setting(self, key: str) -> bytes | None:
        with failures():
            found = await self._collections.setting.find_one({"_id": key})
        return None if found is None else bytes(found["value"])

    async def put_setting(self, key: str, value: bytes, *, only_if_absent: bool = False) -> bytes:
        operator = "$setOnInsert" if only_if_absent else "$set"
        with failures():
            found = await self._collections.setting.find_one_and_update(
                {"_id": key}, {operator: {"value": Binary(value)}}, upsert=True, return_document=True
            )
        assert found is not None, "an upsert"
        return bytes(found["value"])

    async def all_settings(self) -> dict[str, bytes]:
        with failures():
            found = await self._collections.setting.find({}).to_list(None)
        return {each["_id"]: bytes(each["value"]) for each in found}

    # -------------------------------------------------------------------------------- the whole of it

    async def replay(self, versions: Sequence[Replayed]) -> None:
        if versions:
            await self._writer.submit(list(versions))

    async def reindex(self, types: Sequence[str], progress: Callable[[int, int], None]) -> None:
        counts = (await self.info()).counts
        total = sum(counts.get(type, 0) for type in types)
        done = 0
        progress(done, total)
        for type in types:
            after = -1
            while True:
                found, after = await self._reindexed(type, after)
                if not found:
                    break
                done += found
                progress(done, max(done, total))

    async def _reindexed(self, type: str, after: int) -> tuple[int, int]:
        """One step behind the creation number `after`: how many, and the last number. What is written meanwhile has
        another version, or other labels, and new keys already."""
        name = type_name(type)
        await self._symbols.load([name])
        key = self._symbols.key(name)
        if key is None:
            return 0, after
        with failures():
            cursor = self._collections.resource.find({"k": key, "n": {"$gt": after}}).sort("n", 1).limit(_STEP)
            found = await cursor.to_list(None)
            replaced = [ReplaceOne({f: d[f] for f in ("_id", "v", "b")}, await self._anew(type, d)) for d in found]
            if replaced:
                await self._collections.resource.bulk_write(replaced, ordered=False)
        await asyncio.sleep(0)
        return len(found), found[-1]["n"] if found else after

    async def _anew(self, type: str, document: Document) -> Document:
        body, stored = self._frames.unpack(document["b"])
        index: Index = self._rules.extract(type, body)
        text = stored_texts(stored)
        id = document["_id"].partition("/")[2]
        keys = await self._builder().fields(type, id, index, text)
        kept = {field: document[field] for field in ("_id", "t", "v", "q", "l", "m", "n")}
        return kept | keys | {"b": Binary(self._frames.pack(body, values(index, text)))}

    async def rezone(self, zone: str, progress: Callable[[int, int], None]) -> None:
        """Reads the dates of all resources in another zone; for a store opened with `rezone`. Goes on after a break."""
        await self.reindex(list((await self.info()).counts), progress)
        with failures():
            await set_zone(self._collections, zone)

    async def close(self) -> None:
        await self._writer.close()
        await self._order.close()
        await self._client.close()
