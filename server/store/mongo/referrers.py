"""Who refers to a resource: for deletions that must leave nothing dangling."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from server.search.values import Index, Reference
from server.store.contract import RECORDS, Put
from server.store.mongo.documents import Hashes
from server.store.mongo.driver import Session
from server.store.mongo.frames import Frames, some_values
from server.store.mongo.schema import Collections
from server.store.mongo.symbols import REFERENCES, TYPES, Symbols

Pair = tuple[str, str]


MANY = 20
"""Referrers of one resource that are told, at most."""


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
        keys = await self._keys(targets)
        found: dict[Pair, list[Pair]] = {target: [] for target in targets}
        left = set(targets)
        async for document in self._collections.resource.find({"k": {"$in": keys}}, {"t": 1, "b": 1}, session=session):
            pair = (document["t"], document["_id"].partition("/")[2])
            if pair[0] in RECORDS:
                continue
            _, stored = self._frames.unpack(document["b"])
            for target in left.intersection(_targets(some_values(stored, None))):
                if pair not in targets[target]:
                    found[target].append(pair)
                    if len(found[target]) == MANY:
                        left.discard(target)
            if not left:
                break
        return found

    async def _keys(self, targets: Iterable[Pair]) -> list[int]:
        known = await self._symbols.find([REFERENCES, TYPES], {})
        keys = []
        for type, id in targets:
            target = f"{type}/{id}"
            keys += [self._hashes.reference(each["s"], each["v"], target) for each in known if each["k"] == REFERENCES]
            if type == "Patient":
                keys += [self._hashes.patient(each["v"], id) for each in known if each["k"] == TYPES]
        return keys
