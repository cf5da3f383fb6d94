"""Text of a FHIRPath expression to tokens.   http://hl7.org/fhirpath/N1/#lexical-elements"""

from __future__ import annotations

import re
from typing import NamedTuple

from fhir_profiles.fhirpath.errors import FhirPathError

MAX_LENGTH = 32_768

_DATE = r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?"
_TIME = r"[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
_TOKEN = re.compile(
    rf"""
      (?P<space>(?:[ \t\r\n]+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/)+)
    | (?P<datetime>@{_DATE}T(?:{_TIME}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?)
    | (?P<date>@{_DATE})
    | (?P<time>@T{_TIME})
    | (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<variable>\$(?:this|index|total)\b)
    | (?P<symbol><=|>=|!=|!~|[.,()\[\]{{}}|=~<>+\-*/&%])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPED = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Token(NamedTuple):
    kind: str
    """datetime date time number string quoted name variable symbol end"""
    text: str
    """Unescaped for string and quoted; without `@` or `@T` for dates and times; as written otherwise."""
    position: int


def unescape(text: str) -> str:
    """A backslash before a character that needs none disappears (`'\\p'` is `p`)."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2]), text)


def _text(kind: str, text: str) -> str:
    match kind:
        case "string" | "quoted":
            return unescape(text[1:-1])
        case "date" | "datetime":
            return text[1:]
        case "time":
            return text[2:]
        case "variable":
            return text[1:]
        case _:
            return text


def tokens(text: str) -> list[Token]:
    """Tokens in order, the last of kind `end`.   Raises: FhirPathError (syntax)."""
    if len(text) > MAX_LENGTH:
        raise FhirPathError("syntax", f"the expression is longer than {MAX_LENGTH} characters")
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FhirPathError("syntax", f"unexpected character at {position} in {text[:200]!r}")
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, _text(kind, match.group()), position))
        position = match.end()
    found.append(Token("end", "", position))
    return found
