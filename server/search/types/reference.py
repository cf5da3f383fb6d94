"""Reference parameters: Reference, canonical, uri, and resources nested in another.
https://hl7.org/fhir/R4/search.html#reference

Absolute references below a base URL of this server are local. A canonical without a version stands for all its
versions; with one it means that, and with `:below` all that begin with it: 1 finds 1.0 and 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from server.search.query import ReferenceOperand, TokenOperand
from server.search.types import token
from server.search.types.remembered import Key, Remembered
from server.search.types.written import Setting, Unreadable, split, unescape
from server.search.values import Reference, Token

MODIFIERS = frozenset({"identifier", "above", "below"})
"""Besides `:[type]`."""

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?")
_VERSIONED = "/_history/"
LOGICAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


def reader(fhir_type: str, setting: Setting) -> Callable[[Any], list[Reference]]:
    """`values` of one type of element, as a function of the element; the values are shared and never changed."""
    if fhir_type != "Reference":
        return lambda node: values(node, fhir_type, setting)
    known = Remembered()

    def read(node: Any) -> list[Reference]:
        if node.__class__ is not dict:
            return values(node, fhir_type, setting)
        written, identifier = node.get("reference"), node.get("identifier")
        if identifier.__class__ is dict:
            key: Key = (written, identifier.get("system"), identifier.get("value"))
        elif identifier is None and written.__class__ is str and _VERSIONED not in written:
            key = written, None, None
        else:  # a version is seldom referred to twice
            return values(node, fhir_type, setting)
        try:
            found = known.get(key)
        except TypeError:  # an array or an object where a text belongs
            return values(node, fhir_type, setting)
        return found if found is not None else known.keep(key, values(node, fhir_type, setting))

    return read


def values(node: Any, fhir_type: str, setting: Setting) -> list[Reference]:
    if isinstance(node, str):
        if "|" in node:
            return [canonical(node)]
        return [_literal(node, setting, None)] if node else []
    if not isinstance(node, dict):
        return []
    if "resourceType" in node:
        return _nested(node)
    written, identifier = node.get("reference"), token.first_identifier(node.get("identifier"))
    if isinstance(written, str) and written:
        return [_literal(written, setting, identifier)]
    return [] if identifier is None else [Reference(None, None, None, None, identifier)]


def _literal(written: str, setting: Setting, identifier: Token | None) -> Reference:
    match = _LOCAL.fullmatch(relative(written, setting))
    if match is not None:
        return Reference(match[1], match[2], match[3], None, identifier)
    return Reference(None, None, None, written, identifier)


def relative(written: str, setting: Setting) -> str:
    """Reference without the base URL, if that is one of ours."""
    for base in setting.bases:
        if written.startswith(base) and written[len(base) : len(base) + 1] == "/":
            return written[len(base) + 1 :]
    return written


def canonical(written: str) -> Reference:
    url, _, version = written.partition("|")
    return Reference(None, None, version or None, url)


def _nested(resource: dict[str, Any]) -> list[Reference]:
    type_, id_ = resource.get("resourceType"), resource.get("id")
    return [Reference(type_, id_, None, None)] if isinstance(type_, str) and isinstance(id_, str) else []


def contained_url(resource_type: str) -> str:
    """Url under which a reference to a contained resource of this type is found by chains."""
    return f"#{resource_type}"


def parse(text: str, modifier: str, targets: tuple[str, ...], setting: Setting) -> ReferenceOperand | TokenOperand:
    """targets: resource types that the parameter may refer to, or the one given as `:[type]`."""
    if modifier == "identifier":
        operand = token.parse(text, "")
        assert isinstance(operand, TokenOperand)
        return operand
    url, *version = (unescape(part) for part in split(text, "|"))
    if len(version) > 1 or not url:
        raise Unreadable("expected an id, Type/id, a URL or url|version")
    local = relative(url, setting)
    if version:
        return ReferenceOperand(None, None, version[0] or None, url)
    match = _LOCAL.fullmatch(local)
    if match is not None:
        return ReferenceOperand(match[1], match[2], match[3], None)
    if _SCHEME.match(local):
        return ReferenceOperand(None, None, None, url)
    if LOGICAL_ID.fullmatch(local) is None:
        raise Unreadable("expected an id, Type/id, a URL or url|version")
    return ReferenceOperand(targets[0] if len(targets) == 1 else None, local, None, None)


def matches(value: Reference, modifier: str, operand: ReferenceOperand | TokenOperand) -> bool:
    if isinstance(operand, TokenOperand):
        return value.identifier is not None and token.matches(value.identifier, "", operand)
    if operand.url is not None:
        return value.url == operand.url and _version_matches(value.version, modifier, operand.version)
    if value.id is None or value.id != operand.id:
        return False
    return operand.type in (None, value.type) and operand.version in (None, value.version)


def _version_matches(version: str | None, modifier: str, asked: str | None) -> bool:
    if not asked:
        return asked is None or version is None
    if version == asked:
        return True
    return modifier == "below" and version is not None and version.startswith(f"{asked}.")


def sort_key(value: Reference) -> str:
    if value.id is not None:
        return f"{value.type}/{value.id}"
    if value.url is not None:
        return value.url
    return "" if value.identifier is None else token.sort_key(value.identifier)
