"""Keys of unbounded values: 64 bits, keyed by the store's secret.

Keyed, because an unkeyed hash of a citizen id can be found by trying all of them. A key found is a candidate only:
whoever asks compares the real values, which a test shows with a hash of a few bits.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from zlib import crc32

Hash = Callable[[bytes], int]
"""Text -> signed 64-bit number."""


def keyed(secret: bytes) -> Hash:
    def hash(text: bytes) -> int:
        return int.from_bytes(blake2b(text, digest_size=8, key=secret).digest(), "big", signed=True)

    return hash


def pair(one: int, other: int) -> int:
    """Upper halves of two keys in one, even: those with the same first half lie side by side in an index."""
    return (one >> 32 << 32) | (other >> 32 & 0xFFFFFFFE)


def half(key: int) -> int:
    """Signed 32 bits."""
    return key >> 32


def gram_keys(space: str, text: str) -> set[int]:
    """Signed 32-bit keys of the three-letter pieces of a text: substring search in languages without spaces."""
    seed = crc32(space.encode())
    pieces = {text[start : start + 3] for start in range(len(text) - 2)}
    return {crc32(piece.encode("utf-8", "surrogatepass"), seed) - 0x80000000 for piece in pieces}
