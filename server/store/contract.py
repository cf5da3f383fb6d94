"""The store contract: all that the server knows of an engine. Changes are data; nothing of SQL or MongoDB leaks above.

Order is a commit sequence (`seq`), never the clock: history, `_since`, page bounds and `changes` use it.
`meta.lastUpdated` = max(clock, previous version + 1 ms), one value per commit, for display and filters.
A commit is atomic and durable before it is visible; a crash leaves the old or the new version, never none.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from server.search.query import Criterion, Parameter, Position, Query
from server.search.values import Index

# ---------------------------------------------------------------- what is written


@dataclass(frozen=True, slots=True)
class Body:
    """A resource as compact JSON, cut where the store puts versionId and lastUpdated: only it knows them.

    bytes = head + b'"versionId":"3","lastUpdated":"2026-11-24T06:30:00.123Z"' + tail; `head` ends with `"meta":{`.
    """

    head: bytes
    tail: bytes

    def at(self, version: int, last_updated: int) -> bytes:
        """The whole resource; last_updated in milliseconds UTC since 1970."""
        stamp = f'"versionId":"{version}","lastUpdated":"{instant(last_updated)}"'
        return self.head + stamp.encode() + self.tail


def instant(milliseconds: int) -> str:
    """FHIR instant in UTC with milliseconds, as in meta.lastUpdated."""
    seconds, ms = divmod(milliseconds, 1000)
    return f"{_whole_seconds(seconds)}.{ms:03d}Z"


REMADE = "PUT again"
METHODS = {0: "POST", 1: "PUT", 2: "PATCH", 3: "DELETE", -1: REMADE}
"""Methods of versions by the numbers that both engines store. What is below the number of a deletion lives."""
NUMBERS = {method: number for number, method in METHODS.items()}
DELETED = NUMBERS["DELETE"]

Labels = frozenset[tuple[str, str | None, str | None]]
"""("tag" or "security", system, code)"""
NO_LABELS: Labels = frozenset()


@dataclass(frozen=True, slots=True)
class Put:
    """New current version of `type`/`id`: made if absent (also after a deletion, versions go on), else replaced."""

    type: str
    id: str
    body: Body
    index: Index
    method: str = "PUT"
    """POST, PUT or PATCH: shown in history as request.method."""
    expected: int | None = None
    """Version that must be current; 0: must not exist as a live resource; None: any."""
    text: tuple[str, str] | None = None
    """Folded narrative and folded content for `_text`/`_content`; None when the setting is off."""
    seen: bytes | None = None
    """Body of the version `expected` that this one was made from, where its labels matter: they may change without a
    new version (`Relabel`). None: any."""
    labels: Labels | None = None
    """Tags and security labels of the version that it was made from: the one that it replaces must have the same,
    whatever its number. None: any."""
    fresh: bool = False
    """The id was made for this very change: nothing has it, nothing refers to it, so nobody needs to look."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Tombstone version without index rows. Deleting what is absent or deleted already changes nothing."""

    type: str
    id: str
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Relabel:
    """Other labels (`meta.profile`, `tag`, `security`) for a version that is there: its number, lastUpdated, `seq` and
    method stay, so histories show it where it was, with its new labels, and `changes` does not tell it again."""

    type: str
    id: str
    version: int
    seen: bytes
    """Body that it has until now."""
    body: Body
    index: Index
    """Stored if the version is the current one."""
    text: tuple[str, str] | None = None
    expected: int | None = None
    """Version that must be current; None: any."""


Change = Put | Delete | Relabel


def labels_of(body: bytes | None) -> Labels:
    """Tags and security labels of a version; none of a deletion. Most have none, and are not parsed."""
    if body is None or not (b'"tag":' in body or b'"security":' in body):
        return NO_LABELS
    meta = orjson.loads(body).get("meta", {})
    return frozenset(
        (name, coding.get("system"), coding.get("code"))
        for name in ("tag", "security")
        for coding in meta.get(name, ())
    )


# ---------------------------------------------------------------- what must hold for a commit


