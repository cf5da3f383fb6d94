"""Request and response of FHIR's REST interface, without a web framework: what handlers take and give.

Batch and transaction entries are these very messages, so they meet the same handlers as the wire.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server.access.principal import Principal

if TYPE_CHECKING:
    from server.dispatch import Route


@dataclass(slots=True)
class FhirRequest:
    method: str
    """GET HEAD POST PUT PATCH DELETE"""
    path: tuple[str, ...]
    """Segments below the FHIR base, percent-decoded: ("Patient", "1", "_history")."""
    query: list[tuple[str, str]]
    """Decoded parameters in order; for POST _search the form's are appended."""
    headers: Mapping[str, str]
    """Names in lower case."""
    base: str
    """FHIR base URL for links, without a trailing slash."""
    principal: Principal
    body: bytes = b""
    media_type: str = ""
    """Of the body, in lower case, without parameters."""
    resource: dict[str, Any] | None = None
    """Already parsed body: set for bundle entries, else parsed by the handler."""
    request_id: str = ""
    route: Route | None = None
    """Set by the boundary: the row of the routes table that answers; names the request in metrics and logs."""


@dataclass(slots=True)
class FhirResponse:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    """ETag, Last-Modified, Location ... as on the wire."""
    body: bytes | None = None
    """Compact JSON, or raw content of a Binary with `media_type` set; None for no body."""
    media_type: str = "application/fhir+json"
    stream: AsyncIterator[bytes] | None = None
    """Instead of body, for long answers."""
    resource: dict[str, Any] | None = None
    """Set instead of `body` where the answer was built as a dict; web.py serialises it."""

    async def collect(self, most: int | None = None) -> bool:
        """A stream becomes the body; False if it is longer than `most` bytes, and is a stream as before."""
        if self.stream is None:
            return True
        pieces, size = [], 0
        async for piece in self.stream:
            pieces.append(piece)
            size += len(piece)
            if most is not None and size > most:
                self.stream = _chained(pieces, self.stream)
                return False
        self.body, self.stream = b"".join(pieces), None
        return True


async def _chained(pieces: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    async for piece in rest:
        yield piece
