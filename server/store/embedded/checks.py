"""What only Python can decide about a row, offered to SQL: holds(n, body), among(n, keys), within(n, lower, upper).

One set for each connection. A statement names its checks by number; they are forgotten when the next search starts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from server.search.query import Criterion
from server.store.bodies import Bodies
from server.store.contract import SearchRules
from server.store.embedded.driver import Connection
from server.store.embedded.rows import CLASSES, Rows, from_keys

Predicate = Callable[[Rows], bool]
Interval = Callable[[int, int], bool]


@lru_cache(maxsize=512)
def _rows(keys: str) -> Rows:
    return from_keys(keys)


class Made:
    """The checks of one statement, by number."""

    __slots__ = ("criteria", "intervals", "predicates")

    def __init__(self) -> None:
        self.criteria: list[tuple[Criterion, str]] = []
        self.predicates: list[Predicate] = []
        self.intervals: list[Interval] = []


class Checks:
    def __init__(self, connection: Connection, rules: SearchRules, bodies: Bodies) -> None:
        self._rules = rules
        self._bodies = bodies
        self.made = Made()
        connection.create_scalar_function("holds", self._holds, 2)
        connection.create_scalar_function("among", self._among, 2)
        connection.create_scalar_function("within", self._within, 3)
        connection.create_scalar_function("date_key", _date_key, 3)

    def forget(self) -> None:
        self.made = Made()

    def criterion(self, criterion: Criterion, type: str) -> int:
        self.made.criteria.append((criterion, type))
        return len(self.made.criteria) - 1

    def predicate(self, predicate: Predicate) -> int:
        self.made.predicates.append(predicate)
        return len(self.made.predicates) - 1

    def interval(self, test: Interval) -> int:
        self.made.intervals.append(test)
        return len(self.made.intervals) - 1

    def _within(self, number: int, lower: int, upper: int) -> bool:
        """The truth on one interval [lower, upper)."""
        return self.made.intervals[number](lower, upper)

    def _holds(self, number: int, frame: bytes | None) -> bool:
        """The truth on a resource's values."""
        if frame is None:
            return False
        criterion, type = self.made.criteria[number]
        return self._rules.holds(criterion, type, self._rules.extract(type, self._bodies.expand(frame)))

    def _among(self, number: int, keys: str | None) -> bool:
        """The truth on a resource's index rows."""
        return keys is not None and self.made.predicates[number](_rows(keys))


def _date_key(keys: Any, k: Any, descending: Any) -> int | None:
    """Lowest (highest) date of a resource that has several."""
    found = [row[1] for row in _rows(keys).dat if row[0] // CLASSES == k]
    return (max(found) if descending else min(found)) if found else None
