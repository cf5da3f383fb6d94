"""The commit order of several processes, without a counter that they would queue for.

Before a transaction its process registers: it writes the cluster's time into its own document (`writer`). The first
write of the transaction is a later time into the same document: the stamp of all its versions, above all that its
snapshot shows, and visible together with them. With it the process leaves, or stays registered for the transaction that
follows at once. Hence, in any snapshot:

- who is registered since u may still commit versions with stamps above u, and only those;
- whoever registers later has stamps above all that the snapshot shows.

So a reader that takes registrations and versions from one snapshot, and stops at the lowest registration, never misses
a version that appears later with a lower stamp. A reader first waits for those who were committing when it came
(milliseconds). A process that died while registered is struck out: its transaction cannot commit any more, because the
registration that it replaces is gone.

seq = cluster time (64 bits) | process (16) | ordinal (24).   n = creation number, from the same stamp, in 63 bits.
https://www.mongodb.com/docs/manual/reference/bson-types/#timestamps
https://www.mongodb.com/docs/manual/reference/operator/update/currentDate/ (a timestamp is a tick of the cluster's time,
which nothing else gets)
"""

from __future__ import annotations

import asyncio
import secrets
import time
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
_NEW: dict[str, Any] = {"return_document": True}


def stored_seq(seq: int) -> Binary:
    """As bytes that sort like the number."""
    return Binary(seq.to_bytes(_SEQ_BYTES, "big"))


def read_seq(stored: bytes) -> int:
    return int.from_bytes(stored, "big")


def _tick(busy: bool) -> Document:
    return {"$currentDate": {"u": {"$type": "timestamp"}, "at": True}, "$set": {"busy": busy}}


def _number(stamp: Timestamp) -> int:
    return stamp.time << 32 | stamp.inc


@dataclass(frozen=True, slots=True)
class Stamp:
    """Of one transaction."""

    times: tuple[Timestamp, ...]
    """Of the cluster; one more for each 16,384 changes."""
    process: int
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

    def __init__(self, client: Client, writer: Collection) -> None:
        self._client = client
        self._writer = writer
        self._quick = plain(writer)
        self._new_name()

    def _new_name(self) -> None:
        self._process = secrets.randbits(PROCESS_BITS)
        self._id = f"{self._process:04x}-{secrets.token_hex(8)}"
        self._since: Timestamp | None = None
        """Registered since; None: is not."""

    # -------------------------------------------------------------------------------- writing

    @property
    def registered(self) -> bool:
        return self._since is not None

    async def register(self) -> None:
        """Before a transaction, unless the last one stayed. Acknowledged by the primary alone: if it loses this write,
        it loses the transaction as well. Raises: Again, StoreUnavailable."""
        if self._since is None:
            with failures(uncommitted=True):
                found = await self._quick.find_one_and_update({"_id": self._id}, _tick(True), upsert=True, **_NEW)
            assert found is not None, "an upsert"
            self._since = found["u"]

    async def stamp(self, session: Session, changes: int, *, stays: bool) -> Stamp:
        """The first write of a transaction, for at most so many changes. Tell `through` when it is committed.
        Raises: Again (a reader has struck this process out)."""
        assert self._since is not None, "registered"
        times = [self._since]
        for _ in range(1 + (changes >> N_ORDINAL_BITS)):
            own = {"_id": self._id, "u": times[-1]}
            found = await self._writer.find_one_and_update(own, _tick(stays), session=session, **_NEW)
            if found is None:
                raise Again("the registration was struck out", lost=True)
            times.append(found["u"])
        return Stamp(tuple(times[1:]), self._process, stays)

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
        with suppress(Exception):
            await self._quick.find_one_and_delete({"_id": name}, maxTimeMS=_STRIKE_MS)

    async def close(self) -> None:
        with suppress(Exception):
            await self._writer.delete_one({"_id": self._id})

    # -------------------------------------------------------------------------------- reading

    async def settle(self, *, newest: bool = False) -> None:
        """Waits until those who are committing now are through. newest: also those of whom the majority does not know
        yet. Raises: StoreUnavailable."""
        writers = self._quick if newest else self._writer
        waiting = await self._busy(writers)
        deadline = time.monotonic() + _PATIENCE
        pause = 0.002
        while waiting and time.monotonic() < deadline:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.05)
            waiting &= await self._busy(writers)
        if waiting:
            with suppress(StoreError), failures():
                await end_abandoned(self._client)
        for id, registered in waiting:
            await self._strike_out(id, registered)

    async def _busy(self, writers: Collection) -> set[tuple[str, Timestamp]]:
        with failures():
            return {(doc["_id"], doc["u"]) async for doc in writers.find({"busy": True}, {"u": 1})}

    async def _strike_out(self, id: str, registered: Timestamp) -> None:
        """Fails while its transaction is not ended; then readers stop ahead of it for now."""
        with suppress(StoreError), failures():
            await self._writer.find_one_and_delete({"_id": id, "u": registered}, maxTimeMS=_STRIKE_MS)

    async def horizon(self, session: Session) -> int | None:
        """The seq below which this snapshot is complete; None if nobody was committing."""
        stamps = [doc["u"] async for doc in self._writer.find({"busy": True}, {"u": 1}, session=session)]
        if not stamps:
            return None
        lowest: Any = min(stamps)
        return _number(lowest) + 1 << (PROCESS_BITS + ORDINAL_BITS)
