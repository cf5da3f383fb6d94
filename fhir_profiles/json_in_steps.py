"""A large Bundle read piece by piece, so that whoever reads it can do other things between the pieces.

A parser of JSON goes from left to right: if the text from the start of an item of an array to some closing brace is
well-formed items, then these are the items, whatever follows. So a piece ends where an item seems to end, and parsing
it shows whether that was right; a piece that is wrong is made longer. What stands around the items is parsed with a
mark in their place, which shows that they are the entries of the Bundle and of nothing within it. The values are those
of `read_json`, which also has the last word on what is wrong.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator
from typing import Any

from fhir_profiles.json_reading import MAX_DEPTH, ReadError, read_json

PIECE = 128 * 1024
"""Bytes of JSON that are read in a few milliseconds."""

_FIRST_ENTRY = re.compile(rb'"entry"\s*:\s*\[\s*(?=\{\s*("\w+"))')


def read_in_steps(
    data: bytes, *, max_depth: int = MAX_DEPTH, piece: int = PIECE
) -> Generator[None, None, dict[str, Any]]:
    """As `read_json`; gives way after every piece. Raises: ReadError."""
    found = _FIRST_ENTRY.search(data) if len(data) > 2 * piece else None
    if found is not None:
        bundle = yield from _in_pieces(data, found.end(), _between(found[1]), max_depth, piece)
        if bundle is not None:
            return bundle
    return read_json(data, max_depth=max_depth)


def _between(name: bytes) -> re.Pattern[bytes]:
    """Where an object ends and another begins whose first member has this name."""
    return re.compile(rb"\}(\s*,\s*)(?=\{\s*" + re.escape(name) + rb"\s*:)")


def _in_pieces(
    data: bytes, begin: int, between: re.Pattern[bytes], max_depth: int, piece: int
) -> Generator[None, None, dict[str, Any] | None]:
    """begin: where the first entry stands. None: the text is not what it looked like. Raises: ReadError."""
    entries: list[Any] = []
    start, size = begin, piece
    while cut := between.search(data, start + size):
        items = _items(data[start : cut.start(1)], max_depth)
        if items is None:
            size *= 2  # it ended within an entry; doubled, all attempts together cost as much as one
        else:
            entries += items
            start, size = cut.end(), piece
        yield
    if start == begin:
        return None
    mark = secrets.token_hex(8)
    around = data[:begin] + _in_place_of(data[begin:start], mark) + data[start:]
    bundle = read_json(around, max_depth=max_depth)  # what is wrong stands at the same line and column
    rest = bundle.get("entry")
    if not isinstance(rest, list) or rest[:1] != [mark]:
        return None
    rest[:1] = entries
    return bundle


def _items(text: bytes, max_depth: int) -> list[Any] | None:
    """None if the text is no items of an array."""
    try:
        found = read_json(b'{"entry":[' + text + b"]}", max_depth=max_depth)
    except ReadError:
        return None
    items: list[Any] = found["entry"]
    return items if len(found) == 1 else None  # else it left the array: `...],"link":[...`


def _in_place_of(items: bytes, mark: str) -> bytes:
    """One item and its comma, and space up to the line and column where the items end."""
    lines, last = items.count(b"\n"), items.rfind(b"\n")
    item = f'"{mark}",'.encode()
    return item + b"\n" * lines + b" " * (len(items) - last - 1) if lines else item.ljust(len(items))
