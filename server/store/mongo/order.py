"""The commit order of several processes, without a counter that they would queue for.

Before a transaction its process registers: it writes the cluster's time u and its own clock c into its document
(`writer`). The first write of the transaction is a later time there: the stamp of all its versions, above all that its
snapshot shows, and visible together with them. With it the process leaves, or stays registered for the transaction that
follows at once. The lastUpdated of the versions is read from the clock after their stamp, c before u. Hence, in any
snapshot, as long as no clock is set back:

- who is registered since u and c may still commit versions with stamps above u, and only those;
- whoever registers later has stamps above all that the snapshot shows;
- every version with a stamp above u, whoever committed it, was updated at c or later.

So a reader that takes registrations and versions from one snapshot, and stops at the lowest of both, never misses a
version that appears later: neither behind the last stamp that it saw, nor behind the last instant (`_since`). A reader
first waits until all who are registered began after it came (milliseconds). A process that died while registered is
struck out: its transaction cannot commit any more, because the registration that it replaces is gone.

seq = cluster time (64 bits) | process (16) | ordinal (24).   n = creation number, from the same stamp, in 63 bits.
https://www.mongodb.com/docs/manual/reference/bson-types/#timestamps
https://www.mongodb.com/docs/manual/reference/operator/update/currentDate/ (a timestamp is a tick of the cluster's time,
which nothing else gets)
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from server.store.contract import StoreError
from server.store.mongo.driver import (
    Again,
    Binary,
    Client,
    Collection,
    Document,
    Session,
    Timestamp,
    at_most,
    end_abandoned,
    failures,
    plain,
)

ORDINAL_BITS, PROCESS_BITS = 24, 16
_SEQ_BYTES = 13
_FIRST_SECOND = 1_577_836_800
"""2020-01-01: creation numbers count seconds from here, so that they have room until 2088."""
_N_INCREMENT_BITS, N_ORDINAL_BITS = 18, 14
_PATIENCE = 3.0
"""Seconds that a reader waits for those who were committing before it strikes them out."""
_STRIKE_MS = 500
_GIVE_UP_SECONDS = 0.5
"""Within which a process tries to take its name away: if the cluster is gone, others wait behind it to be told so."""
_SILENT_MS = 3_600_000
_FOREVER = 1 << 53
_NEW: dict[str, Any] = {"return_document": True}


async def forget_silent(writers: Collection) -> None:
    """Whoever committed nothing for an hour has no transaction under way, and makes its document anew if it lives."""
    before = {"$subtract": ["$$NOW", _SILENT_MS]}
    await writers.delete_many({"$expr": {"$lt": ["$at", before]}})


def stored_seq(seq: int) -> Binary:
    """As bytes that sort like the number."""
    return Binary(seq.to_bytes(_SEQ_BYTES, "big"))


FIRST = stored_seq(0)
"""Below all places; a question that speaks of places may go by their index."""


def read_seq(stored: bytes) -> int:
    return int.from_bytes(stored, "big")


def _tick(clock: int, busy: bool) -> Document:
    return {"$currentDate": {"u": {"$type": "timestamp"}, "at": True}, "$set": {"c": clock, "busy": busy}}


def _number(stamp: Timestamp) -> int:
    return stamp.time << 32 | stamp.inc


@dataclass(frozen=True, slots=True)
class Stamp:
    """Of one transaction."""

    times: tuple[Timestamp, ...]
    """Of the cluster; one more for each 16,384 changes."""
    process: int
    clock: int
    """Milliseconds UTC: lastUpdated of its versions is not below."""
    stays: bool
    """Registered when the transaction is through."""

    def seq(self, ordinal: int) -> int:
        base = _number(self.times[0]) << PROCESS_BITS | self.process
        return base << ORDINAL_BITS | ordinal

    def creation(self, ordinal: int) -> int:
        time = self.times[ordinal >> N_ORDINAL_BITS]
        second = max(0, time.time - _FIRST_SECOND)
        low = ordinal & (1 << N_ORDINAL_BITS) - 1
        return ((second << _N_INCREMENT_BITS) + time.inc << N_ORDINAL_BITS) + low


class Order:
    """Of one process."""

    def __init__(self, client: Client, writer: Collection, clock: Callable[[], int]) -> None:
        self._client = client
        self._clock = clock
        self._writer = writer
        self._quick = plain(writer)
        self._new_name()

    def _new_name(self) -> None:
        self._process = secrets.randbits(PROCESS_BITS)
        self._id = f"{self._process:04x}-{secrets.token_hex(8)}"
        self._since: Timestamp | None = None
        """Registered since; None: is not."""

    # -------------------------------------------------------------------------------- writing

    def now(self) -> int:
        return self._clock()

    @property
    def registered(self) -> bool:
        return self._since is not None

    async def register(self) -> None:
        """Before a transaction, unless the last one stayed. Acknowledged by the primary alone: if it loses this write,
        it loses the transaction as well. Raises: Again, StoreUnavailable."""
        if self._since is None:
            with failures(uncommitted=True):
                found = await self._quick.find_one_and_update(
                    {"_id": self._id}, _tick(self._clock(), True), upsert=True, **_NEW
                )
            assert found is not None, "an upsert"
            self._since = found["u"]

    async def stamp(self, session: Session, changes: int, *, stays: bool) -> Stamp:
        """The first write of a transaction, for at most so many changes. Tell `through` when it is committed.
        Raises: Again (a reader has struck this process out)."""
        assert self._since is not None, "registered"
        times, now = [self._since], self._clock()
        for _ in range(1 + (changes >> N_ORDINAL_BITS)):
            own = {"_id": self._id, "u": times[-1]}
            found = await self._writer.find_one_and_update(own, _tick(now, stays), session=session, **_NEW)
            if found is None:
                raise Again("the registration was struck out", lost=True)
            times.append(found["u"])
        return Stamp(tuple(times[1:]), self._process, self._clock(), stays)

    def through(self, stamp: Stamp) -> None:
        """The transaction was committed."""
        self._since = stamp.times[-1] if stamp.stays else None

    async def rest(self) -> None:
        """No transaction follows for now: readers need not wait."""
        since, self._since = self._since, None
        if since is not None:
            with suppress(Exception):
                await self._quick.update_one({"_id": self._id, "u": since}, {"$set": {"busy": False}})

    async def give_up(self) -> None:
        """After a transaction of which nobody knows whether it still is on its way: under this name nothing of it can
        become visible any more. It may still hold the registration: then a reader will strike it out."""
        name = self._id
        self._new_name()
        with suppress(Exception), at_most(_GIVE_UP_SECONDS):
            await self._quick.find_one_and_delete({"_id": name})

    async def close(self) -> None:
        with suppress(Exception):
            await self._writer.delete_one({"_id": self._id})

    # -------------------------------------------------------------------------------- reading

    async def settle(self) -> None:
        """Before a reader's snapshot: waits until all who are registered have been so only since it came, so that
        whatever was acknowledged before is below them. Raises: StoreUnavailable."""
        with failures():
            async with self._client.start_session(causal_consistency=False) as session:
                waiting = await self._busy(self._writer, session)
                came = session.operation_time
        assert came is not None, "replica sets tell the time"
        await self._wait(waiting, lambda: self._busy(self._writer), lambda registered: registered <= came, 0.002)

    async def let_pass(self) -> None:
        """Waits until the other processes that are committing now are through, also those of whom the majority does not
        know yet. Not for this one: its transactions come one after the other. Raises: StoreUnavailable."""
        waiting = await self._busy(self._quick)
        waiting.pop(self._id, None)
        await self._wait(waiting, lambda: self._busy(self._quick), lambda registered: False, 0.006)

    async def _wait(
        self,
        first: Mapping[str, Timestamp],
        busy: Callable[[], Awaitable[Mapping[str, Timestamp]]],
        early: Callable[[Timestamp], bool],
        pause: float,
    ) -> None:
        """early: whether one who was there at first is waited for still, though it has registered anew. pause: seconds
        until it is looked for the first time, then longer: each look costs as much as a read."""
        waiting = dict(first)
        deadline = time.monotonic() + _PATIENCE
        while waiting and time.monotonic() < deadline:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.05)
            now = await busy()
            waiting = {
                id: now[id] for id, since in waiting.items() if id in now and (now[id] == since or early(now[id]))
            }
        dead = {id for id, since in waiting.items() if since == first[id]}
        if dead:
            with suppress(StoreError), failures():
                await end_abandoned(self._client)
        for id in dead:
            await self._strike_out(id, first[id])

    async def _busy(self, writers: Collection, session: Session | None = None) -> dict[str, Timestamp]:
        with failures():
            return {doc["_id"]: doc["u"] async for doc in writers.find({"busy": True}, {"u": 1}, session=session)}

    async def _strike_out(self, id: str, registered: Timestamp) -> None:
        """Fails while its transaction is not ended; then readers stop ahead of it for now."""
        with suppress(StoreError), failures():
            await self._writer.find_one_and_delete({"_id": id, "u": registered}, maxTimeMS=_STRIKE_MS)

    async def horizon(self, session: Session) -> tuple[int, int] | None:
        """The seq below which this snapshot is complete, and the instant (milliseconds UTC) up to which no version is
        still to come; None if nobody was committing."""
        found = self._writer.find({"busy": True}, {"u": 1, "c": 1}, session=session)
        # A worker of an OneCard before this one, which is being replaced, tells no clock.
        registered: list[tuple[Any, int]] = [(doc["u"], doc.get("c", _FOREVER)) async for doc in found]
        if not registered:
            return None
        lowest = min(since for since, _ in registered)
        return _number(lowest) + 1 << (PROCESS_BITS + ORDINAL_BITS), min(clock for _, clock in registered)
