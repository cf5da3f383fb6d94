"""A criterion as the planner sees it: a condition on a resource's number, and where to find all that fulfil it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.search.query import RangeOperand
from server.store.bounds import Bound

Probe = Callable[[str], str]
"""SQL expression of a rid -> SQL condition that the resource fulfils the criterion."""


_COMPOUND = 200
"""SELECTs of one compound: SQLite allows 500, and conditions a thousand deep."""


def union_all(selects: Sequence[str]) -> str:
    """One SELECT of all rows of many."""
    if len(selects) <= _COMPOUND:
        return " UNION ALL ".join(selects)
    parts = [selects[start : start + _COMPOUND] for start in range(0, len(selects), _COMPOUND)]
    return union_all([f"SELECT * FROM ({union_all(part)})" for part in parts])


def either(conditions: Sequence[str]) -> str:
    """One condition that holds if one of many does."""
    if len(conditions) <= _COMPOUND:
        return "(" + " OR ".join(conditions) + ")"
    return either([either(conditions[start : start + _COMPOUND]) for start in range(0, len(conditions), _COMPOUND)])


@dataclass(frozen=True, slots=True)
class Zone:
    """Where in creation order the dates of a range can be."""

    key: int
    """In the table of zones."""
    where: str
    """Condition on the blocks z of rids that can hold such a date."""
    every: tuple[tuple[Bound, ...], ...]
    """The alternatives of the range."""


@dataclass(slots=True)
class Term:
    """A criterion on live resources of one type."""

    name: str
    """What it uses, for `explain`."""
    probe: Probe
    """Exact."""
    source: str | None = None
    """SELECT of all rids that may fulfil it, in any order, perhaps repeated; None if it can only be probed."""
    branches: tuple[str, ...] = ()
    """Instead of source: `table x WHERE ...` each giving rids in ascending order by its index."""
    beside: str | None = None
    """The same condition on the columns of `res`, for candidates that are read there anyway."""
    recheck: Probe | None = None
    """What decides on the rids of an index that only approximates; None if source or branches are exact."""
    estimate: Callable[[], int] = field(default=lambda: 1)
    probe_cost: float = 1.2
    """Microseconds."""
    symbols: tuple[int, ...] = ()
    """Of a token that is the type's principal code."""
    lead: tuple[RangeOperand, ...] = ()
    """Of a range on the type's principal date."""
    along: tuple[str, ...] = ()
    """Of such a range: `dat x WHERE ...` of its rows, each in the order of the dates."""
    zone: Zone | None = None
    parts: tuple[Term, ...] = ()
    """Instead of this term, all of these: each may drive by itself."""
    patient: int | None = None
    """Of the only patient asked for: its branch is in the compartment index."""
    few: bool = False
    """Found by an id or an identifier: nothing is cheaper to start from."""
    scan: Callable[[], float] | None = None
    """Microseconds to read the whole source; None: by the estimate."""

    @property
    def finds(self) -> bool:
        return self.source is not None or bool(self.branches)

    def rids(self) -> str:
        """SELECT of the rids that fulfil it."""
        found = self.source or union_all([f"SELECT x.rid FROM {branch}" for branch in self.branches])
        return found if self.recheck is None else f"SELECT z.rid FROM ({found}) z WHERE {self.recheck('z.rid')}"


NOTHING = Term("nothing", lambda rid: "FALSE", source="SELECT NULL AS rid WHERE FALSE", estimate=lambda: 0)
EVERYTHING = Term("everything", lambda rid: "TRUE", probe_cost=0)


class Binder:
    """Values of one statement, by name: conditions may be repeated in several of its branches."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self._aliases = 0

    def alias(self) -> str:
        """A table name that no other part of the statement uses."""
        self._aliases += 1
        return f"g{self._aliases}"

    def __call__(self, value: object) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return ":" + name
