"""String parameters: strings, HumanName and Address.   https://hl7.org/fhir/R4/search.html#string

A value is found by its beginning, folded. A HumanName and an Address give each of their parts and the whole, so that
a Thai name is found by given name, family name or both; the words of a family name are found one by one.
"""

from __future__ import annotations

from typing import Any

from server.search.fold import fold, thai_sort_key
from server.search.query import TextOperand
from server.search.types.written import Unreadable, unescape
from server.search.values import String

MODIFIERS = frozenset({"exact", "contains", "text"})


def values(node: Any, fhir_type: str, *, words: bool = False) -> list[String]:
    """words: the element is a family name, whose words are values of their own."""
    if isinstance(node, str):
        if not words:
            folded = fold(node)
            return [String(folded, node)] if folded else []
        return _strings([node]) + _words(node)
    if isinstance(node, dict):
        family = node.get("family") if fhir_type == "HumanName" else None
        return _strings(PARTS.get(fhir_type, _any_text)(node)) + (_words(family) if isinstance(family, str) else [])
    return []


def _strings(texts: list[str]) -> list[String]:
    return [String(folded, text) for text in dict.fromkeys(texts) if (folded := fold(text))]


def _words(family: str) -> list[String]:
    """Words are found, but what is written, and sorted by, is the whole."""
    words = family.replace("-", " ").split()
    return [String(folded, family) for word in dict.fromkeys(words) if (folded := fold(word))] if len(words) > 1 else []


def _texts(node: dict[str, Any], *names: str) -> list[str]:
    found: list[str] = []
    for name in names:
        value = node.get(name)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            found += [one for one in value if isinstance(one, str)]
    return found


def _human_name(name: dict[str, Any]) -> list[str]:
    given, family = _texts(name, "given"), _texts(name, "family")
    parts = [*_texts(name, "text"), *family, *given, *_texts(name, "prefix", "suffix")]
    if family and given:
        parts.append(" ".join((*given, *family)))
    return parts


def _address(address: dict[str, Any]) -> list[str]:
    parts = _texts(address, "line", "district", "city", "state", "postalCode", "country")
    whole = [" ".join(parts)] if len(parts) > 1 else []
    return [*_texts(address, "text"), *parts, *whole]


def _any_text(node: dict[str, Any]) -> list[str]:
    return _texts(node, "text", "display", "name", "title", "value")


PARTS = {"HumanName": _human_name, "Address": _address}


def parse(text: str) -> TextOperand:
    written = unescape(text)
    folded = fold(written)
    if not folded:
        raise Unreadable("there is no letter or digit to search for")
    return TextOperand(folded, written)


def matches(value: String, modifier: str, operand: TextOperand) -> bool:
    if modifier == "exact":
        return value.exact == operand.exact
    if modifier == "contains":
        return operand.folded in value.folded
    if modifier == "equal":
        return value.folded == operand.folded
    if modifier == "ends":
        return value.folded.endswith(operand.folded)
    return value.folded.startswith(operand.folded)


def sort_key(value: String) -> str:
    return thai_sort_key(fold(value.exact))
