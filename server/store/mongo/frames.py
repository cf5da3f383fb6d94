"""A resource as it lies in MongoDB: its body, its index values and its folded texts in one zstd frame; of a superseded
version the body alone.

The values repeat what the body says, so they cost little beside it; and a hit is compared with the real values
(never a hash) at the price of reading one short JSON text, without parsing the resource or evaluating FHIRPath.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import orjson

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
from server.store.bodies import Bodies

_KINDS: tuple[type[Any], ...] = (
    Token,
    OfType,
    String,
    Date,
    Number,
    Quantity,
    Reference,
    Uri,
    Position,
    Composite,
)
"""Their places are stored: only ever append."""
_NUMBER_OF = {kind: number for number, kind in enumerate(_KINDS)}


def _flat(value: Any) -> list[Any]:
    """[kind, fields ...], nested values likewise."""
    kind = type(value)
    fields: list[Any] = [_NUMBER_OF[kind]]
    if kind is Quantity:
        return [*fields, tuple(value.number), *value[1:4], tuple(value.canonical), value.canonical_code]
    if kind is Reference:
        identifier = value.identifier
        return [*fields, *value[:4], tuple(identifier) if identifier is not None else None]
    if kind is Composite:
        return [*fields, [[_flat(one) for one in component] for component in value.components]]
    return [*fields, *value]


def _quantity(number: list[Any], system: Any, code: Any, unit: Any, canonical: list[Any], canonical_code: Any) -> Value:
    return Quantity(Number(*number), system, code, unit, Number(*canonical), canonical_code)


def _reference(type: Any, id: Any, version: Any, url: Any, identifier: list[Any] | None) -> Value:
    return Reference(type, id, version, url, Token(*identifier) if identifier is not None else None)


def _composite(components: list[list[Any]]) -> Value:
    return Composite(tuple(tuple(map(_value, component)) for component in components))


_READERS: list[Callable[..., Value]] = list(_KINDS)
_READERS[_NUMBER_OF[Quantity]] = _quantity
_READERS[_NUMBER_OF[Reference]] = _reference
_READERS[_NUMBER_OF[Composite]] = _composite


def _value(flat: list[Any]) -> Value:
    read: Callable[..., Value] = _READERS[flat[0]]
    return read(*flat[1:])


class Frames:
    """Packs and reads frames; for one thread."""

    def __init__(self, dictionaries: dict[int, bytes]) -> None:
        self._bodies = Bodies(dictionaries)

    def pack(self, body: bytes, values: bytes) -> bytes:
        """values: of `values`."""
        return self._bodies.compress(body + b"\n" + values)

    def body(self, frame: bytes) -> bytes:
        plain = self._bodies.expand(frame)
        return plain[: plain.index(b"\n")]

    def bare(self, frame: bytes) -> bytes:
        """The same body alone, as superseded versions are kept: nobody searches them, and the values are the larger
        part of a frame."""
        return self.pack(self.body(frame), b"")

    def unpack(self, frame: bytes) -> tuple[bytes, bytes]:
        """Body and values."""
        plain = self._bodies.expand(frame)
        values = beginning_of_values(plain)
        return plain[: values - 1], plain[values:]

    def expand(self, frame: bytes) -> bytes:
        """Body and values in one: see `beginning_of_values`."""
        return self._bodies.expand(frame)


def beginning_of_values(plain: bytes) -> int:
    """The place behind the line end that parts the body from the values: compact JSON holds none."""
    return plain.index(b"\n") + 1


def values(index: Index, text: tuple[str, str] | None) -> bytes:
    """Index values, and the texts of `_text` and `_content` where that is on, as a frame holds them."""
    flat = {code: [_flat(value) for value in found] for code, found in index.items() if found}
    return orjson.dumps(flat) if text is None else orjson.dumps(flat) + b"\n" + orjson.dumps(text)


def some_values(stored: bytes, codes: Iterable[str] | None) -> Index:
    """Of these parameters (all if None)."""
    flat = orjson.loads(stored.partition(b"\n")[0])
    wanted = flat if codes is None else [code for code in codes if code in flat]
    return {code: [_value(one) for one in flat[code]] for code in wanted}


def beginning(code: str, kind: type[Any], *fields: str | None) -> bytes:
    """Found in `values` only if the first value of the parameter is of the kind and begins with these fields (not all
    that it has). A text within a value cannot look like it: there quotes are escaped."""
    return orjson.dumps(code) + b":[" + orjson.dumps([_NUMBER_OF[kind], *fields])[:-1] + b","


@lru_cache(256)
def _single(code: str) -> re.Pattern[bytes]:
    fields = rb'"([A-Za-z]+)","([A-Za-z0-9.\-]+)",[^",]+,null,null'
    return re.compile(re.escape(beginning(code, Reference)) + fields + rb"\]\]")


def single_reference(stored: bytes, code: str) -> str | None:
    """Type/id that the parameter refers to where that is one reference and no more, without reading the values."""
    found = _single(code).search(stored)
    return None if found is None else b"/".join(found.groups()).decode()


def stored_texts(stored: bytes) -> tuple[str, str] | None:
    text = stored.partition(b"\n")[2]
    if not text:
        return None
    narrative, content = orjson.loads(text)
    return narrative, content
