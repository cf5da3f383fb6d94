"""Random bytes from the system, fetched in blocks: each call to the system lets another thread have the interpreter,
which costs a hundred times more than the bytes."""

from __future__ import annotations

import os

_PIECES = 256


class RandomPieces:
    """Pieces of one size, each given once; a forked process starts with none of its parent's."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pieces: list[bytes] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._pieces.clear)

    def __call__(self) -> bytes:
        try:
            return self._pieces.pop()
        except IndexError:
            block = os.urandom(self._size * _PIECES)
            self._pieces.extend(block[start : start + self._size] for start in range(0, len(block), self._size))
            return self._pieces.pop()
