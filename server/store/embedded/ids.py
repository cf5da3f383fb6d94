"""Resource ids as index keys: a canonical UUID as its 16 bytes, anything else as text."""

from __future__ import annotations

import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def id_key(id: str) -> bytes | str:
    if len(id) == 36 and _UUID(id):
        return bytes.fromhex(id.replace("-", ""))
    return id


def id_text(key: bytes | str) -> str:
    if isinstance(key, str):
        return key
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_FORM = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"


def first_key_from(text: str) -> bytes | None:
    """The smallest 16-byte key whose id is not less than `text`; None if all are less.

    Ids of both forms are in the order of their letters but lie apart in the index: a position in one bounds the other.
    """
    digits = ""
    for place, form in enumerate(_FORM):
        letter = text[place] if place < len(text) else ""
        if form == "-":
            if letter > "-":
                return _next(digits)
            if letter < "-":
                return bytes.fromhex(digits.ljust(32, "0"))
        elif letter in "0123456789abcdef" and letter:
            digits += letter
        elif letter > "f":
            return _next(digits)
        else:
            fitting = next(digit for digit in "0123456789abcdef" if digit > letter)
            return bytes.fromhex((digits + fitting).ljust(32, "0"))
    return _next(digits) if len(text) > len(_FORM) else bytes.fromhex(digits)


def _next(digits: str) -> bytes | None:
    """The first key behind all that begin with these digits."""
    number = int(digits or "0", 16) + 1 if digits else 16 ** len(digits)
    return None if number >= 16 ** len(digits) else bytes.fromhex(f"{number:0{len(digits)}x}".ljust(32, "0"))
