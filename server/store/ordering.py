"""The order of hits and their positions, on either engine.

A position is the sort keys of a hit and the number of its creation: JSON values that mean the same on every page,
whatever is written meanwhile. Resources without a value come last in either direction; equal ones in creation order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

from server.search.query import Position, SortKey

ID, LAST_UPDATED = "_id", "_lastUpdated"


def compare(sort: Sequence[SortKey]) -> Any:
    """Key function that puts positions in order."""
    descending = [key.descending for key in sort] + [False]

    def order(one: Position, other: Position) -> int:
        for a, b, down in zip(one, other, descending, strict=True):
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1
            return -1 if (a < b) != down else 1  # type: ignore[operator]
        return 0

    return cmp_to_key(order)
