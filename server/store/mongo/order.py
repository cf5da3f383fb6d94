"""The commit order of several processes, without a counter that they would queue for.

Before a transaction its process registers: it writes the cluster's time into its own document (`writer`). The time of
that write, which the server tells, is the stamp of all versions of the transaction. The transaction's last write takes
the registration back, so the two become visible together. Hence, in any snapshot:

- who is registered since u may still commit versions with stamps above u, and only those;
- whoever registers later has stamps above all that the snapshot shows.

So a reader that takes registrations and versions from one snapshot, and stops at the lowest registration, never misses
a version that appears later with a lower stamp. A reader first waits for those who were committing when it came
(milliseconds). A process that died while registered is struck out: its transaction cannot commit any more, because its
last write would find the registration gone.

seq = cluster time (64 bits) | process (16) | ordinal (24).   n = creation number, from the same stamp, in 63 bits.
https://www.mongodb.com/docs/manual/reference/bson-types/#timestamps
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


def stored_seq(seq: int) -> Binary:
    """As bytes that sort like the number."""
    return Binary(seq.to_bytes(_SEQ_BYTES, "big"))


def read_seq(stored: bytes) -> int:
    return int.from_bytes(stored, "big")


def _number(stamp: Timestamp) -> int:
    return stamp.time << 32 | stamp.inc


@dataclass(frozen=True, slots=True)
class Stamp:
    """A registration."""

    registered: Timestamp
    time: Timestamp
    """Of the registering write itself: above `registered`."""
    process: int

    def seq(self, ordinal: int) -> int:
        base = _number(self.time) << PROCESS_BITS | self.process
        return base << ORDINAL_BITS | ordinal

    def creation(self, ordinal: int) -> int:
        second = max(0, self.time.time - _FIRST_SECOND)
        return ((second << _N_INCREMENT_BITS) + self.time.inc << N_ORDINAL_BITS) + ordinal

    @property
    def lowest(self) -> int:
        return _number(self.time) << (PROCESS_BITS + ORDINAL_BITS)


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

    # -------------------------------------------------------------------------------- writing

    async def register(self, changes: int) -> Stamp:
        """A new stamp, for at most so many changes. Acknowledged by the primary alone: if it loses this write, it
        loses the transaction as well. Raises: StoreUnavailable."""
        first: Stamp | None = None
        with failures():
            for _ in range(1 + (changes >> N_ORDINAL_BITS)):
                stamp = await self._register()
                first = first or Stamp(stamp.registered, stamp.time, self._process)
        assert first is not None
        # Further registrations only take the numbers in between; the last is the one that stands.
        return Stamp(stamp.registered, first.time, self._process)

    async def _register(self) -> Stamp:
        async with self._client.start_session(causal_consistency=False) as session:
            found = await self._quick.find_one_and_update(
                {"_id": self._id},
                {"$currentDate": {"u": {"$type": "timestamp"}, "at": True}, "$set": {"busy": True}},
                upsert=True,
                return_document=True,
                session=session,
            )
            time = session.operation_time
        assert found is not None, "an upsert"
        assert time is not None, "replica sets tell the time of a write"
        return Stamp(found["u"], time, self._process)

    async def leave(self, stamp: Stamp, session: Session) -> None:
        """The last write of a transaction. Raises: Again (a reader has struck this process out)."""
        done = await self._writer.update_one(
            {"_id": self._id, "u": stamp.registered}, {"$set": {"busy": False}}, session=session
        )
        if done.matched_count != 1:
            raise Again("the registration was struck out")

    async def give_up(self) -> None:
        """After a transaction that failed: nothing of it can become visible any more."""
        name = self._id
        self._new_name()
        with suppress(Exception):
            await self._quick.delete_one({"_id": name})

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
        """Fails while its transaction stands before the very end; then readers stop ahead of it for now."""
        with suppress(StoreError), failures():
            await self._writer.find_one_and_delete({"_id": id, "u": registered}, maxTimeMS=500)

    async def horizon(self, session: Session) -> int | None:
        """The seq that this snapshot is complete up to; None if nobody was committing."""
        stamps = [doc["u"] async for doc in self._writer.find({"busy": True}, {"u": 1}, session=session)]
        if not stamps:
            return None
        lowest: Any = min(stamps)
        return _number(lowest) << (PROCESS_BITS + ORDINAL_BITS)
