"""Syntax of `Resource.id`.   https://hl7.org/fhir/R4/datatypes.html#id"""

from __future__ import annotations

_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."


def is_id(text: str) -> bool:
    return 0 < len(text) <= 64 and not text.strip(_CHARACTERS)
