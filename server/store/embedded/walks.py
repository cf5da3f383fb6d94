"""Pages along an index that has the order asked for: read until the page is full, what has no value of the key last."""

from __future__ import annotations

from collections.abc import Sequence

from server.search.query import Missing, Parameter
from server.store.asked import Page
from server.store.embedded.driver import Connection
from server.store.embedded.ids import first_key_from, id_key
from server.store.embedded.ordering import id_sql
from server.store.embedded.planner import Plan
from server.store.embedded.rows import BOTH, CLASSES
from server.store.embedded.statements import Made, Statements, serves
from server.store.embedded.tables import NO_DATE
from server.store.embedded.terms import Term

_MANY_PARTS = 64
"""Codes by ranges of a walk: each is a SELECT of its own, and SQLite takes 500."""


class Walks:
    """Of one plan."""

    def __init__(self, plan: Plan, statements: Statements) -> None:
        self._plan = plan
        self._sql = statements
        self._bind = plan.bind

    def code(self, page: Page, code: Term, down: bool) -> Made:
        """Along the dates of one code, or of a few merged."""
        dated = self.dated(down)
        if dated is not None and len(code.symbols) * len(dated.along) <= _MANY_PARTS:
            return self._code_range(page, code, dated, down)
        also = self._plan.conditions(code)
        shorts = [self._bind(symbol * 2) for symbol in code.symbols]
        long = [symbol for symbol in code.symbols if has_long(self._plan.place.connection, symbol)]
        keys = shorts + [self._bind(symbol * 2 + 1) for symbol in long]
        where = f"{serves(down)} AND x.d < {NO_DATE}{also}"
        parts = [f"SELECT x.rid, x.d AS k0 FROM tokd x WHERE x.s = {key} AND {where}" for key in keys]
        undated = Term("", code.probe, branches=tuple(f"tokd x WHERE x.s = {k} AND x.d = {NO_DATE}" for k in shorts))
        others = [term for term in self._plan.terms if term is not code]
        statements = self._sql.then(page, self._sql.along(page, parts, "x.d", down), undated, others)
        short = tuple(symbol for symbol in code.symbols if symbol not in long)
        return Made(statements, code, "along the dates of the code", short)

    def date(self, page: Page, parameter: Parameter, down: bool) -> Made:
        """Along the dates of the type; then those without one, known by their shape."""
        assert self._plan.date is not None, "asked only for a type with a date"
        also = self._plan.conditions(self._plan.listing, walked="dat")
        keys = [self._bind(self._plan.date * CLASSES + number) for number in range(CLASSES)]
        parts = [f"SELECT x.rid, x.lo AS k0 FROM dat x WHERE x.k = {key} AND {serves(down)}{also}" for key in keys]
        undated = self._plan.criteria.term(Missing(parameter, missing=True))
        statements = self._sql.then(page, self._sql.along(page, parts, "x.lo", down), undated, self._plan.terms)
        return Made(statements, self._plan.listing, "along the dates", by_shape=True)

    def range(self, page: Page, dated: Term, down: bool) -> Made:
        """Along the dates within a range."""
        also = self._plan.conditions(dated)
        tables = [f"{table} AND {serves(down)}{also}" for table in dated.along]
        parts = [f"SELECT x.rid, x.lo AS k0 FROM {table}" for table in tables]
        made = self._sql.along(page, parts, "x.lo", down, self._otherwise_dated(dated, tables, down))
        return Made([made], dated, "along the dates asked for")

    def _code_range(self, page: Page, code: Term, dated: Term, down: bool) -> Made:
        """Along those dates of a code, or of a few, that are within a range."""
        assert dated.zone is not None, "ranges of dates have one"
        also = self._plan.conditions(
            code, [term for term in self._plan.terms if term is not code and term is not dated]
        )
        tables = []
        for symbol in code.symbols:
            for long in (False, True) if has_long(self._plan.place.connection, symbol) else (False,):
                tables += [
                    f"{self._plan.dates_of(symbol, long=long, bounds=bounds)} AND {serves(down)}{also}"
                    for bounds in dated.zone.every
                ]
        parts = [f"SELECT x.rid, x.d AS k0 FROM {table}" for table in tables]
        made = self._sql.along(page, parts, "x.d", down, self._otherwise_dated(dated, tables, down))
        return Made([made], code, "along the dates of the code asked for")

    def dated(self, down: bool) -> Term | None:
        """The range of dates to go along: one that says where to begin."""
        edges = ("<", "<=") if down else (">=", ">")

        def begins(term: Term) -> bool:
            every = term.zone.every if term.zone is not None else ()
            return all(any(sign in edges for _, sign, _ in bounds) for bounds in every)

        return max((term for term in self._plan.terms if term.along), key=begins, default=None)

    def _otherwise_dated(self, dated: Term, tables: Sequence[str], down: bool) -> str:
        """SELECT of what has several dates: found by one of the range, sorted by another that is not among `tables`."""
        also = self._plan.conditions(dated)
        found = " UNION ALL ".join(f"SELECT x.rid FROM {table}" for table in tables)
        parts = [
            f"SELECT x.rid, {self._sql.several(down)} AS k0 FROM {table.replace('dat x', 'dat x INDEXED BY dat_f', 1)} "
            f"AND x.f > {BOTH} AND NOT ({serves(down)}){also}"
            for table in dated.along
        ]
        return f"SELECT * FROM ({' UNION '.join(parts)}) o WHERE o.rid NOT IN ({found})"

    def last_updated(self, page: Page, down: bool) -> str:
        table = f"res x INDEXED BY res_lu WHERE x.t = {self._bind(self._plan.t)} AND x.m < 3"
        parts = [f"SELECT x.rid, x.lu AS k0 FROM {table}{self._plan.conditions(self._plan.listing)}"]
        return self._sql.along(page, parts, "x.lu", down)

    def ids(self, page: Page, down: bool) -> str:
        """Ids as text and those kept as numbers lie apart in the index and are merged."""
        position = page.after or page.before
        up = down == page.backward
        order = f"ORDER BY x.id {'ASC' if up else 'DESC'} LIMIT {self._bind(page.limit)}"
        select = (
            f"SELECT x.rid, {id_sql('x')} AS k0 FROM res x INDEXED BY res_id WHERE x.t = {self._bind(self._plan.t)}"
        )
        also = f" AND x.m < 3{self._plan.conditions(self._plan.listing)}"
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
        return self._sql.ordered(free, " UNION ALL ".join(parts), 1, [down])


def has_long(connection: Connection, symbol: int) -> bool:
    """Whether the code is dated by more than a year anywhere: a second walk to merge costs as much as the first."""
    return connection.execute("SELECT 1 FROM tokd WHERE s = ? LIMIT 1", (symbol * 2 + 1,)).get is not None
