"""Keyed reads: bounded, so they run inline on the event loop (a hop to a thread costs several times the read)."""

from __future__ import annotations

from collections.abc import Sequence

from server.store.bodies import Bodies
from server.store.contract import METHODS, Version
from server.store.embedded.driver import Connection, Row
from server.store.embedded.ids import id_key
from server.store.embedded.schema import VERSION_BITS
from server.store.embedded.symbols import Symbols

_CURRENT = "SELECT vid, lu, seq, m, body FROM res WHERE t = ? AND id = ?"


class Reader:
    """Reads by key on one connection, within one thread."""

    def __init__(self, connection: Connection, symbols: Symbols, bodies: Bodies) -> None:
        self._execute = connection.execute
        self._connection = connection
        self._symbols = symbols
        self._expand = bodies.expand

    def read(self, type: str, id: str) -> Version | None:
        t = self._symbols.types.get(type) or self._symbols.type(self._connection, type)
        row = self._execute(_CURRENT, (t, id_key(id))).get
        if row is None:
            return None
        vid, lu, seq, m, frame = row
        return Version(type, id, vid, lu, seq, METHODS[m], frame and self._expand(frame))

    def read_many(self, ids: Sequence[tuple[str, str]]) -> list[Version | None]:
        """All of one moment: within one read transaction."""
        self._execute("BEGIN")
        try:
            return [self.read(type, id) for type, id in ids]
        finally:
            self._execute("COMMIT")

    def vread(self, type: str, id: str, version: int) -> Version | None:
        t = self._symbols.type(self._connection, type)
        current = self._execute(
            "SELECT vid, lu, seq, m, body, rid FROM res WHERE t = ? AND id = ?", (t, id_key(id))
        ).get
        if current is None or not 0 < version <= current[0]:
            return None
        if version == current[0]:
            return self._version(type, id, current[:5])
        older: Row | None = self._execute(
            f"SELECT hk & {(1 << VERSION_BITS) - 1}, lu, seq, m, body FROM hist WHERE hk = ?",
            (current[5] << VERSION_BITS | version,),
        ).get
        return self._version(type, id, older) if older else None

    def _version(self, type: str, id: str, row: Row) -> Version:
        vid, lu, seq, m, frame = row
        return Version(type, id, vid, lu, seq, METHODS[m], self._expand(frame) if frame else None)
