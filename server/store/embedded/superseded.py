"""A version that another one has followed, as the table `hist` has it: read and given another body within a write."""

from __future__ import annotations

from server.store.embedded.driver import Connection
from server.store.embedded.schema import VERSION_BITS

Stored = tuple[int, int, int, bytes | None]
"""seq, lastUpdated, method, compressed body"""


def superseded(connection: Connection, rid: int, version: int) -> Stored | None:
    """None if there is no such version."""
    rows = connection.execute("SELECT seq, lu, m, body FROM hist WHERE hk = ?", (rid << VERSION_BITS | version,))
    return next(iter(rows), None)


def rewrite(connection: Connection, rid: int, version: int, frame: bytes | None) -> None:
    connection.execute("UPDATE hist SET body = ? WHERE hk = ?", (frame, rid << VERSION_BITS | version))
