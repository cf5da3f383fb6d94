"""One write transaction: the changes of a whole group of commits, gathered in memory and written table by table.

A commit is checked completely before any of it is remembered, so a refused one leaves no trace and the others of its
group go on. What later commits of the group must see (searches of conditions) is written first (`flush`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from server.store.bodies import Bodies
from server.store.contract import (
    DELETED,
    METHODS,
    NUMBERS,
    RECORDS,
    Change,
    Commit,
    Condition,
    ConditionFailed,
    Exists,
    LabelsChanged,
    Matches,
    Put,
    Relabel,
    Replayed,
    Unreferenced,
    Version,
    VersionConflict,
    Written,
    labels_of,
    put_number,
)
from server.store.embedded.ahead import Early, settled
from server.store.embedded.driver import Connection, blobs, integers, texts
from server.store.embedded.ids import id_key, id_text
from server.store.embedded.known import Known, Pending, Step
from server.store.embedded.rows import UNMADE, Builder, Rows, from_keys
from server.store.embedded.schema import TICK, VERSION_BITS
from server.store.embedded.superseded import rewrite, superseded
from server.store.embedded.symbols import Allocation
from server.store.embedded.tables import ByTable, delete, difference, insert, lead_date, spread, zones
from server.store.embedded.upkeep import Extracted
from server.store.principal import PRINCIPAL

Pair = tuple[str, str]
Found = Callable[[Matches], Sequence[Pair]]
"""Type/id pairs that a condition's query matches now, at most a few more than it expects."""

_FEW = 5
"""Resources that a failed condition names."""
_MOST_PENDING = 200
"""Resources that are not written yet and are looked through one by one for references."""


