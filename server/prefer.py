"""The Prefer header: what a client would like.   https://hl7.org/fhir/R4/http.html#ops https://www.rfc-editor.org/rfc/rfc7240"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

RETURN = frozenset({"minimal", "representation", "OperationOutcome"})
HANDLING = frozenset({"strict", "lenient"})


class Prefer(NamedTuple):
    """Preferences understood; others are ignored, as RFC 7240 demands."""

    answer: str | None = None
    """`return=`: minimal, representation or OperationOutcome."""
    handling: str | None = None
    """strict or lenient."""
    respond_async: bool = False


_NOTHING = Prefer()


def prefer(headers: Mapping[str, str]) -> Prefer:
    """Preferences of a request; the first one of a kind counts."""
    text = headers.get("prefer")
    return _parse(text) if text else _NOTHING


def _parse(text: str) -> Prefer:
    answer: str | None = None
    handling: str | None = None
    respond_async = False
    for part in text.replace(";", ",").split(","):
        name, _, value = part.strip().partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "return" and value in RETURN:
            answer = answer or value
        elif name == "handling" and value in HANDLING:
            handling = handling or value
        elif name == "respond-async":
            respond_async = True
    return Prefer(answer, handling, respond_async)