RECORDS = frozenset({"Provenance", "AuditEvent"})
"""Types that tell what was: they outlive what they refer to and hold nothing back."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The matches of `query` are exactly `ids` (Type/id pairs). Race-free across processes: conditional interactions
    search first, then commit with what they saw as the condition. Checked within the transaction."""

    query: Query
    ids: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Exists:
    """`type`/`id` is live, or put by this very commit (referential integrity)."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """After the commit, no live resource refers to `type`/`id` (referential integrity of deletes), those of `RECORDS`
    left aside."""

    type: str
    id: str


Condition = Matches | Exists | Unreferenced


@dataclass(frozen=True, slots=True)
class Commit:
    changes: Sequence[Change]
    """At most one change per Type/id."""
    conditions: Sequence[Condition] = ()


# ---------------------------------------------------------------- what comes back


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one resource."""

    type: str
    id: str
    version: int
    last_updated: int
    """Milliseconds UTC since 1970."""
    seq: int
    """Place in the commit order, unique to this version; only comparable, may be larger than 64 bits."""
    method: str
    """POST, PUT, PATCH or DELETE; REMADE: a PUT that brought a deleted resource back."""
    body: bytes | None
    """Compact JSON with meta; None for a deletion."""

    @property
    def deleted(self) -> bool:
        return self.body is None


def put_number(change: Put, version: int, live: int) -> int:
    """What is stored as the method of a Put.   version, live: numbers of the version before it, 0 for none."""
    return NUMBERS[REMADE if change.method == "PUT" and version and not live else change.method]


@dataclass(frozen=True, slots=True)
class Written:
    """Outcome of one change, in the order of `Commit.changes`."""

    version: Version
    created: bool
    """No live version was there before."""
    changed: bool = True
    """False for a Delete that found nothing to delete (version is then the tombstone, or version 0 if never known)."""


@dataclass(frozen=True, slots=True)
class Hit:
    version: Version
    position: Position


@dataclass(frozen=True, slots=True)
class Hits:
    hits: Sequence[Hit]
    more: bool
    """There are further hits in the direction of the paging."""


@dataclass(frozen=True, slots=True)
class History:
    """Newest first."""

    versions: Sequence[Version]
    more: bool
    until: int | None = None
    """For the pages that follow (ms): what is dated later was still to come when this page was read, or others were."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Of a history: the system (both None), a type, or an instance."""

    type: str | None = None
    id: str | None = None


# ---------------------------------------------------------------- failures


class StoreError(Exception):
    """Root of what an engine raises on purpose; everything else is a bug.

    StoreError
    +-- CommitRefused      (nothing was stored)
    |   +-- VersionConflict     `expected` does not hold
    |   +-- LabelsChanged       the version that must be there is, with another body than was `seen`, or what is there
    |   |                       has other `labels`
    |   +-- ConditionFailed     a condition does not hold
    |   +-- ResourceTooLarge    with its index values, for this engine; or all together
    +-- StoreUnavailable   (outcome unknown if it was a commit: repeat with the same ids) -> 503
    +-- StoreFull          disk full or read-only: nothing was stored -> 507 / 503
    +-- QueryTooCostly     time or memory limit of a search reached; carries advice -> 4xx
    +-- StoreRefused       cannot be opened: standalone mongod, wrong version, other time zone, newer schema
        +-- StoreInUse          others have it open, and nobody may
    """


class CommitRefused(StoreError):
    pass


class VersionConflict(CommitRefused):
    def __init__(self, type: str, id: str, expected: int, current: int) -> None:
        super().__init__(f"{type}/{id}: expected version {expected}, current is {current}")
        self.type, self.id, self.expected, self.current = type, id, expected, current


class LabelsChanged(CommitRefused):
    def __init__(self, type: str, id: str) -> None:
        super().__init__(f"the labels of {type}/{id} were changed meanwhile: repeat the request")


