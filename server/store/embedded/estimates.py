"""How many rows a part of an index has, roughly: counted up to a limit, remembered for a while."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from server.store.bounds import Bound
from server.store.embedded.driver import Connection, Row, integers

LIMIT = 2000
"""Counting stops here: 40 microseconds; beyond, the planner only knows "many"."""
_SECONDS = 60.0
_LARGEST = 50_000


_SAMPLE = 300
_SOME_DATES = """
SELECT r.d, r.d + r.w FROM carray(:rids) c CROSS JOIN res r ON r.rid = (SELECT x.rid FROM res x INDEXED BY res_t
WHERE x.t = :t AND x.m < 3 AND x.rid >= c.value ORDER BY x.rid LIMIT 1) WHERE r.w >= 0
"""


class Spread:
    """How many intervals lie where, as it was a while ago."""

    def __init__(self, ends: Sequence[tuple[int, int]]) -> None:
        """ends: (earliest, latest) of each."""
        self._lows = sorted(low for low, _ in ends)
        self._ups = sorted(up for _, up in ends)
        self._count = len(ends)

    def share(self, every: Sequence[Sequence[Bound]]) -> float:
        """Part of the intervals that can hold what one of the alternatives asks for: as `ranges.zone`."""
        found = sum(max(0, self._count - self._early(bounds) - self._late(bounds)) for bounds in every)
        return min(1.0, found / self._count) if self._count else 0.0

    def _early(self, bounds: Sequence[Bound]) -> int:
        """Intervals that end before what is asked for begins."""
        edges = [value for _, sign, value in bounds if sign in (">=", ">")]
        return bisect_right(self._ups, max(edges)) if edges else 0

    def _late(self, bounds: Sequence[Bound]) -> int:
        edges = [value for _, sign, value in bounds if sign in ("<=", "<")]
        return self._count - bisect_left(self._lows, min(edges)) if edges else 0


class Estimates:
    """Of one process; shared by threads."""

    def __init__(self) -> None:
        self._known: dict[object, tuple[int, float]] = {}
        self._spreads: dict[object, tuple[Spread, float]] = {}

    def clear(self) -> None:
        self._known.clear()
        self._spreads.clear()

    def blocks(self, connection: Connection, key: int) -> Spread:
        """Of the dates in the blocks of rids. key: of `zone`."""
        return self._spread(
            ("blocks", key), lambda: connection.execute("SELECT lo, up FROM zone WHERE t = ?", (key,)).fetchall()
        )

    def dates(self, connection: Connection, t: int) -> Spread:
        """Of the principal dates of some resources of a type, evenly taken from all."""

        def some() -> list[Row]:
            last = int(connection.execute("SELECT max(rid) FROM res").get or 0)
            rids = integers([last * n // _SAMPLE for n in range(_SAMPLE)])
            return connection.execute(_SOME_DATES, {"t": t, "rids": rids}).fetchall()

        return self._spread(("dates", t), some)

    def _spread(self, key: object, ends: Callable[[], list[Row]]) -> Spread:
        now = time.monotonic()
        known = self._spreads.get(key)
        if known is None or known[1] < now:
            known = self._spreads[key] = (Spread(ends()), now + _SECONDS)
        return known[0]

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
