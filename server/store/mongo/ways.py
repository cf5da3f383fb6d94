"""Which way a search takes where that depends on how much the store holds."""

from __future__ import annotations

import time
from math import isqrt

from server.store.mongo.driver import Collection, failures
from server.store.mongo.pages import FEW, Apart

_FEWEST = 200
_PARTED = 1_000_000
"""Resources times days: from there on what lies between two dates, in their order, is asked for in two parts. Of a day
among a million resources it costs the same to sort the four hundred that lie within."""
_GROWN_SECONDS = 60.0


class Ways:
    def __init__(self, collection: Collection) -> None:
        self.many = Apart()
        """What too many fulfil for being asked first."""
        self._collection = collection
        self._resources, self._until = 0, 0.0

    async def few(self) -> int:
        """Matches up to which a `_has` is turned round for a page: what it leads to is asked first, then those that it
        belongs to. All of them are read, while one in so many of its candidates is a hit: for a page of ten both cost
        the same where their number is the root of ten times all candidates. These are taken for a hundredth of the
        store."""
        return min(FEW, max(_FEWEST, isqrt(await self._size() // 10)))

    async def parted(self, days: float) -> bool:
        """Whether what an index has in the order of dates is asked for apart from what must be sorted."""
        return await self._size() * days >= _PARTED

    async def _size(self) -> int:
        if time.monotonic() >= self._until:
            with failures():
                self._resources = await self._collection.estimated_document_count()
            self._until = time.monotonic() + _GROWN_SECONDS
        return self._resources
