"""Who refers to a resource: for deletions that must leave nothing dangling."""

from __future__ import annotations

from server.search.values import Index, Reference
from server.store.contract import RECORDS, Put, Unreferenced
from server.store.mongo.documents import Hashes
from server.store.mongo.driver import Document, Session
from server.store.mongo.frames import Frames, some_values
from server.store.mongo.schema import Collections
from server.store.mongo.symbols import REFERENCES, TYPES, Symbols

Pair = tuple[str, str]


def refers(put: Put, condition: Unreferenced) -> bool:
    return put.type not in RECORDS and _among(put.index, condition)


def _among(index: Index, condition: Unreferenced) -> bool:
    return any(
        isinstance(value, Reference) and (value.type, value.id) == (condition.type, condition.id)
        for values in index.values()
        for value in values
    )


class Referrers:
    def __init__(self, collections: Collections, symbols: Symbols, hashes: Hashes, frames: Frames) -> None:
        self._collections = collections
        self._symbols = symbols
        self._hashes = hashes
        self._frames = frames

    async def find(self, condition: Unreferenced, but: set[Pair], most: int, session: Session) -> list[Pair]:
        """Type/id pairs of at most so many, without those of `but`."""
        where = await self._filter(condition)
        found: list[Pair] = []
        if where is None:
            return found
        async for document in self._collections.resource.find(where, {"t": 1, "b": 1}, session=session):
            pair = (document["t"], document["_id"].partition("/")[2])
            if pair in but or pair[0] in RECORDS:
                continue
            _, stored = self._frames.unpack(document["b"])
            if _among(some_values(stored, None), condition):
                found.append(pair)
                if len(found) == most:
                    break
        return found

    async def _filter(self, condition: Unreferenced) -> Document | None:
        target = f"{condition.type}/{condition.id}"
        known = await self._symbols.find([REFERENCES, TYPES], {})
        keys = [self._hashes.reference(each["s"], each["v"], target) for each in known if each["k"] == REFERENCES]
        if condition.type == "Patient":
            keys += [self._hashes.patient(each["v"], condition.id) for each in known if each["k"] == TYPES]
        return {"k": {"$in": keys}} if keys else None
