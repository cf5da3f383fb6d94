"""Tables of the embedded store, their versions, and what is fixed when a store is made.

All rows speak in small integers. `rid` numbers a resource for ever, in creation order; `t` a type, `k` a
(type, parameter), `s` an interned code (symbol). A reference to what is not here has a negative target (`ext`).
Layout and its measurements: docs/decisions/embedded-layout.md
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from server.store.bodies import SHIPPED, shipped_dictionary
from server.store.contract import DELETED, StoreRefused
from server.store.embedded.driver import ID, Connection, failures

TICK = 1000
"""Milliseconds at least from one row of `tick` to the next: whatever is below its seq was updated before its lu."""
VERSION_BITS = 24
"""hist.hk = rid << 24 | vid: sixteen million versions of a resource."""

_FIRST = f"""
CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), seq INT NOT NULL, hw INT NOT NULL, epoch TEXT NOT NULL,
  zone TEXT NOT NULL) STRICT;
CREATE TABLE setting(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE dict(n INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

CREATE TABLE type(t INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE param(k INTEGER PRIMARY KEY, t INT NOT NULL, code TEXT NOT NULL, UNIQUE(t, code)) STRICT;
CREATE TABLE sym(s INTEGER PRIMARY KEY, k INT NOT NULL, v TEXT NOT NULL, sy TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX sym_v ON sym(k, v, sy);
CREATE TABLE symtext(k INT NOT NULL, v TEXT NOT NULL, s INT NOT NULL, PRIMARY KEY(k, v, s)) STRICT, WITHOUT ROWID;
CREATE TABLE ext(x INTEGER PRIMARY KEY, t INT NOT NULL, id ANY NOT NULL, rid INT) STRICT;
CREATE UNIQUE INDEX ext_id ON ext(id, t);

CREATE TABLE res(rid INTEGER PRIMARY KEY, t INT NOT NULL, id ANY NOT NULL, vid INT NOT NULL, seq INT NOT NULL,
  lu INT NOT NULL, m INT NOT NULL, d INT, w INT, keys TEXT, body BLOB) STRICT;
CREATE UNIQUE INDEX res_id ON res(t, id);
CREATE INDEX res_t ON res(t) WHERE m < {DELETED};
CREATE INDEX res_lu ON res(t, lu) WHERE m < {DELETED};
CREATE TABLE hist(hk INTEGER PRIMARY KEY, seq INT NOT NULL, lu INT NOT NULL, m INT NOT NULL, body BLOB) STRICT;
CREATE TABLE log(t INT NOT NULL, seq INT NOT NULL, rid INT NOT NULL, vid INT NOT NULL, lu INT NOT NULL,
  PRIMARY KEY(t, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE tick(lu INTEGER PRIMARY KEY, seq INT NOT NULL) STRICT;

CREATE TABLE tok(s INT, rid INT, PRIMARY KEY(s, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE tokd(s INT, d INT, w INT, rid INT, f INT, PRIMARY KEY(s, d, w, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE ident(k INT, v TEXT, sy INT, rid INT, PRIMARY KEY(k, v, sy, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE str(k INT, v TEXT, rid INT, PRIMARY KEY(k, v, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE dat(k INT, lo INT, w INT, rid INT, f INT, PRIMARY KEY(k, lo, w, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE num(s INT, x REAL, wx REAL, rid INT, PRIMARY KEY(s, x, wx, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE rng(s INT, lo REAL, up REAL, wlo REAL, wup REAL, rid INT, PRIMARY KEY(s, lo, up, wlo, wup, rid))
  STRICT, WITHOUT ROWID;
CREATE TABLE ref(tr INT, k INT, rid INT, PRIMARY KEY(tr, k, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE comp(pt INT, t INT, rid INT, k INT, d INT, w INT, c INT, PRIMARY KEY(pt, t, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE zone(t INT, block INT, lo INT NOT NULL, up INT NOT NULL, PRIMARY KEY(t, block)) STRICT, WITHOUT ROWID;
CREATE TABLE geo(k INT, lat REAL, lon REAL, rid INT, PRIMARY KEY(k, lat, lon, rid)) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE tri USING fts5(v, tokenize = 'trigram case_sensitive 1', detail = none, content = '',
  contentless_delete = 1);
CREATE TABLE text(rid INTEGER PRIMARY KEY, narrative TEXT NOT NULL, content TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE textri USING fts5(narrative, content, tokenize = 'trigram case_sensitive 1', detail = column,
  content = '', contentless_delete = 1);
"""

_SECOND = """
CREATE INDEX dat_f ON dat(k, lo, w, rid, f) WHERE f > 0;
"""
"""The dates of what has several: found by one, a resource may be sorted by another."""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND)
"""Migration n brings a store from version n to n + 1, within one transaction; the first makes it."""
INDEXES = {
    name: statement
    for migration in MIGRATIONS
    for statement, name in re.findall(r"^(CREATE (?:UNIQUE )?INDEX (\w+) ON [^;]+);", migration, re.MULTILINE)
}
_TABLES = frozenset(re.findall(r"^CREATE (?:VIRTUAL )?TABLE (\w+)", "".join(MIGRATIONS), re.MULTILINE))

REZONING = "?"
"""Before the zone of a store whose dates are just being read anew: it opens only to finish that."""


def prepare(connection: Connection, zone: str, *, rezone: bool = False) -> None:
    """Makes the tables of a new store, and checks those of an older one. Call it inside the writers' gate.

    rezone: another zone is taken note of instead of refused; all types must then be reindexed.
    Raises: StoreRefused for another version, a missing index or table, another program's file, another time zone.
    """
    with failures(), connection:
        version = checked_version(connection)
        if version == 0:
            migrate(connection, 0, MIGRATIONS)
        elif version < len(MIGRATIONS):
            raise StoreRefused(
                f"the store has schema {version}, this program writes {len(MIGRATIONS)}: back it up with the "
                "older program, stop all servers, then run `onecard store migrate` with the same --store"
            )
        elif missing := lacking(connection):
            raise StoreRefused(
                f"the store lacks {', '.join(f'index {name}' for name in missing)}, without which searches would read "
                "everything: run `onecard store init` once, with the same --store"
            )
        connection.execute("INSERT INTO state VALUES(1, 0, 0, ?, ?) ON CONFLICT DO NOTHING", (new_epoch(), zone))
        stored = str(connection.execute("SELECT zone FROM state").get)
        if stored == zone:
            return
        if not rezone:
            raise StoreRefused(
                f"the store reads dates without a zone in {stored.removeprefix(REZONING)}, asked for is {zone}: "
                "run `onecard store reindex` with the new zone first"
            )
        connection.execute("UPDATE state SET zone = ?", (REZONING + zone,))


def changes_zone(connection: Connection, zone: str) -> bool:
    """Whether a store that this program writes has another zone."""
    if checked_version(connection) != len(MIGRATIONS):
        return False
    return bool(connection.execute("SELECT EXISTS(SELECT 1 FROM state WHERE zone <> ?)", (zone,)).get)


def migrate(connection: Connection, version: int, migrations: Sequence[str]) -> None:
    """All steps from `version` on, within the caller's transaction."""
    connection.pragma("application_id", ID)
    for statements in migrations[version:]:
        connection.execute(statements)
    connection.pragma("user_version", len(migrations))


def checked_version(connection: Connection, known: int = len(MIGRATIONS)) -> int:
    """Which version a file has; 0: it is empty. Raises: StoreRefused (newer than known, another program's)."""
    version = int(connection.pragma("user_version"))
    owner = int(connection.pragma("application_id"))
    if version > known:
        raise StoreRefused(f"the store has schema {version}, this program knows {known}: use the newer program")
    if owner != ID and (owner or connection.execute("SELECT count(*) FROM sqlite_schema").get):
        raise StoreRefused("the file is a database of another program")
    return version


def lacking(connection: Connection) -> list[str]:
    """Indexes that are not there. Raises: StoreRefused where a table is not there."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if gone := sorted(_TABLES - there):
        raise StoreRefused(f"the store has lost the table {gone[0]}: restore a backup (onecard restore)")
    return sorted(set(INDEXES) - there)


def new_epoch() -> str:
    return secrets.token_hex(8)


def install(connection: Connection) -> dict[int, bytes]:
    """Puts the shipped dictionary into the store (within the caller's transaction); gives all that it has."""
    data = shipped_dictionary()
    connection.execute("INSERT INTO dict VALUES(?, ?) ON CONFLICT DO NOTHING", (SHIPPED, data))
    return dict(connection.execute("SELECT n, data FROM dict"))