class ConditionFailed(CommitRefused):
    def __init__(self, condition: Condition, found: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(type(condition).__name__)
        self.condition = condition
        self.found = tuple(found)
        """Type/id pairs that matched or refer instead (at most a few)."""


class ResourceTooLarge(CommitRefused):
    pass


class StoreUnavailable(StoreError):
    pass


class StoreFull(StoreError):
    pass


class QueryTooCostly(StoreError):
    pass


class StoreRefused(StoreError):
    pass


class StoreInUse(StoreRefused):
    """Others have the store open, and nobody may while its layout or its time zone changes."""

    def __init__(self, others: str = "") -> None:
        """others: where they are, if that is known."""
        super().__init__(
            f"other processes have this store open{f' ({others})' if others else ''}: stop all servers and commands "
            "that use it first, then repeat / มีโปรแกรมอื่นเปิดที่เก็บข้อมูลนี้อยู่ กรุณาหยุดเซิร์ฟเวอร์ก่อน"
        )


# ---------------------------------------------------------------- what an engine is given and gives


class SearchRules(Protocol):
    """The pure search functions an engine calls back: never imported by it, so that definitions stay injected."""

    def extract(self, resource_type: str, body: bytes) -> Index:
        """Index values of a stored resource (reindexing, rechecks)."""

    def parameter(self, resource_type: str, code: str) -> Parameter | None:
        """The search parameter of that code on the type; None if there is none (any more). Engines store the tokens of
        `identifying` ones apart. Codes of contained resources (`#Type.code`) are asked as (Type, code)."""

    def holds(self, criterion: Criterion, resource_type: str, index: Index) -> bool:
        """Truth of a Match or Missing on a resource's values; an engine asks it for every hit found by a hash or
        by an index that is only a superset (trigrams, composites)."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A version of another store or of a backup, to be stored as it was."""

    version: Version
    index: Index
    """Its values; empty for a deletion."""
    text: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class StoreInfo:
    engine: str
    """"sqlite" or "mongodb"."""
    zone: str
    """Time zone of dates without one, fixed when the store was made."""
    epoch: str
    """Changes with a restore: workers drop caches and cursors of another epoch."""
    counts: dict[str, int] = field(default_factory=dict)
    """Live resources by type."""
    size: int = 0
    """Bytes on disk."""


class Store(Protocol):
    """One engine, opened. Safe for concurrent use on one event loop; several processes may share one store."""

    async def commit(self, commit: Commit) -> list[Written]:
        """Raises: CommitRefused or QueryTooCostly (of a condition; nothing stored), StoreUnavailable, StoreFull."""

    async def read(self, type: str, id: str) -> Version | None:
        """Current version, tombstones included (`deleted`); None if never known. Hot path: keep it lean."""

    async def read_many(self, ids: Sequence[tuple[str, str]]) -> list[Version | None]:
        """Current versions in the order asked."""

    async def vread(self, type: str, id: str, version: int) -> Version | None: ...

    async def history(
        self,
        scope: Scope,
        *,
        since: int | None = None,
        at: tuple[int, int] | None = None,
        before: int | None = None,
        until: int | None = None,
        limit: int = 50,
    ) -> History:
        """Versions of the scope, newest first.

        since: lastUpdated >= (ms). at: current at some time within [from, to] (ms). before: `seq` of the last
        version of the page before; until: what that page said.
        """

    async def search(self, query: Query) -> Hits: ...

    async def count(self, query: Query, *, estimate: bool = False) -> int:
        """Exact number of matches; a cheap guess with `estimate`."""

    async def explain(self, query: Query) -> dict[str, object]:
        """Which index drives, estimates, what is rechecked: for the plan table and the docs."""

    async def place(self, types: Sequence[str]) -> int:
        """Where the commit order is now: no search for these types that has ended found a larger `seq`."""

    def changes(self, since: int) -> AsyncIterator[Version]:
        """Versions with seq > since, in commit order, up to now: nothing is missed beside concurrent writers."""

    async def replay(self, versions: Sequence[Replayed]) -> None:
        """Store versions verbatim: ids, numbers, times, methods and bodies as given, in the order given, all or none.

        For restore and copy, into a store that nobody writes to otherwise: each call goes on where the last one ended;
        the last version of a resource is its current one. `seq` is allotted anew, in the same order.
        """

    async def info(self) -> StoreInfo: ...

    async def reindex(self, types: Sequence[str], progress: Callable[[int, int], None]) -> None:
        """Extract anew the index values of every live resource of the types, in bounded steps beside normal service.
        progress(done, total)."""

    async def rezone(self, zone: str, progress: Callable[[int, int], None]) -> None:
        """Index all resources anew, reading dates without a zone in `zone`; the store was opened with `rezone`.
        Goes on after a break. progress(done, total)."""

    async def get_setting(self, key: str) -> bytes | None:
        """Small values that live in the store and its backups (keys, checkpoints, zone)."""

    async def put_setting(self, key: str, value: bytes, *, only_if_absent: bool = False) -> bytes:
        """The value that is now stored (with only_if_absent: perhaps another process's)."""

    async def all_settings(self) -> dict[str, bytes]:
        """For backups and copies."""

    async def close(self) -> None: ...


_second_cache: tuple[int, str] = (-1, "")


def _whole_seconds(seconds: int) -> str:
    # Commits of one second share the text: strftime costs more than the rest of a stamp.
    global _second_cache
    if _second_cache[0] != seconds:
        _second_cache = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)))
    return _second_cache[1]
