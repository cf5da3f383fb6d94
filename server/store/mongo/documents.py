"""Index values -> the keys of a document.

    k  exact symbols (type, shape, codes, uris), hashed keys (identifiers, references, patients, unusual dates):
       and the month, year and decade of `e`: in creation order
    c  symbols of the type's principal code, and patients alone and with each code: pages in order of the clinical date
    r  intervals {p: symbol of parameter and unit, l, u}; quantities also {w, z} as written where that differs. Of the
       clinical dates only those that d and e do not stand for
    s  `Type.code|folded text` of strings          g  three-letter pieces of strings and of texts
    d, a  highest and lowest beginning of the clinical dates; e  their highest end (dates.py)
    p  half a key of the patient (or of itself): the shard key
    t  type

A field without values is absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

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
from server.store.mongo.dates import DAY, ORDINARY, periods_of
from server.store.mongo.driver import Document
from server.store.mongo.hashing import Hash, gram_keys, half, pair
from server.store.mongo.symbols import REFERENCES, TYPES, Name, Symbols
from server.store.principal import PATIENT_PARAMETERS, PRINCIPAL, REPEATS

DURATIONS = (DAY, ORDINARY, 367 * DAY, 1 << 63)
"""Longest duration of each class of dates: a search for what overlaps looks back by no more than that."""

DURATION_CLASSES = [str(number) for number in range(len(DURATIONS))]
NUMBER_KINDS = "ps"
"""Points and spans."""

_REMEMBERED = 4096
"""Hashed keys of each kind that a process remembers."""
LAST = "\U0010ffff"
CONTENT = "\0content"
"""Space of the pieces of `_text` and `_content`."""


def space(type: str, code: str) -> str:
    return f"{type}.{code}"


def shape_space(type: str) -> str:
    return f"{type}#shape"


def text_space(type: str, code: str) -> str:
    return f"{type}.{code}:text"


def unit_space(type: str, code: str) -> str:
    return f"{type}.{code}:unit"


def type_name(type: str) -> Name:
    return Name(TYPES, "", type)


def date_name(type: str, code: str, duration: int) -> Name:
    return Name(space(type, code), "date", str(duration))


def number_name(type: str, code: str, kind: str) -> Name:
    return Name(space(type, code), "number", kind)


def near_name(type: str, code: str) -> Name:
    return Name(space(type, code), "position", "")


def duration_class(width: int) -> int:
    return next(number for number, longest in enumerate(DURATIONS) if width <= longest)


def is_point(number: Number) -> bool:
    return number.lower == number.value == math.nextafter(number.upper, -math.inf)


def is_ordinary(dates: Sequence[Date]) -> bool:
    """Whether d and e stand for all clinical dates of a resource, and are near to each other."""
    return not dates or (len(dates) == 1 and dates[0].upper - dates[0].lower <= ORDINARY)


def ends(dates: Sequence[Date]) -> Document:
    """The fields d, a and e."""
    lower = [date.lower for date in dates]
    return {"d": max(lower), "a": min(lower), "e": max(date.upper for date in dates)}


def unit_text(kind: str, same: bool, value: Quantity) -> str:
    """Code of a unit's symbol: kind of interval ("p" point, "s" span), whether the canonical form is as written."""
    return "\0".join((kind, "=" if same else "", value.code or "", value.unit or "", value.canonical_code or ""))


class Hashes:
    """Hashed keys by what they stand for. All are even: symbols are odd."""

    def __init__(self, hash: Hash) -> None:
        self._hash = hash
        # Most resources of a group name the same few persons, places and types.
        self._owner = lru_cache(_REMEMBERED)(lambda id: self.of("p", id))
        self._reference = lru_cache(_REMEMBERED)(lambda place, target: self.of("r", place, target))
        self._of_type = cache(lambda type: self.of("t", type))
        self._beyond = cache(lambda type: self.of("w", type))
        self._period = lru_cache(_REMEMBERED)(lambda type, name: self.of("y", type, name))

    def of(self, *parts: str) -> int:
        return self._hash("\0".join(parts).encode("utf-8", "surrogatepass")) & ~1

    def identifier(self, type: str, code: str, value: str) -> int:
        return self.of("i", space(type, code), value)

    def of_type(self, type: str, code: str, value: str) -> int:
        return self.of("o", space(type, code), value)

    def by_identifier(self, type: str, code: str, value: str) -> int:
        return self.of("b", space(type, code), value)

    def reference(self, type: str, code: str, target: str) -> int:
        """target: Type/id, or a url."""
        return self._reference(space(type, code), target)

    def patient(self, type: str, id: str) -> int:
        """Of the resources of a type."""
        return pair(self._owner(id), self._of_type(type))

    def patient_code(self, id: str, symbol: int) -> int:
        return pair(self._owner(id), symbol)

    def beyond(self, type: str) -> int:
        """Of resources of the type whose clinical dates are not ordinary: that have several, or one longer than
        ORDINARY."""
        return self._beyond(type)

    def period(self, type: str, name: str) -> int:
        """Of resources of the type whose last clinical date ends in it. name: of dates.periods_of."""
        return self._period(type, name)

    def shard(self, owner: str) -> int:
        return half(self._owner(owner))


