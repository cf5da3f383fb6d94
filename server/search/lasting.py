"""Searches that come again are compiled once: those whose parameters mean the same at any time."""

from __future__ import annotations

import re
from collections.abc import Iterable

from server.search.request import SearchRequest

MOST = 2000
LONGEST = 400
"""Characters of all names and values."""

_MODIFIERS = frozenset({"exact", "contains", "missing"})
"""Others ask the terminology service, whose answer may change."""
_COMMON = frozenset(
    {
        "_id", "_lastUpdated", "_tag", "_security", "_profile", "_source", "_sort", "_count", "_include", "_revinclude",
        "_summary", "_elements", "_total", "_format", "_pretty",
    }
)  # fmt: skip
_NOW = re.compile(r"(?:^|[,$])ap")
"""Approximately: for dates that depends on how long ago they are."""

Key = tuple[object, ...]


def is_lasting(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether the parameters mean the same whenever they are asked, and are few enough to be remembered."""
    size = 0
    for name, value in pairs:
        size += len(name) + len(value)
        head, colon, modifier = name.partition(":")
        if size > LONGEST or (colon and modifier not in _MODIFIERS) or _NOW.search(value):
            return False
        if head[:1] == "_" and head not in _COMMON:
            return False
    return True


class Compiled:
    """Requests by what was asked, as long as the search parameters stay as they are."""

    def __init__(self) -> None:
        self._known: dict[Key, SearchRequest] = {}
        self._generation = -1

    def get(self, key: Key, generation: int) -> SearchRequest | None:
        """generation: of the search parameters."""
        if generation != self._generation:
            self._known.clear()
            self._generation = generation
        return self._known.get(key)

    def keep(self, key: Key, request: SearchRequest) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = request
