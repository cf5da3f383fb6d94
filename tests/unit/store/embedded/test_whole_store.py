"""Snapshots beside writers, a change of time zone, dictionaries, the limit of a search's time."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
import zstandard

from server.search.query import Match, Not, Parameter, Query, TextOperand, TokenOperand
from server.search.values import String, Token
from server.store.bodies import SHIPPED, Bodies, shipped_dictionary
from server.store.contract import Commit, Matches, QueryTooCostly, StoreRefused
from server.store.embedded import EmbeddedStore, open_embedded
from tests.contract.resources import HandRules, put

CODE = Parameter("code", "token")


async def writing(store: EmbeddedStore, stop: asyncio.Event) -> int:
    n = 0
    while not stop.is_set():
        await store.commit(Commit([put("Basic", f"b{n}"), put("Group", f"b{n}")]))
        n += 1
    return n


async def test_a_snapshot_is_one_moment_while_others_write(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    await store.commit(Commit([put("Basic", f"x{n}", note=str(n) * 500) for n in range(2000)]))
    await store.put_setting("key", b"secret")
    stop = asyncio.Event()
    writer = asyncio.ensure_future(writing(store, stop))
    await asyncio.sleep(0.02)
    target = tmp_path / "copy.db"
    await store.snapshot(target)
    stop.set()
    await writer
    await store.close()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = await open_embedded(target, HandRules())
    try:
        assert await copy.verify() == []
        counts = (await copy.info()).counts
        assert counts["Basic"] == 2000 + counts["Group"]
        assert await copy.get_setting("key") == b"secret"
        assert await copy.read("Basic", "x1999") is not None
    finally:
        await copy.close()


async def test_a_snapshot_never_overwrites(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    try:
        (tmp_path / "there").write_text("precious")
        with pytest.raises(FileExistsError):
            await store.snapshot(tmp_path / "there")
    finally:
        await store.close()
    assert (tmp_path / "there").read_text() == "precious"


async def test_another_zone_is_taken_by_reindexing_all(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    rules = HandRules()
    store = await open_embedded(path, rules)
    await store.commit(Commit([rules.remember(put("Basic", "b", {"code": [Token(None, "old")]}))]))
    await store.close()
    store = await open_embedded(path, rules, zone="Europe/Berlin", rezone=True)
    await store.close()  # broken off before the dates were read anew: neither zone fits now
    for zone in ("Asia/Bangkok", "Europe/Berlin"):
        with pytest.raises(StoreRefused, match="reindex"):
            await open_embedded(path, rules, zone=zone)
    rules.indexes["Basic", "b"] = {"code": [Token(None, "new")]}
    store = await open_embedded(path, rules, zone="Europe/Berlin", rezone=True)
    await store.rezone("Europe/Berlin", lambda done, total: None)
    await store.close()
    store = await open_embedded(path, rules, zone="Europe/Berlin")
    try:
        found = Match(CODE, "", (TokenOperand(None, "new", any_system=True),))
        assert await store.count(Query(("Basic",), (found,))) == 1
        assert (await store.info()).zone == "Europe/Berlin"
    finally:
        await store.close()


async def test_a_search_beyond_its_time_is_refused_with_advice(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules(), search_seconds=0.0)
    try:
        names = {"name": [String("somchai", "Somchai")], "code": [Token(None, "x")]}
        await store.commit(Commit([put("Patient", f"p{n}", names) for n in range(3000)]))
        operand = TextOperand("omch", "omch")
        costly = Query(("Patient",), (Not(Match(Parameter("name", "string"), "contains", (operand,))),))
        with pytest.raises(QueryTooCostly, match="Add a patient"):
            await store.search(costly)
        with pytest.raises(QueryTooCostly):
            await store.count(costly)
        assert len((await store.search(Query(("Patient",)))).hits) == 50
    finally:
        await store.close()


async def test_a_condition_that_takes_too_long_fails_alone(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules(), search_seconds=0.0)
    try:
        await store.commit(Commit([put("Patient", f"p{n}", {"name": [String("aaa", "aaa")]}) for n in range(3000)]))
        costly = Query(("Patient",), (Match(Parameter("name", "string"), "contains", (TextOperand("ab", "ab"),)),))
        jobs = [
            store.commit(Commit([put("Patient", "a")])),
            store.commit(Commit([put("Patient", "b")], [Matches(costly, frozenset())])),
            store.commit(Commit([put("Patient", "c")])),
        ]
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [list, QueryTooCostly, list]
        assert await store.read("Patient", "b") is None
    finally:
        await store.close()


def test_bodies_compressed_with_an_older_dictionary_stay_readable() -> None:
    older = shipped_dictionary()
    bodies = Bodies({SHIPPED: older})
    frame = bodies.compress(b'{"resourceType":"Patient"}')
    assert bodies.expand(frame) == b'{"resourceType":"Patient"}'
    plain = zstandard.ZstdCompressor().compress(b'{"resourceType":"Group"}')
    assert bodies.expand(plain) == b'{"resourceType":"Group"}'
    samples = [f'{{"resourceType":"Basic","id":"{n}","note":"{n * 7919}"}}'.encode() for n in range(2000)]
    newer = zstandard.train_dictionary(4096, samples, dict_id=77)
    made = zstandard.ZstdCompressor(dict_data=newer).compress(samples[5])
    assert Bodies({SHIPPED: older, 77: newer.as_bytes()}).expand(made) == samples[5]
