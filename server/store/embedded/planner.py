"""Which index drives a search, and the SQL of one page or a count of one resource type.

Order of preference by cost: id and identifier, patient compartment, reference, code (with the date), other tokens,
string, date, the type itself. A driver that gives rids in order stops when the page is full; others are read whole.
SQLite is told the order by CROSS JOIN and subqueries: nothing here relies on its statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.search.query import And, Criterion, Position, SortKey
from server.store.embedded import ranges
from server.store.embedded.criteria import Criteria
from server.store.embedded.estimates import LIMIT
from server.store.embedded.ordering import LAST_UPDATED, SqlKey, ahead, behind, order_by, sql_keys
from server.store.embedded.principal import PRINCIPAL
from server.store.embedded.rows import ASCENDING, DESCENDING, DURATIONS
from server.store.embedded.tables import NO_DATE
from server.store.embedded.terms import EVERYTHING, NOTHING, Term

_ROW_COST = 0.3
_START_COST = 5.0
_MANY_BRANCHES = 16
_FETCH = "SELECT r.rid, r.id, r.vid, r.lu, r.seq, r.m, r.body"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the order is asked for."""

    limit: int
    after: Position | None = None
    before: Position | None = None

    @property
    def backward(self) -> bool:
        return self.before is not None


class Plan:
    """How the resources of one type that fulfil all criteria are found."""

    def __init__(self, criteria: Criteria, where: Sequence[Criterion]) -> None:
        self._criteria = criteria
        self._place = criteria.place
        self._bind = criteria.place.bind
        self._t = criteria.t
        flat = [
            one for criterion in where for one in (criterion.criteria if isinstance(criterion, And) else (criterion,))
        ]
        terms = [criteria.term(criterion) for criterion in flat]
        self.empty = any(term is NOTHING for term in terms)
        self.terms = [term for term in terms if term is not EVERYTHING]
        principal = PRINCIPAL.get(criteria.type)
        self._date = self._k(principal.date) if principal else None
        self.listing = Term(
            "type",
            lambda rid: "TRUE",
            branches=(f"res x INDEXED BY res_t WHERE x.t = {self._bind(self._t)} AND x.m < 3",),
            estimate=self._count,
        )

    @property
    def bound(self) -> dict[str, object]:
        """Values of the statements made so far."""
        return self._bind.values

    def _k(self, code: str) -> int | None:
        return self._place.symbols.param(self._place.connection, self._t, code)

    def _count(self) -> int:
        return max(1, self._place.estimates.type(self._place.connection, self._t))

    # -------------------------------------------------------------------------------- choice

    def driver(self, wanted: int | None) -> Term:
        """The cheapest term to read; wanted: rows of a page, None for all."""
        finding = [term for term in self._with_code_and_date() if term.finds]
        if len(finding) == 1 and len(self.terms) == 1 and (finding[0].branches or finding[0].estimate() < LIMIT // 4):
            return finding[0]
        return min([*finding, self.listing], key=lambda term: self._cost(term, wanted))

    def _cost(self, driver: Term, wanted: int | None) -> float:
        total = self._count()
        rows = _likely(driver, total)
        others = self._others(driver)
        each = _ROW_COST + sum(term.probe_cost for term in others) + (30 if driver.recheck else 0)
        if wanted is not None and driver.branches and len(driver.branches) <= _MANY_BRANCHES:
            share = 1.0
            for term in others:
                share *= min(1.0, _likely(term, total) / total)
            rows = min(rows, int(wanted / max(share, 1e-6)))
        return _START_COST + rows * each

    def _others(self, driver: Term) -> list[Term]:
        if driver.name == "code and date":
            return [term for term in self.terms if not term.symbols and not term.lead]
        return [term for term in self.terms if term is not driver]

    def _with_code_and_date(self) -> list[Term]:
        """The terms, and one for code and date range together where both are asked once."""
        codes = [term for term in self.terms if term.symbols and len(term.symbols) <= _MANY_BRANCHES]
        dates = [term for term in self.terms if term.lead]
        if len(codes) != 1 or len(dates) != 1:
            return self.terms
        branches = []
        for symbol in codes[0].symbols:
            for operand in dates[0].lead:
                for bounds in ranges.alternatives(operand):
                    for long in (0, 1):
                        where = ranges.dates(bounds, "x.d", "x.w", None if long else DURATIONS[2], self._bind)
                        bound = self._bind(symbol * 2 + long)
                        branches.append(f"SELECT x.rid FROM tokd x WHERE x.s = {bound} AND x.d < {NO_DATE} AND {where}")
        union = " UNION ALL ".join(branches)
        key = ("code and date", *codes[0].symbols, *dates[0].lead)
        both = Term(
            "code and date",
            lambda rid: f"{codes[0].probe(rid)} AND {dates[0].probe(rid)}",
            source=union,
            estimate=self._place.count(key, union, **self._bind.values),
        )
        return [*self.terms, both]

    # -------------------------------------------------------------------------------- SQL

    def matches(self, driver: Term, columns: str = "x.rid") -> list[str]:
        """SELECTs of what fulfils all criteria, one for each branch of the driver, each without ORDER BY."""
        conditions = [term.probe("x.rid") for term in self._others(driver)]
        if driver.recheck is not None:
            conditions.append(driver.recheck("x.rid"))
        also = "".join(f" AND {condition}" for condition in conditions)
        if driver.branches and len(driver.branches) <= _MANY_BRANCHES:
            return [f"SELECT {columns} FROM {branch}{also}" for branch in driver.branches]
        found = driver.source or " UNION ALL ".join(f"SELECT x.rid FROM {branch}" for branch in driver.branches)
        return [f"SELECT {columns} FROM (SELECT DISTINCT rid FROM ({found})) x WHERE TRUE{also}"]

    def count_sql(self) -> tuple[str, Term]:
        driver = self.driver(None)
        parts = self.matches(driver)
        inside = parts[0] if len(parts) == 1 else " UNION ".join(parts)
        return f"SELECT count(*) FROM ({inside})", driver

    def page_sql(self, page: Page, sort: Sequence[SortKey]) -> tuple[str, Term] | None:
        """SQL giving (sort keys ..., rid, id, vid, lu, seq, m, body) in order, and the driver; None if SQL cannot."""
        if not sort:
            driver = self.driver(page.limit)
            return self._by_rid(page, driver), driver
        keys = sql_keys(self._criteria.type, sort, self._date)
        if keys is None:
            return None
        if len(keys) == 1 and not (self.terms and self._is_small()):
            walk = self._walk(page, sort[0], keys[0])
            if walk is not None:
                return walk
        driver = self.driver(None)
        return self._top(page, driver, keys), driver

    def _is_small(self) -> bool:
        return any(term.finds and term.estimate() < LIMIT // 2 for term in self.terms)

    def _by_rid(self, page: Page, driver: Term) -> str:
        direction = "DESC" if page.backward else "ASC"
        bound = ""
        if page.after:
            bound = f" AND x.rid > {self._bind(page.after[-1])}"
        elif page.before:
            bound = f" AND x.rid < {self._bind(page.before[-1])}"
        limit = self._bind(page.limit)
        parts = [f"{part}{bound} ORDER BY x.rid {direction} LIMIT {limit}" for part in self.matches(driver)]
        inside = parts[0]
        if len(parts) > 1:
            union = " UNION ".join(f"SELECT rid FROM ({part})" for part in parts)
            inside = f"SELECT rid FROM ({union}) ORDER BY rid {direction} LIMIT {limit}"
        return f"{_FETCH} FROM ({inside}) i CROSS JOIN res r ON r.rid = i.rid ORDER BY r.rid {direction}"

    def _top(self, page: Page, driver: Term, keys: list[SqlKey]) -> str:
        """All that fulfil the criteria, of which the first in the order are kept."""
        names = [f"k{n}" for n in range(len(keys))]
        found = " UNION ".join(self.matches(driver))
        columns = ", ".join(f"{key.expression} AS {name}" for key, name in zip(keys, names, strict=True))
        keyed = f"SELECT r.rid, {columns} FROM ({found}) f CROSS JOIN res r ON r.rid = f.rid"
        return self._ordered(page, [f"SELECT * FROM ({keyed})"], names, [key.descending for key in keys])

    def _ordered(self, page: Page, parts: list[str], names: list[str], descending: list[bool]) -> str:
        columns, down = [*names, "rid"], [*descending, False]
        where = ""
        position = page.after or page.before
        if position:
            bounds = [self._bind(value) for value in position]
            where = " WHERE " + (behind if page.after else ahead)(columns, down, bounds, position)
        order = order_by(columns, down, backward=page.backward)
        limit = self._bind(page.limit)
        inside = f"SELECT * FROM ({' UNION ALL '.join(parts)}){where} {order} LIMIT {limit}"
        listed = ", ".join(f"i.{name}" for name in names)
        fetch = _FETCH.replace("SELECT ", f"SELECT {listed}, ", 1)
        outer = order_by([*(f"i.{name}" for name in names), "i.rid"], down, backward=page.backward)
        return f"{fetch} FROM ({inside}) i CROSS JOIN res r ON r.rid = i.rid {outer}"

    # -------------------------------------------------------------------------------- walking in the order of an index

    def _walk(self, page: Page, sort: SortKey, key: SqlKey) -> tuple[str, Term] | None:
        """Along an index that has the asked order, until the page is full."""
        code = sort.parameter.code
        if code == LAST_UPDATED:
            parts = [
                f"SELECT x.rid, x.lu AS k0 FROM res x INDEXED BY res_lu WHERE x.t = {self._bind(self._t)} AND x.m < 3"
            ]
            return self._steps(page, parts, "x.lu", key.descending, self.terms), self.listing
        principal = PRINCIPAL.get(self._criteria.type)
        if principal is None or code != principal.date or self._date is None:
            return None
        serves = f"x.f <> {ASCENDING if key.descending else DESCENDING} AND x.f < 3"
        codes = [term for term in self.terms if term.symbols and len(term.symbols) == 1]
        if codes:
            others = [term for term in self.terms if term is not codes[0]]
            tables = [f"tokd x WHERE x.s = {self._bind(codes[0].symbols[0] * 2 + long)}" for long in (0, 1)]
            parts = [
                f"SELECT x.rid, nullif(x.d, {NO_DATE}) AS k0 FROM {table} AND {serves} AND x.d < {NO_DATE}"
                for table in tables
            ]
            absent = f"SELECT x.rid, NULL AS k0 FROM {tables[0]} AND x.d = {NO_DATE}"
            return self._steps(page, parts, "x.d", key.descending, others, absent), codes[0]
        bound = [self._bind(self._date * len(DURATIONS) + number) for number in range(len(DURATIONS))]
        parts = [f"SELECT x.rid, x.lo AS k0 FROM dat x WHERE x.k = {k} AND {serves}" for k in bound]
        absent = (
            f"SELECT x.rid, NULL AS k0 FROM res x INDEXED BY res_t WHERE x.t = {self._bind(self._t)} AND x.m < 3 "
            "AND x.d IS NULL AND x.w IS NULL"
        )
        return self._steps(page, parts, "x.lo", key.descending, self.terms, absent), self.listing

    def _steps(
        self, page: Page, parts: list[str], column: str, down: bool, others: list[Term], absent: str | None = None
    ) -> str:
        """parts: SELECTs of (rid, k0) ordered by `column` in their index; absent: of those without a value."""
        also = "".join(f" AND {term.probe('x.rid')}" for term in others)
        limit = self._bind(page.limit)
        position = page.after or page.before
        direction = "DESC" if down != page.backward else "ASC"
        rid_direction = "DESC" if page.backward else "ASC"
        bound = ""
        if position and position[0] is not None:
            edge = self._bind(position[0])
            forward = "<=" if down != page.backward else ">="
            bound = f" AND {column} {forward} {edge}"
        selects = []
        if not (page.after and page.after[0] is None):
            for part in parts:
                steps = f"{part}{bound}{also} ORDER BY {column} {direction}, x.rid {rid_direction}"
                selects.append(self._past(steps, position, down, page))
        if absent is not None and not (page.before and page.before[0] is not None):
            edge = ""
            if position and position[0] is None:
                edge = f" AND x.rid {'<' if page.before else '>'} {self._bind(position[-1])}"
            order = f"ORDER BY x.rid {rid_direction} LIMIT {limit}"
            selects.append(f"SELECT * FROM ({absent}{edge}{also} {order})")
        return self._ordered(Page(page.limit, page.after, page.before), selects, ["k0"], [down])

    def _past(self, steps: str, position: Position | None, down: bool, page: Page) -> str:
        """The first rows of a walk: those that share the last value of the page before are read again and dropped."""
        where = ""
        if position and position[0] is not None:
            bounds = [self._bind(value) for value in position]
            condition = (behind if page.after else ahead)(["k0", "rid"], [down, False], bounds, position)
            where = f" WHERE {condition}"
        return f"SELECT * FROM (SELECT * FROM ({steps}){where} LIMIT {self._bind(page.limit)})"


def _flat(where: Sequence[Criterion]) -> list[Criterion]:
    return [
        one for criterion in where for one in (_flat(criterion.criteria) if isinstance(criterion, And) else [criterion])
    ]


def _likely(term: Term, total: int) -> int:
    """Rows of a term; where counting stopped at its limit, a fifth of the type."""
    found = term.estimate()
    return min(total, max(found, total // 5)) if found >= LIMIT else found
