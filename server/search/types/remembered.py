"""Values that come again and again: a code, a quantity, a reference to the same patient are made once.

Resources repeat what they say: of the tokens of a hospital nearly all have been read before. Values are tuples that
nobody changes, so those of one reading serve every other.
"""

from __future__ import annotations

from typing import Any

MOST = 2048
"""Readings that are kept; then all are forgotten."""
LONGEST = 300
"""Characters of a reading that is kept: hostile text cannot fill the memory."""

Key = tuple[Any, ...]


class Remembered(dict[Key, list[Any]]):
    """Key of a reading -> its values; look up with `get` (TypeError: the key holds an array or an object)."""

    def keep(self, key: Key, values: list[Any]) -> list[Any]:
        """The values, kept if the key is short. They are shared from now on: never to be changed."""
        length = 0
        for each in key:
            if each.__class__ is str:
                length += len(each)
        if length <= LONGEST:
            if len(self) >= MOST:
                self.clear()
            self[key] = values
        return values
