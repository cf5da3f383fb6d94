"""Search parameter expressions that are plain paths, read into JSON member names by what the definitions say.

Nearly all official expressions are paths with `ofType`, `as` and a few `where` forms. Knowing the members and the
types beforehand, one walk over a resource serves all its parameters (extract.py), and the registry knows the types
and bindings that a parameter finds. What is no such path stays FHIRPath.
https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fhir_profiles.definitions import Definitions


@dataclass(frozen=True, slots=True)
class Step:
    """Go on with the member `key` of an object, and there with each item if it is an array."""

    key: str


@dataclass(frozen=True, slots=True)
class Equals:
    """`where(key = 'value')`: only objects whose member has this string."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RefersTo:
    """`where(resolve() is type)`: only references to this type."""

    type: str


Move = Step | Equals | RefersTo


@dataclass(frozen=True, slots=True)
class Path:
    """From a resource (or the element of a composite) to elements of one type."""

    moves: tuple[Move, ...]
    type: str
    """FHIR type, or the path of a backbone element."""
    value_set: str | None = None
    """Of the binding, where the element is a code."""

    @property
    def root(self) -> str | None:
        """The first member; None if the path is the resource itself."""
        first = self.moves[0] if self.moves else None
        return first.key if isinstance(first, Step) else None


_TYPES = {"DateTime": "dateTime", "String": "string", "Boolean": "boolean", "Integer": "integer", "Decimal": "decimal"}
"""The official components say `ofType(DateTime)` where the type is `dateTime`."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<of>(?:\.\s*)?(?:ofType|as)\s*\(\s*(?:FHIR\.)?(?P<type>\w+)\s*\))
    | (?P<refers>\.\s*where\s*\(\s*resolve\(\)\s+is\s+(?:FHIR\.)?(?P<target>\w+)\s*\))
    | (?P<equals>\.\s*where\s*\(\s*(?P<key>\w+)\s*=\s*'(?P<value>[^'\\]*)'\s*\))
    | (?P<extension>\.\s*extension\s*\(\s*'(?P<url>[^'\\]*)'\s*\))
    | (?P<as>\s+as\s+(?:FHIR\.)?(?P<as_type>\w+))
    | (?P<name>\.\s*(?P<member>[A-Za-z]\w*))
    )""",
    re.VERBOSE,
)
_ROOT = re.compile(r"\s*(%resource|[A-Za-z]\w*)")


def split_union(expression: str) -> list[str]:
    """Operands of `|` outside parentheses and strings."""
    parts, depth, start, quoted = [], 0, 0, False
    for at, letter in enumerate(expression):
        if letter == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        elif letter == "|" and depth == 0:
            parts.append(expression[start:at])
            start = at + 1
    return [part.strip() for part in (*parts, expression[start:])]


def concerning(expression: str, types: tuple[str, ...]) -> list[str]:
    """Operands that begin with one of the types (a resource type and its ancestors), or with no type at all."""
    kept = []
    for part in split_union(expression):
        root = _ROOT.match(part.lstrip("( "))
        if root is None or root[1] in types or not root[1][0].isupper():
            kept.append(part)
    return kept


def read_path(part: str, start: str, types: tuple[str, ...], definitions: Definitions) -> list[Path] | None:
    """JSON paths of one operand from an object of type `start`; None if it is not plain.

    types: names by which the start may be called (`Patient`, `DomainResource`, `Resource`).
    """
    text = part.strip()
    inner = _unwrapped(text)
    if inner is None:
        return None
    text, rest = inner
    root = _ROOT.match(text)
    if root is None or root[1] == "%resource":
        return None
    paths = [Path((), start)]
    at = root.end()
    if root[1] not in types:
        if not root[1][0].islower():
            return None
        found = _member(paths, root[1], definitions)
        if found is None:
            return None
        paths = found
    return _follow(paths, text[at:] + rest, definitions)


def _unwrapped(text: str) -> tuple[str, str] | None:
    """`(a.b).c` -> (`a.b`, `.c`); None for parentheses that are not matched by their first."""
    if not text.startswith("("):
        return text, ""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            inner = _unwrapped(text[1:at].strip())
            return None if inner is None else (inner[0] + inner[1], text[at + 1 :])
    return None


def _follow(paths: list[Path], text: str, definitions: Definitions) -> list[Path] | None:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        at = found.end()
        following = _moved(paths, found, definitions)
        if following is None:
            return None
        paths = following
    return paths


def _moved(paths: list[Path], found: re.Match[str], definitions: Definitions) -> list[Path] | None:
    wanted = found["type"] or found["as_type"]
    if wanted is not None:
        wanted = _TYPES.get(wanted, wanted)
        return [path for path in paths if path.type == wanted]
    if found["refers"]:
        return [replace(path, moves=(*path.moves, RefersTo(found["target"]))) for path in paths]
    if found["equals"]:
        return [replace(path, moves=(*path.moves, Equals(found["key"], found["value"]))) for path in paths]
    if found["extension"]:
        members = _member(paths, "extension", definitions)
        url = Equals("url", found["url"])
        return members and [replace(path, moves=(*path.moves, url)) for path in members]
    return _member(paths, found["member"], definitions)


def _member(paths: list[Path], name: str, definitions: Definitions) -> list[Path] | None:
    following = [path for path in paths for path in _members(path, name, definitions)]
    return following or None


def _members(path: Path, name: str, definitions: Definitions) -> Iterator[Path]:
    if definitions.is_primitive(path.type) or path.type.startswith("System."):
        return
    for member in definitions.properties(path.type).values():
        element = member.element
        if element.name == name:
            value_set = element.binding.value_set if element.binding is not None else None
            type_ = member.type
            if type_.startswith("System."):
                type_ = _SYSTEM.get(type_, "string")
            yield Path((*path.moves, Step(member.name)), type_, value_set)


_SYSTEM = {"System.Boolean": "boolean", "System.Integer": "integer", "System.Decimal": "decimal"}
