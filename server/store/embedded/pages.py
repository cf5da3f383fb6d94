"""How one page comes about: by creation, along an index, or as the first of all matches.

docs/decisions/embedded-layout.md has the plan table.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.search.query import SortKey
from server.store.asked import Page
from server.store.embedded.ordering import SqlKey, sql_keys
from server.store.embedded.planner import MANY_BRANCHES, ROW_COST, Plan, likely
from server.store.embedded.rows import BOTH
from server.store.embedded.statements import Made, Statements
from server.store.embedded.tables import IRREGULAR
from server.store.embedded.terms import Term
from server.store.embedded.walks import Walks
from server.store.ordering import ID, LAST_UPDATED

_SORTED_ROW_COST = 1.0
"""Microseconds."""


class Pages:
    """Of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sql = Statements(plan)

    def page(self, page: Page, sort: Sequence[SortKey]) -> Made | None:
        """None if SQL cannot compute the sort keys."""
        if not sort:
            driver = self._plan.driver(page.limit)
            return Made([self._sql.by_rid(page, driver, self._plan.others(driver))], driver, "creation order")
        keys = sql_keys(self._plan.criteria.type, sort, self._plan.date)
        if keys is None:
            return None
        if len(keys) == 1:
            made = self._one_key(page, sort[0], keys[0])
            if made is not None:
                return made
        driver = self._plan.driver(None)
        alone = driver.along and len(keys) == 1 and sort[0].parameter.code == self._plan.date_code
        keyed = self._dated_rows(driver, keys[0].descending) if alone else self._keyed(driver, keys)
        return Made([self._top(page, keyed, keys)], driver, "first of all matches")

    def _one_key(self, page: Page, sort: SortKey, key: SqlKey) -> Made | None:
        """A sort that an index may serve; None where few matches are better sorted."""
        by_date = sort.parameter.code == self._plan.date_code and self._plan.date is not None
        clear = self._plan.clear_driver()
        if clear is not None:
            if by_date and clear.patient is not None:
                return Made([self._top(page, self._compartment(clear, key), [key])], clear, "first of the compartment")
            return None
        walks = Walks(self._plan, self._sql)
        codes = [term for term in self._plan.terms if term.symbols and len(term.symbols) * 2 <= MANY_BRANCHES]
        if by_date and codes:
            rest = [term for term in self._plan.terms if term is not codes[0]]
            if not self._sorting_is_cheaper(page.limit, codes[0], rest):
                return walks.code(page, codes[0], key.descending)
        elif not self._sorting_is_cheaper(page.limit, self._plan.listing, self._plan.terms):
            if by_date:
                dated = walks.dated(key.descending)
                if dated is not None:
                    return walks.range(page, dated, key.descending)
                return walks.date(page, sort.parameter, key.descending)
            if sort.parameter.code == ID:
                return Made([walks.ids(page, key.descending)], self._plan.listing, "along the ids")
            if sort.parameter.code == LAST_UPDATED:
                found = walks.last_updated(page, key.descending)
                return Made([found], self._plan.listing, "along lastUpdated")
        return None

    def _sorting_is_cheaper(self, wanted: int, walked: Term, others: Sequence[Term]) -> bool:
        """Than going along an index until the page is full."""
        finding = [term for term in others if term.finds]
        if not finding:
            return False
        total = self._plan.rows_of_type()
        rows = min(likely(walked, total), wanted / self._plan.share(others, total))
        walk = rows * (ROW_COST + sum(term.probe_cost for term in others))
        return min(self._plan.cost(term, None) + _SORTED_ROW_COST * likely(term, total) for term in finding) < walk

    def _keyed(self, driver: Term, keys: list[SqlKey]) -> str:
        found = " UNION ".join(self._plan.matches(driver))
        columns = ", ".join(f"{key.expression} AS k{number}" for number, key in enumerate(keys))
        return f"SELECT r.rid, {columns} FROM ({found}) f CROSS JOIN res r ON r.rid = f.rid"

    def _dated_rows(self, dated: Term, down: bool) -> str:
        """The matches of a range with their date, from the index of dates alone."""
        also = self._plan.conditions(dated)
        date = f"CASE x.f WHEN {BOTH} THEN x.lo ELSE {self._sql.several(down)} END AS k0"
        return " UNION ".join(f"SELECT x.rid, {date} FROM {table}{also}" for table in dated.along)

    def _compartment(self, patient: Term, key: SqlKey) -> str:
        """The matches of one patient with their date, from the compartment's rows alone."""
        date = f"CASE x.w WHEN {IRREGULAR} THEN {self._sql.several(key.descending)} ELSE x.d END AS k0"
        return f"SELECT x.rid, {date} FROM {patient.branches[0]}{self._plan.conditions(patient)}"

    def _top(self, page: Page, keyed: str, keys: list[SqlKey]) -> str:
        """Of all that fulfil the criteria, the first in the order are kept. keyed: SELECT of rid, k0, k1 ..."""
        return self._sql.ordered(page, keyed, len(keys), [key.descending for key in keys])
