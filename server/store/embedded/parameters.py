"""Matches of search parameters -> Terms: one method for each parameter type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from server.search.query import (
    Match,
    NearOperand,
    OfTypeOperand,
    Operand,
    QuantityOperand,
    RangeOperand,
    ReferenceOperand,
    TextOperand,
    TokenOperand,
)
from server.search.types.prefix import in_range
from server.search.types.quantity import in_base_units
from server.store.bounds import alternatives
from server.store.embedded import ranges
from server.store.embedded.driver import integers, texts
from server.store.embedded.estimates import LIMIT
from server.store.embedded.ids import id_key
from server.store.embedded.rows import CLASSES, DURATIONS, IDENTIFIER, OF_TYPE, TEXT, Rows
from server.store.embedded.symbols import ELSEWHERE, SEVERAL
from server.store.embedded.terms import NOTHING, Term, Zone, either, union_all
from server.store.embedded.trigrams import expression
from server.store.operands import box, prefixes_of, unit_fits
from server.store.principal import PATIENT_PARAMETERS, PRINCIPAL, REPEATS

if TYPE_CHECKING:
    from server.store.embedded.criteria import Criteria

_FEW_OF_A_PAGE = 300
"""Rows up to which a set is made to look up the few resources of a page in."""
_MANY = 16
"""Dates of one OR list up to which each is a range of its own."""
_MANY_UNITS = 100
"""Of one parameter that are each asked for by a range of its own."""
_CERTAIN = 0.05
"""Part of the dates looked at from which on it is taken for the part of all."""
_RECHECK_COST = 150.0
"""Microseconds to read a body and take its values."""
_LAST = "\U0010ffff"


class Parameters:
    """Terms of Match for the resources of one type."""

    def __init__(self, criteria: Criteria) -> None:
        self._criteria = criteria
        self._place = criteria.place
        self._bind = criteria.place.bind
        self._t = criteria.t

    def match(self, match: Match) -> Term:
        code = match.parameter.code
        repeated = REPEATS.get((self._criteria.type, code))
        if repeated:
            own = self._single(match)
            parts = [self._single(replace(match, parameter=replace(match.parameter, code=part))) for part in repeated]
            return self._criteria.any([own, *parts])
        return self._single(match)

    def _single(self, match: Match) -> Term:
        k = self._k(match.parameter.code)
        if match.parameter.type == "composite":
            return self._composite(match)
        if k is None and match.modifier not in ("identifier", "text", "of-type"):
            return NOTHING
        match match.parameter.type:
            case "token":
                return self._token(match, k)
            case "string":
                return self._string(match, k or 0)
            case "uri":
                return self._uri(match, k or 0)
            case "reference":
                return self._reference(match, k or 0)
            case "date":
                return self._date(match, k or 0)
            case "number":
                symbol = self._place.symbols.symbol(self._place.connection, k or 0, "", "")
                return NOTHING if symbol is None else self._numbers(match.operands, [symbol], "number")
            case "quantity":
                return self._quantity(match, k or 0)
            case _:
                return self._near(match, k or 0)

    def _k(self, code: str) -> int | None:
        return self._place.symbols.param(self._place.connection, self._t, code)

    # -------------------------------------------------------------------------------- token

    def _token(self, match: Match, k: int | None) -> Term:
        code = match.parameter.code
        if any(isinstance(operand, TextOperand) for operand in match.operands):
            return self._token_text(match, k)
        if any(isinstance(operand, OfTypeOperand) for operand in match.operands):
            return self._of_type(match)
        if match.parameter.identifying:
            return self._identifiers(match.operands, k)
        symbols: list[int] = []
        for operand in match.operands:
            assert isinstance(operand, TokenOperand)
            symbols += self._symbols(operand, k or 0)
        term = self._criteria.tokens(f"token {code}", list(dict.fromkeys(symbols)))
        principal = PRINCIPAL.get(self._criteria.type)
        if term is not NOTHING and principal is not None and principal.code == code:
            term.symbols = tuple(dict.fromkeys(symbols))
        return term

    def _symbols(self, operand: TokenOperand, k: int) -> list[int]:
        connection = self._place.connection
        if operand.code is None:
            rows = connection.execute("SELECT s FROM sym WHERE k = ? AND sy = ?", (k, operand.system or ""))
        elif operand.any_system:
            rows = connection.execute("SELECT s FROM sym WHERE k = ? AND v = ?", (k, operand.code))
        else:
            symbol = self._place.symbols.symbol(connection, k, operand.system or "", operand.code)
            return [] if symbol is None else [symbol]
        return [s for (s,) in rows]

    def _identifiers(self, operands: Sequence[Operand], k: int | None) -> Term:
        """Rows of `ident`, by value and the symbol of the system."""
        if k is None:
            return NOTHING
        of_system: dict[int, list[str]] = {}
        of_any: list[str] = []
        whole: list[int] = []
        for operand in operands:
            assert isinstance(operand, TokenOperand)
            system = self._system(operand.system)
            if system is None:
                continue
            if operand.code is None:
                whole.append(system)
            elif operand.any_system:
                of_any.append(operand.code)
            else:
                of_system.setdefault(system, []).append(operand.code)
        bound = f"x.k = {self._bind(k)}"
        ordered = []
        loose = [f"ident x WHERE {bound} AND x.sy = {self._bind(system)}" for system in whole]
        for system, codes in of_system.items():
            if len(codes) == 1:
                where = f"x.v = {self._bind(codes[0])} AND x.sy = {self._bind(system)}"
                ordered.append(f"ident x WHERE {bound} AND {where}")
            else:
                where = f"x.v IN carray({self._bind(texts(codes))}) AND x.sy = {self._bind(system)}"
                loose.append(f"ident x WHERE {bound} AND {where}")
        if of_any:
            loose.append(f"ident x WHERE {bound} AND x.v IN carray({self._bind(texts(of_any))})")
        term = self._rows("identifier", ordered, loose, lambda: LIMIT if whole else 2 * len(operands))
        term.few = not whole and term is not NOTHING
        return term

    def _system(self, system: str | None) -> int | None:
        """Symbol of a system; 0 stands for none; None: never seen."""
        return 0 if system is None else self._place.symbols.symbol(self._place.connection, 0, "", system)

    def _rows(self, name: str, ordered: list[str], loose: list[str], estimate: Callable[[], int]) -> Term:
        """ordered: `table x WHERE ...` by rid; loose: in another order."""
        every = ordered + loose
        if not every:
            return NOTHING
        union = union_all([f"SELECT x.rid FROM {branch}" for branch in every])
        return Term(
            name,
            lambda rid: (
                f"{rid} IN ({union})"
                if loose
                else either([f"EXISTS(SELECT 1 FROM {inner(branch)} AND y.rid = {rid})" for branch in every])
            ),
            source=union if loose else None,
            branches=() if loose else tuple(ordered),
            estimate=estimate,
            probe_cost=1.2 * len(every),
        )

    def _of_type(self, match: Match) -> Term:
        k = self._k(match.parameter.code + OF_TYPE)
        if k is None:
            return NOTHING
        branches = []
        for operand in match.operands:
            assert isinstance(operand, OfTypeOperand)
            symbol = self._place.symbols.symbol(self._place.connection, k, operand.system or "", operand.code)
            if symbol is not None:
                value, of = self._bind(operand.value), self._bind(symbol)
                branches.append(f"ident x WHERE x.k = {self._bind(k)} AND x.v = {value} AND x.sy = {of}")
        return self._rows("identifier of type", branches, [], lambda: 2)

    def _token_text(self, match: Match, k: int | None) -> Term:
        """Codes that were ever shown with the text may be found without it, so these are rechecked."""
        connection = self._place.connection
        plain_k = self._k(match.parameter.code + TEXT)
        coded: set[int] = set()
        plain: set[int] = set()
        for operand in match.operands:
            assert isinstance(operand, TextOperand)
            found = connection.execute("SELECT s FROM symtext WHERE k = ? AND instr(v, ?)", (k, operand.folded))
            coded.update(s for (s,) in found)
            found = connection.execute("SELECT s FROM sym WHERE k = ? AND instr(v, ?)", (plain_k, operand.folded))
            plain.update(s for (s,) in found)
        name = f"text {match.parameter.code}"
        if match.parameter.identifying or not coded:
            return self._criteria.tokens(name, sorted(plain))
        return self._criteria.any(
            [
                self._criteria.rechecked(self._criteria.tokens(name, sorted(coded)), match),
                self._criteria.tokens(name, sorted(plain)),
            ]
        )

    # -------------------------------------------------------------------------------- string, uri

    def _string(self, match: Match, k: int) -> Term:
        operands = [operand for operand in match.operands if isinstance(operand, TextOperand)]
        if match.modifier == "contains":
            return self._contains(k, [operand.folded for operand in operands])
        if match.modifier == "exact":
            return self._criteria.rechecked(self._texts("string", k, [o.folded for o in operands], []), match)
        return self._texts("string", k, [], [operand.folded for operand in operands])

    def _uri(self, match: Match, k: int) -> Term:
        """Interned: the profiles, systems and canonicals of many resources are few."""
        written = [operand.exact for operand in match.operands if isinstance(operand, TextOperand)]
        execute = self._place.connection.execute
        if match.modifier == "below":
            sql = "SELECT s FROM sym WHERE k = ? AND v >= ? AND v < ?"
            found = [s for text in written for (s,) in execute(sql, (k, text, text + _LAST))]
        else:
            asked = [part for text in written for part in prefixes_of(text)] if match.modifier == "above" else written
            known = (self._place.symbols.symbol(self._place.connection, k, "", text) for text in asked)
            found = [s for s in known if s is not None]
        return self._criteria.tokens(f"uri {match.parameter.code}", list(dict.fromkeys(found)))

    def _texts(self, name: str, k: int, equal: list[str], prefixes: list[str]) -> Term:
        """Rows of `str` that equal or begin with one of the texts."""
        bound = self._bind(k)
        ordered = [f"str x WHERE x.k = {bound} AND x.v = {self._bind(text)}" for text in equal]
        ranged = []
        for prefix in prefixes:
            first, last = self._bind(prefix), self._bind(prefix + _LAST)
            ranged.append(f"str x WHERE x.k = {bound} AND x.v >= {first} AND x.v < {last}")
        if not prefixes and len(ordered) <= 16:
            key = ("str", k, *equal)
            return self._rows(name, ordered, [], self._estimate(ordered, key, bound))
        return self._set(
            name,
            ordered + ranged,
            lambda rows: any(
                row[0] == k and (row[1] in equal or any(row[1].startswith(prefix) for prefix in prefixes))
                for row in rows.str
            ),
            ("str", k, *prefixes),
        )

    def _estimate(self, branches: list[str], key: object, _: str) -> Callable[[], int]:
        union = union_all([f"SELECT x.rid FROM {branch}" for branch in branches])
        return self._place.count(key, union, **self._bind.values)

    def _set(self, name: str, branches: list[str], among: Callable[[Rows], bool], key: object) -> Term:
        """Rows in another order than the rid's. As a probe: their set while it is small, else each resource's keys."""
        if not branches:
            return NOTHING
        union = union_all([f"SELECT x.rid FROM {branch}" for branch in branches])
        estimate = self._estimate(branches, key, "")
        number = self._bind(self._place.checks.predicate(among))

        def probe(rid: str) -> str:
            if estimate() < (LIMIT if self._place.whole else _FEW_OF_A_PAGE):
                return f"{rid} IN ({union})"
            return f"among({number}, (SELECT keys FROM res WHERE rid = {rid}))"

        return Term(name, probe, source=union, estimate=estimate, probe_cost=3)

    def _contains(self, k: int, needles: list[str]) -> Term:
        """Trigrams narrow down; the resource's own rows decide. Needles of one or two letters have none: a scan."""

        def among(rows: Rows) -> bool:
            return any(row[0] == k and any(needle in row[1] for needle in needles) for row in rows.str)

        number, bound = self._bind(self._place.checks.predicate(among)), self._bind(k)
        parts, short = [], []
        for needle in needles:
            grams = expression(needle)
            if grams:
                parts.append(f"SELECT rowid AS rid FROM tri WHERE tri MATCH {self._bind(grams)}")
            else:
                short.append(f"SELECT rid FROM str WHERE k = {bound} AND instr(v, {self._bind(needle)})")
        if parts:
            of_type = f"CROSS JOIN res r ON r.rid = g.rid AND r.t = {self._bind(self._t)}"
            short.append(f"SELECT g.rid FROM ({union_all(parts)}) g {of_type} WHERE among({number}, r.keys)")
        return Term(
            "substring",
            lambda rid: f"among({number}, (SELECT keys FROM res WHERE rid = {rid}))",
            source=union_all(short),
            estimate=self._place.count(None, union_all(parts), **self._bind.values) if parts else lambda: LIMIT,
            probe_cost=3,
        )

    # -------------------------------------------------------------------------------- reference

    def _reference(self, match: Match, k: int) -> Term:
        if match.modifier == "identifier":
            return self._identifiers(match.operands, self._k(match.parameter.code + IDENTIFIER))
        bit = PATIENT_PARAMETERS.get(match.parameter.code, 0)
        branches: list[str] = []
        patients: list[int] = []
        exact = True
        bound_k, bound_t = self._bind(k), self._bind(self._t)
        for operand in match.operands:
            assert isinstance(operand, ReferenceOperand)
            exact = exact and operand.version is None
            for type, number in self._targets(operand):
                target = self._bind(number)
                if bit and type == "Patient":
                    branches.append(f"comp x WHERE x.pt = {target} AND x.t = {bound_t} AND x.c & {bit}")
                    patients.append(number)
                else:
                    branches.append(f"ref x WHERE x.tr = {target} AND x.k = {bound_k}")
        if not branches:
            return NOTHING
        name = "compartment" if len(patients) == len(branches) else "reference"
        if len(branches) > 64:
            return self._many_references(match, k, exact)
        union = union_all([f"SELECT 1 FROM {branch}" for branch in branches])
        key = ("reference", self._t, match.parameter.code, match.operands) if len(branches) == 1 else None
        term = self._rows(name, branches, [], self._place.count(key, union, **self._bind.values))
        if not exact:
            return self._criteria.rechecked(term, match)
        if len(branches) == len(patients) == 1:
            term.patient = patients[0]
        return term

    def _many_references(self, match: Match, k: int, exact: bool) -> Term:
        """Of `_revinclude`: references to each resource of a page."""
        bit = PATIENT_PARAMETERS.get(match.parameter.code, 0)
        found = [target for o in match.operands if isinstance(o, ReferenceOperand) for target in self._targets(o)]
        others = [number for type, number in found if not (bit and type == "Patient")]
        patients = [number for type, number in found if bit and type == "Patient"]
        branches = []
        if others:
            branches.append(f"ref x WHERE x.tr IN carray({self._bind(integers(others))}) AND x.k = {self._bind(k)}")
        if patients:
            bound = self._bind(integers(patients))
            branches.append(f"comp x WHERE x.pt IN carray({bound}) AND x.t = {self._bind(self._t)} AND x.c & {bit}")
        term = self._rows("references", [], branches, lambda: LIMIT // 4)
        return term if exact else self._criteria.rechecked(term, match)

    def _targets(self, operand: ReferenceOperand) -> list[tuple[str | None, int]]:
        """Numbers of what the operand names: here, absent or elsewhere."""
        connection, symbols = self._place.connection, self._place.symbols
        if operand.url is not None:
            x = connection.execute("SELECT x FROM ext WHERE id = ? AND t = ?", (operand.url, ELSEWHERE)).get
            return [] if x is None else [(None, -x)]
        if operand.id is None:
            return []
        if operand.type is not None:
            types = [(operand.type, symbols.type(connection, operand.type))]
        else:
            types = connection.execute("SELECT name, t FROM type").fetchall()
        found: list[tuple[str | None, int]] = []
        for type, t in types:
            number = symbols.rid(connection, t, operand.id) if t is not None else None
            if number is None:
                number = connection.execute("SELECT -x FROM ext WHERE id = ? AND t = ?", (id_key(operand.id), t)).get
            if number is not None:
                found.append((type, number))
        return found

    # -------------------------------------------------------------------------------- date, number, quantity

    def _date(self, match: Match, k: int) -> Term:
        operands = [operand for operand in match.operands if isinstance(operand, RangeOperand)]

        def among(rows: Rows) -> bool:
            return any(
                row[0] // CLASSES == k and any(in_range(row[1], row[1] + row[2], operand) for operand in operands)
                for row in rows.dat
            )

        if len(operands) > _MANY:
            return self._set("dates", [self._many_dates(operands, k)], among, None)
        every = [bounds for operand in operands for bounds in alternatives(operand)]
        branches = []
        for bounds in every:
            for number, longest in enumerate(DURATIONS):
                where = ranges.dates(bounds, "x.lo", "x.w", longest if number < CLASSES - 1 else None, self._bind)
                branches.append(f"dat x WHERE x.k = {self._bind(k * CLASSES + number)} AND {where}")
        term = self._set("date", branches, among, ("dat", k, *operands))
        principal = PRINCIPAL.get(self._criteria.type)
        if principal is not None and principal.date == match.parameter.code:
            term.lead = tuple(operands)
            term.along = tuple(branches)
            term.zone = Zone(self._t, ranges.zone(every, self._bind), tuple(map(tuple, every)))
            term.estimate = self._estimate_of(term.zone, term.estimate)
            predicate = self._bind(self._place.checks.predicate(among))
            options = [f"({ranges.dates(bounds, 'd', 'w', None, self._bind)})" for bounds in every]
            where = f"w >= 0 AND ({' OR '.join(options)}) OR w = -1 AND among({predicate}, keys)"
            term.probe = lambda rid: f"EXISTS(SELECT 1 FROM res WHERE rid = {rid} AND ({where}))"
            term.beside = f"({where})"
            term.probe_cost = 1.0
        return term

    def _estimate_of(self, zone: Zone, count: Callable[[], int]) -> Callable[[], int]:
        """Rows of a range. They are counted only if a look at some dates does not say "many" already."""
        place = self._place

        def estimate() -> int:
            share = place.estimates.dates(place.connection, self._t).share(zone.every)
            found = int(share * place.estimates.type(place.connection, self._t))
            return found if share > _CERTAIN and found > LIMIT else count()

        return estimate

    def _many_dates(self, operands: Sequence[RangeOperand], k: int) -> str:
        """All dates of the parameter, each tested: a thousand alternatives would be thousands of ranges."""
        classes = ", ".join(self._bind(k * CLASSES + number) for number in range(CLASSES))
        test = self._bind(
            self._place.checks.interval(lambda low, up: any(in_range(low, up, operand) for operand in operands))
        )
        return f"dat x WHERE x.k IN ({classes}) AND within({test}, x.lo, x.lo + x.w)"

    def _quantity(self, match: Match, k: int) -> Term:
        units = self._place.connection.execute("SELECT s, sy, v FROM sym WHERE k = ?", (k,)).fetchall()
        terms = []
        for operand in match.operands:
            assert isinstance(operand, QuantityOperand)
            fitting = {s: (system, names) for s, system, names in units if unit_fits(system, names, operand)}
            if fitting and operand.canonical is not None:
                terms.append(self._numbers((operand.canonical,), list(fitting), "quantity"))
            elif fitting:
                apart = len(fitting) <= _MANY_UNITS and len(match.operands) <= _MANY
                terms.append(self._numbers((operand.range,), list(fitting), "quantity as written", fitting, apart))
        return self._criteria.any(terms)

    def _numbers(
        self,
        operands: Sequence[Any],
        symbols: list[int],
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

        return self._set(name, branches, among, ("num", column, *symbols, *operands))

    # -------------------------------------------------------------------------------- composite, near

    def _composite(self, match: Match) -> Term:
        """Resources that fulfil each component somewhere; whether within one element, their values say."""
        terms = []
        for operand in match.operands:
            parts = zip(match.parameter.components, operand.components, strict=True)  # type: ignore[union-attr]
            terms.append(self._criteria.all([self.match(Match(part, "", (one,))) for part, one in parts]))
        term = self._criteria.any(terms)
        name = f"{self._k(match.parameter.code)}{SEVERAL}"
        several = [s for s, shape in self._criteria.shapes() if name in shape]
        if term is NOTHING or not several:
            return term
        truth = self._criteria.rechecked(term, match)
        whole = self._criteria.tokens("several", several)
        recheck = truth.recheck or term.probe
        decides = Term(
            f"{match.parameter.code}, rechecked",
            lambda rid: f"(NOT {whole.probe(rid)} OR {recheck(rid)})",
            estimate=term.estimate,
            probe_cost=_RECHECK_COST,
        )
        return self._criteria.all([term, decides])

    def _near(self, match: Match, k: int) -> Term:
        branches = []
        for operand in match.operands:
            assert isinstance(operand, NearOperand)
            south, north, west, east = box(operand)
            where = f"x.k = {self._bind(k)} AND x.lat >= {self._bind(south)} AND x.lat <= {self._bind(north)}"
            if west <= east:
                branches.append(f"geo x WHERE {where} AND x.lon >= {self._bind(west)} AND x.lon <= {self._bind(east)}")
            else:  # across the date line
                branches.append(f"geo x WHERE {where} AND (x.lon >= {self._bind(west)} OR x.lon <= {self._bind(east)})")
        return self._criteria.rechecked(self._rows("near", [], branches, lambda: LIMIT // 4), match)


def inner(branch: str) -> str:
    """The branch with its table named y: within a statement that drives from an x."""
    return branch.replace(" x ", " y ", 1).replace("x.", "y.")


def _base(unit: tuple[str, str], value: float) -> float:
    system, names = unit
    return in_base_units(value, system, names.partition("\0")[0])
