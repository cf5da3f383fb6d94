"""Which index drives a search, and the SQL of one page or a count of one resource type.

Order of preference: id and identifier, patient compartment, then by cost: reference, code (with the date), other
tokens, string, date, the type itself. A driver that gives rids in order stops when the page is full; others are read
whole. SQLite is told the order by CROSS JOIN and subqueries: nothing here relies on its statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.search.query import Criterion, Missing, Parameter, SortKey
from server.store.asked import Page
from server.store.bounds import Bound, alternatives
from server.store.embedded import ranges
from server.store.embedded.criteria import Criteria
from server.store.embedded.driver import Connection
from server.store.embedded.estimates import LIMIT
from server.store.embedded.ids import first_key_from, id_key
from server.store.embedded.ordering import SqlKey, ahead, behind, id_sql, order_by, sql_keys
from server.store.embedded.rows import ASCENDING, BOTH, CLASSES, DESCENDING, DURATIONS, NEITHER
from server.store.embedded.tables import BLOCK, IRREGULAR, MANY_CODES, NO_DATE
from server.store.embedded.terms import EVERYTHING, NOTHING, Term, Zone, union_all
from server.store.ordering import ID, LAST_UPDATED
from server.store.principal import PRINCIPAL

_ROW_COST = 0.3
_SORTED_ROW_COST = 1.0
_RECHECK_COST = 150.0
_CLEAR = 100
"""Rows up to which a term is taken without asking for the others' estimates."""
_MANY_BRANCHES = 16
_MANY_PARTS = 64
"""Codes by ranges of a walk: each is a SELECT of its own, and SQLite takes 500."""
_BOTH = "code and date"
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


