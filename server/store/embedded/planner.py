"""Which index drives a search of one resource type, what is looked up in each candidate, and the SQL of a count.

Order of preference: id and identifier, patient compartment, then by cost: reference, code (with the date), other
tokens, string, date, the type itself. A driver that gives rids in order stops when the page is full; others are read
whole. SQLite is told the order by CROSS JOIN and subqueries: nothing here relies on its statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.search.query import Criterion
from server.store.bounds import Bound, alternatives
from server.store.embedded import ranges
from server.store.embedded.combining import RECHECK_COST
from server.store.embedded.criteria import Criteria
from server.store.embedded.estimates import LIMIT
from server.store.embedded.rows import DURATIONS
from server.store.embedded.tables import IRREGULAR, MANY_CODES, NO_DATE
from server.store.embedded.terms import EVERYTHING, NOTHING, Term, Zone, union_all
from server.store.principal import PRINCIPAL

ROW_COST = 0.3
_CLEAR = 100
"""Rows up to which a term is taken without asking for the others' estimates."""
MANY_BRANCHES = 16
_BOTH = "code and date"


class Plan:
    """How the resources of one type that fulfil all criteria are found."""

    def __init__(self, criteria: Criteria, where: Sequence[Criterion]) -> None:
        self.criteria = criteria
        self.place = criteria.place
        self.bind = criteria.place.bind
        self.t = criteria.t
        terms = _flat([criteria.term(criterion) for criterion in where])
        self.empty = any(term is NOTHING for term in terms)
        self.terms = [term for term in terms if term is not EVERYTHING]
        principal = PRINCIPAL.get(criteria.type)
        self.date_code = principal.date if principal else None
        self.date = criteria.k(principal.date) if principal else None
        self._both: Term | None = None
        self.listing = Term(
            "type",
            lambda rid: "TRUE",
            branches=(f"res x INDEXED BY res_t WHERE x.t = {self.bind(self.t)} AND x.m < 3",),
            estimate=self.rows_of_type,
        )

    @property
    def bound(self) -> dict[str, object]:
        """Values of the statements made so far."""
        return self.bind.values

    def rows_of_type(self) -> int:
        return max(1, self.place.estimates.type(self.place.connection, self.t))

    # -------------------------------------------------------------------------------- choice

    def probed(self, driver: Term) -> list[str]:
        """Names of what is looked up in each candidate, for `explain`."""
        return [term.name for term in self.others(driver)]

    def driver(self, wanted: int | None) -> Term:
        """The cheapest term to read; wanted: rows of a page, None for all."""
        clear = self.clear_driver()
        if clear is not None:
            return clear
        if not self.terms:
            return self.listing
        finding = [term for term in self.terms if term.finds]
        both = self._both = self._code_and_date()
        if both is not None:
            if both.estimate() < _CLEAR:
                return both
            finding = [term for term in finding if not term.lead] + [both]  # its dates alone are never fewer
        if len(finding) == 1 and len(self.terms) == 1 and finding[0].branches:
            return finding[0]
        return min([*finding, self.listing], key=lambda term: self.cost(term, wanted))

    def clear_driver(self) -> Term | None:
        """What needs no comparison: an id, an identifier, a patient."""
        for term in self.terms:
            if term.few and term.finds:
                return term
        return next((term for term in self.terms if term.patient is not None), None)

    def cost(self, driver: Term, wanted: int | None) -> float:
        total = self.rows_of_type()
        rows = likely(driver, total)
        others = self.others(driver)
        each = ROW_COST + sum(term.probe_cost for term in others) + (RECHECK_COST if driver.recheck else 0)
        if wanted is not None and driver.branches and len(driver.branches) <= MANY_BRANCHES:
            blocks = self._blocks(others)
            share = 1.0
            if self._both is not None and any(term.lead for term in others):
                within = likely(driver, total) if driver.symbols else total
                share = min(1.0, likely(self._both, total) / max(1.0, blocks * within))
                others = [term for term in others if not term.lead and not term.symbols]
            share *= self.share([term for term in others if not term.zone], total)
            for term in [term for term in others if term.zone]:  # they lie in the blocks that are not skipped
                share *= min(1.0, likely(term, total) / max(1.0, blocks * total))
            rows = min(int(rows * blocks), int(wanted / max(share, 1e-6)))
        return rows * each + (driver.scan() if driver.scan else 0)

    def _blocks(self, terms: Sequence[Term]) -> float:
        """Part of the blocks of rids that can hold the dates asked for."""
        zone = zone_of(terms)
        if zone is None:
            return 1.0
        return self.place.estimates.blocks(self.place.connection, zone.key).share(zone.every)

    @staticmethod
    def share(terms: Sequence[Term], total: int) -> float:
        """Part of all resources that is likely to fulfil the terms."""
        share = 1.0
        for term in terms:
            share *= min(1.0, likely(term, total) / total)
        return max(share, 1e-6)

    def others(self, driver: Term) -> list[Term]:
        if driver.name == _BOTH:
            return [term for term in self.terms if not term.symbols and not term.lead]
        return [term for term in self.terms if term is not driver]

    def _code_and_date(self) -> Term | None:
        """One term for code and date range together where both are asked once."""
        codes = [term for term in self.terms if term.symbols and len(term.symbols) <= MANY_BRANCHES]
        dates = [term for term in self.terms if term.lead]
        if len(codes) != 1 or len(dates) != 1 or len(dates[0].lead) > MANY_BRANCHES:
            return None
        branches = [
            f"SELECT x.rid FROM {self.dates_of(symbol, long=long, bounds=bounds)}"
            for symbol in codes[0].symbols
            for operand in dates[0].lead
            for bounds in alternatives(operand)
            for long in (False, True)
        ]
        union = " UNION ALL ".join(branches)
        key = (_BOTH, *codes[0].symbols, *dates[0].lead)
        return Term(
            _BOTH,
            lambda rid: f"{codes[0].probe(rid)} AND {dates[0].probe(rid)}",
            source=union,
            estimate=self.place.count(key, union, **self.bind.values),
        )

    def dates_of(self, symbol: int, *, long: bool, bounds: Sequence[Bound]) -> str:
        """`tokd x WHERE ...`: the rows of a code that are dated within bounds."""
        longest = None if long else DURATIONS[2]
        within = ranges.dates(bounds, "x.d", "x.w", longest, self.bind, beyond=NO_DATE)
        return f"tokd x WHERE x.s = {self.bind(symbol * 2 + long)} AND {within}"

    # -------------------------------------------------------------------------------- conditions

    def conditions(self, driver: Term, others: Sequence[Term] | None = None, *, walked: str = "") -> str:
        """What the rows x of the driver must fulfil besides: ` AND ...`. walked: another table that x is, whose order
        is gone along instead."""
        inside = driver.patient is not None
        others = self.others(driver) if others is None else others
        others = sorted(others, key=lambda term: term.probe_cost)
        if driver is self.listing and not walked:
            parts = [term.beside or term.probe("x.rid") for term in others]
        else:
            parts = [self._within_compartment(term) if inside else term.probe("x.rid") for term in others]
        if driver.recheck is not None:
            parts.append(driver.recheck("x.rid"))
        return "".join(f" AND {part}" for part in parts)

    def _within_compartment(self, term: Term) -> str:
        """Code and date stand in the compartment's own rows."""
        probe = term.probe("x.rid")
        if term.symbols:
            listed = ", ".join(str(symbol) for symbol in map(self.bind, term.symbols[:MANY_BRANCHES]))
            if len(term.symbols) <= MANY_BRANCHES:
                return f"(x.k IN ({listed}) OR x.k = {MANY_CODES} AND {probe})"
        if term.lead:
            bounds = [bounds for operand in term.lead for bounds in alternatives(operand)]
            options = " OR ".join(f"({ranges.dates(one, 'x.d', 'x.w', None, self.bind)})" for one in bounds)
            return f"(x.w >= 0 AND ({options}) OR x.w = {IRREGULAR} AND {probe})"
        return probe

    def matches(self, driver: Term) -> list[str]:
        """SELECTs of the rids that fulfil all criteria, one for each branch of the driver, each without ORDER BY."""
        also = self.conditions(driver)
        return [f"SELECT x.rid FROM {table}{also}" for table in tables(driver)]

    def count_sql(self) -> str:
        parts = self.matches(self.driver(None))
        inside = parts[0] if len(parts) == 1 else " UNION ".join(parts)
        return f"SELECT count(*) FROM ({inside})"


def tables(driver: Term) -> Sequence[str]:
    """`table x WHERE ...` of all candidates: branches that give rids in order, or one set of all."""
    if driver.branches and len(driver.branches) <= MANY_BRANCHES:
        return driver.branches
    found = driver.source or union_all([f"SELECT x.rid FROM {branch}" for branch in driver.branches])
    return [f"(SELECT DISTINCT rid FROM ({found})) x WHERE TRUE"]


def zone_of(terms: Sequence[Term]) -> Zone | None:
    return next((term.zone for term in terms if term.zone is not None), None)


def _flat(terms: Sequence[Term]) -> list[Term]:
    flat: list[Term] = []
    for term in terms:
        flat += _flat(term.parts) if term.parts else [term]
    return flat


def likely(term: Term, total: int) -> int:
    """Rows of a term; where counting stopped at its limit, a fifth of the type."""
    found = term.estimate()
    return min(total, max(found, total // 5)) if found >= LIMIT else found
