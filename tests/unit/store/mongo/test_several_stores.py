"""Several stores open on one database, as several workers are: their order, their races, a worker that died."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError

from server.search.query import Match, Parameter, Query, TokenOperand
from server.search.values import Reference, Token
from server.store.contract import (
    Commit,
    CommitRefused,
    Delete,
    Exists,
    Matches,
    Relabel,
    Replayed,
    Scope,
    Store,
    Unreferenced,
)
from server.store.mongo import MongoStore, open_mongo, order
from server.store.mongo.driver import Document, Session
from server.store.mongo.order import Stamp
from server.store.mongo.transaction import Transaction
from tests import mongod
from tests.contract.resources import HandRules, put
from tests.contract.test_conditions import IDENTIFIER

pytestmark = pytest.mark.mongo


async def test_a_process_that_died_long_ago_is_forgotten_when_a_store_is_opened(tmp_path: Path) -> None:
    url = mongod.fresh_url(mongod.database_of(tmp_path))
    one = await open_mongo(url, HandRules())
    await one.commit(Commit([put("Patient", "a")]))
    writers, now = one._collections.writer, datetime.now(UTC)
    hours = {"dead": 2.0, "killed": 1.1, "resting": 0.5}
    await writers.insert_many([{"_id": id, "at": now - timedelta(hours=ago)} for id, ago in hours.items()])
    other = await open_mongo(url, HandRules())
    assert set(await writers.distinct("_id")) == {"resting", one._order._id}
    for store in (one, other):
        await store.close()
    mongod.drop_all(tmp_path)


def begun_by(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each transaction that the store begins from now on, those included that fail."""
    begun: list[int] = []
    stamp = store._order.stamp

    async def counted(session: Session, changes: int, *, stays: bool) -> Stamp:
        begun.append(changes)
        return await stamp(session, changes, stays=stays)

    monkeypatch.setattr(store._order, "stamp", counted)
    return begun


async def writes_of(store: MongoStore, key: str) -> int:
    """How often a resource was written, by the operation log of the set: alone or in a transaction."""
    one = {"ns": store._collections.resource.full_name, "$or": [{"o._id": key}, {"o2._id": key}]}
    return await store._client["local"]["oplog.rs"].count_documents({"$or": [one, {"o.applyOps": {"$elemMatch": one}}]})


def nobody(*operands: TokenOperand) -> Matches:
    return Matches(Query(("Patient",), (Match(IDENTIFIER, "", operands),)), frozenset())


WORDINGS = (
    nobody(TokenOperand("https://id", "1", any_system=False)),
    nobody(TokenOperand(None, "1", any_system=True)),
    nobody(TokenOperand("https://id", "1", any_system=False), TokenOperand("https://other", "9", any_system=False)),
)


async def test_conditional_creates_of_all_stores_make_one_resource_however_they_are_worded(
    stores: list[MongoStore],
) -> None:
    index = {"identifier": [Token("https://id", "1")]}
    jobs = [
        store.commit(Commit([put("Patient", f"p{number}", index)], [WORDINGS[number % len(WORDINGS)]]))
        for number, store in zip(range(50), itertools.cycle(stores), strict=False)
    ]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, CommitRefused) for result in results) == 49
    assert await stores[0].count(Query(("Patient",))) == 1


async def test_a_reference_and_the_deletion_of_its_target_exclude_each_other(stores: list[MongoStore]) -> None:
    for turn in range(15):
        target = f"t{turn}"
        await stores[0].commit(Commit([put("Patient", target)]))
        refers = put("Observation", f"o{turn}", {"subject": [Reference("Patient", target, None, None)]})
        results = await asyncio.gather(
            stores[1].commit(Commit([refers], [Exists("Patient", target)])),
            stores[2].commit(Commit([Delete("Patient", target)], [Unreferenced("Patient", target)])),
            return_exceptions=True,
        )
        assert sorted(isinstance(result, list) for result in results) == [False, True]


async def test_a_worker_that_died_while_it_committed_is_struck_out(stores: list[MongoStore]) -> None:
    [written] = await stores[0].commit(Commit([put("Patient", "a")]))
    await stores[1]._order.register()  # and nothing more is heard of it
    history = await stores[2].history(Scope("Patient"))
    assert list(history.versions) == [written.version]
    [later] = await stores[0].commit(Commit([put("Patient", "b")]))
    assert [version async for version in stores[2].changes(0)] == [written.version, later.version]


async def test_a_worker_that_died_within_its_transaction_is_struck_out(stores: list[MongoStore]) -> None:
    died = stores[1]
    await died._order.register()
    session = died._client.start_session()
    await session.start_transaction()
    await died._order.stamp(session, 1, stays=True)  # and nothing more is heard of it
    await stores[2].history(Scope("Patient"))
    [later] = await stores[0].commit(Commit([put("Patient", "a")]))
    began = time.monotonic()
    assert list((await stores[2].history(Scope("Patient"))).versions) == [later.version]
    assert time.monotonic() - began < 2.5, "the reader before has ended the transaction"
    with pytest.raises(PyMongoError, match=r"NoSuchTransaction|has been aborted"):
        await session.commit_transaction()
    await session.end_session()


