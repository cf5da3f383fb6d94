"""Versions in commit order: of an instance, a type, the system, and the feed of changes.

Current versions lie in one collection, superseded ones in another; both are read in one snapshot and merged. The index
of the commit order has the type first, so a question about all types names them: the server merges their parts of the
index, and one with `_since` may as well go by the instants of each type.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
from math import inf

from server.store.asked import Asked
from server.store.contract import History, Version
from server.store.mongo.driver import Client, Document, Session, failures, snapshot
from server.store.mongo.frames import Frames
from server.store.mongo.order import FIRST, Order, read_seq, stored_seq
from server.store.mongo.reader import FIELDS, version_of
from server.store.mongo.schema import Collections
from server.store.mongo.symbols import Symbols

_ATTEMPTS = 3
_STEP = 500
"""Versions of the feed of changes in one snapshot."""


class Histories:
    def __init__(
        self,
        client: Client,
        collections: Collections,
        symbols: Symbols,
        order: Order,
        frames: Frames,
        seconds: float,
    ) -> None:
        """seconds: after which a history ends as QueryTooCostly; the feed of changes, of backups, never."""
        self._client = client
        self._collections = collections
        self._symbols = symbols
        self._order = order
        self._frames = frames
        self._most_ms = int(seconds * 1000)

    async def history(self, asked: Asked) -> History:
        came = self._order.now()
        for _ in range(_ATTEMPTS):
            found, complete = await self._found(asked)
            if complete >= came:
                break  # else somebody looked at the clock long before its registration was stored
        versions = [self._version(document) for document in found[: asked.limit]]
        latest = min(complete, inf if asked.until is None else asked.until)
        return History(versions, len(found) > asked.limit, None if latest == inf else int(latest))

    async def _found(self, asked: Asked) -> tuple[list[Document], float]:
        """Versions, and the instant up to which nothing is hidden because somebody is committing."""
        if asked.scope.id is None:
            await self._order.settle()
        with failures():
            async with snapshot(self._client) as session:
                horizon = await self._order.horizon(session) if asked.scope.id is None else None
                current, superseded = self._filters(asked, horizon)
                if asked.scope.type is None:
                    current |= (types := await self._every_type())
                    superseded |= types
                found = await self._merged(current, superseded, -1, asked.limit + 1, session, self._most_ms)
        return found, inf if horizon is None else horizon[1]

    def _filters(self, asked: Asked, horizon: tuple[int, int] | None) -> tuple[Document, Document]:
        """Of the current and of the superseded versions. horizon: of what may be shown."""
        seq, instant = horizon or (None, None)
        before = [one for one in (seq, asked.before) if one is not None]
        at = asked.at[1] if asked.at is not None else None
        latest = [one for one in (instant, asked.until, at) if one is not None]
        where: Document = {"q": {"$gt": FIRST}}
        if before:
            where["q"]["$lt"] = stored_seq(min(before))
        if latest:
            where["l"] = {"$lte": min(latest)}
        if asked.since is not None:
            where["l"] = where.get("l", {}) | {"$gte": asked.since}
        if asked.scope.type is not None and asked.scope.id is None:
            where["t"] = asked.scope.type
        current, superseded = dict(where), dict(where)
        if asked.scope.id is not None:
            key = f"{asked.scope.type}/{asked.scope.id}"
            current["_id"] = key
            superseded["_id"] = {"$gt": f"{key}/", "$lt": f"{key}0"}  # 0 is the character behind /
        if asked.at is not None:
            superseded["x"] = {"$gt": asked.at[0]}
        return current, superseded

    async def _every_type(self) -> Document:
        """Of a snapshot that is there already: it has no version of a type that is not among them."""
        return {"t": {"$in": await self._symbols.types()}}

    async def _merged(
        self,
        current: Document,
        superseded: Document,
        direction: int,
        limit: int,
        session: Session,
        most_ms: int | None = None,
    ) -> list[Document]:
        fields = {**FIELDS, "t": 1}
        collections = self._collections
        parts = []
        for collection, where in ((collections.resource, current), (collections.history, superseded)):
            cursor = collection.find(where, fields, session=session).sort("q", direction).limit(limit)
            parts.append(await cursor.max_time_ms(most_ms).to_list(None))
        merged = heapq.merge(*parts, key=lambda document: bytes(document["q"]), reverse=direction < 0)
        return [document for _, document in zip(range(limit), merged, strict=False)]

    def _version(self, document: Document) -> Version:
        _, id, *_ = document["_id"].split("/")
        return version_of(document["t"], id, document, self._frames)

    async def changes(self, since: int) -> AsyncIterator[Version]:
        await self._order.settle()
        while True:
            with failures():
                async with snapshot(self._client) as session:
                    horizon = await self._order.horizon(session)
                    where: Document = {"q": {"$gt": stored_seq(max(since, 0))}}
                    if horizon is not None:
                        where["q"]["$lt"] = stored_seq(horizon[0])
                    where |= await self._every_type()
                    found = await self._merged(where, where, 1, _STEP, session)
            for document in found:
                yield self._version(document)
            if len(found) < _STEP:
                return
            since = read_seq(found[-1]["q"])
