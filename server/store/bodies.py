"""Resource bodies as they lie in the store: zstd with a dictionary of synthetic resources.

A dictionary is shipped with the code, copied into each store that uses it under its number, and never dropped:
a frame names its dictionary. Without one a 1.2 KB resource takes 600 bytes, with it 200.
"""

from __future__ import annotations

from pathlib import Path

import zstandard

SHIPPED = 1
"""Number of the dictionary that new bodies are compressed with: bodies-<number>.dict."""
_LEVEL = 3


def shipped_dictionary() -> bytes:
    return (Path(__file__).parent / f"bodies-{SHIPPED}.dict").read_bytes()


class Bodies:
    """Compresses and expands; for one thread (zstd contexts are not thread-safe)."""

    def __init__(self, dictionaries: dict[int, bytes]) -> None:
        self._dictionaries = {number: zstandard.ZstdCompressionDict(data) for number, data in dictionaries.items()}
        current = self._dictionaries[SHIPPED]
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=current, write_checksum=False).compress
        self._expand = zstandard.ZstdDecompressor(dict_data=current).decompress

    def compress(self, body: bytes) -> bytes:
        return self._compress(body)

    def expand(self, frame: bytes) -> bytes:
        try:
            return self._expand(frame)
        except zstandard.ZstdError:
            return self._expand_older(frame)

    def _expand_older(self, frame: bytes) -> bytes:
        number = zstandard.get_frame_parameters(frame).dict_id
        dictionary = self._dictionaries[number] if number else None
        return zstandard.ZstdDecompressor(dict_data=dictionary).decompress(frame)
