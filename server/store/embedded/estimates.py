"""How many rows a part of an index has, roughly: counted up to a limit, remembered for a while."""

from __future__ import annotations

import time

from server.store.embedded.driver import Connection

LIMIT = 2000
"""Counting stops here: 40 microseconds; beyond, the planner only knows "many"."""
_SECONDS = 60.0
_LARGEST = 50_000


class Estimates:
    """Of one process; shared by threads."""

    def __init__(self) -> None:
        self._known: dict[object, tuple[int, float]] = {}

    def clear(self) -> None:
        self._known.clear()

    def rows(self, connection: Connection, key: object, select: str, bindings: dict[str, object]) -> int:
        """Rows of `select` (a SELECT of anything), at most LIMIT. key: what names them, None: do not remember."""
        now = time.monotonic()
        known = self._known.get(key) if key is not None else None
        if known is not None and known[1] > now:
            return known[0]
        found = int(connection.execute(f"SELECT count(*) FROM ({select} LIMIT {LIMIT})", bindings).get)
        if key is not None:
            if len(self._known) > _LARGEST:
                self._known.clear()
            self._known[key] = (found, now + _SECONDS)
        return found

    def type(self, connection: Connection, t: int) -> int:
        """Live resources of a type, up to a hundred times LIMIT."""
        key = ("type", t)
        now = time.monotonic()
        known = self._known.get(key)
        if known is None or known[1] < now:
            select = f"SELECT 1 FROM res WHERE t = :t AND m < 3 LIMIT {LIMIT * 100}"
            count = int(connection.execute(f"SELECT count(*) FROM ({select})", {"t": t}).get)
            known = self._known[key] = (count, now + _SECONDS * 5)
        return known[0]
