"""Who refers to a resource: for deletions that must leave nothing dangling."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from server.search.values import Index, Reference
from server.store.contract import RECORDS, Put
from server.store.mongo.documents import Hashes
from server.store.mongo.driver import Document, Session
from server.store.mongo.frames import Frames, some_values
from server.store.mongo.schema import Collections
from server.store.mongo.symbols import REFERENCES, TYPES, Symbols
from server.turn import Turn

Pair = tuple[str, str]

MANY = 20
"""Referrers of one resource that are told, at most."""
_KEYS = 20_000
"""Of a question: one of a million keys would be larger than MongoDB takes."""


def referred(put: Put) -> set[Pair]:
    """What it holds back from being deleted."""
    return set() if put.type in RECORDS else set(_targets(put.index))


def _targets(index: Index) -> Iterator[Pair]:
    for values in index.values():
        for value in values:
            if isinstance(value, Reference) and value.type is not None and value.id is not None:
                yield value.type, value.id


class Referrers:
    def __init__(self, collections: Collections, symbols: Symbols, hashes: Hashes, frames: Frames) -> None:
        self._collections = collections
        self._symbols = symbols
        self._hashes = hashes
        self._frames = frames

    async def find(self, targets: Mapping[Pair, Container[Pair]], session: Session) -> dict[Pair, list[Pair]]:
        """Type/id pairs of those who refer to each target, but for those beside it; no more than MANY."""
        known = await self._symbols.find([REFERENCES, TYPES], {})
        every, few = list(targets), max(1, _KEYS // max(1, len(known)))
        found: dict[Pair, list[Pair]] = {}
        for start in range(0, len(every), few):
            some = every[start : start + few]
            found |= await self._of(some, await self._keys(some, known), targets, session)
        return found

    async def _of(
        self, some: Sequence[Pair], keys: list[int], targets: Mapping[Pair, Container[Pair]], session: Session
    ) -> dict[Pair, list[Pair]]:
        found: dict[Pair, list[Pair]] = {target: [] for target in some}
        left, turn = set(some), Turn()
        where = {"k": {"$in": keys}, "t": {"$nin": sorted(RECORDS)}}
        async for document in self._collections.resource.find(where, {"t": 1, "b": 1}, session=session):
            pair = (document["t"], document["_id"].partition("/")[2])
            _, stored = self._frames.unpack(document["b"])
            for target in left.intersection(_targets(some_values(stored, None))):
                if pair not in targets[target]:
                    found[target].append(pair)
                    if len(found[target]) == MANY:
                        left.discard(target)
            if not left:
                break
            if turn.is_over():
                await asyncio.sleep(0)
        return found

    async def _keys(self, targets: Iterable[Pair], known: Sequence[Document]) -> list[int]:
        """known: symbols of the reference parameters and types that were ever seen."""
        places = [(each["s"], each["v"]) for each in known if each["k"] == REFERENCES]
        types = [each["v"] for each in known if each["k"] == TYPES]
        keys, turn = [], Turn()
        for type, id in targets:
            target = f"{type}/{id}"
            keys += [self._hashes.reference(*place, target) for place in places]
            if type == "Patient":
                keys += [self._hashes.patient(of, id) for of in types]
            if turn.is_over():
                await asyncio.sleep(0)
        return keys
