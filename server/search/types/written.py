"""Search values as they are written in a URL: escapes, and the refusal of what cannot be read.

`\\,` `\\$` `\\|` and `\\\\` stand for the character itself. https://hl7.org/fhir/R4/search.html#escaping
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPLITTERS = {separator: re.compile(rf"((?:[^\\{re.escape(separator)}]|\\.)*)", re.DOTALL) for separator in ",|$"}


class Unreadable(ValueError):
    """The value is none of this parameter type; the text says what was expected and never quotes the value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What reading values depends on besides the definitions."""

    zone: tzinfo
    """Zone of dates without one."""
    bases: tuple[str, ...]
    """Base URLs of this server, without a trailing slash: absolute references below them are local."""


def split(text: str, separator: str) -> list[str]:
    """Parts between unescaped separators, still escaped."""
    if separator not in text:
        return [text]
    if "\\" not in text:
        return text.split(separator)
    parts, at = [], 0
    pattern = _SPLITTERS[separator]
    while True:
        found = pattern.match(text, at)
        assert found is not None, "the pattern matches the empty string"
        end = found.end()
        if end < len(text) and text[end] != separator:
            end = len(text)  # a lone backslash at the end
        parts.append(text[at:end])
        if end >= len(text):
            return parts
        at = end + 1


def unescape(text: str) -> str:
    r"""`\,` -> `,` and so on. Raises: Unreadable (a backslash that escapes nothing)."""
    if "\\" not in text:
        return text
    if re.fullmatch(r"(?:[^\\]|\\[\\,|$])*", text, re.DOTALL) is None:
        raise Unreadable(r"a backslash only stands before one of \ , | $")
    return _ESCAPED.sub(r"\1", text)


def escape(text: str) -> str:
    """Text as one literal search value."""
    return re.sub(r"([\\,|$])", r"\\\1", text)
