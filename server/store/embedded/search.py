"""Executes a compiled query on one connection: a page of hits, an exact count, the explanation of a plan."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from server.search.query import Position, Query
from server.store.asked import Page
from server.store.bodies import Bodies
from server.store.contract import METHODS, Hit, Hits, SearchRules, Version
from server.store.embedded.checks import Checks
from server.store.embedded.criteria import Criteria
from server.store.embedded.driver import Connection, Row
from server.store.embedded.estimates import Estimates
from server.store.embedded.ids import id_text
from server.store.embedded.pages import Pages
from server.store.embedded.place import Place
from server.store.embedded.planner import Plan
from server.store.embedded.ready import ReadyPlans
from server.store.embedded.sorting import Sorter
from server.store.embedded.statements import Made
from server.store.embedded.symbols import Symbols
from server.store.embedded.terms import Binder
from server.store.embedded.walks import has_long
from server.store.ordering import compare

Found = tuple[Position, str, tuple[Any, ...]]
"""(position, type, row of (rid, id, vid, lu, seq, m, body))"""


class Searcher:
    """On one connection, within one thread."""

    def __init__(
        self, connection: Connection, symbols: Symbols, estimates: Estimates, bodies: Bodies, rules: SearchRules
    ) -> None:
        self._connection = connection
        self._symbols = symbols
        self._estimates = estimates
        self._bodies = bodies
        self._rules = rules
        self._checks = Checks(connection, rules, bodies)
        self._ready = ReadyPlans(symbols)

    # -------------------------------------------------------------------------------- what is asked

    def search(self, query: Query) -> Hits:
        page = Page(query.limit + 1, query.after, query.before)
        found = self._again(query, page)
        if found is None:
            found = self._page(query, page, kept=self._ready.comes_again(query))
        more = len(found) > query.limit
        found = found[: query.limit]
        if page.backward:
            found.reverse()
        return Hits([Hit(self._version(type, row), position) for position, type, row in found], more)

    def count(self, query: Query) -> int:
        total = 0
        for plan, _ in self._plans(query, whole=True):
            total += int(self._connection.execute(plan.count_sql(), plan.bound).get)
        return total

    def estimate(self, query: Query) -> int:
        """By the estimate of the driver: right while only one criterion matters."""
        return sum(plan.driver(None).estimate() for plan, _ in self._plans(query))

    def ids(self, query: Query, most: int) -> list[tuple[str, str]]:
        """Type/id pairs of the first matches."""
        found = self._page(query, Page(most))
        return [(type, id_text(row[1])) for _, type, row in found]

    def explain(self, query: Query) -> dict[str, object]:
        types = []
        for plan, type in self._plans(query):
            made = Pages(plan).page(Page(query.limit + 1, query.after, query.before), query.sort)
            driver = made.driver if made is not None else plan.driver(None)
            statements = made.statements if made is not None else []
            types.append(
                {
                    "type": type,
                    "driver": driver.name,
                    "estimate": driver.estimate(),
                    "probes": plan.probed(driver),
                    "order": made.way if made is not None else "sorted in memory",
                    "sqlite": [
                        row[3]
                        for sql in statements
                        for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", plan.bound)
                    ],
                }
            )
        return {"engine": "sqlite", "types": types}

    # -------------------------------------------------------------------------------- how

    def _plans(self, query: Query, *, whole: bool = False) -> list[tuple[Plan, str]]:
        """One plan for each type that has something to find."""
        self._checks.forget()
        bind = Binder()
        self._place = Place(self._connection, self._symbols, self._estimates, self._checks, bind, whole)
        plans = []
        for type in dict.fromkeys(query.types):
            t = self._symbols.type(self._connection, type)
            if t is None:
                continue
            plan = Plan(Criteria(self._place, type, t), query.where)
            if not plan.empty:
                plans.append((plan, type))
        return plans

    def _page(self, query: Query, page: Page, *, kept: bool = False) -> list[Found]:
        """kept: its plan shall be used again."""
        pages = [self._of_type(plan, type, query, page, kept) for plan, type in self._plans(query)]
        if len(pages) == 1:
            return pages[0]
        key = compare(query.sort)
        merged = heapq.merge(*pages, key=lambda found: key(found[0]), reverse=page.backward)
        return [found for _, found in zip(range(page.limit), merged, strict=False)]

    def _again(self, query: Query, page: Page) -> list[Found] | None:
        """By the plan that the query had before; None if there is none, or it would not be right any more."""
        ready = self._ready.get(query)
        if ready is None:
            return None
        if any(has_long(self._connection, symbol) for symbol in ready.made.short):
            self._ready.drop(query)
            return None
        self._checks.made = ready.checks
        if not ready.made.by_shape:
            return self._rows(ready.made, ready.bound, ready.type, query, page)
        first = replace(ready.made, statements=ready.made.statements[:1])
        found = self._rows(first, ready.bound, ready.type, query, page)
        return found if len(found) >= page.limit else None

    def _of_type(self, plan: Plan, type: str, query: Query, page: Page, kept: bool) -> list[Found]:
        made = Pages(plan).page(page, query.sort)
        if made is None:
            return Sorter(self._connection, self._bodies, self._rules, self._symbols).page(plan, type, query, page)
        if kept:
            self._ready.keep(query, made, plan.bound, self._checks.made)
        return self._rows(made, plan.bound, type, query, page)

    def _rows(self, made: Made, bound: dict[str, object], type: str, query: Query, page: Page) -> list[Found]:
        keys = len(query.sort)
        rows: list[Row] = []
        for statement in made.statements:
            rows += self._connection.execute(statement, bound).fetchall()
            if len(rows) >= page.limit:
                break
        return [(row[: keys + 1], type, row[keys:]) for row in rows[: page.limit]]

    def _version(self, type: str, row: Sequence[Any]) -> Version:
        _, key, vid, lu, seq, m, frame = row
        return Version(type, id_text(key), vid, lu, seq, METHODS[m], self._bodies.expand(frame))
