"""Criteria -> Terms: what each kind of search condition means in the index tables.

combining.py holds and, or, not; parameters.py the parameter types; this file what concerns other resources.
"""

from __future__ import annotations

from server.search.query import (
    And,
    Chain,
    Criterion,
    FullText,
    Has,
    Ids,
    InCompartment,
    IsType,
    LastUpdated,
    Match,
    Missing,
    Not,
    Or,
    Parameter,
    ReferenceOperand,
)
from server.store.bounds import alternatives
from server.store.embedded import ranges
from server.store.embedded.combining import Combining
from server.store.embedded.driver import integers
from server.store.embedded.estimates import LIMIT
from server.store.embedded.parameters import Parameters
from server.store.embedded.place import Place
from server.store.embedded.terms import EVERYTHING, NOTHING, Term, Zone, either, union_all
from server.store.embedded.trigrams import expression
from server.store.principal import PATIENT_PARAMETERS

_COMP_IN_KEYS, _REF_IN_KEYS = 8, 7
"""Places of `Rows.comp` and `Rows.ref` in the stored keys."""


class Criteria(Combining):
    """Terms of criteria on the resources of one type."""

    def __init__(self, place: Place, type: str, t: int) -> None:
        super().__init__(place, type, t)
        self._parameters = Parameters(self)

    def term(self, criterion: Criterion) -> Term:
        match criterion:
            case Match():
                return self._parameters.match(criterion)
            case And():
                return self.all([self.term(one) for one in criterion.criteria])
            case Or():
                return self.any([self.term(one) for one in criterion.criteria])
            case Not():
                return self.negated(self.term(criterion.criterion))
            case Ids():
                return self._ids(criterion)
            case IsType():
                return EVERYTHING if self.type in criterion.types else NOTHING
            case LastUpdated():
                return self._last_updated(criterion)
            case Missing():
                return self._missing(criterion)
            case Chain():
                return self._chain(criterion)
            case Has():
                return self._has(criterion)
            case InCompartment():
                return self._compartment(criterion)
            case FullText():
                return self._full_text(criterion)

    # -------------------------------------------------------------------------------- the resource itself

    def _ids(self, criterion: Ids) -> Term:
        symbols, connection = self.place.symbols, self.place.connection
        asked = (id for type, id in criterion.ids if type in (None, self.type))
        rids = [rid for rid in (symbols.rid(connection, self.t, id) for id in asked) if rid is not None]
        if not rids:
            return NOTHING
        bound = self.place.bind(integers(rids))
        return Term(
            "id",
            lambda rid: f"{rid} IN carray({bound})",
            source=f"SELECT rid FROM res WHERE rid IN carray({bound}) AND m < 3",
            estimate=lambda: len(rids),
            probe_cost=0.2,
            few=True,
        )

    def _last_updated(self, criterion: LastUpdated) -> Term:
        bind = self.place.bind
        every = [bounds for operand in criterion.operands for bounds in alternatives(operand)]
        options = [ranges.instants(bounds, "lu", bind) for bounds in every]
        where = either([f"({option})" for option in options])
        t = bind(self.t)
        union = union_all([f"SELECT rid FROM res WHERE t = {t} AND m < 3 AND {option}" for option in options])
        return Term(
            "lastUpdated",
            lambda rid: f"EXISTS(SELECT 1 FROM res WHERE rid = {rid} AND ({where}))",
            source=union,
            estimate=self.place.count(None, union, **bind.values),
            probe_cost=0.8,
            zone=Zone(-self.t, ranges.zone(every, bind), tuple(map(tuple, every))),
        )

    def _missing(self, criterion: Missing) -> Term:
        k = self.k(criterion.parameter.code)
        if k is None:
            return EVERYTHING if criterion.missing else NOTHING
        return self.present(k, missing=criterion.missing)

    # -------------------------------------------------------------------------------- other resources

    def _chain(self, criterion: Chain) -> Term:
        """From the targets that fulfil the criterion to those who refer to them; as a probe the other way round."""
        place = self.place
        target = place.symbols.type(place.connection, criterion.target)
        k = place.symbols.param(place.connection, self.t, criterion.parameter.code)
        if target is None or k is None:
            return NOTHING
        inner = Criteria(place, criterion.target, target).term(criterion.criterion)
        if inner is NOTHING:
            return NOTHING
        bit = self._patient_bit(criterion.parameter, criterion.target)
        bound_k, bound_t = place.bind(k), place.bind(self.t)
        g = place.bind.alias()
        live = f"rid = {g}.tr AND t = {place.bind(target)} AND m < 3"
        second = f"j.value ->> 1 & {bit}" if bit else f"j.value ->> 1 = {bound_k}"
        part = _COMP_IN_KEYS if bit else _REF_IN_KEYS

        def probe(rid: str) -> str:
            return (
                "EXISTS(SELECT 1 FROM (SELECT coalesce((SELECT e.rid FROM ext e WHERE e.x = -(j.value ->> 0)), "
                f"j.value ->> 0) AS tr FROM json_each((SELECT keys FROM res WHERE rid = {rid}), '$[{part}]') j "
                f"WHERE {second}) {g} WHERE EXISTS(SELECT 1 FROM res WHERE {live}) AND {inner.probe(f'{g}.tr')})"
            )

        source = None
        if inner.finds:
            refers = (
                f"comp f ON f.pt = g.rid AND f.t = {bound_t} AND f.c & {bit}"
                if bit
                else f"ref f ON f.tr = g.rid AND f.k = {bound_k}"
            )
            source = f"SELECT f.rid FROM (SELECT DISTINCT rid FROM ({inner.rids()})) g CROSS JOIN {refers}"
        return Term(
            f"chain({inner.name})",
            probe,
            source=source,
            estimate=lambda: self._referring(inner, target),
            probe_cost=3 + inner.probe_cost,
        )

    def _has(self, criterion: Has) -> Term:
        """From those who refer and fulfil the criterion to what they refer to; as a probe the other way round."""
        place = self.place
        referrer = place.symbols.type(place.connection, criterion.source)
        if referrer is None:
            return NOTHING
        k = place.symbols.param(place.connection, referrer, criterion.parameter.code)
        if k is None:
            return NOTHING
        inner = Criteria(place, criterion.source, referrer).term(criterion.criterion)
        if inner is NOTHING:
            return NOTHING
        bit = self._patient_bit(criterion.parameter, self.type)
        bound_k, bound_t = place.bind(k), place.bind(referrer)
        part = _COMP_IN_KEYS if bit else _REF_IN_KEYS
        second = f"j.value ->> 1 & {bit}" if bit else f"j.value ->> 1 = {bound_k}"

        f = place.bind.alias()

        def probe(rid: str) -> str:
            refers = (
                f"comp {f} WHERE {f}.pt = {rid} AND {f}.t = {bound_t} AND {f}.c & {bit}"
                if bit
                else f"ref {f} WHERE {f}.tr = {rid} AND {f}.k = {bound_k}"
            )
            return f"EXISTS(SELECT 1 FROM {refers} AND {inner.probe(f'{f}.rid')})"

        source = None
        if inner.finds:
            source = (
                "SELECT h.rid FROM (SELECT DISTINCT coalesce((SELECT e.rid FROM ext e WHERE e.x = -(j.value ->> 0)), "
                f"j.value ->> 0) AS tr FROM ({inner.rids()}) g CROSS JOIN res r ON r.rid = g.rid "
                f"CROSS JOIN json_each(r.keys, '$[{part}]') j WHERE {second}) i "
                f"CROSS JOIN res h ON h.rid = i.tr WHERE h.t = {place.bind(self.t)} AND h.m < 3"
            )
        return Term(
            f"has({inner.name})",
            probe,
            source=source,
            estimate=lambda: min(inner.estimate(), self.type_count()),
            probe_cost=8 + 8 * inner.probe_cost,
            scan=lambda: 4.0 * inner.estimate(),
        )

    def _referring(self, inner: Term, target: int) -> int:
        """As many as usually refer to each of the targets."""
        each = self.type_count() / max(1, self.place.estimates.type(self.place.connection, target))
        return int(inner.estimate() * max(1.0, each))

    @staticmethod
    def _patient_bit(parameter: Parameter, target: str) -> int:
        return PATIENT_PARAMETERS.get(parameter.code, 0) if target == "Patient" else 0

    def _compartment(self, criterion: InCompartment) -> Term:
        terms = []
        for type, parameters in criterion.parameters:
            if type == self.type:
                operand = (ReferenceOperand(criterion.type, criterion.id, None, None),)
                terms = [self.term(Match(parameter, "", operand)) for parameter in parameters]
        if criterion.itself and criterion.type == self.type:
            terms.append(self._ids(Ids(((criterion.type, criterion.id),))))
        return self.any(terms)

    def _full_text(self, criterion: FullText) -> Term:
        """Trigrams narrow down, the stored text decides. Phrases of one or two letters have none: a scan."""
        bind = self.place.bind
        column = "narrative" if criterion.field == "_text" else "content"
        options, found = [], []
        for phrases in criterion.alternatives:
            options.append(" AND ".join(f"instr({column}, {bind(phrase)})" for phrase in phrases) or "TRUE")
            found.append(" AND ".join(filter(None, (expression(phrase, column) for phrase in phrases))))
        decides = either([f"({option})" for option in options])
        if not options:
            return NOTHING
        source = union = None
        if all(found):
            union = union_all([f"SELECT rowid AS rid FROM textri WHERE textri MATCH {bind(one)}" for one in found])
            t = bind(self.t)
            source = (
                f"SELECT g.rid FROM ({union}) g CROSS JOIN res r ON r.rid = g.rid AND r.t = {t} "
                f"CROSS JOIN text x ON x.rid = g.rid WHERE {decides}"
            )
        return Term(
            criterion.field,
            lambda rid: f"EXISTS(SELECT 1 FROM text WHERE rid = {rid} AND ({decides}))",
            source=source,
            estimate=self.place.count(None, union, **bind.values) if union else lambda: LIMIT,
            probe_cost=5,
        )
