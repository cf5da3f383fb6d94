"""Labels of a version change without a new version.   https://hl7.org/fhir/R4/resource-operation-meta-add.html"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from server.search.query import Match, Parameter, Query, TokenOperand
from server.search.values import Index, Token
from server.store.contract import (
    NO_LABELS,
    Body,
    Commit,
    ConditionFailed,
    Delete,
    LabelsChanged,
    Matches,
    Put,
    Relabel,
    Scope,
    Store,
    Version,
    VersionConflict,
    Written,
)
from tests.contract.resources import Clock, HandRules, put
from tests.contract.worlds import PARAMETERS

CODE = next(each for each in PARAMETERS["Observation"] if each.type == "token" and not each.identifying)


def tagged(tag: str) -> Index:
    return {CODE.code: [Token("urn:t", tag, None)]}


def asked(tag: str, parameter: Parameter = CODE) -> Query:
    return Query(("Observation",), (Match(parameter, "", (TokenOperand("urn:t", tag, False),)),))


async def found(store: Store, tag: str) -> list[str]:
    return [hit.version.id for hit in (await store.search(asked(tag))).hits]


def relabel(version: Version, index: Index, note: str, expected: int | None = None) -> Relabel:
    assert version.body is not None
    other = put(version.type, version.id, note=note)
    return Relabel(version.type, version.id, version.version, version.body, other.body, index, None, expected)


async def commit(store: Store, *changes: Put | Delete | Relabel) -> list[Written]:
    return await store.commit(Commit(changes))


@pytest.fixture
async def versions(store: Store, rules: HandRules, clock: Clock) -> list[Version]:
    """Two versions of one resource, an update in between to another."""
    [first] = await commit(store, rules.remember(put("Observation", "a", tagged("one"), note="1", method="POST")))
    await commit(store, rules.remember(put("Observation", "b", tagged("other"))))
    clock.forward(1000)
    [second] = await commit(store, rules.remember(put("Observation", "a", tagged("two"), note="2")))
    clock.forward(1000)
    return [first.version, second.version]


async def test_the_current_version_keeps_its_number_its_time_and_its_place(
    store: Store, rules: HandRules, versions: list[Version]
) -> None:
    before = await store.history(Scope())
    rules.indexes["Observation", "a"] = tagged("three")
    [written] = await commit(store, relabel(versions[1], tagged("three"), "labelled"))
    after = await store.read("Observation", "a")
    assert written.version == after
    assert (written.created, written.changed) == (False, True)
    assert after is not None
    assert after.body is not None
    assert (after.version, after.last_updated, after.seq, after.method) == (
        2,
        versions[1].last_updated,
        versions[1].seq,
        "PUT",
    )
    assert b'"labelled"' in after.body
    history = await store.history(Scope())
    assert [(each.id, each.version, each.seq) for each in history.versions] == [
        (each.id, each.version, each.seq) for each in before.versions
    ]
    assert history.versions[0] == after
    assert await store.vread("Observation", "a", 2) == after
    assert await store.vread("Observation", "a", 1) == versions[0]


async def test_searches_find_it_by_its_new_labels_and_no_longer_by_its_old(
    store: Store, rules: HandRules, versions: list[Version]
) -> None:
    rules.indexes["Observation", "a"] = tagged("three")
    await commit(store, relabel(versions[1], tagged("three"), "labelled"))
    assert (await found(store, "two"), await found(store, "three")) == ([], ["a"])
    assert await store.count(asked("three")) == 1


async def test_a_version_before_gets_other_labels_and_searches_do_not_change(
    store: Store, rules: HandRules, versions: list[Version]
) -> None:
    [written] = await commit(store, relabel(versions[0], tagged("three"), "labelled"))
    assert (written.version.version, written.version.last_updated, written.version.seq, written.version.method) == (
        1,
        versions[0].last_updated,
        versions[0].seq,
        "POST",
    )
    assert await store.vread("Observation", "a", 1) == written.version
    history = await store.history(Scope("Observation", "a"))
    assert list(history.versions) == [versions[1], written.version]
    assert await store.read("Observation", "a") == versions[1]
    assert (await found(store, "two"), await found(store, "three")) == (["a"], [])


async def test_changes_do_not_tell_it_again(store: Store, rules: HandRules, versions: list[Version]) -> None:
    newest = versions[1].seq
    await commit(store, relabel(versions[1], tagged("two"), "labelled"))
    assert [each async for each in store.changes(newest)] == []


async def test_an_update_after_it_makes_the_next_version_and_history_keeps_the_labels(
    store: Store, rules: HandRules, versions: list[Version]
) -> None:
    [labelled] = await commit(store, relabel(versions[1], tagged("three"), "labelled"))
    [third] = await commit(store, rules.remember(put("Observation", "a", tagged("four"), note="3")))
    assert third.version.version == 3
    assert await store.vread("Observation", "a", 2) == labelled.version
    assert (await found(store, "three"), await found(store, "four")) == ([], ["a"])


async def test_what_was_not_seen_is_not_overwritten(store: Store, rules: HandRules, versions: list[Version]) -> None:
    await commit(store, relabel(versions[1], tagged("two"), "labelled"))
    for change in (
        relabel(versions[1], tagged("two"), "late"),
        put("Observation", "a", tagged("two"), note="late", expected=2, seen=versions[1].body),
    ):
        with pytest.raises(LabelsChanged):
            await commit(store, change)
    read = await store.read("Observation", "a")
    assert read is not None
    assert read.body is not None
    assert b"labelled" in read.body
    [third] = await commit(store, put("Observation", "a", tagged("two"), note="3", expected=2, seen=read.body))
    assert third.version.version == 3


def tagged_put(id: str, **more: Any) -> Put:
    made = put("Observation", id, tagged("two"), **more)
    return replace(made, body=Body(made.body.head, b',"tag":[{"code":"two"}]' + made.body.tail))


async def test_what_was_made_from_a_version_replaces_only_what_has_its_labels_whatever_the_version(
    store: Store, rules: HandRules, versions: list[Version]
) -> None:
    bare = put("Observation", "a", tagged("two"), note="bare", labels=NO_LABELS)
    [third] = await commit(store, rules.remember(bare))
    assert third.version.version == 3
    late = [put("Observation", id, tagged("two"), note="late", labels=NO_LABELS) for id in ("a", "b", "new")]
    for _ in range(2):  # a version more with the same labels is no other one
        await commit(store, *(rules.remember(tagged_put(change.id)) for change in late))
    for change in late:
        with pytest.raises(LabelsChanged):
            await commit(store, change)
    two = frozenset({("tag", None, "two")})
    await commit(store, *(rules.remember(tagged_put(change.id, labels=two)) for change in late))
    await commit(store, *(Delete(change.type, change.id) for change in late))
    with pytest.raises(LabelsChanged):
        await commit(store, tagged_put("a", labels=two))
    written = await commit(store, *(rules.remember(change) for change in late))
    assert [each.created for each in written] == [True, True, True]


async def test_what_is_not_there_or_deleted_gets_no_labels(store: Store, versions: list[Version]) -> None:
    strangers = [
        Version("Observation", "a", 7, 0, 0, "PUT", b"{}"),
        Version("Observation", "nobody", 1, 0, 0, "PUT", b"{}"),
    ]
    await commit(store, Delete("Observation", "b"))
    for stranger in (*strangers, Version("Observation", "b", 2, 0, 0, "PUT", b"{}")):
        with pytest.raises(LabelsChanged):
            await commit(store, relabel(stranger, {}, "late"))
    with pytest.raises(VersionConflict):
        await commit(store, relabel(versions[0], {}, "late", expected=1))


async def test_versions_of_a_deleted_resource_keep_their_labels_changeable(
    store: Store, versions: list[Version]
) -> None:
    await commit(store, Delete("Observation", "a"))
    [written] = await commit(store, relabel(versions[1], tagged("three"), "labelled"))
    assert await store.vread("Observation", "a", 2) == written.version
    assert await found(store, "three") == []


async def test_a_refused_one_leaves_no_trace_and_those_beside_it_go_on(
    store: Store, rules: HandRules, versions: list[Version]
) -> None:
    fails = Commit(
        [relabel(versions[0], {}, "late"), put("Observation", "b", tagged("two"))],
        [Matches(asked("two"), frozenset())],
    )
    outcomes = await asyncio.gather(
        store.commit(fails),
        commit(store, relabel(versions[1], tagged("two"), "labelled")),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], ConditionFailed)
    assert not isinstance(outcomes[1], BaseException)
    assert await store.vread("Observation", "a", 1) == versions[0]


async def test_of_many_at_once_each_is_taken_once(store: Store, rules: HandRules, versions: list[Version]) -> None:
    """All were made from one body: one is first, the others are told so."""
    outcomes = await asyncio.gather(
        *(commit(store, relabel(versions[1], tagged("two"), str(number))) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, LabelsChanged) for each in outcomes) == 9
