"""Bounds of intervals (server/store/bounds.py) as SQL conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nextafter

from server.store.bounds import Bound

Bind = Callable[[object], str]


def dates(
    bounds: Sequence[Bound], lower: str, width: str, longest: int | None, bind: Bind, *, beyond: int | None = None
) -> str:
    """Condition on an exact interval of integers; `longest` width of the rows asked gives the index a lower end.

    beyond: lower ends from there on are none. It is said only where the bounds leave that side open: of two upper ends
    SQLite may take this one for its range, and read all that is later than what is asked for.
    """
    parts = []
    if beyond is not None and not any(sign in ("<", "<=") for _, sign, _ in bounds):
        parts.append(f"{lower} < {beyond}")
    for end, sign, value in bounds:
        bound = bind(int(value))
        if end == "l":
            parts.append(f"{lower} {sign} {bound}")
            continue
        parts.append(f"{lower} + {width} {sign} {bound}")
        if sign == "<=":
            parts.append(f"{lower} < {bound}")
        elif longest is not None:
            parts.append(f"{lower} > {bind(int(value) - longest)}")
    return " AND ".join(parts)


def zone(every: list[list[Bound]], bind: Bind) -> str:
    """Condition that a block z, whose dates lie within [lo, up), may hold what one of the alternatives asks for."""

    def possible(bounds: list[Bound]) -> str:
        # Something must begin late enough or end late enough; or begin early enough or end early enough.
        return " AND ".join(
            f"z.up > {bind(int(value))}" if sign in (">=", ">") else f"z.lo < {bind(int(value))}"
            for _, sign, value in bounds
        )

    return "(" + " OR ".join(f"({possible(bounds)})" for bounds in every) + ")"


_POINT = {"l>=": ">=", "l<": "<", "u<=": "<", "u>": ">="}


def points_beside(bounds: list[Bound], column: str, of: Callable[[float], float], bind: Bind) -> str:
    """Condition on another column, which is `of` the one that `points` is about, rounded: never less for a larger one.
    It follows from that condition, and lets an index by this column be used for it."""
    parts = []
    for end, sign, value in bounds:
        upwards = _POINT[end + sign] == ">="
        there = of(float(value))
        edge = nextafter(nextafter(there, -inf), -inf) if upwards else nextafter(nextafter(there, inf), inf)
        parts.append(f"{column} {'>=' if upwards else '<='} {bind(edge)}")
    return " AND ".join(parts)


_CLOSED = {"l>=": ("lo", ">="), "l<": ("lo", "<"), "u<=": ("up", "<"), "u>": ("up", ">=")}


def points(bounds: list[Bound], column: str, bind: Bind) -> str:
    """Condition on numbers that stand for the one double they are: [x, next double)."""
    return " AND ".join(f"{column} {_POINT[end + sign]} {bind(float(value))}" for end, sign, value in bounds)


def spans(bounds: list[Bound], prefix: str, bind: Bind) -> str:
    """Condition on closed intervals of doubles in the columns `lo` and `up` behind `prefix`."""
    parts = []
    for end, sign, value in bounds:
        column, comparison = _CLOSED[end + sign]
        parts.append(f"{prefix}{column} {comparison} {bind(float(value))}")
    return " AND ".join(parts)


def instants(bounds: list[Bound], column: str, bind: Bind) -> str:
    """Condition on milliseconds `m` that stand for the microseconds [1000 m, 1000 m + 1000)."""
    parts = []
    for end, sign, value in bounds:
        if end == "l":
            parts.append(f"{column} {sign} {bind(-(-int(value) // 1000))}")
        else:
            parts.append(f"{column} {sign} {bind((int(value) - 1000) // 1000)}")
    return " AND ".join(parts)


def above(number: float) -> float:
    """The next double."""
    return nextafter(number, inf)