class Plan:
    """How the resources of one type that fulfil all criteria are found."""

    def __init__(self, criteria: Criteria, where: Sequence[Criterion]) -> None:
        self._criteria = criteria
        self._place = criteria.place
        self._bind = criteria.place.bind
        self._t = criteria.t
        terms = _flat([criteria.term(criterion) for criterion in where])
        self.empty = any(term is NOTHING for term in terms)
        self.terms = [term for term in terms if term is not EVERYTHING]
        principal = PRINCIPAL.get(criteria.type)
        self._date_code = principal.date if principal else None
        self._date = self._k(principal.date) if principal else None
        self._both: Term | None = None
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

    def probed(self, driver: Term) -> list[str]:
        """Names of what is looked up in each candidate, for `explain`."""
        return [term.name for term in self._others(driver)]

    def driver(self, wanted: int | None) -> Term:
        """The cheapest term to read; wanted: rows of a page, None for all."""
        clear = self._clear_driver()
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
        return min([*finding, self.listing], key=lambda term: self._cost(term, wanted))

    def _clear_driver(self) -> Term | None:
        """What needs no comparison: an id, an identifier, a patient."""
        for term in self.terms:
            if term.few and term.finds:
                return term
        return next((term for term in self.terms if term.patient is not None), None)

    def _cost(self, driver: Term, wanted: int | None) -> float:
        total = self._count()
        rows = _likely(driver, total)
        others = self._others(driver)
        each = _ROW_COST + sum(term.probe_cost for term in others) + (_RECHECK_COST if driver.recheck else 0)
        if wanted is not None and driver.branches and len(driver.branches) <= _MANY_BRANCHES:
            blocks = self._blocks(others)
            share = 1.0
            if self._both is not None and any(term.lead for term in others):
                within = _likely(driver, total) if driver.symbols else total
                share = min(1.0, _likely(self._both, total) / max(1.0, blocks * within))
                others = [term for term in others if not term.lead and not term.symbols]
            share *= self._share([term for term in others if not term.zone], total)
            for term in [term for term in others if term.zone]:  # they lie in the blocks that are not skipped
                share *= min(1.0, _likely(term, total) / max(1.0, blocks * total))
            rows = min(int(rows * blocks), int(wanted / max(share, 1e-6)))
        return rows * each + (driver.scan() if driver.scan else 0)

    def _blocks(self, terms: Sequence[Term]) -> float:
        """Part of the blocks of rids that can hold the dates asked for."""
        zone = _zone(terms)
        if zone is None:
            return 1.0
        return self._place.estimates.blocks(self._place.connection, zone.key).share(zone.every)

    @staticmethod
    def _share(terms: Sequence[Term], total: int) -> float:
        """Part of all resources that is likely to fulfil the terms."""
        share = 1.0
        for term in terms:
            share *= min(1.0, _likely(term, total) / total)
        return max(share, 1e-6)

    def _others(self, driver: Term) -> list[Term]:
        if driver.name == _BOTH:
            return [term for term in self.terms if not term.symbols and not term.lead]
        return [term for term in self.terms if term is not driver]

    def _code_and_date(self) -> Term | None:
        """One term for code and date range together where both are asked once."""
        codes = [term for term in self.terms if term.symbols and len(term.symbols) <= _MANY_BRANCHES]
        dates = [term for term in self.terms if term.lead]
        if len(codes) != 1 or len(dates) != 1 or len(dates[0].lead) > _MANY_BRANCHES:
            return None
        branches = [
            f"SELECT x.rid FROM {self._dates_of(symbol, long=long, bounds=bounds)}"
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
            estimate=self._place.count(key, union, **self._bind.values),
        )

    def _dates_of(self, symbol: int, *, long: bool, bounds: Sequence[Bound]) -> str:
        """`tokd x WHERE ...`: the rows of a code that are dated within bounds."""
        longest = None if long else DURATIONS[2]
        within = ranges.dates(bounds, "x.d", "x.w", longest, self._bind, beyond=NO_DATE)
        return f"tokd x WHERE x.s = {self._bind(symbol * 2 + long)} AND {within}"

    # -------------------------------------------------------------------------------- conditions

    def conditions(self, driver: Term, others: Sequence[Term] | None = None, *, walked: str = "") -> str:
        """What the rows x of the driver must fulfil besides: ` AND ...`. walked: another table that x is, whose order
        is gone along instead."""
        inside = driver.patient is not None
        others = self._others(driver) if others is None else others
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
            listed = ", ".join(str(symbol) for symbol in map(self._bind, term.symbols[:_MANY_BRANCHES]))
            if len(term.symbols) <= _MANY_BRANCHES:
                return f"(x.k IN ({listed}) OR x.k = {MANY_CODES} AND {probe})"
        if term.lead:
            bounds = [bounds for operand in term.lead for bounds in alternatives(operand)]
            options = " OR ".join(f"({ranges.dates(one, 'x.d', 'x.w', None, self._bind)})" for one in bounds)
            return f"(x.w >= 0 AND ({options}) OR x.w = {IRREGULAR} AND {probe})"
        return probe

    def matches(self, driver: Term) -> list[str]:
        """SELECTs of the rids that fulfil all criteria, one for each branch of the driver, each without ORDER BY."""
        also = self.conditions(driver)
        return [f"SELECT x.rid FROM {table}{also}" for table in _tables(driver)]

    def count_sql(self) -> str:
        parts = self.matches(self.driver(None))
        inside = parts[0] if len(parts) == 1 else " UNION ".join(parts)
        return f"SELECT count(*) FROM ({inside})"

    # -------------------------------------------------------------------------------- pages

    def page(self, page: Page, sort: Sequence[SortKey]) -> Made | None:
        """None if SQL cannot compute the sort keys."""
        if not sort:
            driver = self.driver(page.limit)
            return Made([self._by_rid(page, driver, self._others(driver))], driver, "creation order")
        keys = sql_keys(self._criteria.type, sort, self._date)
        if keys is None:
            return None
        if len(keys) == 1:
            made = self._one_key(page, sort[0], keys[0])
            if made is not None:
                return made
        driver = self.driver(None)
        alone = driver.along and len(keys) == 1 and sort[0].parameter.code == self._date_code
        keyed = self._dated_rows(driver, keys[0].descending) if alone else self._keyed(driver, keys)
        return Made([self._top(page, keyed, keys)], driver, "first of all matches")

    def _one_key(self, page: Page, sort: SortKey, key: SqlKey) -> Made | None:
        """A sort that an index may serve; None where few matches are better sorted."""
        by_date = sort.parameter.code == self._date_code and self._date is not None
        clear = self._clear_driver()
        if clear is not None:
            if by_date and clear.patient is not None:
                return Made([self._top(page, self._compartment(clear, key), [key])], clear, "first of the compartment")
            return None
        codes = [term for term in self.terms if term.symbols and len(term.symbols) * 2 <= _MANY_BRANCHES]
        if by_date and codes:
            rest = [term for term in self.terms if term is not codes[0]]
            if not self._sorting_is_cheaper(page.limit, codes[0], rest):
                return self._walk_code(page, codes[0], key.descending)
        elif not self._sorting_is_cheaper(page.limit, self.listing, self.terms):
            if by_date:
                dated = self._dated(key.descending)
                if dated is not None:
                    return self._walk_range(page, dated, key.descending)
                return self._walk_date(page, sort.parameter, key.descending)
            if sort.parameter.code == ID:
                return Made([self._walk_ids(page, key.descending)], self.listing, "along the ids")
            if sort.parameter.code == LAST_UPDATED:
                table = f"res x INDEXED BY res_lu WHERE x.t = {self._bind(self._t)} AND x.m < 3"
                parts = [f"SELECT x.rid, x.lu AS k0 FROM {table}{self.conditions(self.listing)}"]
                return Made([self._walk(page, parts, "x.lu", key.descending)], self.listing, "along lastUpdated")
        return None

    def _sorting_is_cheaper(self, wanted: int, walked: Term, others: Sequence[Term]) -> bool:
        """Than going along an index until the page is full."""
        finding = [term for term in others if term.finds]
        if not finding:
            return False
        total = self._count()
        rows = min(_likely(walked, total), wanted / self._share(others, total))
        walk = rows * (_ROW_COST + sum(term.probe_cost for term in others))
        return min(self._cost(term, None) + _SORTED_ROW_COST * _likely(term, total) for term in finding) < walk

    def _by_rid(self, page: Page, driver: Term, others: Sequence[Term], key: str = "") -> str:
        """key: `NULL AS k0, ` where these rows stand behind those with a sort key."""
        direction = "DESC" if page.backward else "ASC"
        position = page.after or page.before
        tail, order = self.conditions(driver, others), f"ORDER BY x.rid {direction}"
        zone = _zone(others) if driver.patient is None and not driver.few else None
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
        if driver is self.listing:
            # The rows are there already, and in order.
            return (
                f"SELECT {key}{_ROW.replace('r.', 'x.')} FROM {blocks}{driver.branches[0]}{tail} {order} LIMIT {limit}"
            )
        parts = [f"SELECT x.rid FROM {blocks}{table}{tail} {order} LIMIT {limit}" for table in _tables(driver)]
        inside = parts[0]
        if len(parts) > 1:
            union = " UNION ".join(f"SELECT rid FROM ({part})" for part in parts)
            inside = f"SELECT rid FROM ({union}) ORDER BY rid {direction} LIMIT {limit}"
        return f"SELECT {key}{_ROW} FROM ({inside}) i CROSS JOIN res r ON r.rid = i.rid ORDER BY r.rid {direction}"

    def _keyed(self, driver: Term, keys: list[SqlKey]) -> str:
        found = " UNION ".join(self.matches(driver))
        columns = ", ".join(f"{key.expression} AS k{number}" for number, key in enumerate(keys))
        return f"SELECT r.rid, {columns} FROM ({found}) f CROSS JOIN res r ON r.rid = f.rid"

    def _dated_rows(self, dated: Term, down: bool) -> str:
        """The matches of a range with their date, from the index of dates alone."""
        also = self.conditions(dated)
        date = f"CASE x.f WHEN {BOTH} THEN x.lo ELSE {self._several(down)} END AS k0"
        return " UNION ".join(f"SELECT x.rid, {date} FROM {table}{also}" for table in dated.along)

    def _several(self, down: bool) -> str:
        """The date to sort by of what has several."""
        return f"date_key((SELECT keys FROM res WHERE rid = x.rid), {self._date}, {int(down)})"

    def _compartment(self, patient: Term, key: SqlKey) -> str:
        """The matches of one patient with their date, from the compartment's rows alone."""
        date = f"CASE x.w WHEN {IRREGULAR} THEN {self._several(key.descending)} ELSE x.d END AS k0"
        return f"SELECT x.rid, {date} FROM {patient.branches[0]}{self.conditions(patient)}"

    def _top(self, page: Page, keyed: str, keys: list[SqlKey]) -> str:
        """Of all that fulfil the criteria, the first in the order are kept. keyed: SELECT of rid, k0, k1 ..."""
        return self._ordered(page, keyed, len(keys), [key.descending for key in keys])

    def _ordered(self, page: Page, rows: str, count: int, descending: list[bool]) -> str:
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

    # -------------------------------------------------------------------------------- along an index

    def _walk_code(self, page: Page, code: Term, down: bool) -> Made:
        """Along the dates of one code, or of a few merged."""
        dated = self._dated(down)
        if dated is not None and len(code.symbols) * len(dated.along) <= _MANY_PARTS:
            return self._walk_code_range(page, code, dated, down)
        also = self.conditions(code)
        serves = _serves(down)
        shorts = [self._bind(symbol * 2) for symbol in code.symbols]
        long = [symbol for symbol in code.symbols if has_long(self._place.connection, symbol)]
        keys = shorts + [self._bind(symbol * 2 + 1) for symbol in long]
        where = f"{serves} AND x.d < {NO_DATE}{also}"
        parts = [f"SELECT x.rid, x.d AS k0 FROM tokd x WHERE x.s = {key} AND {where}" for key in keys]
        undated = Term("", code.probe, branches=tuple(f"tokd x WHERE x.s = {k} AND x.d = {NO_DATE}" for k in shorts))
        others = [term for term in self.terms if term is not code]
        statements = self._then(page, self._walk(page, parts, "x.d", down), undated, others)
        short = tuple(symbol for symbol in code.symbols if symbol not in long)
        return Made(statements, code, "along the dates of the code", short)

    def _walk_date(self, page: Page, parameter: Parameter, down: bool) -> Made:
        """Along the dates of the type; then those without one, known by their shape."""
        assert self._date is not None, "asked only for a type with a date"
        also = self.conditions(self.listing, walked="dat")
        serves = _serves(down)
        keys = [self._bind(self._date * CLASSES + number) for number in range(CLASSES)]
        parts = [f"SELECT x.rid, x.lo AS k0 FROM dat x WHERE x.k = {key} AND {serves}{also}" for key in keys]
        undated = self._criteria.term(Missing(parameter, missing=True))
        statements = self._then(page, self._walk(page, parts, "x.lo", down), undated, self.terms)
        return Made(statements, self.listing, "along the dates", by_shape=True)

    def _walk_range(self, page: Page, dated: Term, down: bool) -> Made:
        """Along the dates within a range."""
        also = self.conditions(dated)
        tables = [f"{table} AND {_serves(down)}{also}" for table in dated.along]
        parts = [f"SELECT x.rid, x.lo AS k0 FROM {table}" for table in tables]
        made = self._walk(page, parts, "x.lo", down, self._otherwise_dated(dated, tables, down))
        return Made([made], dated, "along the dates asked for")

    def _walk_code_range(self, page: Page, code: Term, dated: Term, down: bool) -> Made:
        """Along those dates of a code, or of a few, that are within a range."""
        assert dated.zone is not None, "ranges of dates have one"
        also = self.conditions(code, [term for term in self.terms if term is not code and term is not dated])
        tables = []
        for symbol in code.symbols:
            for long in (False, True) if has_long(self._place.connection, symbol) else (False,):
                tables += [
                    f"{self._dates_of(symbol, long=long, bounds=bounds)} AND {_serves(down)}{also}"
                    for bounds in dated.zone.every
                ]
        parts = [f"SELECT x.rid, x.d AS k0 FROM {table}" for table in tables]
        made = self._walk(page, parts, "x.d", down, self._otherwise_dated(dated, tables, down))
        return Made([made], code, "along the dates of the code asked for")

    def _dated(self, down: bool) -> Term | None:
        """The range of dates to go along: one that says where to begin."""
        edges = ("<", "<=") if down else (">=", ">")

        def begins(term: Term) -> bool:
            every = term.zone.every if term.zone is not None else ()
            return all(any(sign in edges for _, sign, _ in bounds) for bounds in every)

        return max((term for term in self.terms if term.along), key=begins, default=None)

    def _otherwise_dated(self, dated: Term, tables: Sequence[str], down: bool) -> str:
        """SELECT of what has several dates: found by one of the range, sorted by another that is not among `tables`."""
        also = self.conditions(dated)
        found = " UNION ALL ".join(f"SELECT x.rid FROM {table}" for table in tables)
        parts = [
            f"SELECT x.rid, {self._several(down)} AS k0 FROM {table.replace('dat x', 'dat x INDEXED BY dat_f', 1)} "
            f"AND x.f > {BOTH} AND NOT ({_serves(down)}){also}"
            for table in dated.along
        ]
        return f"SELECT * FROM ({' UNION '.join(parts)}) o WHERE o.rid NOT IN ({found})"

    def _walk_ids(self, page: Page, down: bool) -> str:
        """Ids as text and those kept as numbers lie apart in the index and are merged."""
        position = page.after or page.before
        up = down == page.backward
        order = f"ORDER BY x.id {'ASC' if up else 'DESC'} LIMIT {self._bind(page.limit)}"
        select = f"SELECT x.rid, {id_sql('x')} AS k0 FROM res x INDEXED BY res_id WHERE x.t = {self._bind(self._t)}"
        also = f" AND x.m < 3{self.conditions(self.listing)}"
        texts, numbers = [" AND x.id < x''"], [" AND x.id >= x''"]
        if position:
            text, key = str(position[0]), id_key(str(position[0]))
            edge, last = self._bind(key), self._bind(position[-1])
            # The same id of another type may stand ahead of or behind this one.
            past = f" AND x.id {'>=' if up else '<='} {edge}"
            past += f" AND (x.id <> {edge} OR x.rid {'<' if page.backward else '>'} {last})"
            first = first_key_from(text)
            if isinstance(key, bytes):
                numbers.append(past)
                texts.append(f" AND x.id {'>' if up else '<'} {self._bind(text)}")
            else:
                texts.append(past)
                if first is not None:
                    numbers.append(f" AND x.id {'>=' if up else '<'} {self._bind(first)}")
                elif up:
                    numbers.append(" AND FALSE")
        parts = [f"SELECT * FROM ({select}{''.join(bounds)}{also} {order})" for bounds in (texts, numbers)]
        free = Page(page.limit, before=() if page.backward else None)
        return self._ordered(free, " UNION ALL ".join(parts), 1, [down])

    def _then(self, page: Page, dated: str, undated: Term, others: Sequence[Term]) -> list[str]:
        """Those with a date, then those without: in the direction of the paging."""
        position = page.after or page.before
        beyond = bool(position) and position is not None and position[0] is None
        here = page if beyond else Page(page.limit, before=() if page.backward else None)
        absent = [] if undated is NOTHING else [self._by_rid(here, undated, others, "NULL AS k0, ")]
        if page.backward:
            return [*(absent if beyond or not position else []), dated]
        return absent if beyond else [dated, *absent]

    def _walk(self, page: Page, parts: list[str], column: str, down: bool, others: str = "") -> str:
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
            return self._ordered(page, " UNION ".join([*steps, others]), 1, [down])
        free = Page(page.limit, before=() if page.backward else None)
        return self._ordered(free, " UNION ALL ".join(steps), 1, [down])


