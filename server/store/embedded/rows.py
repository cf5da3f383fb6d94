"""Index values -> rows of the index tables, and the compact form of a resource's rows that is stored beside its body.

The compact form (`keys`) says which rows a resource has, so that an update writes only what differs and a deletion
leaves nothing behind, whatever has become of the definitions meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from server.search.fold import fold
from server.search.query import Parameter
from server.search.values import (
    Composite,
    Date,
    Index,
    Number,
    OfType,
    Position,
    Quantity,
    Reference,
    String,
    Token,
    Uri,
    Value,
)
from server.store.embedded.symbols import ELSEWHERE, Numbering
from server.store.principal import PATIENT_PARAMETERS, PRINCIPAL, REPEATS

TEXT = ":text"
IDENTIFIER = ":identifier"
OF_TYPE = ":of-type"
"""Behind a parameter's code: rows that only this modifier asks for."""

DAY = 86_400_000_000
DURATIONS = (DAY, 32 * DAY, 367 * DAY, 1 << 63)
"""Longest duration of each class of dates: a search for what overlaps looks back by no more than that."""
CLASSES = len(DURATIONS)

BOTH, ASCENDING, DESCENDING, NEITHER = 0, 1, 2, 3
"""Which order a date row serves: ascending takes a resource's lowest date, descending its highest."""


class Rows(NamedTuple):
    """One resource's rows, without its rid. Sorted, so that equal values give equal keys."""

    code: list[Any]
    """Symbols of the type's principal code parameter."""
    tok: list[Any]
    """Other symbols; among them one for the shape."""
    ident: list[Any]
    """[k, value, symbol of the system]"""
    str: list[Any]
    """[k, text]"""
    dat: list[Any]
    """[k * CLASSES + class, lower, width, serves]"""
    num: list[Any]
    """[symbol of parameter and unit, canonical number, number as written]"""
    rng: list[Any]
    """[the same symbol, canonical lower, upper, lower and upper as written], closed intervals"""
    ref: list[Any]
    """[target, k]"""
    comp: list[Any]
    """[patient, bits of PATIENT_PARAMETERS]"""
    geo: list[Any]
    """[k, latitude, longitude]"""


NOTHING = Rows([], [], [], [], [], [], [], [], [], [])


class Made(NamedTuple):
    """Rows, and what else the tables ask of them: everything that needs no write lock."""

    rows: Rows
    dates: list[Any]
    """Those rows of `dat` that are of the type's principal date."""
    keys: str
    strings: str
    """What the trigram index has of it, a line each."""


def made(rows: Rows, date: int | None) -> Made:
    """date: k of the type's principal date, None if it has none."""
    keys = orjson.dumps(list(rows)).decode()
    return Made(rows, principal_dates(rows, date), keys, "\n".join([row[1] for row in rows.str]))


