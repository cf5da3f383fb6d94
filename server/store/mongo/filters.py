"""Criteria -> filters of MongoDB on the resources of one type.

A filter finds at least all that fulfil its criterion. It is `exact` if it finds nothing else: then it may be counted
and negated by the server. What rests on hashes, pieces of text or single components is not, and every document found
is judged by its values (candidates.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

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
    RangeOperand,
    ReferenceOperand,
)
from server.store.bounds import alternatives
from server.store.contract import DELETED
from server.store.mongo.dates import Dates, any_of, common
from server.store.mongo.documents import CONTENT, Hashes, shape_space, type_name
from server.store.mongo.driver import Document
from server.store.mongo.hashing import gram_keys
from server.store.mongo.symbols import Name, Symbols
from server.store.principal import PATIENT_PARAMETERS

_MANY_ALTERNATIVES = 100
_MOST_PIECES = 16
"""Of a text that are asked for: the server considers each as the one that leads, 3 seconds of a thousand."""
LIVE: Document = {"m": {"$lt": DELETED}}


class Parts(NamedTuple):
    """What lies between dates, in two."""

    ordered: Document
    """An index has it in the order of the highest date."""
    others: Document
    days: float
    """Between the dates."""


@dataclass(frozen=True, slots=True)
class Filter:
    where: Document
    name: str
    exact: bool = True
    finds: bool = True
    """An index leads to what it finds, without reading all resources of the type."""
    codes: tuple[int, ...] = ()
    """Symbols of the type's principal code, if that is all it asks."""
    patients: tuple[str, ...] = ()
    """The patients referred to, if that is all it asks."""
    key: int | None = None
    """What it asks, if that is one key that few documents have."""
    walk: Document = field(default_factory=dict)
    """The same, in a form that leads to no index: for going along another one where many match. Empty if few do."""
    along: int | None = None
    """Key of the type that the walk goes along."""
    dates: Dates | None = None
    """What it asks of the clinical date, if that is all it asks."""
    dated: bool = False
    """All that it finds have a clinical date."""
    less: tuple[Document, Document] | None = None
    """The same by two others: what the first finds, without what the second one does, all of which the first finds."""
    parts: Parts | None = None


NOTHING = Filter({"_id": {"$in": []}}, "nothing")
EVERYTHING = Filter({}, "everything", finds=False)
UNKNOWN = Filter({}, "judged by values", exact=False, finds=False)

Staged = Callable[[Chain | Has, str], Awaitable[set[str] | None]]
"""Type/id of the targets (Chain) or of those referred to (Has) where these are few; None if they are many."""


def both(filters: Sequence[Filter], name: str = "") -> Filter:
    """All of them."""
    if any(one is NOTHING for one in filters):
        return NOTHING
    told = [one for one in filters if one.where]
    exact = all(one.exact for one in filters)
    if not told:
        return EVERYTHING if exact else UNKNOWN
    if len(told) == 1 and exact == told[0].exact:
        return told[0]
    # The planner would weigh each of a thousand alternatives against an index that leads to few.
    led = any(one.finds and not _many(one) for one in told)
    wheres = [hidden(one.where) if led and _many(one) else one.where for one in told]
    name = name or " and ".join(one.name for one in told)
    walk = _all([one.walk or one.where for one in told]) if any(one.walk for one in told) else {}
    finds, dated = any(one.finds for one in told), any(one.dated for one in told)
    return Filter(_all(wheres), name, exact, finds, walk=walk, dated=dated, parts=_parts(told, wheres))


def _parts(told: Sequence[Filter], wheres: Sequence[Document]) -> Parts | None:
    """Of filters that must all hold, if one of them has parts."""
    several = [(number, one.parts) for number, one in enumerate(told) if one.parts is not None]
    if len(several) != 1:
        return None
    [(place, (ordered, others, days))] = several
    rest = [where for number, where in enumerate(wheres) if number != place]
    return Parts(_all([ordered, *rest]), _all([others, *rest]), days)


def _many(one: Filter) -> bool:
    return len(one.where.get("$or", ())) > _MANY_ALTERNATIVES


def _all(wheres: Sequence[Document]) -> Document:
    return wheres[0] if len(wheres) == 1 else {"$and": list(wheres)}


def hidden(where: Document) -> Document:
    """The same condition, from which the planner of the server takes no index."""
    return {"$nor": [{"$nor": [where]}]}


def either(filters: Sequence[Filter]) -> Filter:
    """At least one of them."""
    told = [one for one in filters if one is not NOTHING]
    if len(told) < 2:
        return told[0] if told else NOTHING
    if any(not one.where for one in told):
        return EVERYTHING if any(one is EVERYTHING for one in told) else UNKNOWN
    exact, finds = all(one.exact for one in told), all(one.finds for one in told)
    name = " or ".join(dict.fromkeys(one.name for one in told))
    keys = [key for one in told for key in _plain_keys(one.where)]
    if all(_plain_keys(one.where) for one in told):
        return Filter({"k": {"$in": sorted(set(keys))}}, name, exact, finds)
    return Filter({"$or": [one.where for one in told]}, name, exact, finds)


