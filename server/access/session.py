"""Sessions of people who signed in to the pages with a token: a signed cookie, nothing kept on the server.

The cookie names the hash of the token, so it ends with it: revoked, expired, or after `HOURS`. It opens reading only:
`web.py` takes it for GET and HEAD, so a foreign page has nothing to forge; SameSite=Strict keeps it from being sent
there at all, and the sign-in form is taken from this very origin only.
https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from server.access.principal import Principal
from server.access.tokens import Tokens, hash_of

COOKIE = "onecard_session"
HOURS = 10
KEY_NAME = "session-key"
"""Setting in the store that holds the key, the same for all workers."""


class Sessions:
    def __init__(self, key: bytes, tokens: Tokens, clock: Callable[[], int]) -> None:
        self._key = key
        self._tokens = tokens
        self._clock = clock

    def open(self, secret: str, *, secure: bool) -> str | None:
        """Value of Set-Cookie for who knows a valid token, else None."""
        digest = hash_of(secret)
        if self._tokens.by_hash(digest) is None:
            return None
        ends = self._clock() + HOURS * 3_600_000
        value = f"{digest}.{ends}"
        return _cookie(f"{value}.{self._signature(value)}", HOURS * 3600, secure)

    def principal(self, cookie_header: str) -> Principal | None:
        """Who sends this Cookie header; read-only, whatever the token may do."""
        value, _, signature = _value(cookie_header).rpartition(".")
        digest, _, ends = value.partition(".")
        if not value or not hmac.compare_digest(self._signature(value).encode(), signature.encode("utf-8", "replace")):
            return None
        if self._clock() >= int(ends):
            return None
        owner = self._tokens.by_hash(digest)
        return Principal(owner.name, read_only=True) if owner else None

    def _signature(self, value: str) -> str:
        return hmac.new(self._key, value.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def closed(*, secure: bool) -> str:
    """Value of Set-Cookie that ends a session."""
    return _cookie("", 0, secure)


def _cookie(value: str, seconds: int, secure: bool) -> str:
    return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")


def _value(cookie_header: str) -> str:
    for pair in cookie_header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return ""
