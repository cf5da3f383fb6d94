"""Commits: versions, conditions, tombstones, instants.   https://hl7.org/fhir/R4/http.html#concurrency"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from server.store.contract import (
    Commit,
    ConditionFailed,
    Delete,
    Exists,
    Put,
    Scope,
    Store,
    VersionConflict,
    Written,
)
from tests.contract.resources import Clock, put


async def commit(store: Store, *changes: Put | Delete, conditions: tuple[Exists, ...] = ()) -> list[Written]:
    return await store.commit(Commit(changes, conditions))


async def test_a_created_resource_has_version_1_and_its_meta_in_the_stored_bytes(store: Store, clock: Clock) -> None:
    [written] = await commit(store, put("Patient", "a", note="ก", method="POST"))
    assert (written.created, written.changed, written.version.version, written.version.method) == (
        True,
        True,
        1,
        "POST",
    )
    assert written.version.last_updated == clock.now
    assert written.version.body == (
        b'{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"2026-11-24T06:00:00.000Z"},'
        b'"note":"' + "ก".encode() + b'"}'
    )
    assert await store.read("Patient", "a") == written.version


async def test_an_update_makes_the_next_version_and_keeps_the_older_readable(store: Store, clock: Clock) -> None:
    [first] = await commit(store, put("Patient", "a", note="one"))
    clock.forward(5)
    [second] = await commit(store, put("Patient", "a", note="two"))
    assert (second.created, second.version.version) == (False, 2)
    assert second.version.seq > first.version.seq
    assert await store.vread("Patient", "a", 1) == first.version
    assert await store.vread("Patient", "a", 2) == second.version
    assert await store.vread("Patient", "a", 3) is None
    assert await store.vread("Patient", "b", 1) is None


async def test_last_updated_grows_with_each_version_though_the_clock_stands_or_goes_back(
    store: Store, clock: Clock
) -> None:
    stamps = []
    for _ in range(3):
        [written] = await commit(store, put("Patient", "a"))
        stamps.append(written.version.last_updated)
        clock.forward(-10)
    assert stamps == [stamps[0], stamps[0] + 1, stamps[0] + 2]


async def test_one_commit_has_one_last_updated(store: Store, clock: Clock) -> None:
    [old] = await commit(store, put("Patient", "a"))
    written = await commit(store, put("Patient", "b"), put("Patient", "a"), put("Group", "c"))
    assert {w.version.last_updated for w in written} == {old.version.last_updated + 1}
    assert len({w.version.seq for w in written}) == 3


async def test_ids_of_different_types_are_different_resources(store: Store) -> None:
    await commit(store, put("Patient", "1"), put("Group", "1"))
    await commit(store, Delete("Group", "1"))
    read = await store.read("Patient", "1")
    assert read is not None
    assert not read.deleted


@pytest.mark.parametrize(
    "id",
    ["a", "A", "1", "01", "x" * 64, "0191f2a4-7c6d-7e8f-9a0b-1c2d3e4f5a6b", "0191F2A4-7C6D-7E8F-9A0B-1C2D3E4F5A6B"],
)
async def test_any_id_comes_back_as_it_was(store: Store, id: str) -> None:
    await commit(store, put("Patient", id))
    others = {id.swapcase(), id.lstrip("0"), id.replace("-", "")} - {id, ""}
    read = await store.read("Patient", id)
    assert read is not None
    assert read.id == id
    assert await store.read_many([("Patient", other) for other in sorted(others)]) == [None] * len(others)
    assert [v.id for v in (await store.history(Scope("Patient"))).versions] == [id]


async def test_a_deletion_is_a_version_of_its_own(store: Store) -> None:
    await commit(store, put("Patient", "a"))
    [gone] = await commit(store, Delete("Patient", "a"))
    assert (gone.version.version, gone.version.method, gone.version.deleted, gone.changed) == (2, "DELETE", True, True)
    assert await store.read("Patient", "a") == gone.version
    assert await store.vread("Patient", "a", 2) == gone.version
    again = await commit(store, Delete("Patient", "a"))
    assert [(w.version.version, w.changed, w.created) for w in again] == [(2, False, False)]
    [reborn] = await commit(store, put("Patient", "a"))
    assert (reborn.version.version, reborn.created) == (3, True)


async def test_deleting_what_never_was_changes_nothing(store: Store) -> None:
    [written] = await commit(store, Delete("Patient", "a"))
    assert (written.changed, written.version.version, written.version.deleted) == (False, 0, True)
    assert await store.read("Patient", "a") is None


@pytest.mark.parametrize("change", [put("Patient", "a"), Delete("Patient", "a")], ids=["put", "delete"])
@pytest.mark.parametrize(("expected", "ok"), [(None, True), (1, False), (2, True), (0, False), (3, False)])
async def test_an_expected_version_must_be_the_current_one(
    store: Store, change: Put | Delete, expected: int | None, ok: bool
) -> None:
    await commit(store, put("Patient", "a"))
    await commit(store, put("Patient", "a"))
    both = (put("Patient", "other"), replace(change, expected=expected))
    if ok:
        assert (await commit(store, *both))[1].version.version == 3
    else:
        with pytest.raises(VersionConflict) as caught:
            await commit(store, *both)
        assert (caught.value.expected, caught.value.current) == (expected, 2)
        assert await store.read("Patient", "other") is None


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_expected_0_means_no_live_resource(store: Store, deleted_before: bool) -> None:
    if deleted_before:
        await commit(store, put("Patient", "a"))
        await commit(store, Delete("Patient", "a"))
        with pytest.raises(VersionConflict):
            await commit(store, put("Patient", "a", expected=2))
    [written] = await commit(store, put("Patient", "a", expected=0))
    assert written.created
    with pytest.raises(VersionConflict):
        await commit(store, put("Patient", "a", expected=0))


async def test_exists_holds_for_live_resources_and_those_of_the_same_commit(store: Store) -> None:
    needs = (Exists("Patient", "a"),)
    with pytest.raises(ConditionFailed) as caught:
        await commit(store, put("Observation", "o"), conditions=needs)
    assert caught.value.condition == needs[0]
    assert await store.read("Observation", "o") is None
    await commit(store, put("Observation", "o"), put("Patient", "a"), conditions=needs)
    await commit(store, put("Observation", "o"), conditions=needs)
    await commit(store, Delete("Patient", "a"))
    with pytest.raises(ConditionFailed):
        await commit(store, put("Observation", "o"), conditions=needs)


async def test_a_hundred_concurrent_updates_make_a_hundred_versions(store: Store) -> None:
    written = await asyncio.gather(*(commit(store, put("Patient", "a", note=str(n))) for n in range(100)))
    assert sorted(w[0].version.version for w in written) == list(range(1, 101))
    for [w] in written:
        assert await store.vread("Patient", "a", w.version.version) == w.version


async def test_of_concurrent_updates_that_expect_the_same_version_one_wins(store: Store) -> None:
    await commit(store, put("Patient", "a"))
    results = await asyncio.gather(
        *(commit(store, put("Patient", "a", expected=1, note=str(n))) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(r, list) for r in results) == 1
    assert sum(isinstance(r, VersionConflict) for r in results) == 19


async def test_refused_commits_do_not_disturb_those_beside_them(store: Store) -> None:
    jobs = [
        commit(store, put("Patient", f"p{n}"), put("Patient", f"q{n}", expected=7 if n % 3 == 0 else None))
        for n in range(30)
    ]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for n, result in enumerate(results):
        assert isinstance(result, VersionConflict if n % 3 == 0 else list)
        assert (await store.read("Patient", f"p{n}") is None) == (n % 3 == 0)


async def test_a_large_body_comes_back_whole(store: Store) -> None:
    note = "".join(chr(0x0E01 + n % 46) + str(n) for n in range(300_000))
    await commit(store, put("Binary", "b", note=note))
    read = await store.read("Binary", "b")
    assert read is not None
    assert json.loads(read.body or b"")["note"] == note


async def test_read_many_answers_in_the_order_asked(store: Store) -> None:
    await commit(store, put("Patient", "a"), put("Patient", "b"))
    await commit(store, Delete("Patient", "b"))
    found = await store.read_many([("Patient", "b"), ("Patient", "x"), ("Nothing", "a"), ("Patient", "a")])
    assert [v and (v.id, v.deleted) for v in found] == [("b", True), None, None, ("a", False)]
