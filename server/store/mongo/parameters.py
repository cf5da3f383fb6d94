"""Matches of search parameters -> Filters: one method for each parameter type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from server.search.query import (
    CompositeOperand,
    Match,
    NearOperand,
    OfTypeOperand,
    Operand,
    QuantityOperand,
    RangeOperand,
    ReferenceOperand,
    TextOperand,
    TokenOperand,
)
from server.store.mongo.dates import dates_of
from server.store.mongo.documents import (
    DURATIONS,
    LAST,
    NUMBER_KINDS,
    date_name,
    near_name,
    number_name,
    space,
    text_space,
    unit_space,
)
from server.store.mongo.driver import Document
from server.store.mongo.filters import (
    NOTHING,
    UNKNOWN,
    Filter,
    both,
    date_bounds,
    date_ends,
    either,
    hidden,
    number_bounds,
    with_grams,
    with_keys,
)
from server.store.mongo.hashing import gram_keys
from server.store.mongo.symbols import Name
from server.store.operands import box, prefixes_of, unit_fits
from server.store.principal import PRINCIPAL, REPEATS

if TYPE_CHECKING:
    from server.store.mongo.filters import Filters

_HashOf = Callable[[str, str, str], int]
"""(type, code, value) -> key"""


class Parameters:
    """Filters of Match for the resources of one type."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._type = filters.type
        self._hashes = filters.hashes

    async def match(self, match: Match) -> Filter:
        repeated = REPEATS.get((self._type, match.parameter.code))
        if repeated:
            parts = [replace(match, parameter=replace(match.parameter, code=part)) for part in repeated]
            return either([await self._single(one) for one in (match, *parts)])
        return await self._single(match)

    async def _single(self, match: Match) -> Filter:
        code = match.parameter.code
        if match.modifier in ("unequal", "equal", "ends"):
            return await self._filters.present(code)
        match match.parameter.type:
            case "token":
                return await self._token(match)
            case "string":
                return await self._string(match)
            case "uri":
                return await self._uri(match)
            case "reference":
                return await self._reference(match)
            case "date":
                return await self._date(match)
            case "number":
                return await self._number(match)
            case "quantity":
                return await self._quantity(match)
            case "composite":
                return await self._composite(match)
            case _:
                return await self._near(match)

    # -------------------------------------------------------------------------------- token

    async def _token(self, match: Match) -> Filter:
        code = match.parameter.code
        if any(isinstance(operand, TextOperand) for operand in match.operands):
            return await self._token_text(match)
        if any(isinstance(operand, OfTypeOperand) for operand in match.operands):
            values = [operand.value for operand in match.operands if isinstance(operand, OfTypeOperand)]
            keys = [self._hashes.of_type(self._type, code, value) for value in values]
            return with_keys("identifier of type", keys, exact=False)
        if match.parameter.identifying:
            return await self._valued(match.operands, code, "identifier", self._hashes.identifier, rare=True)
        keys = []
        for operand in match.operands:
            assert isinstance(operand, TokenOperand)
            keys += await self._token_symbols(operand, code)
        principal = PRINCIPAL.get(self._type)
        lead = principal is not None and principal.code == code
        return with_keys(f"token {code}", keys, exact=True, codes=lead)

    async def _token_symbols(self, operand: TokenOperand, code: str) -> list[int]:
        where = space(self._type, code)
        if operand.code is None:
            found = await self._filters.symbols([where], {"s": operand.system or ""})
        elif operand.any_system:
            found = await self._filters.symbols([where], {"v": operand.code})
        else:
            return [key for _, key in await self._filters.known([Name(where, operand.system or "", operand.code)])]
        return [each["_id"] for each in found]

    async def _valued(
        self, operands: Sequence[Operand], code: str, name: str, key: _HashOf, *, rare: bool = False
    ) -> Filter:
        """Identifiers, by value alone: their systems are compared."""
        values = [operand.code for operand in operands if isinstance(operand, TokenOperand)]
        if any(value is None for value in values):
            return await self._filters.present(code)
        return with_keys(name, [key(self._type, code, value or "") for value in values], exact=False, rare=rare)

    async def _token_text(self, match: Match) -> Filter:
        """Codes that were ever shown with the text, and texts without a code."""
        keys: list[int] = []
        for operand in match.operands:
            if isinstance(operand, TextOperand):
                contains = {"$gte": [{"$indexOfCP": ["$v", {"$literal": operand.folded}]}, 0]}
                found = await self._filters.symbols([text_space(self._type, match.parameter.code)], {"$expr": contains})
                for each in found:
                    keys += [each["_id"], *each.get("of", ())]
        return with_keys(f"text {match.parameter.code}", keys, exact=False)

    # -------------------------------------------------------------------------------- string, uri

    async def _string(self, match: Match) -> Filter:
        where = space(self._type, match.parameter.code)
        operands = [operand for operand in match.operands if isinstance(operand, TextOperand)]
        if match.modifier == "exact":
            texts = [f"{where}|{operand.folded}" for operand in operands]
            return Filter({"s": {"$in": texts}}, "string", exact=False)
        if match.modifier == "contains":
            found = [with_grams(gram_keys(self._type, operand.folded)) for operand in operands]
            if any(one is UNKNOWN for one in found):
                return await self._filters.present(match.parameter.code)
            return either(found)
        # One element must lie between both bounds: without $elemMatch two different ones could.
        ranges: list[Document] = [
            {"$elemMatch": {"$gte": f"{where}|{operand.folded}", "$lt": f"{where}|{operand.folded}{LAST}"}}
            for operand in operands
        ]
        return either([Filter({"s": one}, "string") for one in ranges])

    async def _uri(self, match: Match) -> Filter:
        where = space(self._type, match.parameter.code)
        written = [operand.exact for operand in match.operands if isinstance(operand, TextOperand)]
        if match.modifier == "below":
            keys = [
                each["_id"]
                for text in written
                for each in await self._filters.symbols([where], {"v": {"$gte": text, "$lt": text + LAST}})
            ]
        else:
            asked = [part for text in written for part in prefixes_of(text)] if match.modifier == "above" else written
            keys = [key for _, key in await self._filters.known([Name(where, "", text) for text in asked])]
        return with_keys(f"uri {match.parameter.code}", keys, exact=True)

    # -------------------------------------------------------------------------------- reference

    async def _reference(self, match: Match) -> Filter:
        code = match.parameter.code
        if match.modifier == "identifier":
            return await self._valued(match.operands, code, "reference by identifier", self._hashes.by_identifier)
        targets: set[str] = set()
        urls: list[int] = []
        types: list[str] | None = None
        for operand in match.operands:
            assert isinstance(operand, ReferenceOperand)
            if operand.url is not None:
                urls.append(self._hashes.reference(self._type, code, operand.url))
            elif operand.type is not None:
                targets.add(f"{operand.type}/{operand.id}")
            elif operand.id is not None:
                types = types or [*match.parameter.targets, *await self._filters.types()]
                targets.update(f"{type}/{operand.id}" for type in types)
        found = [self._filters.referring(code, targets, "reference")] if targets else []
        if urls:
            found.append(with_keys("url", urls, exact=False))
        return either(found)

    # -------------------------------------------------------------------------------- date, number, quantity

    async def _date(self, match: Match) -> Filter:
        known = await self._filters.known(
            [date_name(self._type, match.parameter.code, number) for number in range(len(DURATIONS))]
        )
        operands = [operand for operand in match.operands if isinstance(operand, RangeOperand)]
        principal = PRINCIPAL.get(self._type)
        if principal is not None and principal.date == match.parameter.code:
            dates = dates_of(operands, [key for _, key in known])
            return self._filters.dated(dates, many=_many(operands)) if known else NOTHING
        ends = date_ends(operands)
        wheres = []
        for name, key in known:
            number = int(name.code)
            longest = DURATIONS[number] if number < len(DURATIONS) - 1 else None
            wheres += [{"p": key, **bounds} for bounds in date_bounds(ends, longest)]
        found = _intervals("date", wheres)
        if found is NOTHING:
            return found
        walk: Document = {}
        if _many(operands):
            any_of = {"p": {"$in": [key for _, key in known]}, "$or": date_bounds(ends, None)}
            walk = hidden({"r": {"$elemMatch": any_of}})
        return replace(found, walk=walk)

    async def _number(self, match: Match) -> Filter:
        known = await self._filters.known(
            [number_name(self._type, match.parameter.code, kind) for kind in NUMBER_KINDS]
        )
        wheres = [
            {"p": key, **bounds}
            for name, key in known
            for operand in match.operands
            if isinstance(operand, RangeOperand)
            for bounds in number_bounds(operand, points=name.code == "p", written=False)
        ]
        return _intervals("number", wheres)

    async def _quantity(self, match: Match) -> Filter:
        units = await self._filters.symbols([unit_space(self._type, match.parameter.code)], {})
        found: dict[str, tuple[Document, list[object]]] = {}
        for operand in match.operands:
            assert isinstance(operand, QuantityOperand)
            for unit in units:
                kind, same, names = unit["v"].split("\0", 2)
                if not unit_fits(unit["s"], names, operand):
                    continue
                asked = operand.canonical or operand.range
                written = operand.canonical is None and not same
                for bounds in number_bounds(asked, points=kind == "p", written=written):
                    found.setdefault(repr(bounds), (bounds, []))[1].append(unit["_id"])
        # One alternative for all units of a value: a thousand values of forty units would be forty thousand.
        return _intervals(
            "quantity",
            [{"p": {"$in": keys} if len(keys) > 1 else keys[0], **bounds} for bounds, keys in found.values()],
        )

    # -------------------------------------------------------------------------------- composite, near

    async def _composite(self, match: Match) -> Filter:
        """Resources that fulfil each component somewhere; whether within one element, their values say."""
        found = []
        for operand in match.operands:
            assert isinstance(operand, CompositeOperand)
            parts = zip(match.parameter.components, operand.components, strict=True)
            found.append(both([await self.match(Match(part, "", (one,))) for part, one in parts]))
        every = either(found)
        return Filter(every.where, f"{match.parameter.code}({every.name})", exact=False, finds=every.finds)

    async def _near(self, match: Match) -> Filter:
        known = await self._filters.known([near_name(self._type, match.parameter.code)])
        wheres = []
        for _, key in known:
            for operand in match.operands:
                assert isinstance(operand, NearOperand)
                south, north, west, east = box(operand)
                lat = {"$gte": south, "$lte": north}
                if west <= east:
                    wheres.append({"p": key, "l": lat, "u": {"$gte": west, "$lte": east}})
                else:  # across the date line
                    wheres.append({"p": key, "l": lat, "u": {"$gte": west}})
                    wheres.append({"p": key, "l": lat, "u": {"$lte": east}})
        found = _intervals("near", wheres)
        return Filter(found.where, "near", exact=False)


def _many(operands: Sequence[RangeOperand]) -> bool:
    """Whether much of all there is may lie in one of them: those that are open to one side."""
    return any(operand.prefix not in ("eq", "ap") for operand in operands)


def _intervals(name: str, wheres: Sequence[Document]) -> Filter:
    return either([Filter({"r": {"$elemMatch": where}}, name) for where in wheres])
