"""Uri parameters: uri, url, canonical, oid.   https://hl7.org/fhir/R4/search.html#uri

A canonical with a version is found with and without it: it is two values.
"""

from __future__ import annotations

from typing import Any

from server.search.query import TextOperand
from server.search.types.written import Unreadable, unescape
from server.search.values import Uri

MODIFIERS = frozenset({"above", "below"})


def values(node: Any, fhir_type: str) -> list[Uri]:
    if not isinstance(node, str):
        return []
    if fhir_type == "canonical" and "|" in node:
        return [Uri(node), Uri(node.partition("|")[0])]
    return [Uri(node)]


def parse(text: str, modifier: str) -> TextOperand:
    written = unescape(text)
    if not written:
        raise Unreadable("expected a URI")
    if modifier and written.startswith("urn:"):
        raise Unreadable(f":{modifier} is for URLs, a URN has no hierarchy")
    return TextOperand(written, written)


def matches(value: Uri, modifier: str, operand: TextOperand) -> bool:
    if modifier == "below":
        return value.value.startswith(operand.exact)
    if modifier == "above":
        return is_above(value.value, operand.exact)
    return value.value == operand.exact


def is_above(value: str, written: str) -> bool:
    """Whether `value` is `written` or ends at one of its path segments."""
    return written.startswith(value) and (
        len(value) == len(written) or value[-1:] == "/" or written[len(value)] in "/?#"
    )


def sort_key(value: Uri) -> str:
    return value.value
