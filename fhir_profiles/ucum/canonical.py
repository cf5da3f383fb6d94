"""Reading of UCUM codes: a term of units, exponents and annotations to base units.

    term = ["/"] component {("." | "/") component};  component = "(" term ")" | unit [exponent] {"{" text "}"}
https://ucum.org/ucum#section-Full-and-Limited-Conformance
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from fhir_profiles.ucum.units import ATOMS, BASES, OFFSETS, PREFIXES, SAME, SOLO

_CONTEXT = Context(prec=50)
_ROUNDED = Context(prec=40)
"""Ten digits fewer than factors have: 60 * (1/60) is 1 again."""

_TOKEN = re.compile(r"([./()])|(\{[!-z|~]*\})|((?:\[[!-Z\\^-~]*\]|[^\[\](){}./\s+\-])+?)([+-]?\d{1,3})?(?=[./(){]|$)")
_INTEGER = re.compile(r"\d{1,20}")
_POWER_OF_TEN = re.compile(r"(10[*^])([+-]?\d{1,3})?")
_MAX_LENGTH = 100


class Unit(NamedTuple):
    """A unit in base units: value * factor, or (value + offset) * factor for temperatures with their own zero."""

    code: str
    """Base units, sorted, as a UCUM term: `g.m-3`; `1` if there are none."""
    factor: Decimal
    offset: Decimal = Decimal(0)


_Reading = tuple[Decimal, dict[str, int]]


def canonical(code: str) -> Unit | None:
    """The unit in base units; None if the code is not valid UCUM."""
    return _canonical(code) if 0 < len(code) <= _MAX_LENGTH and code.isascii() else None


@lru_cache(maxsize=2048)
def _canonical(code: str) -> Unit | None:
    if code in OFFSETS:
        scale, zero = OFFSETS[code]
        return Unit("K", _fraction(scale), Decimal(zero))
    try:
        factor, powers = _Reader(code).read()
    except (_NotAUnit, InvalidOperation, RecursionError):
        return None
    return Unit(_written(powers), factor)


def is_valid(code: str) -> bool:
    return canonical(code) is not None


def to_base(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    """The quantity in base units, and their code; None if the unit is unknown."""
    unit = canonical(code)
    if unit is None:
        return None
    return _ROUNDED.multiply(_CONTEXT.add(value, unit.offset) if unit.offset else value, unit.factor), unit.code


def convert(value: Decimal, code: str, target: str) -> Decimal | None:
    """The value in another unit; None if either is unknown or they do not measure the same."""
    wanted, base = canonical(target), to_base(value, code)
    if wanted is None or base is None or base[1] != wanted.code:
        return None
    return _ROUNDED.subtract(_CONTEXT.divide(base[0], wanted.factor), wanted.offset).normalize(_ROUNDED)


def _fraction(text: str) -> Decimal:
    numerator, _, denominator = text.partition("/")
    return _CONTEXT.divide(Decimal(numerator), Decimal(denominator or 1))


def _written(powers: dict[str, int]) -> str:
    units = [unit if power == 1 else f"{unit}{power}" for unit, power in sorted(powers.items()) if power]
    return ".".join(units) or "1"


class _NotAUnit(Exception):
    pass


class _Reader:
    """Recursive descent over the tokens of one code."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._at = 0
        self._depth = 0

    def read(self) -> _Reading:
        reading = self._term()
        if self._at != len(self._code):
            raise _NotAUnit
        return reading

    def _peek(self) -> str:
        return self._code[self._at : self._at + 1]

    def _term(self) -> _Reading:
        factor, powers = Decimal(1), dict[str, int]()
        sign = 1
        if self._peek() == "/":
            self._at += 1
            sign = -1
        while True:
            _multiply(powers, component := self._component(), sign)
            operation = _CONTEXT.multiply if sign == 1 else _CONTEXT.divide
            factor = operation(factor, component[0])
            if self._peek() not in (".", "/") or not self._peek():
                return factor, powers
            sign = 1 if self._peek() == "." else -1
            self._at += 1

    def _component(self) -> _Reading:
        if self._peek() == "(":
            return self._group()
        found = _TOKEN.match(self._code, self._at)
        if found is None or found[1]:
            raise _NotAUnit
        self._at = found.end()
        if found[2]:
            return Decimal(1), {}  # an annotation alone is the unit 1
        reading = _simple(found[3], found[4])
        self._annotations()
        return reading

    def _group(self) -> _Reading:
        self._depth += 1
        if self._depth > 10:
            raise _NotAUnit
        self._at += 1
        reading = self._term()
        if self._peek() != ")":
            raise _NotAUnit
        self._at += 1
        self._depth -= 1
        exponent = re.compile(r"[+-]?\d{1,2}").match(self._code, self._at)
        if exponent is not None:
            self._at = exponent.end()
            reading = _raised(reading, int(exponent[0]))
        self._annotations()
        return reading

    def _annotations(self) -> None:
        while self._peek() == "{":
            end = self._code.find("}", self._at)
            if end < 0:
                raise _NotAUnit
            self._at = end + 1


def _multiply(powers: dict[str, int], component: _Reading, sign: int) -> None:
    for base, power in component[1].items():
        powers[base] = powers.get(base, 0) + sign * power


def _simple(name: str, exponent: str | None) -> _Reading:
    whole = name + (exponent or "")
    power = _POWER_OF_TEN.fullmatch(whole)
    if power is not None:
        return _CONTEXT.power(Decimal(10), int(power[2] or 1)), {}
    if _INTEGER.fullmatch(whole):
        if int(whole) == 0:
            raise _NotAUnit
        return Decimal(whole), {}
    if (known := _atom(whole)) is not None:  # names such as B[10.nV] or cal_[15] end in no exponent
        return known
    unit = _atom(name)
    if unit is None:
        raise _NotAUnit
    return _raised(unit, int(exponent or 1))


def _raised(reading: _Reading, exponent: int) -> _Reading:
    return _CONTEXT.power(reading[0], exponent), {base: power * exponent for base, power in reading[1].items()}


@lru_cache(maxsize=1024)
def _atom(name: str) -> _Reading | None:
    """A unit with or without a prefix. Whole names first: `min` is a minute, `cd` a candela, `Pa` a pascal."""
    if (plain := _plain(name)) is not None:
        return plain[1]
    for length in (1, 2):
        prefix, rest = name[:length], name[length:]
        if prefix in PREFIXES and rest and (plain := _plain(rest)) is not None and plain[0]:
            factor, powers = plain[1]
            return _CONTEXT.multiply(factor, Decimal(PREFIXES[prefix])), powers
    return None


def _plain(name: str) -> tuple[bool, _Reading] | None:
    """Whether it takes prefixes, and its base units."""
    if name in BASES:
        return True, (Decimal(1), {name: 1})
    if name in ATOMS:
        metric, factor, definition = ATOMS[name]
        amount, powers = _Reader(definition).read()
        return metric, (_CONTEXT.multiply(Decimal(factor), amount), powers)
    if name in OFFSETS:
        # Within a term (Cel/s) only differences of temperature make sense.
        return name == "Cel", (_fraction(OFFSETS[name][0]), {"K": 1})
    if name in SOLO:
        return SOLO[name], (Decimal(1), {SAME.get(name, name): 1})
    return None
