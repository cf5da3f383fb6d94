"""Clinical dates: what a criterion on them asks of the scalar dates of a document, and the keys of months.

A document holds of its clinical dates [l, u) the highest lower end `d`, the lowest lower end `a` and the highest upper
end `e`. Each condition on one end is exact on one of them, whatever dates there are: some l >= x if d >= x, some l < x
if a < x, some u > x if e > x. A condition on both ends of one date, or on how early it ends, is a `Box` of d and e.
A box finds nothing wrong (the date that ends at e begins at d or before), and all there is among ordinary resources;
the others (documents.is_ordinary) have a key of their own and their intervals in `r`.

Boxes of an index over d and e are read without a document: they are counted and sorted there. Where much lies within
one, pages in creation order come from the keys of months, years and decades in which `e` lies, merged by the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

from server.search.instant import MAX, MIN
from server.search.query import RangeOperand
from server.store.bounds import Bound, alternatives
from server.store.mongo.driver import Document

DAY = 86_400_000_000
ORDINARY = 32 * DAY
"""Longest duration of a clinical date that is no unusual one."""
_NARROW = 400 * DAY
"""Widest span of dates that the index over code, patient and date is taken for: what lies within is sorted."""
_WIDE = 8 * DAY
"""Shortest span that is read by the keys of months: of a shorter one less is sorted than they would lead past."""
_MOST_BOXES = 12

_FIRST, _END = 1900 * 12, 2050 * 12
"""Months that have keys; what lies before or after has one key each. Periods to come are looked into as well: more of
them would cost each search."""
_YEAR, _DECADE = 12, 120


# ---------------------------------------------------------------- months


def _month(microseconds: int) -> int:
    """Months since the year 0, one before the first or at the end where it lies outside."""
    if microseconds < _FIRST_INSTANT:
        return _FIRST - 1
    if microseconds >= _END_INSTANT:
        return _END
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return at.year * 12 + at.month - 1


def _instant(month: int) -> int:
    return int(datetime(month // 12, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


_FIRST_INSTANT, _END_INSTANT = _instant(_FIRST), _instant(_END)


@lru_cache(4096)
def _around(month: int) -> tuple[str, ...]:
    if not _FIRST <= month < _END:
        return (str(month),)
    return f"{month}", f"{month // _YEAR}y", f"{month // _DECADE}d"


def periods_of(end: int) -> tuple[str, ...]:
    """Names of the month, the year and the decade in which dates that end there end."""
    return _around(_month(end - 1))


def periods_between(low: int, high: int) -> list[str]:
    """The fewest periods that cover all months from one instant to another."""
    month, last = _month(low), _month(high)
    found = []
    while month <= last:
        if month % _DECADE == 0 and month + _DECADE - 1 <= last and month < _END:
            found.append(f"{month // _DECADE}d")
            month += _DECADE
        elif month % _YEAR == 0 and month + _YEAR - 1 <= last and month < _END:
            found.append(f"{month // _YEAR}y")
            month += _YEAR
        else:
            found.append(str(month))
            month += 1
    return found


# ---------------------------------------------------------------- boxes


class Box(NamedTuple):
    """d in [low, high), e in (above, until]."""

    low: int = MIN
    high: int = MAX
    above: int = MIN
    until: int = MAX

    def meets(self, other: Box) -> Box:
        return Box(
            max(self.low, other.low),
            min(self.high, other.high),
            max(self.above, other.above),
            min(self.until, other.until),
        )

    def narrowed(self) -> Box:
        """To where ordinary dates are that lie in it."""
        low = self.low if self.above == MIN else max(self.low, self.above + 1 - ORDINARY)
        return Box(low, min(self.high, self.until), self.above if self.above > low else MIN, self.until)

    def empty(self) -> bool:
        return self.low >= self.high or self.above >= self.until

    def where(self) -> Document:
        d: Document = {"$gte": self.low}
        if self.high < MAX:
            d["$lt"] = self.high
        e: Document = {}
        if self.above > MIN:
            e["$gt"] = self.above
        if self.until < MAX:
            e["$lte"] = self.until
        return {"d": d, "e": e} if e else {"d": d}


_SCALARS = {"l>=": ("d", "$gte"), "l<": ("a", "$lt"), "u>": ("e", "$gt")}
_OPERATORS = {">=": "$gte", "<": "$lt", "<=": "$lte", ">": "$gt"}


@dataclass(frozen=True, slots=True)
class Dates:
    """What one or more criteria on the clinical date ask."""

    boxes: tuple[Box, ...]
    """Of which one must hold, all narrowed."""
    exact: Document
    """The same of any document, without an index."""
    unusual: Document
    """The same of documents that are not ordinary."""
    within: tuple[Document, ...]
    """Conditions on `r` that are all of those and say where an interval begins; none if they are others or many."""
    single: bool
    """It is one criterion."""

    def narrow(self) -> bool:
        return self._span() <= _NARROW and len(self.boxes) <= _MOST_BOXES

    def days(self) -> float:
        return self._span() / DAY

    def _span(self) -> int:
        low, high = min((box.low for box in self.boxes), default=0), max((box.high for box in self.boxes), default=0)
        return high - low

    def open(self, *, above: bool) -> bool:
        """Whether all that lies late enough (or early enough) is asked for."""
        return any(box.high == MAX if above else box.low == MIN for box in self.boxes)

    def periods(self) -> tuple[list[str], bool] | None:
        """Names of all periods in which ordinary dates asked for may end, and whether all others that are asked for
        end there as well; None where they would lead past most."""
        low = min((max(box.low, box.above) for box in self.boxes), default=MAX)
        high = max((min(box.until - 1, box.high - 1 + ORDINARY) for box in self.boxes), default=MIN)
        if high - low < _WIDE or len(self.boxes) > _MOST_BOXES:
            return None
        endless = any(box.high == MAX for box in self.boxes)
        return periods_between(low, MAX if endless else high), self.single and endless


def _of(bounds: Sequence[Bound]) -> Box:
    low, high, above, until = MIN, MAX, MIN, MAX
    for end, sign, value in bounds:
        edge = int(value)
        match end + sign:
            case "l>=":
                low = max(low, edge)
            case "l<":
                high = min(high, edge)
            case "u>":
                above = max(above, edge)
            case _:
                until = min(until, edge)
    return Box(low, high, above, until).narrowed()


def _interval(bounds: Sequence[Bound], symbols: Sequence[int]) -> Document:
    asked: Document = {"p": {"$in": list(symbols)}}
    for end, sign, value in bounds:
        asked.setdefault(end, {})[_OPERATORS[sign]] = int(value)
    return {"r": {"$elemMatch": asked}}


def any_of(wheres: Sequence[Document]) -> Document:
    return wheres[0] if len(wheres) == 1 else {"$or": list(wheres)}


def _exact(bounds: Sequence[Bound], box: Box, symbols: Sequence[int]) -> tuple[Document, Document]:
    """Of all documents; of those that are not ordinary."""
    if len(bounds) == 1 and (scalar := _SCALARS.get(bounds[0].end + bounds[0].sign)):
        field, operator = scalar
        one = {field: {operator: int(bounds[0].value)}}
        return one, one
    interval = _interval(bounds, symbols)
    return any_of([box.where(), interval]), interval


def _from(low: int, high: int) -> Iterator[tuple[Box, Document, Document]]:
    """What begins at low or later, or ends behind high: this is `ge` for any dates, because what ends at high or before
    and begins at low or later lies within."""
    for box, where in (
        (Box(low=low), {"d": {"$gte": low}}),
        (Box(high=low, above=high).narrowed(), {"e": {"$gt": high}}),
    ):
        yield box, where, where


def _asked(operand: RangeOperand, symbols: Sequence[int]) -> Iterator[tuple[Box, Document, Document]]:
    if operand.prefix == "ge":
        yield from _from(int(operand.lower), int(operand.upper))
        return
    for bounds in alternatives(operand):
        box = _of(bounds)
        yield box, *_exact(bounds, box, symbols)


def dates_of(operands: Sequence[RangeOperand], symbols: Sequence[int]) -> Dates:
    """symbols: of the intervals of the clinical date."""
    boxes, exact, unusual = zip(*(each for operand in operands for each in _asked(operand, symbols)), strict=True)
    within = unusual if len(unusual) <= _MOST_BOXES and all(map(_within, unusual)) else ()
    return Dates(tuple(box for box in boxes if not box.empty()), any_of(exact), any_of(unusual), within, True)


def _within(where: Document) -> bool:
    return "r" in where and "$gte" in where["r"]["$elemMatch"].get("l", {})


def common(several: Sequence[Dates]) -> Dates | None:
    """What all of them ask; None if that is too many boxes."""
    if len(several) == 1:
        return several[0]
    if prod(len(one.boxes) for one in several) > _MOST_BOXES:
        return None
    boxes = tuple(dict.fromkeys(_met(several)))
    exact, unusual = ({"$and": [getattr(one, name) for one in several]} for name in ("exact", "unusual"))
    return Dates(boxes, exact, unusual, (), False)


def _met(several: Sequence[Dates]) -> Iterator[Box]:
    for boxes in product(*(one.boxes for one in several)):
        met = Box()
        for box in boxes:
            met = met.meets(box)
        if not (met := met.narrowed()).empty():
            yield met
