"""Request target -> path segments and query parameters, decoded strictly. Pure.   https://www.rfc-editor.org/rfc/rfc3986

Refused with 400: bad percent escapes, what is no UTF-8, NUL, dot segments, slashes hidden in a segment, empty segments.
A letter that is sent raw instead of escaped (curl does, with Thai) is accepted when it is UTF-8.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes, urlsplit

from server.errors import BadRequest

Parameters = list[tuple[str, str]]

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNUSUAL = re.compile(r"[^!-~]")


def origin_form(raw: str) -> tuple[str, str]:
    """(path, query), both still escaped, of a request target; the absolute form that proxies send is cut.

    https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    """
    if raw[:1] != "/":
        parts = urlsplit(raw)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise BadRequest("The request target is neither a path nor an http address.")
        return parts.path or "/", parts.query
    path, _, query = raw.partition("?")
    return path, query


def segments(path: str) -> tuple[str, ...]:
    """Decoded segments of an escaped path that has lost its leading slash; one slash at the end is forgiven."""
    if path[-1:] == "/":
        path = path[:-1]
    if not path:
        return ()
    parts = path.split("/")
    if "%" in path or _UNUSUAL.search(path):
        parts = [decode(part) for part in parts]
    for part in parts:
        # The router makes an id check; these are what could mean another path to someone further down.
        if not part or part in (".", "..") or "/" in part or "\\" in part or "#" in part:
            raise BadRequest("A path segment is empty, a dot segment, or holds a slash.", code="value")
    return tuple(parts)


def parameters(query: str, limit: int) -> Parameters:
    """Decoded parameters of a query or form, in order, `+` read as a space; more than `limit` are refused."""
    if not query:
        return []
    parts = query.strip("&").split("&", limit)
    if len(parts) > limit:
        raise BadRequest(f"More than {limit} parameters.", code="too-costly")
    plain = "%" not in query and "+" not in query and not _UNUSUAL.search(query)
    found: Parameters = []
    for part in parts:
        if part:
            name, _, value = part.partition("=")
            found.append((name, value) if plain else (decode(name, plus=True), decode(value, plus=True)))
    return found


def decode(text: str, *, plus: bool = False) -> str:
    """Percent-decoded text. Raises: BadRequest, without quoting the text."""
    if plus:
        text = text.replace("+", " ")
    if "%" not in text and text.isprintable() and text.isascii():
        return text
    if _BAD_ESCAPE.search(text):
        raise BadRequest("A % in the address is not followed by two hexadecimal digits.", code="value")
    try:
        # The server hands over raw bytes that are no ASCII as surrogates; encoding makes them bytes again.
        raw = unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
        decoded = raw.decode("utf-8")
    except UnicodeError:
        raise BadRequest("The address is not valid UTF-8.", code="value") from None
    if "\0" in decoded:
        raise BadRequest("The address holds a NUL character.", code="value")
    return decoded
