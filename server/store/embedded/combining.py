"""Terms of rows, symbols and other Terms, for the resources of one type."""

from __future__ import annotations

from collections.abc import Callable

from server.search.query import Criterion
from server.store.embedded.driver import integers
from server.store.embedded.estimates import LIMIT
from server.store.embedded.place import Place
from server.store.embedded.rows import Rows
from server.store.embedded.symbols import SEVERAL, SHAPE
from server.store.embedded.terms import EVERYTHING, NOTHING, Term, either, union_all

_FEW = 16
"""Symbols up to which each is a branch of its own."""
_FEW_OF_A_PAGE = 300
"""Rows up to which a set is made to look up the few resources of a page in."""
RECHECK_COST = 150.0
"""Microseconds to read a body and take its values."""


class Combining:
    """Terms for the resources of one type."""

    def __init__(self, place: Place, type: str, t: int) -> None:
        self.place = place
        self.type = type
        self.t = t

    def k(self, code: str) -> int | None:
        """Number of a parameter of the type; None: nothing has a value of it."""
        return self.place.symbols.param(self.place.connection, self.t, code)

    # -------------------------------------------------------------------------------- logic

    def all(self, terms: list[Term]) -> Term:
        terms = [term for term in terms if term is not EVERYTHING]
        if any(term is NOTHING for term in terms):
            return NOTHING
        if len(terms) < 2:
            return terms[0] if terms else EVERYTHING

        def probe(rid: str) -> str:
            return "(" + " AND ".join(term.probe(rid) for term in terms) + ")"

        finding = [term for term in terms if term.finds]
        if not finding:
            return Term("and", probe, probe_cost=sum(term.probe_cost for term in terms), parts=tuple(terms))
        first = min(finding, key=lambda term: term.estimate()) if len(finding) > 1 else finding[0]
        rest = [term.probe("z.rid") for term in terms if term is not first]
        return Term(
            "and(" + ", ".join(term.name for term in terms) + ")",
            probe,
            source=f"SELECT z.rid FROM ({first.rids()}) z WHERE {' AND '.join(rest)}",
            estimate=first.estimate,
            probe_cost=sum(term.probe_cost for term in terms),
            parts=tuple(terms),
        )

    def any(self, terms: list[Term]) -> Term:
        terms = [term for term in terms if term is not NOTHING]
        if any(term is EVERYTHING for term in terms):
            return EVERYTHING
        if len(terms) < 2:
            return terms[0] if terms else NOTHING

        def probe(rid: str) -> str:
            return either([term.probe(rid) for term in terms])

        finds = all(term.finds for term in terms)
        ordered = finds and all(term.branches and term.recheck is None for term in terms)
        return Term(
            "or(" + ", ".join(term.name for term in terms) + ")",
            probe,
            source=union_all([f"SELECT rid FROM ({term.rids()})" for term in terms]) if finds and not ordered else None,
            branches=tuple(branch for term in terms for branch in term.branches) if ordered else (),
            estimate=lambda: sum(term.estimate() for term in terms),
            probe_cost=sum(term.probe_cost for term in terms),
        )

    def negated(self, term: Term) -> Term:
        if term is NOTHING:
            return EVERYTHING
        if term is EVERYTHING:
            return NOTHING
        count = self.type_count
        return Term(
            f"not {term.name}",
            lambda rid: f"NOT {term.probe(rid)}",
            estimate=lambda: max(1, count() - term.estimate()),
            probe_cost=term.probe_cost,
        )

    def type_count(self) -> int:
        return self.place.estimates.type(self.place.connection, self.t)

    # -------------------------------------------------------------------------------- symbols

    def shapes(self) -> list[tuple[int, list[str]]]:
        """Every shape of the type: its symbol, and the parameters as in symbols.SHAPE."""
        connection = self.place.connection
        k = self.place.symbols.param(connection, self.t, SHAPE)
        return [(s, v.split(",")) for s, v in connection.execute("SELECT s, v FROM sym WHERE k = ?", (k,))]

    def present(self, k: int, *, missing: bool = False) -> Term:
        """Resources with a value of the parameter, or without one: by their shape."""
        names = {str(k), f"{k}{SEVERAL}"}
        return self.tokens("shape", [s for s, shape in self.shapes() if names.isdisjoint(shape) == missing])

    def tokens(self, name: str, symbols: list[int]) -> Term:
        """Resources with one of the symbols."""
        if not symbols:
            return NOTHING
        place = self.place
        if len(symbols) > _FEW:
            listed = f"carray({place.bind(integers(symbols))})"
            return Term(
                name,
                lambda rid: f"EXISTS(SELECT 1 FROM tok WHERE s IN {listed} AND rid = {rid})",
                source=f"SELECT rid FROM tok WHERE s IN {listed}",
                estimate=place.count(None, f"SELECT 1 FROM tok WHERE s IN {listed}", **place.bind.values),
                probe_cost=min(1.2 * len(symbols), 50),
            )
        bound = [place.bind(s) for s in symbols]
        counts = [place.count(("tok", s), "SELECT 1 FROM tok WHERE s = :s", s=s) for s in symbols]
        return Term(
            name,
            lambda rid: f"EXISTS(SELECT 1 FROM tok WHERE s IN ({', '.join(bound)}) AND rid = {rid})",
            branches=tuple(f"tok x WHERE x.s = {s}" for s in bound),
            estimate=lambda: sum(count() for count in counts),
            probe_cost=1.2 * len(symbols),
        )

    def rechecked(self, term: Term, criterion: Criterion) -> Term:
        """The term of an index that only approximates, made exact by the truth on the resource's values."""
        number = self.place.bind(self.place.checks.criterion(criterion, self.type))

        def recheck(rid: str) -> str:
            return f"holds({number}, (SELECT body FROM res WHERE rid = {rid}))"

        return Term(
            term.name + ", rechecked",
            lambda rid: f"({term.probe(rid)} AND {recheck(rid)})",
            source=term.source if term.recheck is None else term.rids(),
            branches=term.branches if term.recheck is None else (),
            recheck=recheck,
            estimate=term.estimate,
            probe_cost=term.probe_cost + RECHECK_COST,
        )

    # -------------------------------------------------------------------------------- rows

    def rows(self, name: str, ordered: list[str], loose: list[str], estimate: Callable[[], int]) -> Term:
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

    def estimate(self, branches: list[str], key: object) -> Callable[[], int]:
        union = union_all([f"SELECT x.rid FROM {branch}" for branch in branches])
        return self.place.count(key, union, **self.place.bind.values)

    def row_set(self, name: str, branches: list[str], among: Callable[[Rows], bool], key: object) -> Term:
        """Rows in another order than the rid's. As a probe: their set while it is small, else each resource's keys."""
        if not branches:
            return NOTHING
        union = union_all([f"SELECT x.rid FROM {branch}" for branch in branches])
        estimate = self.estimate(branches, key)
        number = self.place.bind(self.place.checks.predicate(among))

        def probe(rid: str) -> str:
            if estimate() < (LIMIT if self.place.whole else _FEW_OF_A_PAGE):
                return f"{rid} IN ({union})"
            return f"among({number}, (SELECT keys FROM res WHERE rid = {rid}))"

        return Term(name, probe, source=union, estimate=estimate, probe_cost=3)


def inner(branch: str) -> str:
    """The branch with its table named y: within a statement that drives from an x."""
    return branch.replace(" x ", " y ", 1).replace("x.", "y.")
