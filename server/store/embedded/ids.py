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
