"""Versions in commit order: of an instance, a type, the system, and the feed of changes.

`seq` counts versions without a gap, so a window of n numbers holds at most n versions of the whole store.
"""

from __future__ import annotations

from dataclasses import replace

from server.store.asked import Asked
from server.store.bodies import Bodies
from server.store.contract import METHODS, History, Version
from server.store.embedded.driver import Connection, Row
from server.store.embedded.ids import id_key, id_text
from server.store.embedded.schema import VERSION_BITS
from server.store.embedded.symbols import Symbols

_WINDOW = 1000
_VID = (1 << VERSION_BITS) - 1
_END = 1 << 62

# l: the log row; r: the resource; h: the version's own row if it is not current; n: lastUpdated of the next version.
_COLUMNS = """
SELECT r.t, r.id, l.vid, l.lu, l.seq, coalesce(h.m, r.m), CASE WHEN l.vid = r.vid THEN r.body ELSE h.body END
FROM {source} CROSS JOIN res r ON r.rid = l.rid
LEFT JOIN hist h ON l.vid < r.vid AND h.hk = l.rid << {bits} | l.vid
"""
_SUPERSEDED = """
(SELECT CASE WHEN l.vid + 1 = r.vid THEN r.lu
   ELSE (SELECT n.lu FROM hist n WHERE n.hk = l.rid << {bits} | (l.vid + 1)) END
 WHERE l.vid < r.vid)
"""
_LOG = _COLUMNS.format(source="log l", bits=VERSION_BITS)
_EVERY_TYPE = _COLUMNS.format(source="type y CROSS JOIN log l ON l.t = y.t", bits=VERSION_BITS)
_INSTANCE = _COLUMNS.format(
    source=f"""(
    SELECT rid, vid, lu, seq FROM res WHERE rid = :rid
    UNION ALL SELECT * FROM (SELECT hk >> {VERSION_BITS}, hk & {_VID}, lu, seq FROM hist
    WHERE hk > :rid << {VERSION_BITS} AND hk < :top ORDER BY hk DESC LIMIT :most)) l""",
    bits=VERSION_BITS,
)
_AT = "l.lu <= :to AND coalesce(" + _SUPERSEDED.format(bits=VERSION_BITS) + " > :start, TRUE)"


class Histories:
    """On one connection, within one thread."""

    def __init__(self, connection: Connection, symbols: Symbols, bodies: Bodies) -> None:
        self._connection = connection
        self._symbols = symbols
        self._bodies = bodies

    def history(self, asked: Asked) -> History:
        wanted = asked.limit + 1
        if asked.scope.type is None:
            rows = self._system(asked, wanted)
        elif asked.scope.id is None:
            rows = self._type(asked, wanted)
        else:
            rows = self._instance(asked, wanted)
        return History([self._version(row) for row in rows[: asked.limit]], more=len(rows) > asked.limit)

    def changes(self, since: int) -> list[Version]:
        """The next versions after `since`, oldest first; empty at the end."""
        sql = f"{_EVERY_TYPE} WHERE l.seq > ? AND l.seq <= ? ORDER BY l.seq"
        return [self._version(row) for row in self._connection.execute(sql, (since, since + _WINDOW))]

    # -------------------------------------------------------------------------------- scopes

    def _instance(self, asked: Asked, wanted: int) -> list[Row]:
        t = self._symbols.type(self._connection, asked.scope.type or "")
        rid = self._connection.execute(
            "SELECT rid FROM res WHERE t = ? AND id = ?", (t, id_key(asked.scope.id or ""))
        ).get
        if rid is None:
            return []
        # Versions of one resource are in the order of their numbers, so a page begins at the version it is told of.
        last = self._connection.execute("SELECT vid FROM log WHERE t = ? AND seq = ?", (t, asked.before)).get
        top = (rid << VERSION_BITS) + (last if last is not None else _VID)
        most = wanted if last is not None or asked.before is None else _END
        return self._rows(_INSTANCE, asked, wanted, {"rid": rid, "top": top, "most": _END if asked.at else most})

    def _type(self, asked: Asked, wanted: int) -> list[Row]:
        t = self._symbols.type(self._connection, asked.scope.type or "")
        bounds = {"t": t, "first": self._first(asked.since)}
        return self._rows(_LOG + "WHERE l.t = :t AND l.seq >= :first", asked, wanted, bounds)

    def _system(self, asked: Asked, wanted: int) -> list[Row]:
        """Window by window from the newest: types lie apart in the log, so a window is merged from all of them."""
        first = self._first(asked.since)
        before = asked.before or self._connection.execute("SELECT seq + 1 FROM state").get
        rows: list[Row] = []
        window = wanted
        while len(rows) < wanted and before > first:
            low = max(first, before - window)
            sql = _EVERY_TYPE + "WHERE l.seq >= :low AND l.seq < :before"
            part = replace(asked, before=before)
            rows += self._rows(sql, part, wanted - len(rows), {"low": low})
            before, window = low, min(window * 4, 100_000)
        return rows

    def _rows(self, sql: str, asked: Asked, wanted: int, bindings: dict[str, int | None]) -> list[Row]:
        sql += " WHERE TRUE" if "WHERE l." not in sql else ""
        sql += " AND l.seq < :before"
        bindings |= {"before": asked.before or _END, "wanted": wanted}
        if asked.since is not None:
            sql += " AND l.lu >= :since"
            bindings["since"] = asked.since
        if asked.at is not None:
            sql += f" AND {_AT}"
            bindings["start"], bindings["to"] = asked.at
        return self._connection.execute(f"{sql} ORDER BY l.seq DESC LIMIT :wanted", bindings).fetchall()

    def _first(self, since: int | None) -> int:
        """A sequence number below which every lastUpdated is earlier than `since`."""
        if since is None:
            return 1
        return int(
            self._connection.execute("SELECT seq FROM tick WHERE lu <= ? ORDER BY lu DESC LIMIT 1", (since,)).get or 1
        )

    def _version(self, row: Row) -> Version:
        t, key, vid, lu, seq, m, frame = row
        body = self._bodies.expand(frame) if frame else None
        return Version(self._symbols.name(self._connection, t), id_text(key), vid, lu, seq, METHODS[m], body)
