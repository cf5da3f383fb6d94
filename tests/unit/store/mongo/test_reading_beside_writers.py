"""Who reads histories and changes beside other processes that write misses nobody."""

from __future__ import annotations

import asyncio

import pytest

from server.store.contract import (
    Commit,
    Scope,
    Store,
)
from server.store.mongo import MongoStore
from server.store.mongo.driver import Session
from server.store.mongo.order import Stamp
from tests.contract.resources import put

pytestmark = pytest.mark.mongo


def dated(store: MongoStore, monkeypatch: pytest.MonkeyPatch, before: int, after: int) -> None:
    """Its clock says `before`, and `after` when a transaction has its stamp, each time that it is begun."""
    stamp = store._order.stamp
    said: list[int] = []

    async def stamped(session: Session, changes: int, *, stays: bool) -> Stamp:
        said[:] = before, after
        return await stamp(session, changes, stays=stays)

    monkeypatch.setattr(store._order, "stamp", stamped)
    monkeypatch.setattr(store._order, "_clock", lambda: said.pop(0) if said else before)


async def test_a_reader_of_changes_beside_four_writers_misses_nothing(stores: list[MongoStore]) -> None:
    written: set[tuple[str, int]] = set()

    async def write(number: int, store: Store) -> None:
        for turn in range(40):
            done = await store.commit(Commit([put("Patient", f"w{number}-{turn}"), put("Group", "all")]))
            written.update((one.version.id, one.version.version) for one in done)

    writers = [asyncio.create_task(write(number, store)) for number, store in enumerate(stores)]
    seen: list[tuple[str, int]] = []
    since = 0
    while True:
        ended = all(writer.done() for writer in writers)
        async for version in stores[0].changes(since):
            assert version.seq > since
            since = version.seq
            seen.append((version.id, version.version))
        if ended:
            break
    await asyncio.gather(*writers)
    assert sorted(seen) == sorted(written)
    assert [version for id, version in seen if id == "all"] == list(range(1, 161))


async def test_a_reader_by_since_misses_nobody_who_looked_at_the_clock_before_and_commits_later(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reader's waiting and its snapshot one store commits, and another registers whose clock is behind."""
    quick, slow, reader = stores[:3]
    monkeypatch.setattr(quick._order, "_clock", lambda: slow._order._clock() + 100)
    settle = reader._order.settle

    async def settled() -> None:
        await settle()
        await quick.commit(Commit([put("Patient", "quick")]))
        await slow._order.register()

    monkeypatch.setattr(reader._order, "settle", settled)
    seen = {version.id: version.last_updated for version in (await reader.history(Scope("Patient"))).versions}
    monkeypatch.undo()
    await slow.commit(Commit([put("Patient", "slow")]))
    more = await reader.history(Scope("Patient"), since=max(seen.values(), default=0))
    assert seen.keys() | {version.id for version in more.versions} == {"quick", "slow"}


async def test_a_reader_by_since_misses_nobody_who_was_updated_before_and_stands_behind_one_who_is_committing(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is slow to get its stamp after it looked at the clock."""
    early, committing, slow, reader = stores
    at = early._order._clock()
    monkeypatch.setattr(early._order, "_clock", lambda: at + 80)
    monkeypatch.setattr(committing._order, "_clock", lambda: at + 100)
    dated(slow, monkeypatch, at + 50, at + 120)
    await early.commit(Commit([put("Patient", "early")]))
    settle = reader._order.settle

    async def settled() -> None:
        await settle()
        await committing._order.register()
        await slow.commit(Commit([put("Patient", "slow")]))

    monkeypatch.setattr(reader._order, "settle", settled)
    seen = {version.id: version.last_updated for version in (await reader.history(Scope("Patient"))).versions}
    assert seen == {"early": at + 80}
    monkeypatch.setattr(reader._order, "settle", settle)
    await committing.commit(Commit([put("Patient", "committing")]))
    more = await reader.history(Scope("Patient"), since=at + 80)
    assert {version.id for version in more.versions} == {"early", "slow", "committing"}


async def test_a_reader_by_since_who_turns_pages_misses_nobody_behind_one_who_is_dated_late(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page is read when everybody is through: on it lies one whose stamp is early and whose date late, and
    another one is dated before that and stamped after the first page."""
    dated_late, others, committing, reader = stores
    at = others._order._clock()
    dated(dated_late, monkeypatch, at, at + 500)
    monkeypatch.setattr(others._order, "_clock", lambda: at + 100)
    monkeypatch.setattr(committing._order, "_clock", lambda: at + 200)
    await dated_late.commit(Commit([put("Patient", "late")]))
    for id in "abc":
        await others.commit(Commit([put("Patient", id)]))
    settle = reader._order.settle

    async def settled() -> None:
        await settle()
        await committing._order.register()

    monkeypatch.setattr(reader._order, "settle", settled)
    first = await reader.history(Scope("Patient"), since=0, limit=2)
    monkeypatch.setattr(reader._order, "settle", settle)
    await committing.commit(Commit([put("Patient", "committing")]))
    second = await reader.history(Scope("Patient"), since=0, before=first.versions[-1].seq, until=first.until)
    seen = [*first.versions, *second.versions]
    assert {version.id for version in seen} == {"a", "b", "c"}
    more = await reader.history(Scope("Patient"), since=max(version.last_updated for version in seen))
    assert {version.id for version in [*seen, *more.versions]} == {"late", "a", "b", "c", "committing"}


async def test_a_reader_waits_for_one_who_stays_registered_until_it_began_after_the_reader_came(
    stores: list[MongoStore],
) -> None:
    """What a third one had stored before the reader came has a later stamp than the transaction that is on its way."""
    stays = stores[0]._order
    await stays.register()
    async with stores[0]._client.start_session() as session:
        await session.start_transaction()
        stays.through(await stays.stamp(session, 1, stays=True))
        [written] = await stores[1].commit(Commit([put("Patient", "a")]))
        reading = asyncio.create_task(stores[2].history(Scope("Patient")))
        await asyncio.sleep(0.2)
        await session.commit_transaction()
    await asyncio.sleep(0.2)
    assert not reading.done()
    await stays.rest()
    assert list((await reading).versions) == [written.version]
