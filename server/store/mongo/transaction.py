"""One transaction: the changes of a whole group of commits, gathered in memory and written collection by collection.

A commit is checked completely before any of it is remembered, so a refused one leaves no trace and the others of its
group go on. What conditions search is written first (`flush`).

Snapshots alone would allow two transactions to each see the state before the other. So whatever a condition relies on
is written too, which makes the later of the two begin anew: a claim for each identifier of a conditional interaction,
and a referred resource that is about to be deleted (marks.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from server.store.contract import (
    DELETED,
    METHODS,
    NUMBERS,
    Change,
    Commit,
    ConditionFailed,
    Delete,
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
from server.store.mongo.driver import Again, Binary, Document, ReplaceOne, Session, UpdateOne
from server.store.mongo.frames import Frames
from server.store.mongo.marks import Marks
from server.store.mongo.order import Order, Stamp, read_seq, stored_seq
from server.store.mongo.referrers import MANY, referred
from server.store.mongo.schema import Collections
from server.turn import Turn

Pair = tuple[str, str]

_FEW = 5
"""Resources that a failed condition names."""
_MOST_PENDING = 1_000
"""Resources that are written together. A transaction that is silent while it makes ten thousand would on a busy machine
be taken for one whose process is gone (`end_abandoned`)."""
_HEAD = {"v": 1, "q": 1, "l": 1, "m": 1, "n": 1, "t": 1, "x": 1}
CURRENT = _HEAD | {"b": 1}


class Unmarked(Again):
    """What is to be deleted must be marked anew."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What of a Put does not depend on its version: made before the transaction."""

    keys: Document
    values: bytes


@dataclass(slots=True)
class Known:
    """One resource as this transaction sees it."""

    type: str
    id: str
    version: int = 0
    seq: int = 0
    updated: int = 0
    method: int = DELETED
    created: int = 0
    """Creation number; 0 if it never was."""
    seen: bool = False
    """Was live before this transaction."""
    mark: int = 0
    """Of a deletion that is about to come."""
    document: Document | None = None
    """Of the current version."""
    stored: bool = False
    """The collection has a document of this _id."""

    @property
    def key(self) -> str:
        return f"{self.type}/{self.id}"

    @property
    def live(self) -> int:
        """Current version as clients see it; 0 if absent or deleted."""
        return self.version if self.method != DELETED else 0


@dataclass(slots=True)
class Work:
    """What a transaction does its work with."""

    collections: Collections
    order: Order
    marks: Marks
    frames: Frames
    claims: Callable[[Commit], Iterable[bytes]]
    found: Callable[[Matches, Session], Awaitable[Sequence[Pair]]]
    """Type/id pairs that a condition's query matches now, at most a few more than it expects."""
    referrers: Callable[[Mapping[Pair, Container[Pair]], Session], Awaitable[Mapping[Pair, Sequence[Pair]]]]
    """See Referrers.find."""


@dataclass(slots=True)
class _Pending:
    """What waits for `flush`."""

    history: list[Document] = field(default_factory=list)
    relabelled: list[UpdateOne] = field(default_factory=list)
    """Superseded versions that are there already."""
    dirty: dict[Pair, Known] = field(default_factory=dict)