def _plain_keys(where: Document) -> list[int]:
    """Keys of a filter that asks for one of them and nothing else."""
    if where.keys() != {"k"}:
        return []
    asked = where["k"]
    return asked["$in"] if isinstance(asked, dict) else [asked]


def neither(one: Filter) -> Filter:
    if not one.exact:
        return UNKNOWN
    if one is NOTHING:
        return EVERYTHING
    return NOTHING if one is EVERYTHING else Filter({"$nor": [one.where]}, f"not {one.name}", True, finds=False)


def all_but(found: Filter, listing: Filter) -> Filter:
    """Of all resources of a type. What lacks a key is counted as all there is and what has it: an index knows what has
    a key, and each document must be read to see that it lacks one."""
    whole = both([found, listing])
    denied = found.where.get("$nor", ({},))[0]
    alone = found.exact and found.where.keys() == {"$nor"} and _plain_keys(denied)
    return replace(whole, less=(listing.where, denied)) if alone else whole


def with_keys(name: str, keys: Sequence[int], *, exact: bool, codes: bool = False, rare: bool = False) -> Filter:
    """Documents that have one of the keys.   rare: few have the same."""
    found = sorted(set(keys))
    if not found:
        return NOTHING
    where = {"k": found[0] if len(found) == 1 else {"$in": found}}
    key = found[0] if rare and len(found) == 1 else None
    return Filter(where, name, exact, codes=tuple(found) if codes else (), key=key)


