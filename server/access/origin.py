"""Where a browser's request comes from: open mode's guard, and CORS.

Open mode has no tokens, so a web page elsewhere must not reach it through the user's browser: its Host must be a
loopback name (a foreign name that resolves to 127.0.0.1 is DNS rebinding), its Origin this server's own or listed.
https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from server.config import is_loopback
from server.errors import Forbidden

EXPOSED = "ETag, Location, Content-Location, Last-Modified, Retry-After, X-Request-Id"
ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS = (
    "Accept, Authorization, Content-Type, Content-Encoding, If-Match, If-None-Match, If-None-Exist, "
    "If-Modified-Since, Prefer, X-Request-Id"
)


@lru_cache(maxsize=256)
def names_loopback(host: str) -> bool:
    """Whether a Host header names this computer itself."""
    return is_loopback(host_name(host))


def host_name(host: str) -> str:
    """The name in a Host header, without its port: "[::1]:8080" gives "::1"."""
    if host[:1] == "[":
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def refuse_foreign(headers: Mapping[str, str], listed: Collection[str]) -> None:
    """Open mode's guard. Raises: Forbidden."""
    host = headers.get("host", "")
    if not names_loopback(host):
        raise Forbidden("Open mode answers at loopback names only, such as http://localhost or http://127.0.0.1.")
    origin = headers.get("origin")
    if origin is not None and not same_origin(origin, host) and origin.lower() not in listed:
        raise Forbidden("Open mode refuses requests of web pages from elsewhere (Origin).")


def same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header names the host that it is sent to."""
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def cors_headers(origin: str | None, listed: Collection[str]) -> dict[str, str]:
    """Headers that let a listed origin's page read the answer."""
    if origin is None or origin.lower() not in listed:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED, "Vary": "Origin"}


def preflight_headers(origin: str | None, listed: Collection[str]) -> dict[str, str]:
    """Answer to a preflight. Raises: Forbidden for an origin that is not listed."""
    allowed = cors_headers(origin, listed)
    if not allowed:
        raise Forbidden("This origin is not listed (setting cors-origin).")
    del allowed["Access-Control-Expose-Headers"]
    return allowed | {
        "Access-Control-Allow-Methods": ALLOWED_METHODS,
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": "600",
    }
