"""What is done to a whole store beside normal service: reindexing, a snapshot, verification."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.search.values import Index
from server.store.bodies import Bodies
from server.store.contract import SearchRules
from server.store.embedded.driver import Connection
from server.store.embedded.ids import id_text
from server.store.embedded.symbols import Symbols

STEP = 200
"""Resources of one reindexing step: what a writer's group waits for it at most."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The new index values of one version."""

    type: str
    id: str
    version: int
    index: Index


def extracted(
    connection: Connection, symbols: Symbols, bodies: Bodies, rules: SearchRules, type: str, after: int
) -> tuple[list[Extracted], int]:
    """Index values of the next STEP live resources of a type behind the rid `after`, and the last rid; extraction is
    the costly part and needs no lock."""
    t = symbols.type(connection, type)
    rows = connection.execute(
        "SELECT rid, id, vid, body FROM res INDEXED BY res_t WHERE t = ? AND m < 3 AND rid > ? ORDER BY rid LIMIT ?",
        (t, after, STEP),
    ).fetchall()
    found = [
        Extracted(type, id_text(key), vid, rules.extract(type, bodies.expand(frame))) for _, key, vid, frame in rows
    ]
    return found, rows[-1][0] if rows else after


def snapshot(connection: Connection, target: Path) -> None:
    """A compact copy of one moment of the store in a new file, while others write. It holds everything: bodies,
    dictionaries, settings with their keys. Encrypt it before it leaves the machine.

    Raises: FileExistsError.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection.execute("VACUUM INTO ?", (str(target),))


def verify(connection: Connection, bodies: Bodies, progress: Callable[[int], None]) -> list[str]:
    """What is wrong with the file, in words; empty if it is sound.

    Reads all pages (SQLite's own check), expands every body, and compares the log of versions with them.
    """
    wrong = [text for (text,) in connection.execute("PRAGMA integrity_check(20)") if text != "ok"]
    done = 0
    for table, key in (("res", "rid"), ("hist", "hk")):
        for number, frame in connection.execute(f"SELECT {key}, body FROM {table} WHERE body IS NOT NULL"):
            if not _readable(bodies, frame):
                wrong.append(f"the body of {table} {number} cannot be read")
            done += 1
            if done % 10_000 == 0:
                progress(done)
    progress(done)
    return wrong + _miscounted(connection)


def _readable(bodies: Bodies, frame: bytes) -> bool:
    try:
        return bodies.expand(frame)[:1] == b"{"
    except Exception:
        return False


_COUNTS: Sequence[tuple[str, str]] = (
    (
        "versions in the log and stored versions differ in number",
        "SELECT (SELECT count(*) FROM log) <> (SELECT count(*) FROM res) + (SELECT count(*) FROM hist)",
    ),
    (
        "the log names versions that are not stored",
        "SELECT EXISTS(SELECT 1 FROM log l JOIN res r USING(rid) WHERE l.vid = r.vid AND l.seq <> r.seq)",
    ),
    (
        "the last number of the log is not the store's",
        "SELECT (SELECT coalesce(max(seq), 0) FROM log) <> seq FROM state",
    ),
    (
        "deleted resources are still indexed",
        "SELECT EXISTS(SELECT 1 FROM res r JOIN comp c USING(rid) WHERE r.m = 3 LIMIT 1)",
    ),
)


def _miscounted(connection: Connection) -> list[str]:
    return [text for text, sql in _COUNTS if connection.execute(sql).get]