class Filters:
    """Filters for the resources of one type."""

    def __init__(self, type: str, symbols: Symbols, hashes: Hashes, staged: Staged) -> None:
        # Imported here: the two files are one subject, and each names the other.
        from server.store.mongo.parameters import Parameters

        self.type = type
        self.hashes = hashes
        self.lasting = True
        """What was made so far stays right: all that it rests on was there and never changes."""
        self._symbols = symbols
        self._staged = staged
        self._parameters = Parameters(self)
        self._shapes: list[Document] | None = None

    async def known(self, names: Sequence[Name]) -> list[tuple[Name, int]]:
        """Those names that are symbols of the store."""
        if await self._symbols.load(names):
            self.lasting = False
        found = [(name, self._symbols.key(name)) for name in names]
        return [(name, key) for name, key in found if key is not None]

    async def symbols(self, spaces: Sequence[str], where: Document) -> list[Document]:
        """See Symbols.find: there may be more another time."""
        self.lasting = False
        return await self._symbols.find(spaces, where)

    async def listing(self) -> Filter:
        """All live resources of the type."""
        known = await self.known([type_name(self.type)])
        return Filter({"k": known[0][1]}, "type", finds=False) if known else NOTHING

    async def all(self, criteria: Sequence[Criterion], *, by_date: bool = False) -> Filter:
        """by_date: pages come in the order of the clinical date."""
        filters = await self._each(_flat(criteria))
        return NOTHING if filters and filters[-1] is NOTHING else both(self._compound(filters, by_date))

    async def _each(self, criteria: Iterable[Criterion]) -> list[Filter]:
        """Up to the first that nothing fulfils: what $everything of all patients says of other types asks nothing."""
        filters: list[Filter] = []
        for criterion in criteria:
            filters.append(await self.of(criterion))
            if filters[-1] is NOTHING:
                break
        return filters

    def _compound(self, filters: list[Filter], by_date: bool) -> list[Filter]:
        """Patient and code have keys together; a code also has its place in the order of dates."""
        codes = next((one for one in filters if one.codes and len(one.codes) <= 16), None)
        patients = next((one for one in filters if len(one.patients) == 1), None)
        asked = [one.dates for one in filters if one.dates is not None]
        dates = common(asked) if asked else None
        if dates is not None and len(asked) > 1:
            many = any(one.walk for one in filters if one.dates)
            filters = [*(one for one in filters if not one.dates), self.dated(dates, many=many)]
        narrow = dates is not None and dates.narrow()
        used, keys = [one for one in (codes, patients) if one is not None], []
        if codes is not None and patients is not None:
            keys = [self.hashes.patient_code(patients.patients[0], code) for code in codes.codes]
        elif patients is not None:
            keys = [self.hashes.patient(self.type, patients.patients[0])]
        elif codes is not None:
            keys = list(codes.codes)
        if not (len(used) == 2 or (used and (by_date or narrow))):
            return filters
        where: Document = {"c": keys[0] if len(keys) == 1 else {"$in": sorted(keys)}}
        name = " and ".join(one.name for one in reversed(used)) + (" by date" if by_date or narrow else "")
        rest = [one for one in filters if one not in used]
        parts = None
        if dates is not None and narrow:
            where, parts = self._boxes(where, dates)
            name = f"{name} and date"
            rest = [one for one in rest if not one.dates]
        return [Filter(where, name, exact=patients is None, dated=narrow, parts=parts), *rest]

    def _boxes(self, of: Document, dates: Dates) -> tuple[Document, Parts | None]:
        """Documents with these dates: as one filter, and as parts. of: equality with a field that is indexed before d,
        n and e."""
        ordinary = [{**of, **box.where()} for box in dates.boxes]
        # One index is left to the server for each: it would try all that it might take. Keys and intervals tell the
        # type.
        also = [of] if of.keys() != {"t"} else []
        others = [{"k": self.hashes.beyond(self.type), **hidden(_all([*also, dates.unusual]))}]
        if dates.within:
            others = [{**one, **(hidden(of) if also else {})} for one in dates.within]
        parts = Parts(any_of(ordinary), any_of(others), dates.days()) if ordinary else None
        return {"$or": [*ordinary, *others]}, parts

    def dated(self, dates: Dates, *, many: bool) -> Filter:
        """many: much of all there is may be asked for."""
        walk = hidden(dates.exact) if many else {}
        where, parts = self._boxes({"t": self.type}, dates)
        return Filter(where, "date", walk=walk, dates=dates, dated=True, parts=parts)

    def in_creation_order(self, found: Filter) -> Filter:
        """What `dated` finds, led to by keys in that order, unless little lies between the dates."""
        periods = found.dates.periods() if found.dates is not None else None
        if found.dates is None or periods is None:
            return replace(found, walk={}, parts=None)
        names, complete = periods
        keys = [self.hashes.period(self.type, name) for name in names]
        if not complete:
            keys.append(self.hashes.beyond(self.type))
        return replace(found, where={"k": {"$in": sorted(keys)}, **hidden(found.dates.exact)}, walk={}, parts=None)

    async def of(self, criterion: Criterion) -> Filter:
        match criterion:
            case Match():
                return await self._parameters.match(criterion)
            case And(criteria):
                return both(await self._each(criteria))
            case Or(criteria):
                return either([await self.of(one) for one in criteria])
            case Not(inner):
                return neither(await self.of(inner))
            case Ids():
                return self._ids(criterion)
            case IsType(types):
                return EVERYTHING if self.type in types else NOTHING
            case LastUpdated():
                return self._last_updated(criterion)
            case Missing():
                return await self.missing(criterion.parameter.code, criterion.missing)
            case Chain():
                return await self._chain(criterion)
            case Has():
                found = await self._reached(criterion)
                return UNKNOWN if found is None else self.with_ids(found, exact=False)
            case InCompartment():
                return await self._compartment(criterion)
            case FullText():
                return self._full_text(criterion)

    # -------------------------------------------------------------------------------- the resource itself

    def with_ids(self, keys: set[str], *, exact: bool) -> Filter:
        return Filter({"_id": {"$in": sorted(keys)}, **LIVE}, "id", exact) if keys else NOTHING

    def _ids(self, criterion: Ids) -> Filter:
        asked = {f"{self.type}/{id}" for type, id in criterion.ids if type in (None, self.type)}
        return self.with_ids(asked, exact=True)

    def _last_updated(self, criterion: LastUpdated) -> Filter:
        """Milliseconds m stand for the microseconds [1000 m, 1000 m + 1000)."""
        options = []
        for operand in criterion.operands:
            for bounds in alternatives(operand):
                where: Document = {}
                for end, sign, value in bounds:
                    edge = -(-int(value) // 1000) if end == "l" else (int(value) - 1000) // 1000
                    tighten(where, _OPERATORS[sign], edge)
                options.append(Filter({"t": self.type, "l": where, **LIVE}, "lastUpdated"))
        return either(options)

    async def missing(self, code: str, missing: bool) -> Filter:
        """By the shape of a resource: the set of parameters that have a value."""
        if self._shapes is None:
            self._shapes = await self.symbols([shape_space(self.type)], {})
        wanted = [shape["_id"] for shape in self._shapes if (code not in shape["v"].split("\n")) == missing]
        return with_keys("shape", wanted, exact=True)

    async def present(self, code: str) -> Filter:
        """Resources with any value, of which their values decide."""
        found = await self.missing(code, missing=False)
        return found if found is NOTHING else Filter(found.where, f"{code}, judged by values", exact=False, finds=False)

    async def types(self) -> list[str]:
        """See Symbols.types: there may be more another time."""
        self.lasting = False
        return await self._symbols.types()

    # -------------------------------------------------------------------------------- other resources

    async def _reached(self, criterion: Chain | Has) -> set[str] | None:
        self.lasting = False
        return await self._staged(criterion, self.type)

    async def _chain(self, criterion: Chain) -> Filter:
        found = await self._reached(criterion)
        if found is None:
            return await self.present(criterion.parameter.code)
        return self.referring(criterion.parameter.code, found, "chain")

    def referring(self, code: str, targets: set[str], name: str) -> Filter:
        """Resources that refer by the parameter to one of the targets (Type/id)."""
        owners = [key.partition("/")[2] for key in targets if key.startswith("Patient/")]
        patients = owners if code in PATIENT_PARAMETERS else []
        others = [key for key in targets if not (patients and key.startswith("Patient/"))]
        options = []
        if patients:
            keys = sorted({self.hashes.patient(self.type, id) for id in patients})
            where: Document = {"k": keys[0] if len(keys) == 1 else {"$in": keys}}
            options.append(Filter(where, "patient", exact=False, patients=tuple(patients) if not others else ()))
        if others:
            hashed = [self.hashes.reference(self.type, code, key) for key in others]
            options.append(with_keys(name, hashed, exact=False))
        return either(options)

    async def _compartment(self, criterion: InCompartment) -> Filter:
        found = []
        for type, parameters in criterion.parameters:
            if type == self.type:
                operand = (ReferenceOperand(criterion.type, criterion.id, None, None),)
                found = [await self.of(Match(parameter, "", operand)) for parameter in parameters]
        if criterion.itself and criterion.type == self.type:
            found.append(self._ids(Ids(((criterion.type, criterion.id),))))
        return either(found)

    def _full_text(self, criterion: FullText) -> Filter:
        """Pieces of the texts narrow down, the texts decide. Phrases of one or two letters have no pieces."""
        options = []
        for phrases in criterion.alternatives:
            grams: set[int] = set()
            for phrase in phrases:
                grams |= gram_keys(self.type + CONTENT, phrase)
            options.append(with_grams(grams))
        return either(options)


_OPERATORS = {">=": "$gte", "<": "$lt", "<=": "$lte", ">": "$gt"}


def tighten(where: Document, operator: str, value: Any) -> None:
    """Adds a bound; of two in the same direction the narrower stays."""
    known = where.get(operator)
    if known is not None:
        value = max(known, value) if operator in ("$gte", "$gt") else min(known, value)
    where[operator] = value


def with_grams(grams: set[int]) -> Filter:
    """Some of many pieces lead to hardly more than all of them: their order is that of hashes."""
    if not grams:
        return UNKNOWN
    return Filter({"g": {"$all": sorted(grams)[:_MOST_PIECES]}}, "pieces of text", exact=False)


def _flat(where: Sequence[Criterion]) -> list[Criterion]:
    return [
        one for criterion in where for one in (_flat(criterion.criteria) if isinstance(criterion, And) else [criterion])
    ]


class Ends(NamedTuple):
    """Conditions on the ends of an interval."""

    lower: Document
    upper: Document
    above: int | None
    """The upper end is above it: the lower one is above that less the width."""


def date_ends(operands: Sequence[RangeOperand]) -> list[Ends]:
    """Of exact intervals that fulfil one of the operands."""
    found = []
    for bounds in itertools.chain.from_iterable(map(alternatives, operands)):
        lower: Document = {}
        upper: Document = {}
        above = None
        for end, sign, value in bounds:
            edge = int(value)
            tighten(lower if end == "l" else upper, _OPERATORS[sign], edge)
            if sign == "<=":
                tighten(lower, "$lt", edge)
            elif end == "u":
                above = edge
        found.append(Ends(lower, upper, above))
    return found


def date_bounds(ends: Sequence[Ends], longest: int | None) -> list[Document]:
    """Conditions on {l, u}; `longest` width of the intervals asked gives the index a lower end."""
    found = []
    for lower, upper, above in ends:
        if longest is not None and above is not None:
            lower = {**lower, "$gt": above - longest}
        found.append({"l": lower, "u": upper} if lower and upper else {"l": lower} if lower else {"u": upper})
    return found


_POINTS = {"l>=": "$gte", "l<": "$lt", "u<=": "$lt", "u>": "$gte"}


def number_bounds(operand: RangeOperand, *, points: bool, written: bool) -> list[Document]:
    """Conditions on intervals of doubles; points stand for the one double they are: [x, next double)."""
    low, up = ("w", "z") if written else ("l", "u")
    found = []
    for bounds in alternatives(operand):
        where: Document = {}
        for end, sign, value in bounds:
            if points:
                tighten(where.setdefault(low, {}), _POINTS[end + sign], float(value))
            else:
                tighten(where.setdefault(low if end == "l" else up, {}), _OPERATORS[sign], float(value))
        found.append(where)
    return found
