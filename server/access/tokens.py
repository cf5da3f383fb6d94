"""File of system tokens: who may use the server without SMART on FHIR. Only hashes are stored.

{"tokens": [{"name", "hash" (SHA-256 of the token, hex), "created", "expires" (null: never), "readOnly"}]}, times as
FHIR instants in UTC. A token is 256 random bits, so a plain hash cannot be guessed back. The file is replaced as a
whole and readable by its owner only; every worker sees a change with its next request.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from server.access.principal import Principal
from server.store.contract import instant

PREFIX = "onecard_"
"""So that secret scanners and people recognise a token."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOCK_SECONDS = 10.0


class TokenFileError(Exception):
    """The file cannot be used, or the command does not fit what is in it; says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of one token; never the token itself."""

    name: str
    hash: str
    created: int
    """Milliseconds UTC since 1970."""
    expires: int | None
    """Milliseconds UTC since 1970; None: never."""
    read_only: bool

    def valid(self, now: int) -> bool:
        return self.expires is None or now < self.expires


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


# ---------------------------------------------------------------- the file


def read_tokens(path: Path) -> list[Token]:
    """Tokens in the order they were added; none if there is no file. Raises: TokenFileError."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TokenFileError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return [
            Token(row["name"], row["hash"], _ms(row["created"]), _expiry(row["expires"]), bool(row["readOnly"]))
            for row in orjson.loads(raw)["tokens"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TokenFileError(f"{path} is no token file") from None


def add_token(path: Path, name: str, *, now: int, expires: int | None = None, read_only: bool = False) -> str:
    """The new token, which nobody can be told again. Raises: TokenFileError."""
    if not _NAME.fullmatch(name):
        raise TokenFileError("a name has 1 to 64 letters, digits, dots, dashes or underscores")
    secret = PREFIX + secrets.token_urlsafe(32)
    with _locked(path):
        tokens = read_tokens(path)
        if any(token.name == name for token in tokens):
            raise TokenFileError(f"there is a token named {name!r} already")
        _write(path, [*tokens, Token(name, hash_of(secret), now, expires, read_only)])
    return secret


def revoke_token(path: Path, name: str) -> None:
    """Raises: TokenFileError."""
    with _locked(path):
        tokens = read_tokens(path)
        kept = [token for token in tokens if token.name != name]
        if len(kept) == len(tokens):
            raise TokenFileError(f"there is no token named {name!r}")
        _write(path, kept)


def _write(path: Path, tokens: list[Token]) -> None:
    rows = [
        {
            "name": token.name,
            "hash": token.hash,
            "created": instant(token.created),
            "expires": None if token.expires is None else instant(token.expires),
            "readOnly": token.read_only,
        }
        for token in tokens
    ]
    # mkstemp makes it 0600 from the first byte on.
    handle, temporary = tempfile.mkstemp(prefix=path.name, suffix=".new", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps({"tokens": rows}, option=orjson.OPT_INDENT_2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time, by a lock file: it works on every system and file share."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > give_up:
                raise TokenFileError(f"another command is writing {path}; if not, delete {lock}") from None
            time.sleep(0.05)
        except OSError as error:
            raise TokenFileError(f"{path.parent} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def _expiry(text: str | None) -> int | None:
    return None if text is None else _ms(text)


# ---------------------------------------------------------------- serving


class Tokens:
    """The token file as the server asks it: read again whenever it has changed."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        self._path = path
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._by_hash: dict[str, tuple[Token, Principal]] = {}
        self.error: str | None = None
        """Why the file cannot be used at present: then no token is valid."""

    def principal(self, secret: str) -> Principal | None:
        """Who sends this token; None if it is unknown, revoked or expired."""
        return self.by_hash(hash_of(secret))

    def by_hash(self, digest: str) -> Principal | None:
        self._refresh()
        found = self._by_hash.get(digest)
        if found is None:
            return None
        token, principal = found
        # The dictionary has compared already, on hashes of unguessable secrets; this comparison gives no timing away.
        if not hmac.compare_digest(token.hash, digest) or not token.valid(self._clock()):
            return None
        return principal

    def expiry(self, digest: str) -> int | None:
        """When the token ends (milliseconds UTC), None for never or unknown."""
        found = self._by_hash.get(digest)
        return found[0].expires if found else None

    def _refresh(self) -> None:
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        except FileNotFoundError:
            seen = (0, 0, 0)
        except OSError as error:
            self._by_hash, self._seen, self.error = {}, None, str(error.strerror)
            return
        if seen == self._seen:
            return
        try:
            tokens = read_tokens(self._path)
            self.error = None
        except TokenFileError as error:
            tokens, self.error = [], str(error)
        self._by_hash = {token.hash: (token, Principal(token.name, token.read_only)) for token in tokens}
        self._seen = seen
