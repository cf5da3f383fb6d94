"""Replaying versions, reindexing: what is done to a store as a whole."""

from __future__ import annotations

import pytest

from server.search.query import Match, Parameter, Query, ReferenceOperand, TokenOperand
from server.search.values import Index, Reference, Token
from server.store.contract import REMADE, Commit, Delete, Replayed, Scope, Store
from tests.contract.conftest import OpenStore
from tests.contract.resources import Clock, HandRules, put

CODE = Parameter("code", "token")


def coded(code: str) -> Query:
    return Query(("Basic",), (Match(CODE, "", (TokenOperand(None, code, any_system=True),)),))


async def test_replay_makes_the_same_versions(
    store: Store, new_store: OpenStore, rules: HandRules, clock: Clock
) -> None:
    index: Index = {"code": [Token(None, "x")], "subject": [Reference("Patient", "p", None, None)]}
    for change in (
        put("Basic", "a", index, method="POST"),
        put("Basic", "b", index),
        put("Patient", "p"),
        Delete("Basic", "b"),
        put("Basic", "a", index, method="PATCH"),
        put("Basic", "c", index),
        Delete("Basic", "c"),
        put("Basic", "c", {}),
    ):
        await store.commit(Commit([change]))
        clock.forward(1000)
    told = [version async for version in store.changes(0)]
    other = await new_store(rules, clock=clock)
    try:
        replayed = [Replayed(version, {} if version.deleted or version.id == "c" else index) for version in told]
        await other.replay(replayed[:2])
        await other.replay(replayed[2:])
        again = [version async for version in other.changes(0)]
        strip = [(v.type, v.id, v.version, v.last_updated, v.method, v.body) for v in told]
        assert [(v.type, v.id, v.version, v.last_updated, v.method, v.body) for v in again] == strip
        assert strip[-1][4] == REMADE
        assert [hit.version.id for hit in (await other.search(coded("x"))).hits] == ["a"]
        subject = Match(Parameter("subject", "reference"), "", (ReferenceOperand("Patient", "p", None, None),))
        assert await other.count(Query(("Basic",), (subject,))) == 1
        assert len((await other.history(Scope("Basic", "a"))).versions) == 2
        [written] = await other.commit(Commit([put("Basic", "b", index)]))
        assert (written.version.version, written.created) == (3, True)
    finally:
        await other.close()


async def test_reindexing_follows_the_rules_of_now(store: Store, rules: HandRules) -> None:
    changes = [rules.remember(put("Basic", f"b{n}", {"code": [Token(None, "old")]})) for n in range(450)]
    await store.commit(Commit(changes))
    await store.commit(Commit([Delete("Basic", "b7"), put("Patient", "p")]))
    before = [version async for version in store.changes(0)]
    for n in range(450):
        rules.indexes["Basic", f"b{n}"] = {"code": [Token(None, "new")]}
    seen: list[tuple[int, int]] = []
    await store.reindex(["Basic", "Device"], lambda done, total: seen.append((done, total)))
    assert await store.count(coded("new")) == 449
    assert await store.count(coded("old")) == 0
    assert seen[0] == (0, 449)
    assert seen[-1] == (449, 449)
    assert [version async for version in store.changes(0)] == before


async def test_reindexing_keeps_what_is_written_meanwhile(store: Store, rules: HandRules) -> None:
    changes = [rules.remember(put("Basic", f"b{n}", {"code": [Token(None, "old")]})) for n in range(300)]
    await store.commit(Commit(changes))
    written = []

    def progress(done: int, total: int) -> None:
        if not written:
            late = rules.remember(put("Basic", "b299", {"code": [Token(None, "mine")]}))
            written.append(asyncio.ensure_future(store.commit(Commit([late]))))

    import asyncio

    await store.reindex(["Basic"], progress)
    await written[0]
    assert await store.count(coded("mine")) == 1
    assert await store.count(coded("old")) == 299


@pytest.mark.parametrize("count", [0, 1])
async def test_settings_are_told_all_at_once(store: Store, count: int) -> None:
    for n in range(count):
        await store.put_setting(f"k{n}", b"v")
    assert await store.all_settings() == {f"k{n}": b"v" for n in range(count)}