async def test_a_deletion_waits_for_other_processes_that_are_committing_and_not_for_its_own(
    stores: list[MongoStore],
) -> None:
    own, other = stores[0]._order, stores[1]._order
    await own.register()
    async with asyncio.timeout(2):
        await own.let_pass()
    waiting = asyncio.create_task(other.let_pass())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await own.rest()
    await waiting


async def test_a_worker_that_was_struck_out_begins_anew(stores: list[MongoStore]) -> None:
    order = stores[1]._order
    await order.register()  # and then the process was paused
    assert not list((await stores[2].history(Scope("Patient"))).versions)
    [written] = await stores[1].commit(Commit([put("Patient", "a")]))
    assert list((await stores[2].history(Scope("Patient"))).versions) == [written.version]


async def test_a_store_that_is_busy_stays_registered_and_leaves_when_nobody_comes(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    order, registered = stores[0]._order, 0
    register = order.register

    async def counted() -> None:
        nonlocal registered
        registered += not order.registered
        await register()

    monkeypatch.setattr(order, "register", counted)

    async def client(number: int) -> list[int]:
        written = [await stores[0].commit(Commit([put("Patient", f"{number}-{turn}")])) for turn in range(10)]
        return [one.version.seq for [one] in written]

    begun = begun_by(stores[0], monkeypatch)
    seqs = await asyncio.gather(*(client(number) for number in range(4)))
    assert registered < len(begun) / 2
    assert all(each == sorted(each) for each in seqs)
    assert len(set(itertools.chain(*seqs))) == 40
    began = time.monotonic()
    assert len((await stores[1].history(Scope("Patient"))).versions) == 40
    assert time.monotonic() - began < 2.5, "a reader would wait three seconds for one who stays"


async def test_more_changes_than_a_stamp_has_numbers_get_numbers_of_their_own(stores: list[MongoStore]) -> None:
    order = stores[0]._order
    await order.register()
    async with stores[0]._client.start_session() as session:
        await session.start_transaction()
        stamp = await order.stamp(session, 40_000, stays=False)
        await session.abort_transaction()
    assert len(stamp.times) == 3
    numbers = [stamp.creation(ordinal) for ordinal in range(40_000)]
    assert sorted(set(numbers)) == numbers


async def test_versions_that_are_replayed_have_numbers_of_their_own_too(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "N_ORDINAL_BITS", 2)
    for number in range(9):
        await stores[0].commit(Commit([put("Patient", f"p{number}")]))
    told = [version async for version in stores[0].changes(0)]
    again = [Replayed(replace(version, id=f"again-{version.id}"), {}) for version in told]
    await stores[0].replay(again)
    found = await stores[0].search(Query(("Patient",), limit=50))
    assert [hit.version.id for hit in found.hits] == [
        f"{way}p{number}" for way in ("", "again-") for number in range(9)
    ]


async def test_a_transaction_whose_process_was_killed_holds_what_it_wrote_for_seconds_not_for_a_minute(
    stores: list[MongoStore],
) -> None:
    await stores[0].commit(Commit([put("Patient", "a")]))
    killed = stores[1]
    session = killed._client.start_session()
    await session.start_transaction()
    await killed._collections.resource.update_one({"_id": "Patient/a"}, {"$set": {"x": 1}}, session=session)
    [written] = await stores[0].commit(Commit([put("Patient", "a")]))  # else refused as too busy after 10 seconds
    assert written.version.version == 2
    with pytest.raises(PyMongoError, match=r"NoSuchTransaction|has been aborted"):
        await session.commit_transaction()
    await session.end_session()


async def test_transactions_in_opposite_order_both_end(stores: list[MongoStore]) -> None:
    async def turn(store: Store, *ids: str) -> None:
        for _ in range(10):
            await store.commit(Commit([put("Patient", id) for id in ids]))

    await asyncio.gather(turn(stores[0], "a", "b"), turn(stores[1], "b", "a"), turn(stores[2], "a", "b"))
    found = await stores[3].read_many([("Patient", "a"), ("Patient", "b")])
    assert [one and one.version for one in found] == [30, 30]


async def test_whoever_refers_beside_a_deletion_comes_before_it_or_not_at_all(stores: list[MongoStore]) -> None:
    """Three stores refer to one resource again and again, while the fourth deletes it at some moment."""
    deleted, kept = 0, 0
    for turn in range(12):
        target = f"t{turn}"
        await stores[0].commit(Commit([put("Patient", target)]))

        async def refer(number: int, target: str = target) -> int:
            done = 0
            for count in range(4):
                refers = put(
                    "Observation", f"{target}-{number}-{count}", {"subject": [Reference("Patient", target, None, None)]}
                )
                try:
                    await stores[number].commit(Commit([refers], [Exists("Patient", target)]))
                except CommitRefused:
                    continue
                done += 1
            return done

        async def delete(turn: int = turn, target: str = target) -> bool:
            await asyncio.sleep(turn % 3 * 0.003)
            try:
                await stores[3].commit(Commit([Delete("Patient", target)], [Unreferenced("Patient", target)]))
            except CommitRefused:
                return False
            return True

        *referred, gone = await asyncio.gather(*(refer(number) for number in range(3)), delete())
        assert not (gone and any(referred)), "a reference to what is deleted"
        assert gone or all(count == 4 for count in referred), "nobody is refused because of a deletion that failed"
        deleted, kept = deleted + gone, kept + (not gone)
    assert deleted or kept


async def test_many_processes_may_refer_to_one_resource_at_once(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not write it, else every other one would begin anew."""
    await stores[0].commit(Commit([put("Patient", "p")]))
    begun = [begun_by(store, monkeypatch) for store in stores]

    async def refer(number: int, store: MongoStore) -> None:
        for turn in range(10):
            refers = put("Observation", f"o{number}-{turn}", {"subject": [Reference("Patient", "p", None, None)]})
            await store.commit(Commit([refers], [Exists("Patient", "p")]))

    await asyncio.gather(*(refer(number, store) for number, store in enumerate(stores)))
    assert await writes_of(stores[0], "Patient/p") == 1
    assert sum(map(len, begun)) < 15 * len(stores), "10 each, and some more where the database lacks room for a moment"


async def test_transactions_that_find_one_practitioner_by_its_identifier_do_not_wait_for_each_other(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores[0].commit(Commit([put("Location", "l", {"identifier": [Token("https://id", "1")]})]))
    identified = (Match(IDENTIFIER, "", (TokenOperand("https://id", "1", any_system=False),)),)
    found = Matches(Query(("Location",), identified), frozenset({("Location", "l")}))
    begun = [begun_by(store, monkeypatch) for store in stores]

    async def refer(number: int, store: MongoStore) -> None:
        for turn in range(10):
            refers = put("Observation", f"o{number}-{turn}", {"subject": [Reference("Location", "l", None, None)]})
            await store.commit(Commit([refers], [found, Exists("Location", "l")]))

    await asyncio.gather(*(refer(number, store) for number, store in enumerate(stores)))
    assert await writes_of(stores[0], "Location/l") == 1
    assert sum(map(len, begun)) < 15 * len(stores), "10 each, and some more where the database lacks room for a moment"


async def test_a_deletion_whose_mark_was_taken_away_begins_anew(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins after that saw no mark, and would not be seen by the deletion."""
    await stores[0].commit(Commit([put("Patient", "p")]))
    marks = stores[1]._writer._work.marks
    marked = marks.set
    set_marks: list[int] = []

    async def meanwhile_updated(keys: Iterable[str]) -> int:
        set_marks.append(await marked(keys))
        if len(set_marks) == 1:
            await stores[0].commit(Commit([put("Patient", "p")]))  # writes it anew, without the mark
        return set_marks[-1]

    monkeypatch.setattr(marks, "set", meanwhile_updated)
    await stores[1].commit(Commit([Delete("Patient", "p")], [Unreferenced("Patient", "p")]))
    assert len(set_marks) == 2


async def test_labels_that_another_store_gives_while_this_one_reindexes_stay(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version stays the same, so it does not tell that something was written."""
    [written] = await stores[0].commit(Commit([put("Observation", "a", {"status": [Token(None, "old")]})]))
    assert written.version.body is not None
    labelled = put("Observation", "a", note="labelled")
    change = Relabel("Observation", "a", 1, written.version.body, labelled.body, {"status": [Token(None, "new")]})
    anew = stores[0]._anew

    async def meanwhile(type: str, document: Document) -> Document:
        await stores[1].commit(Commit([change]))
        return await anew(type, document)

    monkeypatch.setattr(stores[0], "_anew", meanwhile)
    await stores[0].reindex(["Observation"], lambda done, total: None)
    read = await stores[0].read("Observation", "a")
    assert read is not None
    assert read.body == labelled.body.at(1, read.last_updated)
    new = Match(Parameter("status", "token"), "", (TokenOperand(None, "new", any_system=False),))
    assert await stores[0].count(Query(("Observation",), (new,))) == 1


async def test_a_large_commit_is_written_in_parts(stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent until the end, it would be taken for that of a process that is gone; its parts are there together."""
    parts: list[int] = []
    flush = Transaction.flush

    async def counted(self: Transaction) -> None:
        parts.append(len(self._pending.dirty))
        await flush(self)
        if sum(parts) == 2_000:
            assert await stores[1].read("Basic", "b0") is None

    monkeypatch.setattr(Transaction, "flush", counted)
    written = await stores[0].commit(Commit([put("Basic", f"b{n}") for n in range(2_500)]))
    assert parts == [1_000, 1_000, 500]
    assert [each.version.id for each in written] == [f"b{n}" for n in range(2_500)]
    assert await stores[1].count(Query(("Basic",))) == 2_500