class Transaction:
    """Between BEGIN IMMEDIATE and COMMIT, on the writer's thread."""

    def __init__(
        self,
        connection: Connection,
        allocation: Allocation,
        builder: Builder,
        bodies: Bodies,
        clock: Callable[[], int],
        found: Found,
    ) -> None:
        self.connection = connection
        self.allocation = allocation
        self._builder = builder
        self._bodies = bodies
        self._clock = clock
        self._found = found
        self._known: dict[Pair, Known] = {}
        self._dates: dict[int, int | None] = {}
        self._there: dict[Pair, bool] = {}
        """Whether what must exist is live in the store; `_known` says it of what this transaction changes."""
        self._pending = Pending()
        self._seq, self._high, self.epoch, self._rid, self._ticked = connection.execute(
            "SELECT seq, hw, epoch, (SELECT coalesce(max(rid), 0) FROM res), (SELECT coalesce(max(lu), 0) FROM tick) "
            "FROM state"
        ).get
        self._first_seq = self._seq

    # -------------------------------------------------------------------------------- a commit

    def apply(self, commit: Commit, ahead: Mapping[int, Early] = MappingProxyType({})) -> list[Written]:
        """ahead: see ahead.py. Raises: CommitRefused; the transaction is then as it was before."""
        known = [
            self._new(change.type, change.id) if _is_fresh(change) else self._look_up(change.type, change.id)
            for change in commit.changes
        ]
        for change, current in zip(commit.changes, known, strict=True):
            if change.expected is not None and change.expected != current.live:
                raise VersionConflict(change.type, change.id, change.expected, current.live)
        made = {(change.type, change.id) for change in commit.changes if isinstance(change, Put)}
        for condition in commit.conditions:
            self._check_before(condition, made)
        lu = max(self._clock(), *(k.lu + 1 for k in known)) if known else 0
        steps = self._steps(commit, known, lu, ahead)
        for condition in commit.conditions:
            if isinstance(condition, Unreferenced):
                self._check_unreferenced(condition, steps)
        return [self._remember(step, lu) if step.place is None else self._relabel(step) for step in steps]

    def _check_before(self, condition: Condition, made: Collection[Pair]) -> None:
        """made: what the commit itself puts."""
        if isinstance(condition, Matches):
            self.flush()
            found = self._found(condition)
            if frozenset(found) != condition.ids:
                raise ConditionFailed(condition, found[:_FEW])
        elif isinstance(condition, Exists):
            pair = condition.type, condition.id
            if pair not in made and not self._is_live(pair):
                raise ConditionFailed(condition)

    def _check_unreferenced(self, condition: Unreferenced, steps: Sequence[Step]) -> None:
        """Those who refer now, without what this commit changes, and those who will."""
        if self._pending.arrived or len(self._pending.dirty) > _MOST_PENDING:
            self.flush()
        target = self.allocation.target(condition.type, condition.id)
        changed = {step.rid for step in steps}
        pending = [known for known in self._pending.dirty.values() if known.rid not in changed]
        made = [*((step.known, step.made) for step in steps), *((known, known.made or UNMADE) for known in pending)]
        new = [
            (known.type, known.id)
            for known, its in made
            if known.type not in RECORDS and any(row[0] == target for row in (*its.rows.ref, *its.rows.comp))
        ]
        rows = self.connection.execute(
            "SELECT DISTINCT rid FROM (SELECT rid FROM ref WHERE tr = ?1 UNION ALL SELECT rid FROM comp WHERE pt = ?1) "
            "CROSS JOIN res USING (rid) WHERE rid NOT IN carray(?2) AND t NOT IN carray(?4) LIMIT ?3",
            (
                target,
                integers([0, *changed, *(known.rid for known in pending)]),
                _FEW,
                integers([self.allocation.type(name) for name in sorted(RECORDS)]),
            ),
        ).fetchall()
        found = new + [self._name(rid) for (rid,) in rows]
        if found:
            raise ConditionFailed(condition, found[:_FEW])

    def _name(self, rid: int) -> Pair:
        t, key = self.connection.execute("SELECT t, id FROM res WHERE rid = ?", (rid,)).get
        return self.allocation.name(t), id_text(key)

    def _steps(self, commit: Commit, known: Sequence[Known], lu: int, ahead: Mapping[int, Early]) -> list[Step]:
        """Numbers first: the resources of one commit may refer to each other."""
        next = self._rid
        fresh: dict[Pair, int] = {}
        for change, current in zip(commit.changes, known, strict=True):
            if isinstance(change, Put) and not current.rid:
                next += 1
                fresh[change.type, change.id] = next

        def target(type: str, id: str) -> int:
            return fresh.get((type, id)) or self.allocation.target(type, id)

        return [
            self._step(change, now, lu, fresh, target, ahead.get(id(change)))
            for change, now in zip(commit.changes, known, strict=True)
        ]

    def _step(
        self,
        change: Change,
        known: Known,
        lu: int,
        fresh: dict[Pair, int],
        target: Callable[[str, str], int],
        early: Early | None,
    ) -> Step:
        if isinstance(change, Put):
            if change.seen is not None:
                self._check_seen(change, known.frame)
            elif change.labels is not None:
                self._check_labels(change, known.frame)
            body = change.body.at(known.vid + 1, lu)
            if early is None:
                made = self._builder.build(change.type, known.t, change.index, target)
            else:
                made = settled(early, self.allocation, target)
            rid = known.rid or fresh[change.type, change.id]
            method = put_number(change, known.vid, known.live)
            return Step(known, rid, known.vid + 1, method, body, self._bodies.compress(body), made, change.text)
        if isinstance(change, Relabel):
            return self._relabelled(change, known, target)
        return Step(known, known.rid, known.vid + 1 if known.live else known.vid, DELETED)

    def _relabelled(self, change: Relabel, known: Known, target: Callable[[str, str], int]) -> Step:
        """Raises: LabelsChanged, also for a version that is not there."""
        made = UNMADE
        seq, lu, m, frame = known.seq, known.lu, known.m, known.frame
        if change.version == known.vid:
            made = self._builder.build(change.type, known.t, change.index, target)
        else:
            self.flush()
            seq, lu, m, frame = superseded(self.connection, known.rid, change.version) or (0, 0, DELETED, None)
        self._check_seen(change, frame)
        body = change.body.at(change.version, lu)
        compressed = self._bodies.compress(body)
        return Step(known, known.rid, change.version, m, body, compressed, made, change.text, (seq, lu))

    def _check_seen(self, change: Put | Relabel, frame: bytes | None) -> None:
        if frame is None or self._bodies.expand(frame) != change.seen:
            raise LabelsChanged(change.type, change.id)

    def _check_labels(self, change: Put, frame: bytes | None) -> None:
        if labels_of(self._bodies.expand(frame) if frame is not None else None) != change.labels:
            raise LabelsChanged(change.type, change.id)

    def _relabel(self, step: Step) -> Written:
        known = step.known
        assert step.place is not None
        seq, lu = step.place
        if step.vid == known.vid:
            known.frame, known.made, known.text, known.said = step.frame, step.made, step.text, True
            self._pending.dirty[known.rid] = known
        else:
            rewrite(self.connection, known.rid, step.vid, step.frame)
        version = Version(known.type, known.id, step.vid, lu, seq, METHODS[step.m], step.body)
        return Written(version, created=False)

    def _remember(self, step: Step, lu: int) -> Written:
        known = step.known
        if step.vid == known.vid:
            return Written(_version(known, None), created=False, changed=False)
        created = not known.live
        pending = self._pending
        if known.rid:
            pending.hist.append((known.rid << VERSION_BITS | known.vid, known.seq, known.lu, known.m, known.frame))
        else:
            self._arrive(known, step.rid)
        self._seq += 1
        known.vid, known.seq, known.lu, known.m = step.vid, self._seq, lu, step.m
        known.frame, known.made, known.text = step.frame, step.made, step.text
        known.said = True
        pending.log.append((known.t, self._seq, known.rid, known.vid, lu))
        pending.dirty[known.rid] = known
        if lu > self._high and lu >= self._ticked + TICK:
            self.connection.execute("INSERT INTO tick VALUES(?, ?)", (lu, self._seq))
            self._ticked = lu
        self._high = max(self._high, lu)
        return Written(_version(known, step.body), created)

    def _arrive(self, known: Known, rid: int) -> None:
        self._rid = max(self._rid, rid)
        known.rid = rid
        absent = self.allocation.awaited(known.t, known.id)
        if absent is not None:
            self._pending.arrived.append((rid, absent))
        self.allocation.made(known.t, known.id, rid)

    # -------------------------------------------------------------------------------- other work

    def replay(self, versions: Sequence[Replayed]) -> None:
        """Versions of another store, verbatim but for `seq`."""
        for replayed in versions:
            version = replayed.version
            known = self._look_up(version.type, version.id)
            rid = known.rid or self._rid + 1
            self.allocation.made(known.t, known.id, rid)
            made, frame = UNMADE, None
            if version.body is not None:
                made = self._builder.build(version.type, known.t, replayed.index, self.allocation.target)
                frame = self._bodies.compress(version.body)
            method = NUMBERS[version.method]
            step = Step(known, rid, version.version, method, version.body, frame, made, replayed.text)
            self._remember(step, version.last_updated)

    def reindex(self, found: Sequence[Extracted]) -> None:
        """New index rows for current versions; what has been written since has new ones already."""
        for one in found:
            known = self._look_up(one.type, one.id)
            if known.live == one.version:
                known.made = self._builder.build(one.type, known.t, one.index, self.allocation.target)
                self._pending.dirty[known.rid] = known

    # -------------------------------------------------------------------------------- what is known

    def load(self, changes: Iterable[Change]) -> None:
        """Reads the current rows of many resources ahead of their commits, a type at a time."""
        self._load((change.type, change.id) for change in changes if not _is_fresh(change))

    def _load(self, ids: Iterable[Pair]) -> None:
        by_type: dict[int, list[Known]] = {}
        for type, id in ids:
            if (type, id) not in self._known:
                known = self._new(type, id)
                by_type.setdefault(known.t, []).append(known)
        for t, wanted in by_type.items():
            named = {known.key: known for known in wanted if isinstance(known.key, str)}
            if named:
                self._fill(t, named, texts(list(named)))
            numbered = {known.key: known for known in wanted if isinstance(known.key, bytes)}
            if numbered:
                self._fill(t, numbered, blobs(list(numbered)))

    def load_existence(self, ids: Iterable[Pair]) -> None:
        """Reads ahead which resources are there, a type at a time; nothing else of them."""
        by_type: dict[str, list[str]] = {}
        for pair in ids:
            if pair not in self._there and pair not in self._known:
                self._there[pair] = False
                by_type.setdefault(pair[0], []).append(pair[1])
        for type, wanted in by_type.items():
            keys = [id_key(id) for id in wanted]
            if named := [key for key in keys if isinstance(key, str)]:
                self._find(type, texts(named))
            if numbered := [key for key in keys if isinstance(key, bytes)]:
                self._find(type, blobs(numbered))

    def _find(self, type: str, keys: object) -> None:
        for (key,) in self.connection.execute(
            "SELECT id FROM carray(?) c CROSS JOIN res ON t = ? AND id = c.value WHERE m < ?",
            (keys, self.allocation.type(type), DELETED),
        ):
            self._there[type, id_text(key)] = True

    def _is_live(self, pair: Pair) -> bool:
        known = self._known.get(pair)
        if known is not None:
            return bool(known.live)
        if pair not in self._there:
            self.load_existence([pair])
        return self._there[pair]

    def _fill(self, t: int, wanted: Mapping[Any, Known], keys: object) -> None:
        execute = self.connection.execute
        for key, *row in execute(
            "SELECT id, rid, vid, seq, lu, m, keys, body FROM carray(?) c CROSS JOIN res ON t = ? AND id = c.value",
            (keys, t),
        ):
            wanted[key].fill(row)
        for key, x in execute(
            "SELECT id, x FROM carray(?) c CROSS JOIN ext e ON e.id = c.value AND e.t = ? WHERE e.rid IS NULL",
            (keys, t),
        ):
            self.allocation.waits(t, wanted[key].id, x)

    def _new(self, type: str, id: str) -> Known:
        known = self._known[type, id] = Known(self.allocation.type(type), type, id, id_key(id))
        return known

    def _look_up(self, type: str, id: str) -> Known:
        known = self._known.get((type, id))
        if known is None:
            self._load([(type, id)])
            known = self._known[type, id]
        return known

    # -------------------------------------------------------------------------------- writing

    def flush(self) -> None:
        """Writes what is pending, so that statements of this transaction see it."""
        pending, self._pending = self._pending, Pending()
        if not pending.dirty:
            return
        fresh: ByTable = {}
        gone: ByTable = {}
        for known in pending.dirty.values():
            self._index(known, gone, fresh)
        self._write_resources([k for k in pending.dirty.values() if not k.stored])
        self._rewrite_resources([k for k in pending.dirty.values() if k.stored])
        for name, rows in gone.items():
            delete(self.connection, name, rows)
        for name, rows in fresh.items():
            insert(self.connection, name, rows)
        live = [(k.t, k.rid, k.lu, k.made.dates) for k in pending.dirty.values() if k.live and k.made is not None]
        insert(self.connection, "zone", zones(live))
        self._write_texts(list(pending.dirty.values()))
        insert(self.connection, "hist", pending.hist)
        insert(self.connection, "log", pending.log)
        for rid, absent in pending.arrived:
            self._redirect(rid, absent)

    def _index(self, known: Known, gone: ByTable, fresh: ByTable) -> None:
        """Adds what turns the stored index rows of a resource into its current ones; leaves `stored_keys` new."""
        made = known.made
        assert made is not None, "remembered in this transaction"
        known.strings = made.strings
        if known.stored_keys is None:
            known.strings = known.strings or None
            spread(made.rows, made.dates, known.rid, known.t, lambda name: fresh.setdefault(name, []))
        else:
            old = self._current(from_keys(known.stored_keys))
            if old.str == made.rows.str:
                known.strings = None
            less, more = difference(old, made, known.rid, known.t, self._date(known))
            for name, found in less.items():
                gone.setdefault(name, []).extend(found)
            for name, found in more.items():
                fresh.setdefault(name, []).extend(found)
        known.stored_keys = made.keys if known.m != DELETED else None

    def _write_texts(self, dirty: list[Known]) -> None:
        """Trigrams of strings, and the texts of `_text` and `_content` where that is on."""
        execute = self.connection.execute
        strings = [known for known in dirty if known.strings is not None]
        for known in strings:
            if known.stored:
                execute("DELETE FROM tri WHERE rowid = ?", (known.rid,))
            if known.strings:
                execute("INSERT INTO tri(rowid, v) VALUES(?, ?)", (known.rid, known.strings))
            known.strings = None
        for known in [known for known in dirty if known.said]:
            if known.stored and execute("DELETE FROM text WHERE rid = ? RETURNING 1", (known.rid,)).get:
                execute("DELETE FROM textri WHERE rowid = ?", (known.rid,))
            if known.text is not None and known.live:
                execute("INSERT INTO text VALUES(?, ?, ?)", (known.rid, *known.text))
                execute("INSERT INTO textri(rowid, narrative, content) VALUES(?, ?, ?)", (known.rid, *known.text))
            known.said = False
        for known in dirty:
            known.stored = True

    def _current(self, rows: Rows) -> Rows:
        """Stored rows with the numbers of those targets that have come since."""
        if not any(row[0] < 0 for row in (*rows.ref, *rows.comp)):
            return rows

        def now(row: list[int]) -> list[int]:
            return [self.allocation.arrived(row[0]), row[1]] if row[0] < 0 else row

        return rows._replace(ref=[now(row) for row in rows.ref], comp=[now(row) for row in rows.comp])

    def _redirect(self, rid: int, absent: int) -> None:
        """Rows that refer to what was absent now refer to what has come."""
        execute = self.connection.execute
        execute("UPDATE OR REPLACE ref SET tr = ? WHERE tr = ?", (rid, absent))
        execute("UPDATE OR REPLACE comp SET pt = ? WHERE pt = ?", (rid, absent))
        execute("UPDATE ext SET rid = ? WHERE x = ?", (rid, -absent))

    def _write_resources(self, fresh: list[Known]) -> None:
        rows = [(k.rid, k.t, k.key, k.vid, k.seq, k.lu, k.m, *_lead(k), k.stored_keys, k.frame) for k in fresh]
        insert(self.connection, "res", rows)

    def _rewrite_resources(self, again: list[Known]) -> None:
        if again:
            self.connection.executemany(
                "UPDATE res SET vid = ?, seq = ?, lu = ?, m = ?, d = ?, w = ?, keys = ?, body = ? WHERE rid = ?",
                [(k.vid, k.seq, k.lu, k.m, *_lead(k), k.stored_keys, k.frame, k.rid) for k in again],
            )

    def _date(self, known: Known) -> int | None:
        """k of the type's principal date."""
        try:
            return self._dates[known.t]
        except KeyError:
            principal = PRINCIPAL.get(known.type)
            k = self._dates[known.t] = self.allocation.param(known.t, principal.date) if principal else None
            return k

    def finish(self) -> None:
        """The last statements before COMMIT."""
        self.flush()
        if self._seq != self._first_seq:
            self.connection.execute("UPDATE state SET seq = ?, hw = ?", (self._seq, self._high))


def _is_fresh(change: Change) -> bool:
    return isinstance(change, Put) and change.fresh


def _lead(known: Known) -> tuple[int | None, int | None]:
    return (None, None) if known.made is None else lead_date(known.made.dates)


def _version(known: Known, body: bytes | None) -> Version:
    return Version(known.type, known.id, known.vid, known.lu, known.seq, METHODS[known.m], body)
