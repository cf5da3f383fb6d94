"""The SQL of one page: candidates in creation order, along an index, or the first in the order of computed keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.store.asked import Page
from server.store.embedded.ordering import ahead, behind, order_by
from server.store.embedded.planner import Plan, tables, zone_of
from server.store.embedded.rows import ASCENDING, DESCENDING, NEITHER
from server.store.embedded.tables import BLOCK
from server.store.embedded.terms import NOTHING, Term

_ROW = "r.rid, r.id, r.vid, r.lu, r.seq, r.m, r.body"


@dataclass(frozen=True, slots=True)
class Made:
    """Statements of (sort keys ..., rid, id, vid, lu, seq, m, body) in order, each asked while the page has room."""

    statements: list[str]
    driver: Term
    way: str
    """How the order comes about, for `explain`."""
    short: tuple[int, ...] = ()
    """Codes of which it takes for granted that none is dated by more than a year."""
    by_shape: bool = False
    """The statements behind the first go by the shapes that there were: new ones may have come since."""


class Statements:
    """Of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._bind = plan.bind

    def by_rid(self, page: Page, driver: Term, others: Sequence[Term], key: str = "") -> str:
        """key: `NULL AS k0, ` where these rows stand behind those with a sort key."""
        direction = "DESC" if page.backward else "ASC"
        position = page.after or page.before
        tail, order = self._plan.conditions(driver, others), f"ORDER BY x.rid {direction}"
        zone = zone_of(others) if driver.patient is None and not driver.few else None
        if zone is not None:
            tail += f" AND x.rid >= z.block << {BLOCK} AND x.rid < (z.block + 1) << {BLOCK} AND "
            tail += f"z.t = {self._bind(zone.key)} AND {zone.where}"
            order = f"ORDER BY z.block {direction}, x.rid {direction}"
        if position:
            sign, edge = (">" if page.after else "<"), self._bind(position[-1])
            tail += f" AND x.rid {sign} {edge}"
            tail += f" AND z.block {sign}= {edge} >> {BLOCK}" if zone is not None else ""
        limit = self._bind(page.limit)
        blocks = "zone z CROSS JOIN " if zone is not None else ""
        if driver is self._plan.listing:
            # The rows are there already, and in order.
            return (
                f"SELECT {key}{_ROW.replace('r.', 'x.')} FROM {blocks}{driver.branches[0]}{tail} {order} LIMIT {limit}"
            )
        parts = [f"SELECT x.rid FROM {blocks}{table}{tail} {order} LIMIT {limit}" for table in tables(driver)]
        inside = parts[0]
        if len(parts) > 1:
            union = " UNION ".join(f"SELECT rid FROM ({part})" for part in parts)
            inside = f"SELECT rid FROM ({union}) ORDER BY rid {direction} LIMIT {limit}"
        return f"SELECT {key}{_ROW} FROM ({inside}) i CROSS JOIN res r ON r.rid = i.rid ORDER BY r.rid {direction}"

    def several(self, down: bool) -> str:
        """The date to sort by of what has several."""
        return f"date_key((SELECT keys FROM res WHERE rid = x.rid), {self._plan.date}, {int(down)})"

    def ordered(self, page: Page, rows: str, count: int, descending: list[bool]) -> str:
        """The first in the order of their keys, with their rows. rows: SELECT of rid, k0, k1 ...; count: of keys."""
        names = [f"k{number}" for number in range(count)]
        columns, down = [*names, "rid"], [*descending, False]
        where = ""
        position = page.after or page.before
        if position:
            bounds = [self._bind(value) for value in position]
            where = " WHERE " + (behind if page.after else ahead)(columns, down, bounds, position)
        order = order_by(columns, down, backward=page.backward)
        inside = f"SELECT * FROM ({rows}){where} {order} LIMIT {self._bind(page.limit)}"
        listed = ", ".join(f"i.{name}" for name in names)
        outer = order_by([f"i.{name}" for name in columns], down, backward=page.backward)
        return f"SELECT {listed}, {_ROW} FROM ({inside}) i CROSS JOIN res r ON r.rid = i.rid {outer}"

    def along(self, page: Page, parts: list[str], column: str, down: bool, others: str = "") -> str:
        """parts: SELECTs of (rid, k0) whose index is ordered by `column`: each is read until it filled the page.
        others: SELECT of few more rows in any order."""
        position = page.after or page.before
        if position and position[0] is None:
            position = None  # the page before began among those without a value: all with one are ahead of it
        direction = "DESC" if down != page.backward else "ASC"
        order = f"ORDER BY {column} {direction}, x.rid {'DESC' if page.backward else 'ASC'}"
        bound = past = ""
        if position:
            edge, last = (self._bind(value) for value in position)
            bound = f" AND {column} {'<=' if down != page.backward else '>='} {edge}"
            # Those that share the last value of the page before are read again and dropped.
            past = f" AND ({column} <> {edge} OR x.rid {'<' if page.backward else '>'} {last})"
        limit = self._bind(page.limit)
        steps = [f"SELECT * FROM ({part}{bound}{past} {order} LIMIT {limit})" for part in parts]
        if others:
            return self.ordered(page, " UNION ".join([*steps, others]), 1, [down])
        free = Page(page.limit, before=() if page.backward else None)
        return self.ordered(free, " UNION ALL ".join(steps), 1, [down])

    def then(self, page: Page, dated: str, undated: Term, others: Sequence[Term]) -> list[str]:
        """Those with a date, then those without: in the direction of the paging."""
        position = page.after or page.before
        beyond = bool(position) and position is not None and position[0] is None
        here = page if beyond else Page(page.limit, before=() if page.backward else None)
        absent = [] if undated is NOTHING else [self.by_rid(here, undated, others, "NULL AS k0, ")]
        if page.backward:
            return [*(absent if beyond or not position else []), dated]
        return absent if beyond else [dated, *absent]


def serves(down: bool) -> str:
    """Condition on a date x of a resource that it is the one to sort by."""
    return f"x.f <> {ASCENDING if down else DESCENDING} AND x.f < {NEITHER}"