def principal_dates(rows: Rows, date: int | None) -> list[Any]:
    return [row for row in rows.dat if row[0] // CLASSES == date] if date else []


def from_keys(stored: str | None) -> Rows:
    return Rows(*orjson.loads(stored)) if stored else NOTHING


UNMADE = Made(NOTHING, [], "", "")
"""Of a deletion."""


def duration_class(width: int) -> int:
    for number, longest in enumerate(DURATIONS):
        if width <= longest:
            return number
    raise ValueError(width)


def closed(upper: float) -> float:
    """The largest double below a half-open upper bound."""
    return math.nextafter(upper, -math.inf)


def _is_point(number: Number) -> bool:
    return number.lower == number.value == closed(number.upper)


def unit_key(value: Quantity) -> tuple[str, str]:
    """System and code of the symbol that stands for a unit as written and what it is in base units."""
    return value.system or "", "\0".join((value.code or "", value.unit or "", value.canonical_code or ""))


class Learned(NamedTuple):
    """What storing the values of a parameter depends on."""

    identifying: bool
    repeats: tuple[str, ...]
    patient: int
    """Bit of PATIENT_PARAMETERS."""
    leads: bool
    """It is the type's principal code."""
    components: tuple[str, ...]
    """Of a composite."""
    dated: bool
    """It is the type's principal date."""


class Parameters:
    """What is known of parameters, once per process: definitions are asked on the first use of each."""

    def __init__(self, parameter: Callable[[str, str], Parameter | None]) -> None:
        self._parameter = parameter
        self._known: dict[str, dict[str, Learned]] = {}

    def of(self, type: str) -> dict[str, Learned]:
        return self._known.setdefault(type, {})

    def learn(self, type: str, code: str) -> Learned:
        owner, _, name = code[1:].partition(".") if code.startswith("#") else (type, "", code)
        parameter = self._parameter(owner, name)
        principal = PRINCIPAL.get(type)
        learned = Learned(
            identifying=parameter is not None and parameter.identifying,
            repeats=REPEATS.get((type, code), ()),
            patient=PATIENT_PARAMETERS.get(code, 0),
            leads=principal is not None and principal.code == code,
            components=tuple(component.code for component in parameter.components) if parameter else (),
            dated=principal is not None and principal.date == code,
        )
        if parameter is not None:  # a custom parameter may become known later
            self._known[type][code] = learned
        return learned


class Builder:
    """Makes the rows of resources within one transaction, or ahead of it (ahead.py)."""

    def __init__(self, numbering: Numbering, parameters: Parameters) -> None:
        self._numbering = numbering
        self._parameters = parameters

    def build(self, type: str, t: int, index: Index, target: Callable[[str, str], int]) -> Made:
        """target: number of the resource that a local reference names."""
        return made(*self.rows(type, t, index, target))

    def rows(self, type: str, t: int, index: Index, target: Callable[[str, str], int]) -> tuple[Rows, int | None]:
        """Rows, and k of the type's principal date if they have some of it."""
        numbering = self._numbering
        resource = _Resource(numbering, t, target)
        known = self._parameters.of(type)
        numbers = numbering.params(t)
        shape = []
        date = None
        for code, values in index.items():
            if not values:
                continue
            k = numbers.get(code) or numbering.param(t, code)
            learned = known.get(code) or self._parameters.learn(type, code)
            if learned.components:
                shape.append(k if _says_its_components(values, learned.components, index) else -k)
                continue
            if values[0].__class__ is Composite:
                shape.append(-k)
                continue
            shape.append(k)
            if learned.dated:
                date = k
            if learned.repeats:
                present = {value for part in learned.repeats for value in index.get(part, ())}
                values = [value for value in values if value not in present]
                if not values:
                    continue
            _ADD[values[0].__class__](resource, code, k, values, learned)
        resource.tok.append(numbering.shape(t, tuple(shape)))
        return resource.rows(), date


def _says_its_components(values: Sequence[Value], components: tuple[str, ...], index: Index) -> bool:
    """Whether a composite has one value only, made of all that its components have: then it says no more than they."""
    one = values[0]
    return (
        len(values) == 1
        and isinstance(one, Composite)
        and all(list(found) == index.get(code) for found, code in zip(one.components, components, strict=False))
    )


def unique(rows: list[Any]) -> list[Any]:
    return sorted(set(rows))


class _Resource:
    """Rows of one resource while they are gathered."""

    __slots__ = (
        "_comp",
        "_dat",
        "_geo",
        "_ident",
        "_num",
        "_numbering",
        "_ref",
        "_rng",
        "_str",
        "_t",
        "_target",
        "code",
        "tok",
    )

    def __init__(self, numbering: Numbering, t: int, target: Callable[[str, str], int]) -> None:
        self._numbering = numbering
        self._t = t
        self._target = target
        self.code: list[int] = []
        self.tok: list[int] = []
        self._ident: list[tuple[int, str, int]] = []
        self._str: list[tuple[int, str]] = []
        self._dat: list[tuple[int, int, int, int]] = []
        self._num: list[tuple[int, float, float]] = []
        self._rng: list[tuple[int, float, float, float, float]] = []
        self._ref: list[tuple[int, int]] = []
        self._comp: dict[int, int] = {}
        self._geo: list[tuple[int, float, float]] = []

    def rows(self) -> Rows:
        found = (self.code, self.tok, self._ident, self._str, self._dat, self._num, self._rng, self._ref)
        eight = [unique(rows) if len(rows) > 1 else rows for rows in found]
        return Rows._make([*eight, sorted(self._comp.items()), unique(self._geo)])

    # -------------------------------------------------------------------------------- tokens

    def tokens(self, code: str, k: int, values: Sequence[Token | OfType], learned: Learned) -> None:
        if not learned.identifying:
            self._codes(code, k, values, self.code if learned.leads else self.tok)
            return
        self._identifiers(code, k, [value for value in values if isinstance(value, Token)])
        for value in values:
            if isinstance(value, OfType):
                self._of_type(code, value)

    def _codes(self, code: str, k: int, tokens: Sequence[Any], rows: list[int]) -> None:
        numbering = self._numbering
        syms, texts = numbering.syms, numbering.texts
        symbols = []
        plain = []
        for system, value, shown in tokens:
            if system or value:
                key = k, system or "", value or ""
                s = syms.get(key) or numbering.symbol(*key)
                symbols.append(s)
                if shown:
                    said = k, fold(shown), s
                    if said not in texts:
                        numbering.text(*said)
            elif shown:
                plain.append(fold(shown))
        rows += symbols
        for shown in plain:
            self._plain_text(code, k, shown, symbols)

    def _plain_text(self, code: str, k: int, text: str, symbols: list[int]) -> None:
        """The text of a concept: it belongs to one of its codes where there are some, which costs no row."""
        if symbols:
            self._numbering.text(k, text, symbols[0])
        else:
            self.tok.append(self._numbering.symbol(self._numbering.param(self._t, code + TEXT), "", text))

    def _identifiers(self, code: str, k: int, tokens: list[Token]) -> None:
        for token in tokens:
            if token.system or token.code:
                self._ident.append((k, token.code or "", self._system(token.system)))
            if token.text:
                self._plain_text(code, k, fold(token.text), [])

    def _system(self, system: str | None) -> int:
        return self._numbering.symbol(0, "", system) if system else 0

    def _of_type(self, code: str, value: OfType) -> None:
        k = self._numbering.param(self._t, code + OF_TYPE)
        self._ident.append((k, value.value, self._numbering.symbol(k, value.system or "", value.code)))

    # -------------------------------------------------------------------------------- the rest

    def references(self, code: str, k: int, values: Sequence[Reference], learned: Learned) -> None:
        for type, id, _, url, identifier in values:
            if identifier is not None and (identifier.code or identifier.system):
                by_identifier = self._numbering.param(self._t, code + IDENTIFIER)
                self._ident.append((by_identifier, identifier.code or "", self._system(identifier.system)))
            if type is not None and id is not None:
                target = self._target(type, id)
                if learned.patient and type == "Patient":
                    self._comp[target] = self._comp.get(target, 0) | learned.patient
                else:
                    self._ref.append((target, k))
            elif url is not None:
                self._ref.append((self._numbering.absent(ELSEWHERE, url), k))

    def dates(self, code: str, k: int, values: Sequence[Date], learned: Learned) -> None:
        if len(values) == 1:
            lower, upper = values[0]
            self._dat.append((k * CLASSES + duration_class(upper - lower), lower, upper - lower, BOTH))
            return
        ordered = sorted(set(values))
        lowest = ordered[0]
        highest = next(date for date in ordered if date.lower == ordered[-1].lower)
        for date in ordered:
            serves = NEITHER
            if date == lowest:
                serves = BOTH if lowest.lower == highest.lower else ASCENDING
            elif date == highest:
                serves = DESCENDING
            width = date.upper - date.lower
            self._dat.append((k * CLASSES + duration_class(width), date.lower, width, serves))

    def strings(self, code: str, k: int, values: Sequence[String], learned: Learned) -> None:
        self._str += [(k, value.folded) for value in values]

    def uris(self, code: str, k: int, values: Sequence[Uri], learned: Learned) -> None:
        self.tok += [self._numbering.symbol(k, "", value.value) for value in values]

    def numbers(self, code: str, k: int, values: Sequence[Number], learned: Learned) -> None:
        symbol = self._numbering.symbol(k, "", "")
        for value in values:
            self._number(symbol, value, value)

    def quantities(self, code: str, k: int, values: Sequence[Quantity], learned: Learned) -> None:
        for value in values:
            self._number(self._numbering.symbol(k, *unit_key(value)), value.canonical, value.number)

    def _number(self, symbol: int, canonical: Number, written: Number) -> None:
        if _is_point(canonical) and _is_point(written):
            self._num.append((symbol, canonical.value, written.value))
        else:
            upper, written_upper = closed(canonical.upper), closed(written.upper)
            self._rng.append((symbol, canonical.lower, upper, written.lower, written_upper))

    def positions(self, code: str, k: int, values: Sequence[Position], learned: Learned) -> None:
        self._geo += [(k, value.latitude, value.longitude) for value in values]


_ADD: dict[type, Callable[[_Resource, str, int, Any, Learned], None]] = {
    Token: _Resource.tokens,
    OfType: _Resource.tokens,
    Reference: _Resource.references,
    Date: _Resource.dates,
    String: _Resource.strings,
    Uri: _Resource.uris,
    Number: _Resource.numbers,
    Quantity: _Resource.quantities,
    Position: _Resource.positions,
}
"""By the class of a parameter's first value: all of them have one, but for tokens, which identifiers mix. Composites
have no rows."""
