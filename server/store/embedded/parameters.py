"""Matches of search parameters -> Terms: strings, uris, references, composites; tokens.py and ranged.py: the rest."""

from __future__ import annotations

from dataclasses import replace

from server.search.query import (
    Match,
    ReferenceOperand,
    TextOperand,
)
from server.store.embedded.combining import RECHECK_COST, Combining
from server.store.embedded.driver import integers
from server.store.embedded.estimates import LIMIT
from server.store.embedded.ids import id_key
from server.store.embedded.ranged import Ranged
from server.store.embedded.rows import IDENTIFIER, Rows
from server.store.embedded.symbols import ELSEWHERE, SEVERAL
from server.store.embedded.terms import NOTHING, Term, union_all
from server.store.embedded.tokens import Tokens
from server.store.embedded.trigrams import expression
from server.store.operands import prefixes_of
from server.store.principal import PATIENT_PARAMETERS, REPEATS

_LAST = "\U0010ffff"


class Parameters:
    """Terms of Match for the resources of one type."""

    def __init__(self, of: Combining) -> None:
        self._of = of
        self._bind = of.place.bind

    def match(self, match: Match) -> Term:
        code = match.parameter.code
        repeated = REPEATS.get((self._of.type, code))
        if repeated:
            own = self._single(match)
            parts = [self._single(replace(match, parameter=replace(match.parameter, code=part))) for part in repeated]
            return self._of.any([own, *parts])
        return self._single(match)

    def _single(self, match: Match) -> Term:
        k = self._of.k(match.parameter.code)
        if match.parameter.type == "composite":
            return self._composite(match)
        if k is None and match.modifier not in ("identifier", "text", "of-type"):
            return NOTHING
        if match.modifier in ("unequal", "ends"):
            return self._of.rechecked(self._of.present(k or 0), match)
        match match.parameter.type:
            case "token":
                return Tokens(self._of).match(match, k)
            case "string":
                return self._string(match, k or 0)
            case "uri":
                return self._uri(match, k or 0)
            case "reference":
                return self._reference(match, k or 0)
            case "date":
                return Ranged(self._of).date(match, k or 0)
            case "number":
                symbol = self._of.place.symbols.symbol(self._of.place.connection, k or 0, "", "")
                return NOTHING if symbol is None else Ranged(self._of).numbers(match.operands, [symbol], "number")
            case "quantity":
                return Ranged(self._of).quantity(match, k or 0)
            case _:
                return Ranged(self._of).near(match, k or 0)

    # -------------------------------------------------------------------------------- string, uri

    def _string(self, match: Match, k: int) -> Term:
        operands = [operand for operand in match.operands if isinstance(operand, TextOperand)]
        if match.modifier == "contains":
            return self._contains(k, [operand.folded for operand in operands])
        if match.modifier == "exact":
            return self._of.rechecked(self._texts("string", k, [o.folded for o in operands], []), match)
        if match.modifier == "equal":
            return self._texts("string", k, [operand.folded for operand in operands], [])
        return self._texts("string", k, [], [operand.folded for operand in operands])

    def _uri(self, match: Match, k: int) -> Term:
        """Interned: the profiles, systems and canonicals of many resources are few."""
        written = [operand.exact for operand in match.operands if isinstance(operand, TextOperand)]
        execute = self._of.place.connection.execute
        if match.modifier == "below":
            sql = "SELECT s FROM sym WHERE k = ? AND v >= ? AND v < ?"
            found = [s for text in written for (s,) in execute(sql, (k, text, text + _LAST))]
        else:
            asked = [part for text in written for part in prefixes_of(text)] if match.modifier == "above" else written
            known = (self._of.place.symbols.symbol(self._of.place.connection, k, "", text) for text in asked)
            found = [s for s in known if s is not None]
        return self._of.tokens(f"uri {match.parameter.code}", list(dict.fromkeys(found)))

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
            return self._of.rows(name, ordered, [], self._of.estimate(ordered, key))
        return self._of.row_set(
            name,
            ordered + ranged,
            lambda rows: any(
                row[0] == k and (row[1] in equal or any(row[1].startswith(prefix) for prefix in prefixes))
                for row in rows.str
            ),
            ("str", k, *prefixes),
        )

    def _contains(self, k: int, needles: list[str]) -> Term:
        """Trigrams narrow down; the resource's own rows decide. Needles of one or two letters have none: a scan."""

        def among(rows: Rows) -> bool:
            return any(row[0] == k and any(needle in row[1] for needle in needles) for row in rows.str)

        number, bound = self._bind(self._of.place.checks.predicate(among)), self._bind(k)
        parts, short = [], []
        for needle in needles:
            grams = expression(needle)
            if grams:
                parts.append(f"SELECT rowid AS rid FROM tri WHERE tri MATCH {self._bind(grams)}")
            else:
                short.append(f"SELECT rid FROM str WHERE k = {bound} AND instr(v, {self._bind(needle)})")
        if parts:
            of_type = f"CROSS JOIN res r ON r.rid = g.rid AND r.t = {self._bind(self._of.t)}"
            short.append(f"SELECT g.rid FROM ({union_all(parts)}) g {of_type} WHERE among({number}, r.keys)")
        return Term(
            "substring",
            lambda rid: f"among({number}, (SELECT keys FROM res WHERE rid = {rid}))",
            source=union_all(short),
            estimate=self._of.place.count(None, union_all(parts), **self._bind.values) if parts else lambda: LIMIT,
            probe_cost=3,
        )

    # -------------------------------------------------------------------------------- reference

    def _reference(self, match: Match, k: int) -> Term:
        if match.modifier == "identifier":
            return Tokens(self._of).identifiers(match.operands, self._of.k(match.parameter.code + IDENTIFIER))
        bit = PATIENT_PARAMETERS.get(match.parameter.code, 0)
        branches: list[str] = []
        patients: list[int] = []
        exact = True
        bound_k, bound_t = self._bind(k), self._bind(self._of.t)
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
        key = ("reference", self._of.t, match.parameter.code, match.operands) if len(branches) == 1 else None
        term = self._of.rows(name, branches, [], self._of.place.count(key, union, **self._bind.values))
        if not exact:
            return self._of.rechecked(term, match)
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
            branches.append(f"comp x WHERE x.pt IN carray({bound}) AND x.t = {self._bind(self._of.t)} AND x.c & {bit}")
        term = self._of.rows("references", [], branches, lambda: LIMIT // 4)
        return term if exact else self._of.rechecked(term, match)

    def _targets(self, operand: ReferenceOperand) -> list[tuple[str | None, int]]:
        """Numbers of what the operand names: here, absent or elsewhere."""
        connection, symbols = self._of.place.connection, self._of.place.symbols
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

    # -------------------------------------------------------------------------------- composite

    def _composite(self, match: Match) -> Term:
        """Resources that fulfil each component somewhere; whether within one element, their values say."""
        terms = []
        for operand in match.operands:
            parts = zip(match.parameter.components, operand.components, strict=True)  # type: ignore[union-attr]
            terms.append(self._of.all([self.match(Match(part, "", (one,))) for part, one in parts]))
        term = self._of.any(terms)
        name = f"{self._of.k(match.parameter.code)}{SEVERAL}"
        several = [s for s, shape in self._of.shapes() if name in shape]
        if term is NOTHING or not several:
            return term
        truth = self._of.rechecked(term, match)
        whole = self._of.tokens("several", several)
        recheck = truth.recheck or term.probe
        decides = Term(
            f"{match.parameter.code}, rechecked",
            lambda rid: f"(NOT {whole.probe(rid)} OR {recheck(rid)})",
            estimate=term.estimate,
            probe_cost=RECHECK_COST,
        )
        return self._of.all([term, decides])
