"""Token parameters: code, Coding, CodeableConcept, Identifier, ContactPoint, boolean, uri, id and string.
https://hl7.org/fhir/R4/search.html#token

Codes and identifiers are compared as written; strings and e-mail addresses without case, telephone numbers without
the characters that separate their digits. `:text` finds the text anywhere in what is shown for the code, since Thai
has no spaces at which a word could begin.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from server.search.fold import fold
from server.search.query import OfTypeOperand, TextOperand, TokenOperand
from server.search.types.remembered import Remembered
from server.search.types.written import Unreadable, split, unescape
from server.search.values import OfType, Token

MODIFIERS = frozenset({"not", "text", "in", "not-in", "above", "below", "of-type"})

SPECIAL_VALUES = "http://hl7.org/fhir/special-values"
"""The system of `true` and `false`."""

MIME = "urn:ietf:bcp:13"

_TELEPHONE = re.compile(r"\+?[\d\s().\-]+", re.ASCII)
_SEPARATORS = re.compile(r"[\s().\-]+")


def values(node: Any, fhir_type: str, system: str | None = None) -> list[Token | OfType]:
    """system: that of a `code` element, implied by its required binding."""
    return reader(fhir_type, system)(node, {})


def reader(fhir_type: str, system: str | None = None) -> Callable[[Any, Any], list[Token | OfType]]:
    """`values` of one type of element, as a function of the element."""
    if fhir_type in _READERS:
        return _READERS[fhir_type]
    if fhir_type != "code":
        return lambda node, _: _simple(node, fhir_type)

    def code(node: Any, _: Any) -> list[Token | OfType]:
        if node.__class__ is not str or not node:
            return []
        if system == MIME and ";" in node:
            return [Token(system, node), Token(system, mime_base(node))]
        return [Token(system, node)]

    return code


def _simple(node: Any, fhir_type: str) -> list[Token | OfType]:
    if isinstance(node, bool):
        return [Token(SPECIAL_VALUES, "true" if node else "false")]
    if isinstance(node, str):
        return [Token(None, comparable(node, fhir_type))] if node else []
    return [] if node is None or isinstance(node, dict | list) else [Token(None, str(node))]


def comparable(text: str, fhir_type: str) -> str:
    """The form in which a token of this type is stored and asked for."""
    if fhir_type in ("string", "markdown"):
        return text.casefold()
    if fhir_type == "ContactPoint":
        digits = _SEPARATORS.sub("", text) if _TELEPHONE.fullmatch(text) else ""
        return digits if digits.strip("+") else text.casefold()
    return text


def mime_base(code: str) -> str:
    """What `:below` finds a media type with parameters by: `text/xml;` of `text/xml; charset=UTF-8`.
    https://hl7.org/fhir/R4/search.html#mimetype"""
    return code.partition(";")[0].rstrip() + ";"


def _text(node: dict[str, Any], name: str) -> str | None:
    value = node.get(name)
    return value if value.__class__ is str and value else None


def _items(node: dict[str, Any], name: str) -> list[Any]:
    value = node.get(name)
    return value if isinstance(value, list) else []


_EMPTY = Token(None, None, None)
_CODINGS = Remembered()
"""By system, code and display."""


def _coding(coding: Any, _: Any = None) -> list[Token | OfType]:
    if coding.__class__ is not dict:
        return []
    get = coding.get
    key = get("system"), get("code"), get("display")
    try:
        known = _CODINGS.get(key)
    except TypeError:  # an array or an object where a text belongs
        return _tokens(coding)
    return known if known is not None else _CODINGS.keep(key, _tokens(coding))


def _tokens(coding: dict[str, Any]) -> list[Token | OfType]:
    token = Token(_text(coding, "system"), _text(coding, "code"), _text(coding, "display"))
    return [token] if token != _EMPTY else []


def _codeable_concept(concept: Any, _: Any) -> list[Token | OfType]:
    if concept.__class__ is not dict:
        return []
    codings, text = _items(concept, "coding"), _text(concept, "text")
    if text is None and len(codings) == 1:
        return _coding(codings[0])
    found: list[Token | OfType] = []
    for coding in codings:
        found += _coding(coding)
    if text is not None:
        found.append(Token(None, None, text))
    return found


def _identifier(identifier: Any, _: Any) -> list[Token | OfType]:
    if identifier.__class__ is not dict:
        return []
    system, value = _text(identifier, "system"), _text(identifier, "value")
    type_ = identifier.get("type")
    if type_.__class__ is not dict:
        return [Token(system, value)] if system is not None or value is not None else []
    token = Token(system, value, _text(type_, "text"))
    found: list[Token | OfType] = [token] if token != _EMPTY else []
    if value is not None:
        found.extend(
            OfType(_text(coding, "system"), code, value)
            for coding in _items(type_, "coding")
            if isinstance(coding, dict) and (code := _text(coding, "code")) is not None
        )
    return found


def _contact_point(contact: Any, _: Any) -> list[Token | OfType]:
    value = _text(contact, "value") if contact.__class__ is dict else None
    return [] if value is None else [Token(None, comparable(value, "ContactPoint"))]


def _quantity(quantity: Any, _: Any) -> list[Token | OfType]:
    if quantity.__class__ is not dict:
        return []
    token = Token(_text(quantity, "system"), _text(quantity, "code"), _text(quantity, "unit"))
    return [token] if token != _EMPTY else []


_READERS: dict[str, Callable[[Any, Any], list[Token | OfType]]] = {
    "Coding": _coding,
    "CodeableConcept": _codeable_concept,
    "Identifier": _identifier,
    "ContactPoint": _contact_point,
    "Quantity": _quantity,
}


def first_identifier(identifier: Any) -> Token | None:
    """The system and value of an Identifier, without its type."""
    if not isinstance(identifier, dict):
        return None
    token = Token(_text(identifier, "system"), _text(identifier, "value"))
    return token if token != _EMPTY else None


def parse(text: str, modifier: str, fhir_type: str = "") -> TokenOperand | OfTypeOperand | TextOperand:
    """fhir_type: what the parameter's elements are, where its tokens are compared without case."""
    if modifier == "text":
        written = unescape(text)
        folded = fold(written)
        if not folded:
            raise Unreadable("there is no letter or digit to search for")
        return TextOperand(folded, written)
    parts = [unescape(part) for part in split(text, "|")]
    if modifier == "of-type":
        if len(parts) != 3 or not all(parts):
            raise Unreadable(":of-type takes system|code|value, all three")
        return OfTypeOperand(*parts)
    if len(parts) > 2:
        raise Unreadable(r"expected code, system|code, |code or system|; a | within a code is written \|")
    if len(parts) == 1:
        if not parts[0]:
            raise Unreadable("expected code, system|code, |code or system|")
        return TokenOperand(None, comparable(parts[0], fhir_type), True)
    system, code = parts
    if not system and not code:
        raise Unreadable("expected a system or a code beside the |")
    return TokenOperand(system or None, comparable(code, fhir_type) or None, False)


def matches(value: Token | OfType, modifier: str, operand: TokenOperand | OfTypeOperand | TextOperand) -> bool:
    if isinstance(operand, OfTypeOperand):
        return isinstance(value, OfType) and tuple(value) == tuple(operand)
    if isinstance(value, OfType):
        return False
    if isinstance(operand, TextOperand):
        return value.text is not None and operand.folded in fold(value.text)
    if operand.code is None:
        return value.system == operand.system
    return value.code == operand.code and (operand.any_system or value.system == operand.system)


def sort_key(value: Token | OfType) -> str:
    if isinstance(value, OfType):
        return value.value
    return value.code or value.text or value.system or ""
