"""Sorts that no index serves: the keys of all matches are computed from their values, the first of them kept.

Bounded: beyond MOST matches the search is refused with advice. docs/decisions/embedded-layout.md has the plan table.
"""

from __future__ import annotations

import heapq
from typing import Any

from server.search.query import Position, Query, SortKey
from server.search.types import sort_key
from server.search.values import Index, Reference
from server.store.asked import Page
from server.store.bodies import Bodies
from server.store.contract import QueryTooCostly, SearchRules
from server.store.embedded.driver import Connection
from server.store.embedded.ids import id_text
from server.store.embedded.planner import Plan
from server.store.embedded.symbols import Symbols
from server.store.ordering import ID, LAST_UPDATED, compare

MOST = 20_000
"""Matches that are sorted in memory at most."""
_TOO_MANY = (
    f"More than {MOST} resources would have to be sorted. Narrow the search, or sort by _lastUpdated, _id or the "
    "clinical date of the type, which have an index."
)


class Sorter:
    """On one connection, within one thread."""

    def __init__(self, connection: Connection, bodies: Bodies, rules: SearchRules, symbols: Symbols) -> None:
        self._connection = connection
        self._bodies = bodies
        self._rules = rules
        self._symbols = symbols

    def page(self, plan: Plan, type: str, query: Query, page: Page) -> list[tuple[Position, str, tuple[Any, ...]]]:
        """Raises: QueryTooCostly."""
        positions = self._positions(plan, type, query)
        key = compare(query.sort)
        if page.after:
            edge = key(page.after)
            positions = [position for position in positions if key(position) > edge]
        elif page.before:
            edge = key(page.before)
            positions = [position for position in positions if key(position) < edge]
        first = heapq.nlargest if page.backward else heapq.nsmallest
        chosen = first(page.limit, positions, key=key)
        return [(position, type, self._row(int(str(position[-1])))) for position in chosen]

    def _positions(self, plan: Plan, type: str, query: Query) -> list[Position]:
        found = " UNION ".join(plan.matches(plan.driver(None)))
        rids = [rid for (rid,) in self._connection.execute(f"SELECT rid FROM ({found}) LIMIT {MOST + 1}", plan.bound)]
        if len(rids) > MOST:
            raise QueryTooCostly(_TOO_MANY)
        return [(*(self._key(key, type, rid) for key in query.sort), rid) for rid in rids]

    def _key(self, key: SortKey, type: str, rid: int) -> object:
        indexes = [(type, rid)]
        for parameter, target in key.chain:
            indexes = [found for t, r in indexes for found in self._targets(self._index(t, r), parameter.code, target)]
        code = key.parameter.code
        if code in (ID, LAST_UPDATED):
            found = [own for _, r in indexes if (own := self._own(code, r)) is not None]
            return None if not found else (max(found) if key.descending else min(found))
        values = [value for t, r in indexes for value in self._index(t, r).get(code, ())]
        return sort_key(key.parameter.type, values, key.descending)

    def _own(self, code: str, rid: int) -> Any:
        """None of a resource that was deleted: a chain may lead to one."""
        found = self._connection.execute("SELECT id, lu FROM res WHERE rid = ? AND body IS NOT NULL", (rid,)).get
        if found is None:
            return None
        id, lu = found
        return id_text(id) if code == ID else lu

    def _index(self, type: str, rid: int) -> Index:
        frame = self._connection.execute("SELECT body FROM res WHERE rid = ?", (rid,)).get
        return self._rules.extract(type, self._bodies.expand(frame)) if frame is not None else {}

    def _targets(self, index: Index, code: str, target: str) -> list[tuple[str, int]]:
        t = self._symbols.type(self._connection, target)
        found = []
        for value in index.get(code, ()):
            if isinstance(value, Reference) and value.type == target and value.id is not None and t is not None:
                rid = self._symbols.rid(self._connection, t, value.id)
                if rid is not None:
                    found.append((target, rid))
        return found

    def _row(self, rid: int) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._connection.execute(
            "SELECT rid, id, vid, lu, seq, m, body FROM res WHERE rid = ?", (rid,)
        ).get
        return row
