"""Cursors: what a next or previous page needs, sealed so that only its maker can use it and nobody can read it.

A cursor is JSON, compressed if it is long, under AES-256-GCM with a key of the store; the name of the principal and the
store's epoch are authenticated with it. Keys rotate: the first seals, all open.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.errors import BadRequest
from server.randomness import RandomPieces

KEY_BYTES = 32
LONGEST = 16_384
"""Characters of a cursor."""
_NONCE_BYTES, _NAME_BYTES = 12, 2
_SHORT = 300
_random_nonce = RandomPieces(_NONCE_BYTES)


def new_key() -> bytes:
    return AESGCM.generate_key(KEY_BYTES * 8)


class Cursors:
    """Seals and opens cursors with the keys of one store."""

    def __init__(self, keys: Sequence[bytes] = (), epoch: str = "", nonce: Callable[[], bytes] = _random_nonce) -> None:
        """keys: 32 bytes each, the newest first; without any, a key that dies with the process."""
        self._nonce = nonce
        self.use(keys or (new_key(),), epoch)

    def use(self, keys: Sequence[bytes], epoch: str) -> None:
        """Go on with other keys, as after opening the store or a rotation. Cursors of another epoch no longer open."""
        self._ciphers = {_name(key): AESGCM(key) for key in reversed(keys)}
        self._newest = _name(keys[0])
        self._epoch = epoch

    def seal(self, payload: Any, principal: str) -> str:
        """JSON value -> text for a URL."""
        plain = _packed(_json(payload))
        nonce = self._nonce()
        sealed = self._ciphers[self._newest].encrypt(nonce, plain, _bound_to(self._epoch, principal))
        return urlsafe_b64encode(self._newest + nonce + sealed).rstrip(b"=").decode()

    def open(self, text: str, principal: str) -> Any:
        """The JSON value. Raises: BadRequest (damaged, made by someone else, or of a store that was restored since)."""
        refusal = BadRequest("_cursor: this page link is not valid (any more); repeat the search", code="value")
        if len(text) > LONGEST or not text.isascii():
            raise refusal
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            raise refusal from None
        cipher = self._ciphers.get(raw[:_NAME_BYTES])
        rest = raw[_NAME_BYTES:]
        if cipher is None or len(rest) <= _NONCE_BYTES:
            raise refusal
        try:
            plain = cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound_to(self._epoch, principal))
        except InvalidTag:
            raise refusal from None
        return json.loads(_unpacked(plain))


def _json(payload: Any) -> bytes:
    try:
        return orjson.dumps(payload)
    except TypeError:  # integers beyond 64 bits
        return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


@lru_cache(256)
def _bound_to(epoch: str, principal: str) -> bytes:
    return json.dumps([epoch, principal]).encode()


def _packed(plain: bytes) -> bytes:
    """Compressed if that is worth its time: a page of results has three cursors, most of them short."""
    return b"\0" + plain if len(plain) < _SHORT else b"\1" + zlib.compress(plain, 6)


def _unpacked(packed: bytes) -> bytes:
    return packed[1:] if packed[:1] == b"\0" else zlib.decompress(packed[1:])


def _name(key: bytes) -> bytes:
    """Which key it is, without telling anything of it."""
    return hashlib.sha256(b"cursor key name\0" + key).digest()[:_NAME_BYTES]
