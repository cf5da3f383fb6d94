"""Answers as gzip, for those who accept it.   https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from functools import lru_cache

COMPRESS_FROM = 1024
"""Smaller bodies fit a packet anyway."""
COMPRESS_OFF_LOOP_FROM = 64 << 10
COMPRESSION_LEVEL = 1
_GZIP = 31


@lru_cache(maxsize=64)
def accepts_gzip(accept_encoding: str) -> bool:
    """What is said of gzip by name goes before what is said of all the rest."""
    said: dict[str, bool] = {}
    for element in accept_encoding.lower().split(","):
        coding, _, parameters = element.partition(";")
        quality = parameters.replace(" ", "").removeprefix("q=")
        said[coding.strip()] = quality == "" or quality.strip("0.") != ""
    return said.get("gzip", said.get("x-gzip", said.get("*", False)))


def compressible(media_type: str) -> bool:
    kind = media_type.partition(";")[0]
    return kind.endswith(("json", "xml", "+xml")) or kind.startswith("text/")


async def compressed(body: bytes) -> bytes:
    """The body as gzip; a large one is made in a thread."""
    if len(body) < COMPRESS_OFF_LOOP_FROM:
        return gzip(body)
    return await asyncio.get_running_loop().run_in_executor(None, gzip, body)


def gzip(body: bytes) -> bytes:
    return zlib.compress(body, COMPRESSION_LEVEL, _GZIP)


async def compressed_stream(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream as gzip; each piece is flushed, so that the client can begin."""
    deflator = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP)
    async for chunk in stream:
        yield deflator.compress(chunk) + deflator.flush(zlib.Z_SYNC_FLUSH)
    yield deflator.flush()
