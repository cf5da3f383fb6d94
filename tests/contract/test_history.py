"""History of an instance, a type and the system.   https://hl7.org/fhir/R4/http.html#history"""

from __future__ import annotations

import pytest

from server.store.contract import Commit, Delete, Scope, Store, Version
from tests.contract.resources import Clock, put

PATIENT_A = Scope("Patient", "a")


async def story(store: Store, clock: Clock) -> list[Version]:
    """Patient a: 1 2 3(deleted) 4; Patient b and Group g between; ten milliseconds apart. Oldest first."""
    versions = []
    for change in (
        put("Patient", "a", note="1", method="POST"),
        put("Patient", "b"),
        put("Patient", "a", note="2"),
        put("Group", "g"),
        Delete("Patient", "a"),
        put("Patient", "a", note="4", method="PATCH"),
    ):
        [written] = await store.commit(Commit([change]))
        versions.append(written.version)
        clock.forward(10)
    return versions


async def test_versions_are_shown_newest_first(store: Store, clock: Clock) -> None:
    told = await story(store, clock)
    newest_first = told[::-1]
    assert list((await store.history(Scope())).versions) == newest_first
    assert list((await store.history(Scope("Patient"))).versions) == [v for v in newest_first if v.type == "Patient"]
    assert list((await store.history(PATIENT_A)).versions) == [v for v in newest_first if v.id == "a"]


async def test_what_is_unknown_has_no_history(store: Store, clock: Clock) -> None:
    await story(store, clock)
    assert not (await store.history(Scope("Patient", "zz"))).versions
    assert not (await store.history(Scope("Device"))).versions
    assert not (await store.history(Scope("Device", "a"))).versions


@pytest.mark.parametrize("scope", [Scope(), Scope("Patient"), PATIENT_A], ids=["system", "type", "instance"])
@pytest.mark.parametrize("size", [1, 2, 3, 50])
async def test_pages_show_every_version_once(store: Store, clock: Clock, scope: Scope, size: int) -> None:
    await story(store, clock)
    whole = list((await store.history(scope)).versions)
    seen: list[Version] = []
    before = None
    while True:
        page = await store.history(scope, before=before, limit=size)
        seen += page.versions
        assert page.more == (len(seen) < len(whole))
        if not page.more:
            break
        before = page.versions[-1].seq
        await store.commit(Commit([put("Patient", "new")]))  # what comes meanwhile does not move the pages
    assert seen == whole


@pytest.mark.parametrize("scope", [Scope(), Scope("Patient"), PATIENT_A], ids=["system", "type", "instance"])
async def test_since_names_an_instant_and_includes_it(store: Store, clock: Clock, scope: Scope) -> None:
    told = await story(store, clock)
    whole = list((await store.history(scope)).versions)
    for moment in {v.last_updated + shift for v in told for shift in (-1, 0, 1)}:
        expected = [v for v in whole if v.last_updated >= moment]
        assert list((await store.history(scope, since=moment)).versions) == expected


@pytest.mark.parametrize("scope", [Scope(), Scope("Patient"), PATIENT_A], ids=["system", "type", "instance"])
async def test_at_gives_what_was_current_at_some_time_within(store: Store, clock: Clock, scope: Scope) -> None:
    told = await story(store, clock)
    whole = list((await store.history(scope)).versions)
    ends = {
        (v.type, v.id, v.version): next(
            (n.last_updated for n in told if (n.type, n.id, n.version) == (v.type, v.id, v.version + 1)), 1 << 62
        )
        for v in told
    }
    moments = [v.last_updated + shift for v in told for shift in (0, 5)]
    for start in moments:
        for end in (m for m in moments if m >= start):
            found = await store.history(scope, at=(start, end))
            expected = [v for v in whole if v.last_updated <= end and ends[v.type, v.id, v.version] > start]
            assert list(found.versions) == expected


async def test_since_finds_what_was_written_while_the_clock_was_wrong(store: Store, clock: Clock) -> None:
    clock.forward(1_000_000)
    await store.commit(Commit([put("Patient", "future")]))
    clock.forward(-1_000_000)
    await store.commit(Commit([put("Patient", "now")]))
    clock.forward(500_000)
    await store.commit(Commit([put("Patient", "later")]))
    for scope in (Scope(), Scope("Patient")):
        found = await store.history(scope, since=clock.now - 1000)
        assert [v.id for v in found.versions] == ["later", "future"]


async def test_the_place_in_the_commit_order_is_that_of_the_newest_version(store: Store) -> None:
    before = await store.place(["Patient"])
    [first] = await store.commit(Commit([put("Patient", "a")]))
    assert before < first.version.seq <= await store.place(["Patient"])
    [gone] = await store.commit(Commit([Delete("Patient", "a")]))
    place = await store.place(["Patient"])
    assert first.version.seq < gone.version.seq <= place
    [second] = await store.commit(Commit([put("Patient", "b")]))
    assert place < second.version.seq


async def test_changes_tell_every_version_in_commit_order(store: Store, clock: Clock) -> None:
    told = await story(store, clock)
    assert [v async for v in store.changes(0)] == told
    assert [v async for v in store.changes(told[2].seq)] == told[3:]
    assert [v async for v in store.changes(told[-1].seq)] == []


async def test_changes_go_through_many_versions(store: Store) -> None:
    for start in range(0, 2500, 250):
        await store.commit(Commit([put("Patient", f"p{n}") for n in range(start, start + 250)]))
    assert [v.id async for v in store.changes(0)] == [f"p{n}" for n in range(2500)]
