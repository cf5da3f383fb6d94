"""Text of a resource as `_text` and `_content` search it: folded, values apart by newlines.
https://hl7.org/fhir/R4/search.html#text
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from server.search.fold import fold_once

Resource = dict[str, Any]

_INLINE = re.compile(
    r"</?(?:a|abbr|acronym|b|big|cite|code|em|i|q|s|small|span|strong|sub|sup|tt|u|var)(?:\s[^<>]*)?/?>"
)
_TAG = re.compile(r"<[^<>]*>")
_UNSAID = frozenset({"resourceType", "div", "data"})
"""Members that are no words: narrative is text of its own, and `data` is base64."""


def texts(resource: Resource) -> tuple[str, str]:
    """Folded narrative and folded content (narrative included), values apart by newlines, for `_text`, `_content`."""
    narrative = _narrative(resource)
    said = [narrative] if narrative else []
    said += (folded for text in _strings(resource) if (folded := fold_once(text)))
    return narrative, "\n".join(dict.fromkeys(said))


def _narrative(resource: Resource) -> str:
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if not isinstance(div, str):
        return ""
    return fold_once(html.unescape(_TAG.sub(" ", _INLINE.sub("", div))))


def _strings(element: Any) -> Iterator[str]:
    waiting = [element]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            yield current
        elif isinstance(current, dict):
            waiting.extend(_spoken(current))
        elif isinstance(current, list):
            waiting.extend(reversed(current))


def _spoken(element: Resource) -> list[Any]:
    return [value for key, value in reversed(element.items()) if key not in _UNSAID]
