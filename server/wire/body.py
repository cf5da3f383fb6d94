"""Request bodies: read within a size and a time, decompressed within the same size.

https://www.rfc-editor.org/rfc/rfc9110#section-8.4
"""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import web

from server.errors import BadRequest, FhirError, TooLarge, UnsupportedMedia
from server.wire.incoming import Incoming

SMALL = 64 << 10
"""Compressed bodies up to here are inflated on the loop; a thread costs more."""

# zlib's window: 31 reads gzip, 47 gzip or zlib by its header.   https://zlib.net/manual.html#Advanced
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
MAX_MEMBERS = 16
"""Gzip files may be strung together; each one costs a copy of what follows, so a thousand would be an attack."""


class BodyTimeout(FhirError):
    status, code = 408, "timeout"


async def read_body(request: Incoming, declared: int, encoding: str, limit: int, seconds: float) -> bytes:
    """The body, decompressed. declared: its Content-Length, 0 if it comes in chunks.
    Raises: TooLarge, BodyTimeout, UnsupportedMedia, BadRequest."""
    if declared > limit:
        raise too_large(limit)
    windows = [_window(coding) for coding in _codings(encoding)]
    payload = request.content
    if payload.is_eof():
        raw = payload.read_nowait()
        if len(raw) > limit:
            raise too_large(limit)
    else:
        raw = await _read_within(request, limit, seconds)
    for window in windows:
        if len(raw) <= SMALL:
            raw = inflate(raw, window, limit)
        else:
            raw = await asyncio.get_running_loop().run_in_executor(None, inflate, raw, window, limit)
    return raw


async def _read_within(request: Incoming, limit: int, seconds: float) -> bytes:
    chunks = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while chunk := await request.content.readany():
                chunks += chunk
                if len(chunks) > limit:
                    raise too_large(limit)
    except TimeoutError:
        raise BodyTimeout(f"The request body did not arrive within {seconds:g} seconds.") from None
    except (web.RequestPayloadError, ValueError):
        raise BadRequest("The request body is broken: its chunks or length are wrong.") from None
    return bytes(chunks)


def _codings(encoding: str) -> list[str]:
    """Codings to undo, the outermost first. More than one is refused: nobody does it for a good reason."""
    codings = [coding for coding in (each.strip().lower() for each in encoding.split(",")) if coding != "identity"]
    if len(codings) > 1:
        raise UnsupportedMedia("At most one Content-Encoding is accepted.")
    return [coding for coding in codings if coding]


def _window(coding: str) -> int:
    if coding not in _WINDOWS:
        raise UnsupportedMedia("A body may be sent as it is, or with Content-Encoding gzip or deflate.")
    return _WINDOWS[coding]


def inflate(raw: bytes, window: int, limit: int) -> bytes:
    """Decompressed bytes, never more than `limit` in memory. Raises: TooLarge, BadRequest."""
    whole = bytearray()
    try:
        for _ in range(MAX_MEMBERS):
            inflator = zlib.decompressobj(window)
            whole += inflator.decompress(raw, limit + 1 - len(whole))
            if len(whole) > limit:
                raise too_large(limit)
            if not inflator.eof:
                raise BadRequest("The compressed body ends too early.")
            raw = inflator.unused_data
            if not raw:
                return bytes(whole)
    except zlib.error:
        raise BadRequest("The body is not compressed as its Content-Encoding says.") from None
    raise BadRequest(f"The compressed body has more than {MAX_MEMBERS} parts.")


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes; send less at a time (setting max-body-bytes).")