@dataclass(slots=True)
class _Gathered:
    k: set[int] = field(default_factory=set)
    codes: set[int] = field(default_factory=set)
    patients: set[str] = field(default_factory=set)
    r: list[Document] = field(default_factory=list)
    s: set[str] = field(default_factory=set)
    g: set[int] = field(default_factory=set)


class Builder:
    """Makes the key fields of resources. Symbols that the process does not know gather in `missing`, texts in `links`:
    make them, then build again."""

    def __init__(self, symbols: Symbols, hashes: Hashes, parameter: Callable[[str, str], Parameter | None]) -> None:
        self._symbols = symbols
        self._hashes = hashes
        self._parameter = parameter
        self.missing: set[Name] = set()
        self.links: set[tuple[Name, Name]] = set()
        self.lacking = False
        """What was built last lacks symbols."""
        self._linking = False

    async def fields(self, type: str, id: str, index: Index, text: tuple[str, str] | None) -> Document:
        found = self.build(type, id, index, text)
        while self.lacking:
            await self.settle()
            found = self.build(type, id, index, text)
        if self.links:
            await self.settle()
        return found

    async def settle(self) -> None:
        """Makes what was missing, so that building once more finds it."""
        await self._symbols.make(self.missing)
        self.missing.clear()
        known = self._symbols.key
        await self._symbols.link(link for link in self.links if all(known(name) is not None for name in link))
        self.links.clear()

    def _symbol(self, name: Name) -> int:
        key = self._symbols.key(name)
        if key is None:
            self.lacking = True
            self.missing.add(name)
            return 0
        return key

    def _interval(self, name: Name, kinds: Iterable[str]) -> int:
        """Symbols of all kinds are made together: a search asks for all, and would ask the store each time for one
        that is not there."""
        key = self._symbols.key(name)
        if key is None:
            self.lacking = True
            self.missing.update(name._replace(code=kind) for kind in kinds)
            return 0
        return key

    def build(self, type: str, id: str, index: Index, text: tuple[str, str] | None) -> Document:
        self.lacking = False
        gathered = _Gathered()
        principal = PRINCIPAL.get(type)
        found = index.get(principal.date, ()) if principal else ()
        dates = [value for value in found if isinstance(value, Date)]
        ordinary = is_ordinary(dates)
        present = []
        for code, values in index.items():
            if not values:
                continue
            present.append(code)
            repeated = REPEATS.get((type, code))
            if repeated:
                others = {value for part in repeated for value in index.get(part, ())}
                values = [value for value in values if value not in others]
            if ordinary and principal and code == principal.date:
                self._interval(date_name(type, code, 0), DURATION_CLASSES)  # searches ask for all kinds of them
            else:
                self._add(gathered, type, code, values)
        shape = self._symbol(Name(shape_space(type), "", "\n".join(sorted(present))))
        gathered.k.update((self._symbol(type_name(type)), shape))
        if text is not None:
            gathered.g |= gram_keys(type + CONTENT, text[1]) | gram_keys(type + CONTENT, text[0])
        if not ordinary:
            gathered.k.add(self._hashes.beyond(type))
        return self._document(gathered, type, id, dates)

    def _document(self, gathered: _Gathered, type: str, id: str, dates: Sequence[Date]) -> Document:
        c = set(gathered.codes)
        for patient in gathered.patients:
            key = self._hashes.patient(type, patient)
            gathered.k.add(key)
            c.add(key)
            c.update(self._hashes.patient_code(patient, code) for code in gathered.codes)
        owner = min(gathered.patients, default=id)
        made: Document = {"t": type, "p": self._hashes.shard(owner)}
        if dates:
            made |= ends(dates)
            gathered.k.update(self._hashes.period(type, name) for name in periods_of(made["e"]))
        made["k"] = sorted(gathered.k)
        if c:
            made["c"] = sorted(c)
        if gathered.r:
            made["r"] = gathered.r
        if gathered.s:
            made["s"] = sorted(gathered.s)
        if gathered.g:
            made["g"] = sorted(gathered.g)
        return made

    def _add(self, gathered: _Gathered, type: str, code: str, values: Iterable[Value]) -> None:
        tokens = []
        for value in values:
            match value:
                case Token():
                    tokens.append(value)
                case Date():
                    name = date_name(type, code, duration_class(value.upper - value.lower))
                    key = self._interval(name, DURATION_CLASSES)
                    gathered.r.append({"p": key, "l": value.lower, "u": value.upper})
                case Reference():
                    self._reference(gathered, type, code, value)
                case String():
                    gathered.s.add(f"{space(type, code)}|{value.folded}")
                    gathered.g |= gram_keys(type, value.folded)
                case Uri():
                    gathered.k.add(self._symbol(Name(space(type, code), "", value.value)))
                case Quantity():
                    gathered.r.append(self._quantity(type, code, value))
                case Number():
                    name = number_name(type, code, "p" if is_point(value) else "s")
                    key = self._interval(name, NUMBER_KINDS)
                    gathered.r.append({"p": key, "l": value.lower, "u": value.upper})
                case OfType():
                    gathered.k.add(self._hashes.of_type(type, code, value.value))
                case Position():
                    name = near_name(type, code)
                    gathered.r.append({"p": self._symbol(name), "l": value.latitude, "u": value.longitude})
                case Composite():
                    pass  # found by its components
        if tokens:
            self._tokens(gathered, type, code, tokens)

    # -------------------------------------------------------------------------------- tokens

    def _identifying(self, type: str, code: str) -> bool:
        if code.startswith("#"):
            type, _, code = code[1:].partition(".")
        parameter = self._parameter(type, code)
        return parameter is not None and parameter.identifying

    def _tokens(self, gathered: _Gathered, type: str, code: str, tokens: list[Token]) -> None:
        if self._identifying(type, code):
            for token in tokens:
                if token.code:
                    gathered.k.add(self._hashes.identifier(type, code, token.code))
                if token.text:
                    gathered.k.add(self._symbol(Name(text_space(type, code), "", fold(token.text))))
            return
        keys: Sequence[int] | None = self._symbols.kept(type, code, tokens)
        if keys is None:
            keys = self._coded(type, code, tokens)
        gathered.k.update(keys)
        principal = PRINCIPAL.get(type)
        if principal is not None and principal.code == code:
            # Those of codes come first, those of texts alone behind them.
            gathered.codes.update(keys[: sum(bool(token.system or token.code) for token in tokens)])

    def _coded(self, type: str, code: str, tokens: list[Token]) -> list[int]:
        """Keys of the codes, then of the texts that stand without one."""
        lacking = self.lacking
        self.lacking = self._linking = False
        coded = [token for token in tokens if token.system or token.code]
        names = [Name(space(type, code), token.system or "", token.code or "") for token in coded]
        keys = [self._symbol(name) for name in names]
        for token, name in zip(coded, names, strict=True):
            if token.text:
                self._text(Name(text_space(type, code), "", fold(token.text)), name)
        for token in tokens:
            if token.text and not (token.system or token.code):
                text = Name(text_space(type, code), "", fold(token.text))
                if names:
                    self._text(text, names[0])
                else:
                    keys.append(self._symbol(text))
        if not self.lacking and not self._linking:
            self._symbols.keep(type, code, tokens, keys)
        self.lacking |= lacking
        return keys

    def _text(self, text: Name, code: Name) -> None:
        """The text belongs to a code, which costs no key: whoever finds the code compares."""
        if not self._symbols.linked(text, code):
            self._symbol(text)
            self.links.add((text, code))
            self._linking = True

    # -------------------------------------------------------------------------------- the rest

    def _reference(self, gathered: _Gathered, type: str, code: str, value: Reference) -> None:
        if value.identifier is not None and value.identifier.code:
            gathered.k.add(self._hashes.by_identifier(type, code, value.identifier.code))
        if value.type is not None and value.id is not None:
            self._symbol(type_name(value.type))
            if value.type == "Patient" and code in PATIENT_PARAMETERS:
                gathered.patients.add(value.id)
            else:
                self._symbol(Name(REFERENCES, type, code))
                gathered.k.add(self._hashes.reference(type, code, f"{value.type}/{value.id}"))
        elif value.url is not None:
            gathered.k.add(self._hashes.reference(type, code, value.url))

    def _quantity(self, type: str, code: str, value: Quantity) -> Document:
        canonical, written = value.canonical, value.number
        kind = "p" if is_point(canonical) and is_point(written) else "s"
        same = canonical == written
        name = Name(unit_space(type, code), value.system or "", unit_text(kind, same, value))
        made: Document = {"p": self._symbol(name), "l": canonical.lower, "u": canonical.upper}
        if not same:
            made["w"], made["z"] = written.lower, written.upper
        return made
