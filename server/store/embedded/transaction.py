"""One write transaction: the changes of a whole group of commits, gathered in memory and written table by table.

A commit is checked completely before any of it is remembered, so a refused one leaves no trace and the others of its
group go on. What later commits of the group must see (searches of conditions) is written first (`flush`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from server.store.contract import (
    Commit,
    Condition,
    ConditionFailed,
    Delete,
    Exists,
    Matches,
    Put,
    Version,
    VersionConflict,
    Written,
)
from server.store.embedded.bodies import Bodies
from server.store.embedded.driver import Connection
from server.store.embedded.ids import id_key
from server.store.embedded.schema import DELETED, METHODS, VERSION_BITS
from server.store.embedded.symbols import Allocation, Symbols

Found = Callable[[Connection, Matches], Sequence[tuple[str, str]]]
"""Type/id pairs that a condition's query matches now, at most a few more than it expects."""


@dataclass(slots=True)
class Known:
    """One resource as this transaction sees it."""

    t: int
    type: str
    id: str
    rid: int = 0
    vid: int = 0
    seq: int = 0
    lu: int = 0
    m: int = DELETED
    keys: bytes | None = None
    frame: bytes | None = None
    """Compressed body of the current version; None for a tombstone."""
    stored: bool = False
    """Has a row in `res` already."""

    @property
    def live(self) -> int:
        """Current version as clients see it; 0 if absent or deleted."""
        return self.vid if self.m != DELETED else 0


@dataclass(slots=True)
class _Step:
    """A checked change, ready to be remembered."""

    known: Known
    vid: int
    m: int
    body: bytes | None
    frame: bytes | None


@dataclass(slots=True)
class _Pending:
    """Rows that wait for `flush`."""

    hist: list[tuple[int, int, int, int, bytes | None]] = field(default_factory=list)
    log: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    dirty: dict[int, Known] = field(default_factory=dict)


class Transaction:
    """Between BEGIN IMMEDIATE and COMMIT, on the writer's thread."""

    def __init__(
        self, connection: Connection, symbols: Symbols, bodies: Bodies, clock: Callable[[], int], found: Found
    ) -> None:
        self.connection = connection
        self.allocation = Allocation(connection, symbols)
        self._bodies = bodies
        self._clock = clock
        self._found = found
        self._known: dict[tuple[str, str], Known] = {}
        self._pending = _Pending()
        self._seq, self._high, self.epoch = connection.execute("SELECT seq, hw, epoch FROM state").fetchall()[0]
        self._first_seq = self._seq
        self._rid = connection.execute("SELECT max(rid) FROM res").get or 0

    # -------------------------------------------------------------------------------- a commit

    def apply(self, commit: Commit) -> list[Written]:
        """Raises: CommitRefused; the transaction is then as it was before."""
        known = [self._look_up(change.type, change.id) for change in commit.changes]
        for change, current in zip(commit.changes, known, strict=True):
            if change.expected is not None and change.expected != current.live:
                raise VersionConflict(change.type, change.id, change.expected, current.live)
        for condition in commit.conditions:
            self._check(condition, commit)
        effective = [c for c, k in zip(commit.changes, known, strict=True) if isinstance(c, Put) or k.live]
        if not effective:
            return [Written(_version(k, None), created=False, changed=False) for k in known]
        lu = max(self._clock(), *(k.lu + 1 for k in known))
        steps = [self._step(c, k, lu) for c, k in zip(commit.changes, known, strict=True)]
        return [self._remember(step, lu) for step in steps]

    def _check(self, condition: Condition, commit: Commit) -> None:
        if isinstance(condition, Matches):
            self.flush()
            found = self._found(self.connection, condition)
            if frozenset(found) != condition.ids:
                raise ConditionFailed(condition, found)
        elif isinstance(condition, Exists):
            put = any(isinstance(c, Put) and (c.type, c.id) == (condition.type, condition.id) for c in commit.changes)
            if not put and not self._look_up(condition.type, condition.id).live:
                raise ConditionFailed(condition)

    def _step(self, change: Put | Delete, known: Known, lu: int) -> _Step:
        if isinstance(change, Put):
            body = change.body.at(known.vid + 1, lu)
            return _Step(known, known.vid + 1, METHODS.index(change.method), body, self._bodies.compress(body))
        if known.live:
            return _Step(known, known.vid + 1, DELETED, None, None)
        return _Step(known, known.vid, DELETED, None, None)

    def _remember(self, step: _Step, lu: int) -> Written:
        known = step.known
        if step.vid == known.vid:
            return Written(_version(known, None), created=False, changed=False)
        created = not known.live
        pending = self._pending
        if known.rid:
            pending.hist.append((known.rid << VERSION_BITS | known.vid, known.seq, known.lu, known.m, known.frame))
        else:
            self._rid += 1
            known.rid = self._rid
            self.allocation.made(known.t, known.id, known.rid)
        self._seq += 1
        known.vid, known.seq, known.lu, known.m, known.frame = step.vid, self._seq, lu, step.m, step.frame
        pending.log.append((known.t, self._seq, known.rid, known.vid, lu))
        pending.dirty[known.rid] = known
        if lu >= self._high + 1000:
            self.connection.execute("INSERT INTO tick VALUES(?, ?)", (lu, self._seq))
        self._high = max(self._high, lu)
        return Written(_version(known, step.body), created)

    # -------------------------------------------------------------------------------- what is known

    def load(self, ids: Iterable[tuple[str, str]]) -> None:
        """Reads the current rows of many resources ahead of their commits."""
        for type, id in ids:
            self._look_up(type, id)

    def _look_up(self, type: str, id: str) -> Known:
        known = self._known.get((type, id))
        if known is None:
            t = self.allocation.type(type)
            known = Known(t, type, id)
            row = self.connection.execute(
                "SELECT rid, vid, seq, lu, m, keys, body FROM res WHERE id = ? AND t = ?", (id_key(id), t)
            ).fetchone()
            if row:
                known.rid, known.vid, known.seq, known.lu, known.m, known.keys, known.frame = row
                known.stored = True
            self._known[type, id] = known
        return known

    # -------------------------------------------------------------------------------- writing

    def flush(self) -> None:
        """Writes what is pending, so that statements of this transaction see it."""
        pending = self._pending
        execute = self.connection.executemany
        if not pending.dirty:
            return
        fresh = [k for k in pending.dirty.values() if not k.stored]
        again = [k for k in pending.dirty.values() if k.stored]
        if fresh:
            execute(
                "INSERT INTO res VALUES(?,?,?,?,?,?,?,NULL,?,?)",
                [(k.rid, k.t, id_key(k.id), k.vid, k.seq, k.lu, k.m, k.keys, k.frame) for k in fresh],
            )
            for k in fresh:
                k.stored = True
        if again:
            execute(
                "UPDATE res SET vid = ?, seq = ?, lu = ?, m = ?, keys = ?, body = ? WHERE rid = ?",
                [(k.vid, k.seq, k.lu, k.m, k.keys, k.frame, k.rid) for k in again],
            )
        if pending.hist:
            execute("INSERT INTO hist VALUES(?,?,?,?,?)", pending.hist)
        execute("INSERT INTO log VALUES(?,?,?,?,?)", pending.log)
        self._pending = _Pending()

    def finish(self) -> None:
        """The last statements before COMMIT."""
        self.flush()
        if self._seq != self._first_seq:
            self.connection.execute("UPDATE state SET seq = ?, hw = ?", (self._seq, self._high))


def _version(known: Known, body: bytes | None) -> Version:
    return Version(known.type, known.id, known.vid, known.lu, known.seq, METHODS[known.m], body)
