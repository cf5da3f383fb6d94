"""Sorts that no index serves: the keys of all matches are computed from their values, the first of them kept.

Bounded: beyond MOST matches the search is refused with advice. docs/mongodb.md has the plan table.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from server.search.query import Position, SortKey
from server.search.types import sort_key
from server.search.values import Index
from server.store.asked import Page
from server.store.contract import QueryTooCostly
from server.store.mongo.candidates import Candidate, Key, keys_of
from server.store.mongo.frames import Frames, some_values
from server.store.ordering import ID, LAST_UPDATED

MOST = 20_000
"""Matches that are sorted in memory at most."""
_TOO_MANY = (
    f"More than {MOST} resources would have to be sorted. Narrow the search, or sort by _lastUpdated, _id or the "
    "clinical date of the type, which have an index."
)

Documents = Callable[[set[Key]], Awaitable[list[Candidate]]]
Found = tuple[Position, Candidate]


class Sorter:
    def __init__(
        self,
        sort: Sequence[SortKey],
        page: Page,
        compare: Callable[[Position], Any],
        frames: Frames,
        documents: Documents,
    ) -> None:
        """documents: live resources by Type/id, for sorts through references."""
        self._sort = sort
        self._page = page
        self._key = compare
        self._frames = frames
        self._documents = documents
        self._kept: list[Found] = []
        self._seen = 0

    async def add(self, batch: Sequence[Candidate]) -> None:
        """Raises: QueryTooCostly."""
        self._seen += len(batch)
        if self._seen > MOST:
            raise QueryTooCostly(_TOO_MANY)
        keys = [await self._keys(key, batch) for key in self._sort]
        for number, one in enumerate(batch):
            position: Position = (*(column[number] for column in keys), one.document["n"])
            if self._wanted(position):
                self._kept.append((position, one))
        if len(self._kept) > 4 * self._page.limit + 1000:
            self._kept = self.found()

    def _wanted(self, position: Position) -> bool:
        if self._page.after:
            return bool(self._key(position) > self._key(self._page.after))
        if self._page.before:
            return bool(self._key(position) < self._key(self._page.before))
        return True

    def found(self) -> list[Found]:
        """The first in the direction of the paging."""
        first = heapq.nlargest if self._page.backward else heapq.nsmallest
        return first(self._page.limit, self._kept, key=lambda found: self._key(found[0]))

    # -------------------------------------------------------------------------------- keys

    async def _keys(self, key: SortKey, batch: Sequence[Candidate]) -> list[Any]:
        reached: list[list[Candidate]] = [[one] for one in batch]
        for parameter, target in key.chain:
            reached = await self._follow(reached, parameter.code, f"{target}/")
        return [self._value(key, ends) for ends in reached]

    async def _follow(self, reached: list[list[Candidate]], code: str, prefix: str) -> list[list[Candidate]]:
        named = [
            {link for one in ends for link in keys_of(_values(one, code)) if link.startswith(prefix)}
            for ends in reached
        ]
        found = {one.key: one for one in await self._documents(set().union(*named))}
        return [[found[link] for link in links if link in found] for links in named]

    def _value(self, key: SortKey, ends: Sequence[Candidate]) -> Any:
        code = key.parameter.code
        if code in (ID, LAST_UPDATED):
            own: list[Any] = [one.id if code == ID else one.document["l"] for one in ends]
            return (max if key.descending else min)(own, default=None)
        values = [value for one in ends for value in _values(one, code)]
        return sort_key(key.parameter.type, values, key.descending)


def _values(one: Candidate, code: str) -> list[Any]:
    index: Index = some_values(one.stored, (code,))
    return index.get(code, [])
