"""Index values -> rows of the index tables, and the compact form of a resource's rows that is stored beside its body.

The compact form (`keys`) says which rows a resource has, so that an update writes only what differs and a deletion
leaves nothing behind, whatever has become of the definitions meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
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
from server.store.embedded.principal import PATIENT_PARAMETERS, PRINCIPAL, REPEATS
from server.store.embedded.symbols import ELSEWHERE, Allocation

SHAPE = ""
"""Code of the pseudo parameter whose symbols are the sets of parameters that have a value."""
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


def keys(rows: Rows) -> str:
    return orjson.dumps(list(rows)).decode()


def from_keys(stored: str | None) -> Rows:
    return Rows(*orjson.loads(stored)) if stored else NOTHING


def duration_class(width: int) -> int:
    return next(number for number, longest in enumerate(DURATIONS) if width <= longest)


def closed(upper: float) -> float:
    """The largest double below a half-open upper bound."""
    return math.nextafter(upper, -math.inf)


def _is_point(number: Number) -> bool:
    return number.lower == number.value == closed(number.upper)


def unit_key(value: Quantity) -> tuple[str, str]:
    """System and code of the symbol that stands for a unit as written and what it is in base units."""
    return value.system or "", "\0".join((value.code or "", value.unit or "", value.canonical_code or ""))


class Builder:
    """Makes the Rows of resources within one transaction."""

    def __init__(self, allocation: Allocation, parameter: Callable[[str, str], Parameter | None]) -> None:
        self._allocation = allocation
        self._parameter = parameter

    def build(self, type: str, t: int, index: Index, target: Callable[[str, str], int]) -> Rows:
        """target: number of the resource that a local reference names."""
        resource = _Resource(self._allocation, type, t, target)
        param = self._allocation.param
        shape = []
        for code, values in index.items():
            if not values:
                continue
            k = param(t, code)
            shape.append(k)
            repeated = REPEATS.get((type, code))
            if repeated:
                present = {value for part in repeated for value in index.get(part, ())}
                values = [value for value in values if value not in present]
            resource.add(code, k, values, self._identifying(type, code))
        shape.sort()
        names = ",".join(map(str, shape))
        resource.tok.add(self._allocation.symbol(param(t, SHAPE), "", names))
        return resource.rows()

    def _identifying(self, type: str, code: str) -> bool:
        if code.startswith("#"):
            type, _, code = code[1:].partition(".")
        parameter = self._parameter(type, code)
        return parameter is not None and parameter.identifying


class _Resource:
    """Rows of one resource while they are gathered."""

    def __init__(self, allocation: Allocation, type: str, t: int, target: Callable[[str, str], int]) -> None:
        self._allocation = allocation
        self._t = t
        self._target = target
        principal = PRINCIPAL.get(type)
        self._code = principal.code if principal else None
        self.code: set[int] = set()
        self.tok: set[int] = set()
        self._ident: set[tuple[int, str, int]] = set()
        self._str: set[tuple[int, str]] = set()
        self._dat: list[tuple[int, int, int, int]] = []
        self._num: set[tuple[int, float, float]] = set()
        self._rng: set[tuple[int, float, float, float, float]] = set()
        self._ref: set[tuple[int, int]] = set()
        self._comp: dict[int, int] = {}
        self._geo: set[tuple[int, float, float]] = set()

    def rows(self) -> Rows:
        return Rows(
            sorted(self.code),
            sorted(self.tok),
            sorted(self._ident),
            sorted(self._str),
            sorted(self._dat),
            sorted(self._num),
            sorted(self._rng),
            sorted(self._ref),
            sorted(self._comp.items()),
            sorted(self._geo),
        )

    def add(self, code: str, k: int, values: Iterable[Value], identifying: bool) -> None:
        dates: list[Date] = []
        tokens: list[Token] = []
        for value in values:
            match value:
                case Token():
                    tokens.append(value)
                case Date():
                    dates.append(value)
                case Reference():
                    self._reference(code, k, value)
                case String():
                    self._str.add((k, value.folded))
                case Uri():
                    self.tok.add(self._allocation.symbol(k, "", value.value))
                case Quantity():
                    self._quantity(k, value)
                case Number():
                    self._number(self._allocation.symbol(k, "", ""), value, value)
                case OfType():
                    self._of_type(code, value)
                case Position():
                    self._geo.add((k, value.latitude, value.longitude))
                case Composite():
                    pass  # found by its components
        if tokens and identifying:
            self._identifiers(code, k, tokens)
        elif tokens:
            self._tokens(code, k, tokens)
        if dates:
            self._dates(k, dates)

    # -------------------------------------------------------------------------------- tokens

    def _tokens(self, code: str, k: int, tokens: list[Token]) -> None:
        rows = self.code if code == self._code else self.tok
        coded = [token for token in tokens if token.system or token.code]
        symbols = [self._allocation.symbol(k, token.system or "", token.code or "") for token in coded]
        rows.update(symbols)
        for token, symbol in zip(coded, symbols, strict=True):
            if token.text:
                self._allocation.text(k, fold(token.text), symbol)
        for token in tokens:
            if token.text and not (token.system or token.code):
                self._plain_text(code, k, fold(token.text), symbols)

    def _plain_text(self, code: str, k: int, text: str, symbols: list[int]) -> None:
        """The text of a concept: it belongs to one of its codes where there are some, which costs no row."""
        if symbols:
            self._allocation.text(k, text, symbols[0])
        else:
            self.tok.add(self._allocation.symbol(self._allocation.param(self._t, code + TEXT), "", text))

    def _identifiers(self, code: str, k: int, tokens: list[Token]) -> None:
        for token in tokens:
            if token.system or token.code:
                self._ident.add((k, token.code or "", self._system(token.system)))
            if token.text:
                self._plain_text(code, k, fold(token.text), [])

    def _system(self, system: str | None) -> int:
        return self._allocation.symbol(0, "", system) if system else 0

    def _of_type(self, code: str, value: OfType) -> None:
        k = self._allocation.param(self._t, code + OF_TYPE)
        self._ident.add((k, value.value, self._allocation.symbol(k, value.system or "", value.code)))

    # -------------------------------------------------------------------------------- the rest

    def _reference(self, code: str, k: int, value: Reference) -> None:
        if value.identifier is not None and (value.identifier.code or value.identifier.system):
            by_identifier = self._allocation.param(self._t, code + IDENTIFIER)
            self._ident.add((by_identifier, value.identifier.code or "", self._system(value.identifier.system)))
        if value.type is not None and value.id is not None:
            target = self._target(value.type, value.id)
            bit = PATIENT_PARAMETERS.get(code, 0) if value.type == "Patient" else 0
            if bit:
                self._comp[target] = self._comp.get(target, 0) | bit
            else:
                self._ref.add((target, k))
        elif value.url is not None:
            self._ref.add((self._allocation.absent(ELSEWHERE, value.url), k))

    def _dates(self, k: int, dates: list[Date]) -> None:
        ordered = sorted(set(dates))
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

    def _number(self, symbol: int, canonical: Number, written: Number) -> None:
        if _is_point(canonical) and _is_point(written):
            self._num.add((symbol, canonical.value, written.value))
        else:
            upper, written_upper = closed(canonical.upper), closed(written.upper)
            self._rng.add((symbol, canonical.lower, upper, written.lower, written_upper))

    def _quantity(self, k: int, value: Quantity) -> None:
        self._number(self._allocation.symbol(k, *unit_key(value)), value.canonical, value.number)
