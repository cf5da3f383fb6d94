"""`Resource.id`: its syntax, and new ones.   https://hl7.org/fhir/R4/datatypes.html#id"""

from __future__ import annotations

import time

from server.randomness import RandomPieces

_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."
_random = RandomPieces(10)


def is_id(text: str) -> bool:
    return 0 < len(text) <= 64 and not text.strip(_CHARACTERS)


def new_id() -> str:
    """Time-ordered random id: UUID version 7 (RFC 9562 section 5.7); new rows go to the right edge of the indexes."""
    chance = int.from_bytes(_random(), "big")
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | (chance >> 68) << 64 | 0b10 << 62 | chance & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
