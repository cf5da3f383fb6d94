"""What was read, kept for the next time: a bounded cache that several threads may ask without a lock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar, cast

Value = TypeVar("Value")

_MISSING = object()


class Kept(Generic[Value]):
    """The least recently used goes first. A key says everything that the value was made of (a generation, say): what
    became untrue is never asked for again, also if a thread puts it here late. Two threads may make the same value at
    the same time; either is good. Each step on the dict is atomic under the interpreter's lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value under the key, made if it is not here. Raises: what `make` raises; nothing is kept then."""
        found = self._values.get(key, _MISSING)
        if found is not _MISSING:
            with suppress(KeyError):  # another thread let it go just now
                self._values.move_to_end(key)
            return cast(Value, found)
        value = make()
        self._values[key] = value
        while len(self._values) > self._most:
            with suppress(KeyError):
                self._values.popitem(last=False)
        return value

    def clear(self) -> None:
        self._values.clear()
