"""Matches of what has an order -> Terms: dates, numbers, quantities, and places on earth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from server.search.query import Match, NearOperand, QuantityOperand, RangeOperand
from server.search.types.prefix import in_range
from server.search.types.quantity import in_base_units
from server.store.bounds import alternatives
from server.store.embedded import ranges
from server.store.embedded.combining import Combining
from server.store.embedded.driver import integers
from server.store.embedded.estimates import LIMIT
from server.store.embedded.rows import CLASSES, DURATIONS, Rows
from server.store.embedded.terms import Term, Zone
from server.store.operands import box, unit_fits
from server.store.principal import PRINCIPAL

_MANY = 16
"""Dates of one OR list up to which each is a range of its own."""
_MANY_UNITS = 100
"""Of one parameter that are each asked for by a range of its own."""
_CERTAIN = 0.05
"""Part of the dates looked at from which on it is taken for the part of all."""


class Ranged:
    """Terms of ranges for the resources of one type."""

    def __init__(self, of: Combining) -> None:
        self._of = of
        self._bind = of.place.bind

    def date(self, match: Match, k: int) -> Term:
        operands = [operand for operand in match.operands if isinstance(operand, RangeOperand)]

        def among(rows: Rows) -> bool:
            return any(
                row[0] // CLASSES == k and any(in_range(row[1], row[1] + row[2], operand) for operand in operands)
                for row in rows.dat
            )

        if len(operands) > _MANY:
            return self._of.row_set("dates", [self._many_dates(operands, k)], among, None)
        every = [bounds for operand in operands for bounds in alternatives(operand)]
        branches = []
        for bounds in every:
            for number, longest in enumerate(DURATIONS):
                where = ranges.dates(bounds, "x.lo", "x.w", longest if number < CLASSES - 1 else None, self._bind)
                branches.append(f"dat x WHERE x.k = {self._bind(k * CLASSES + number)} AND {where}")
        term = self._of.row_set("date", branches, among, ("dat", k, *operands))
        principal = PRINCIPAL.get(self._of.type)
        if principal is not None and principal.date == match.parameter.code:
            term.lead = tuple(operands)
            term.along = tuple(branches)
            term.zone = Zone(self._of.t, ranges.zone(every, self._bind), tuple(map(tuple, every)))
            term.estimate = self._estimate_of(term.zone, term.estimate)
            predicate = self._bind(self._of.place.checks.predicate(among))
            options = [f"({ranges.dates(bounds, 'd', 'w', None, self._bind)})" for bounds in every]
            where = f"w >= 0 AND ({' OR '.join(options)}) OR w = -1 AND among({predicate}, keys)"
            term.probe = lambda rid: f"EXISTS(SELECT 1 FROM res WHERE rid = {rid} AND ({where}))"
            term.beside = f"({where})"
            term.probe_cost = 1.0
        return term

    def _estimate_of(self, zone: Zone, count: Callable[[], int]) -> Callable[[], int]:
        """Rows of a range. They are counted only if a look at some dates does not say "many" already."""
        place = self._of.place

        def estimate() -> int:
            share = place.estimates.dates(place.connection, self._of.t).share(zone.every)
            found = int(share * place.estimates.type(place.connection, self._of.t))
            return found if share > _CERTAIN and found > LIMIT else count()

        return estimate

    def _many_dates(self, operands: Sequence[RangeOperand], k: int) -> str:
        """All dates of the parameter, each tested: a thousand alternatives would be thousands of ranges."""
        classes = ", ".join(self._bind(k * CLASSES + number) for number in range(CLASSES))
        test = self._bind(
            self._of.place.checks.interval(lambda low, up: any(in_range(low, up, operand) for operand in operands))
        )
        return f"dat x WHERE x.k IN ({classes}) AND within({test}, x.lo, x.lo + x.w)"

    def quantity(self, match: Match, k: int) -> Term:
        units = self._of.place.connection.execute("SELECT s, sy, v FROM sym WHERE k = ?", (k,)).fetchall()
        groups: dict[tuple[bool, tuple[int, ...]], list[RangeOperand]] = {}
        for operand in match.operands:
            assert isinstance(operand, QuantityOperand)
            fitting = tuple(s for s, system, names in units if unit_fits(system, names, operand))
            if fitting:
                asked = operand.canonical or operand.range
                groups.setdefault((operand.canonical is None, fitting), []).append(asked)
        unit_of = {s: (system, names) for s, system, names in units}
        terms = []
        for (as_written, symbols), operands in groups.items():
            if as_written:
                apart = len(symbols) <= _MANY_UNITS and len(match.operands) <= _MANY
                written = {s: unit_of[s] for s in symbols}
                terms.append(self.numbers(operands, symbols, "quantity as written", written, apart))
            else:
                terms.append(self.numbers(operands, symbols, "quantity"))
        return self._of.any(terms)

    def numbers(
        self,
        operands: Sequence[Any],
        symbols: Sequence[int],
        name: str,
        written: Mapping[int, tuple[str, str]] | None = None,
        apart: bool = False,
    ) -> Term:
        """written: the operands are about numbers as they were written; the unit (system, names) of each symbol, in
        whose base units the index has its order. apart: each unit gets a range of its own."""
        column, prefix = ("wx", "x.w") if written else ("x", "x.")
        branches = []
        units = f"x.s IN carray({self._bind(integers(symbols))})"
        if len(symbols) == 1:
            units = f"x.s = {self._bind(symbols[0])}"
        for bounds in (bounds for operand in operands for bounds in alternatives(operand)):
            points = ranges.points(bounds, f"x.{column}", self._bind)
            if written and apart:
                for s, unit in written.items():
                    beside = ranges.points_beside(bounds, "x.x", partial(_base, unit), self._bind)
                    branches.append(f"num x WHERE x.s = {self._bind(s)} AND {beside} AND {points}")
            else:
                branches.append(f"num x WHERE {units} AND {points}")
            branches.append(f"rng x WHERE {units} AND {ranges.spans(bounds, prefix, self._bind)}")
        at = 2 if written else 1

        def among(rows: Rows) -> bool:
            points = ((row[at], ranges.above(row[at])) for row in rows.num if row[0] in symbols)
            start = 3 if written else 1
            spans = ((row[start], ranges.above(row[start + 1])) for row in rows.rng if row[0] in symbols)
            return any(in_range(low, up, operand) for low, up in (*points, *spans) for operand in operands)

        return self._of.row_set(name, branches, among, ("num", column, *symbols, *operands))

    def near(self, match: Match, k: int) -> Term:
        branches = []
        for operand in match.operands:
            assert isinstance(operand, NearOperand)
            south, north, west, east = box(operand)
            where = f"x.k = {self._bind(k)} AND x.lat >= {self._bind(south)} AND x.lat <= {self._bind(north)}"
            if west <= east:
                branches.append(f"geo x WHERE {where} AND x.lon >= {self._bind(west)} AND x.lon <= {self._bind(east)}")
            else:  # across the date line
                branches.append(f"geo x WHERE {where} AND (x.lon >= {self._bind(west)} OR x.lon <= {self._bind(east)})")
        return self._of.rechecked(self._of.rows("near", [], branches, lambda: LIMIT // 4), match)


def _base(unit: tuple[str, str], value: float) -> float:
    system, names = unit
    return in_base_units(value, system, names.partition("\0")[0])