def has_long(connection: Connection, symbol: int) -> bool:
    """Whether the code is dated by more than a year anywhere: a second walk to merge costs as much as the first."""
    return connection.execute("SELECT 1 FROM tokd WHERE s = ? LIMIT 1", (symbol * 2 + 1,)).get is not None


def _serves(down: bool) -> str:
    """Condition on a date x of a resource that it is the one to sort by."""
    return f"x.f <> {ASCENDING if down else DESCENDING} AND x.f < {NEITHER}"


def _tables(driver: Term) -> Sequence[str]:
    """`table x WHERE ...` of all candidates: branches that give rids in order, or one set of all."""
    if driver.branches and len(driver.branches) <= _MANY_BRANCHES:
        return driver.branches
    found = driver.source or union_all([f"SELECT x.rid FROM {branch}" for branch in driver.branches])
    return [f"(SELECT DISTINCT rid FROM ({found})) x WHERE TRUE"]


def _zone(terms: Sequence[Term]) -> Zone | None:
    return next((term.zone for term in terms if term.zone is not None), None)


def _flat(terms: Sequence[Term]) -> list[Term]:
    flat: list[Term] = []
    for term in terms:
        flat += _flat(term.parts) if term.parts else [term]
    return flat


def _likely(term: Term, total: int) -> int:
    """Rows of a term; where counting stopped at its limit, a fifth of the type."""
    found = term.estimate()
    return min(total, max(found, total // 5)) if found >= LIMIT else found
