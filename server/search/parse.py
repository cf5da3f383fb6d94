r"""Search parameters as they are written: names with their chains and modifiers, values with their OR lists.

    name      = [hop "."]... code [":" modifier]
    hop       = code [":" Type]
    name      = "_has:" Type ":" reference code ":" name
    value     = one ["," one]...        where `\,` is no separator

Pure syntax: whether a code exists, or a modifier fits, is for compile.py. Every parameter that repeats is an AND.
https://hl7.org/fhir/R4/search.html#modifiers https://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from server.errors import BadRequest
from server.search.types.written import split

SHOWN = 40
"""At most so many characters of a name or value are quoted in an answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one search may ask for; larger ones are refused with the limit named."""

    parameters: int = 100
    alternatives: int = 1000
    """Values of one OR list."""
    value_length: int = 65_536
    """Characters of one parameter's value."""
    depth: int = 8
    """Hops of chains and `_has` in one name."""
    sort_keys: int = 8
    count: int = 1000
    """Largest `_count`; larger ones are lowered to it."""
    default_count: int = 50
    text: bool = True
    """`_text` and `_content` are indexed (a setting); else searches for them are refused."""
    expansion: int = 5000
    """Codes of a value set in `:in`, `:not-in`, `:above`, `:below`."""


@dataclass(frozen=True, slots=True)
class Leaf:
    code: str
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """`code.rest` or `code:type.rest`: what the referenced resource must fulfil."""

    code: str
    type: str | None
    rest: Name


@dataclass(frozen=True, slots=True)
class Reverse:
    """`_has:source:code:rest`: what a resource that refers here must fulfil."""

    source: str
    code: str
    rest: Name


Name = Leaf | Hop | Reverse


@dataclass(frozen=True, slots=True)
class Asked:
    """One parameter of a request."""

    written: str
    """The whole name as written, for messages and the self link."""
    name: Name
    value: str
    """The whole value as written."""
    alternatives: tuple[str, ...]
    """Its OR list, each value still escaped."""
    operator: str = ""
    """Of a test within `_filter`, whose value is not escaped; empty for parameters themselves."""


_CODE = re.compile(r"[A-Za-z_\-][A-Za-z0-9_\-]*")
_MODIFIER = re.compile(r"[A-Za-z\-]+")


def shown(text: str) -> str:
    """Name or value as it may be quoted in an answer."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def parse(pairs: Iterable[tuple[str, str]], limits: Limits) -> list[Asked]:
    """Parameters in order, those without a value included. Raises: BadRequest naming the parameter."""
    asked: list[Asked] = []
    for written, value in pairs:
        if len(asked) >= limits.parameters:
            raise BadRequest(f"at most {limits.parameters} search parameters are allowed", code="too-long")
        asked.append(parse_one(written, value, limits))
    return asked


def parse_one(written: str, value: str, limits: Limits) -> Asked:
    if len(value) > limits.value_length:
        raise BadRequest(
            f"{shown(written)}: the value is longer than {limits.value_length} characters",
            expression=shown(written),
            code="too-long",
        )
    name = parse_name(written, limits)
    alternatives = (value,) if isinstance(name, Leaf) and name.code in _WHOLE else tuple(split(value, ","))
    if len(alternatives) > limits.alternatives:
        raise BadRequest(
            f"{shown(written)}: at most {limits.alternatives} values are allowed",
            expression=shown(written),
            code="too-long",
        )
    return Asked(written, name, value, alternatives)


_WHOLE = frozenset({"_filter"})
"""Parameters whose commas are no OR list."""


def parse_name(written: str, limits: Limits) -> Name:
    """Raises: BadRequest."""
    return _often(written, limits.depth) if len(written) <= _OFTEN else _name(written, written, limits.depth)


_OFTEN = 80
"""Names up to this length are parsed once for many searches."""


@lru_cache(maxsize=1024)
def _often(written: str, depth: int) -> Name:
    return _name(written, written, depth)


def _name(text: str, written: str, depth: int) -> Name:
    if text == "_has" or text.startswith("_has:"):
        parts = text.split(":", 3)
        if len(parts) < 4:
            raise _refused(written, "expected _has:Type:reference:parameter")
        _, source, code, rest = parts
        return Reverse(source, _code(code, written), _deeper(rest, written, depth))
    head, dot, rest = text.partition(".")
    code, colon, modifier = head.partition(":")
    if colon and _MODIFIER.fullmatch(modifier) is None:
        raise _refused(written, "expected a modifier behind the colon")
    if not dot:
        return Leaf(_code(code, written), modifier)
    return Hop(_code(code, written), modifier or None, _deeper(rest, written, depth))


def _deeper(rest: str, written: str, depth: int) -> Name:
    if depth <= 0:
        raise _refused(written, "the chain is too long", "too-long")
    return _name(rest, written, depth - 1)


def _code(text: str, written: str) -> str:
    if len(text) > 64 or _CODE.fullmatch(text) is None:
        raise _refused(written, "this is no name of a search parameter")
    return text


def _refused(written: str, reason: str, code: str = "invalid") -> BadRequest:
    if not written:
        return BadRequest("a parameter has no name", code=code)
    return BadRequest(f"{shown(written)}: {reason}", expression=shown(written), code=code)