class Transaction:
    """Between its stamp and the commit."""

    def __init__(self, work: Work, session: Session, stamp: Stamp, prepared: dict[int, Prepared]) -> None:
        """prepared: by `id()` of the Put or Replayed."""
        self._work = work
        self.session = session
        self._stamp = stamp
        self._prepared = prepared
        self._known: dict[Pair, Known] = {}
        self._pending = _Pending()
        self._ordinal = 0
        self._relied: set[Pair] = set()
        self._put: dict[Pair, Put | None] = {}
        """What was changed; None: deleted."""
        self._referring: Mapping[Pair, Sequence[Pair]] = {}
        """Who referred before this transaction to what must not be referred to."""

    # -------------------------------------------------------------------------------- what is known

    async def load(self, ids: Iterable[Pair], put: Container[str] | None = None) -> None:
        """Reads current versions, all at once.

        put: the Type/id of all that will change, if it is all expected to be new: then no bodies are read, unless
        some are there after all.
        """
        wanted = {f"{type}/{id}": (type, id) for type, id in ids if (type, id) not in self._known}
        if not wanted:
            return
        documents = await self._documents(list(wanted), CURRENT if put is None else _HEAD)
        if put is not None and any(document["_id"] in put for document in documents):
            documents = await self._documents(list(wanted), CURRENT)
        for document in documents:
            pair = wanted.pop(document["_id"])
            self._known[pair] = _known(pair, document)
        for pair in wanted.values():
            self._known[pair] = Known(*pair)

    async def _documents(self, keys: list[str], fields: Document) -> list[Document]:
        found = self._work.collections.resource.find({"_id": {"$in": keys}}, fields, session=self.session)
        return await found.to_list(None)

    def _look_up(self, type: str, id: str) -> Known:
        """What was not loaded was made for this very change."""
        known = self._known.get((type, id))
        if known is None:
            known = self._known[type, id] = Known(type, id)
        return known

    # -------------------------------------------------------------------------------- a commit

    async def apply(self, commit: Commit, mark: int) -> list[Written]:
        """What it changes and relies on must be loaded, and claimed. mark: that was set in whatever must not be
        referred to. Raises: CommitRefused; all is then as it was before."""
        known = [self._look_up(change.type, change.id) for change in commit.changes]
        for change, current in zip(commit.changes, known, strict=True):
            if change.expected is not None and change.expected != current.live:
                raise VersionConflict(change.type, change.id, change.expected, current.live)
        earlier = [await self._seen(change, one) for change, one in zip(commit.changes, known, strict=True)]
        await self._check(commit, mark)
        updated = max(self._stamp.clock, *(one.updated + 1 for one in known)) if known else 0
        written, turn = [], Turn()
        for change, one, document in zip(commit.changes, known, earlier, strict=True):
            written.append(self._change(change, one, updated, document))
            if len(self._pending.dirty) >= _MOST_PENDING:
                await self.flush()
            if turn.is_over():
                await asyncio.sleep(0)
        return written

    async def _seen(self, change: Change, known: Known) -> Document | None:
        """Document of the version whose labels matter to a change. Raises: LabelsChanged, also if it is not there."""
        if isinstance(change, Delete):
            return None
        document = known.document
        if change.seen is None:
            if change.labels is not None:
                frame = document.get("b") if document else None
                if labels_of(self._work.frames.body(frame) if frame is not None else None) != change.labels:
                    raise LabelsChanged(change.type, change.id)
            return None
        if isinstance(change, Relabel) and change.version != known.version:
            await self.flush()
            key = f"{known.key}/{change.version:08d}"
            document = await self._work.collections.history.find_one({"_id": key}, session=self.session)
        if document is None or "b" not in document or self._work.frames.body(document["b"]) != change.seen:
            raise LabelsChanged(change.type, change.id)
        return document

    async def _check(self, commit: Commit, mark: int) -> None:
        put = {(change.type, change.id) for change in commit.changes if isinstance(change, Put)}
        for condition in commit.conditions:
            if isinstance(condition, Exists):
                target = (condition.type, condition.id)
                if target not in put:
                    self._check_exists(condition, target)
        for condition in commit.conditions:
            if isinstance(condition, Matches):
                await self.flush()
                found = await self._work.found(condition, self.session)
                if frozenset(found) != condition.ids:
                    raise ConditionFailed(condition, found[:_FEW])
        unreferenced = [condition for condition in commit.conditions if isinstance(condition, Unreferenced)]
        if unreferenced:
            await self._check_unreferenced(unreferenced, commit, mark)

    def _check_exists(self, condition: Exists, target: Pair) -> None:
        known = self._look_up(*target)
        if not known.live:
            raise ConditionFailed(condition)
        if known.mark:
            self._relied.add(target)

    async def look_for_referrers(self, commits: Iterable[Commit]) -> None:
        """Of all that must not be referred to, before the first commit is applied."""
        asked: dict[Pair, set[Pair]] = {}
        for commit in commits:
            changed = {(change.type, change.id) for change in commit.changes}
            for condition in commit.conditions:
                if isinstance(condition, Unreferenced):
                    target = (condition.type, condition.id)
                    # Of one commit they share the set: ten thousand deletions would have as many of that size.
                    asked[target] = asked[target] & changed if target in asked else changed
        if asked:
            self._referring = await self._work.referrers(asked, self.session)

    async def _check_unreferenced(self, conditions: Sequence[Unreferenced], commit: Commit, mark: int) -> None:
        """Those who refer now, without what this commit changes, and those who will."""
        changed = {(change.type, change.id) for change in commit.changes}
        put = [change for change in commit.changes if isinstance(change, Put)]
        put += [change for pair, change in self._put.items() if change is not None and pair not in changed]
        pointed = {target: (change.type, change.id) for change in put for target in referred(change)}
        for condition in conditions:
            target = (condition.type, condition.id)
            known = self._look_up(*target)
            if known.seen and known.mark != mark:
                raise Unmarked("the mark was taken away")
            told = self._referring[target]
            found = [pair for pair in told if pair not in changed and pair not in self._put]
            if target in pointed:
                found.append(pointed[target])
            if not found and len(told) >= MANY:  # there may be more than were told
                await self.flush()
                found += (await self._work.referrers({target: changed}, self.session))[target]
            if found:
                raise ConditionFailed(condition, found[:_FEW])
            self._relied.add(target)

    async def claim(self, commits: Iterable[Commit]) -> None:
        """What they compete for, before the first is applied."""
        now = datetime.now(UTC)
        keys = {key for commit in commits for key in self._work.claims(commit)}
        if keys:
            claims = [
                UpdateOne({"_id": Binary(key)}, {"$inc": {"n": 1}, "$set": {"at": now}}, upsert=True)
                for key in sorted(keys)
            ]
            await self._work.collections.claim.bulk_write(claims, session=self.session)

    def _change(self, change: Change, known: Known, updated: int, seen: Document | None) -> Written:
        if isinstance(change, Relabel):
            assert seen is not None
            return self._relabel(change, known, seen)
        self._put[known.type, known.id] = change if isinstance(change, Put) else None
        if isinstance(change, Delete):
            if not known.live:
                return Written(_version(known, None), created=False, changed=False)
            return self._remember(known, known.version + 1, updated, DELETED, None, None)
        body = change.body.at(known.version + 1, updated)
        method = put_number(change, known.version, known.live)
        return self._remember(known, known.version + 1, updated, method, body, self._prepared[id(change)])

    def _remember(
        self, known: Known, version: int, updated: int, method: int, body: bytes | None, prepared: Prepared | None
    ) -> Written:
        created = not known.live
        if known.document is not None:
            old = known.document
            superseded = {"_id": f"{known.key}/{known.version:08d}", "t": known.type, "v": old["v"], "q": old["q"]}
            superseded |= {"l": old["l"], "m": old["m"], "x": updated}
            if "b" in old:
                superseded["b"] = Binary(self._work.frames.bare(old["b"]))
            self._pending.history.append(superseded)
        known.created = known.created or self._stamp.creation(self._ordinal)
        known.version, known.updated, known.method = version, updated, method
        known.seq = self._stamp.seq(self._ordinal)
        self._ordinal += 1
        self._replace(known, body, prepared)
        return Written(_version(known, body), created)

    def _replace(self, known: Known, body: bytes | None, prepared: Prepared | None) -> None:
        """The current version gets a new document."""
        document: Document = {
            "_id": known.key,
            "t": known.type,
            "v": known.version,
            "q": stored_seq(known.seq),
            "l": known.updated,
            "m": known.method,
            "n": known.created,
        }
        if body is not None and prepared is not None:
            document |= prepared.keys
            document["b"] = Binary(self._work.frames.pack(body, prepared.values))
        known.document = document
        self._pending.dirty[known.type, known.id] = known

    def _relabel(self, change: Relabel, known: Known, seen: Document) -> Written:
        body = change.body.at(change.version, seen["l"])
        if change.version == known.version:
            self._replace(known, body, self._prepared[id(change)])
        else:
            frame = Binary(self._work.frames.pack(body, b""))
            self._pending.relabelled.append(UpdateOne({"_id": seen["_id"]}, {"$set": {"b": frame}}))
        seq, method = read_seq(seen["q"]), METHODS[seen["m"]]
        version = Version(known.type, known.id, change.version, seen["l"], seq, method, body)
        return Written(version, created=False)

    # -------------------------------------------------------------------------------- other work

    async def replay(self, versions: Sequence[Replayed]) -> None:
        await self.load((one.version.type, one.version.id) for one in versions)
        for one in versions:
            version = one.version
            known = self._look_up(version.type, version.id)
            prepared = self._prepared.get(id(one))
            self._remember(
                known,
                version.version,
                version.last_updated,
                NUMBERS[version.method],
                version.body,
                prepared,
            )

    # -------------------------------------------------------------------------------- writing

    async def flush(self) -> None:
        """Writes what is pending, so that this transaction's own searches see it."""
        pending, self._pending = self._pending, _Pending()
        collections, session = self._work.collections, self.session
        if pending.relabelled:
            await collections.history.bulk_write(pending.relabelled, session=session)
        if not pending.dirty:
            return
        if pending.history:
            await collections.history.insert_many(pending.history, ordered=True, session=session)
        fresh = [known.document for known in pending.dirty.values() if not known.stored and known.document]
        again = [known.document for known in pending.dirty.values() if known.stored and known.document]
        if fresh:
            await collections.resource.insert_many(fresh, ordered=True, session=session)
        if again:
            replaced = [ReplaceOne({"_id": document["_id"]}, document) for document in again]
            done = await collections.resource.bulk_write(replaced, session=session)
            assert done.matched_count == len(again), "read in this very snapshot"
        for known in pending.dirty.values():
            known.stored = True
            self._relied.discard((known.type, known.id))

    async def finish(self) -> None:
        """The last writes before the commit."""
        await self.flush()
        if self._relied:
            await self._work.marks.take_away((f"{type}/{id}" for type, id in self._relied), self.session)


def _known(pair: Pair, document: Document) -> Known:
    return Known(
        *pair,
        version=document["v"],
        seq=read_seq(document["q"]),
        updated=document["l"],
        method=document["m"],
        created=document["n"],
        seen=document["m"] != DELETED,
        mark=document.get("x", 0),
        document=document,
        stored=True,
    )


def _version(known: Known, body: bytes | None) -> Version:
    return Version(known.type, known.id, known.version, known.updated, known.seq, METHODS[known.method], body)
