"""What belongs to the store as a whole: settings, time zone, information, opening again."""

from __future__ import annotations

import asyncio

import pytest

from server.store.contract import Commit, Delete, Store, StoreRefused
from tests.contract.conftest import OpenStore
from tests.contract.resources import Clock, HandRules, put


async def test_settings_are_kept(store: Store) -> None:
    assert await store.get_setting("key") is None
    assert await store.put_setting("key", b"\x00one") == b"\x00one"
    assert await store.put_setting("key", b"two") == b"two"
    assert await store.get_setting("key") == b"two"


async def test_a_setting_made_only_if_absent_is_made_once(store: Store) -> None:
    values = await asyncio.gather(*(store.put_setting("k", bytes([n]), only_if_absent=True) for n in range(20)))
    assert len(set(values)) == 1
    assert await store.get_setting("k") == values[0]


async def test_all_is_there_when_opened_again(open_store: OpenStore, rules: HandRules, clock: Clock) -> None:
    store = await open_store(rules, clock=clock)
    [written] = await store.commit(Commit([put("Patient", "a")]))
    await store.put_setting("k", b"v")
    epoch = (await store.info()).epoch
    await store.close()
    store = await open_store(rules, clock=clock)
    try:
        assert await store.read("Patient", "a") == written.version
        assert await store.get_setting("k") == b"v"
        assert (await store.info()).epoch == epoch
        [next] = await store.commit(Commit([put("Patient", "a")]))
        assert (next.version.version, next.version.seq > written.version.seq) == (2, True)
    finally:
        await store.close()


async def test_another_time_zone_is_refused(open_store: OpenStore, rules: HandRules, clock: Clock) -> None:
    await (await open_store(rules, clock=clock)).close()
    with pytest.raises(StoreRefused, match="Asia/Bangkok"):
        await open_store(rules, clock=clock, zone="Europe/Berlin")


async def test_info_counts_live_resources_by_type(store: Store) -> None:
    await store.commit(Commit([put("Patient", "a"), put("Patient", "b"), put("Group", "g")]))
    await store.commit(Commit([Delete("Group", "g"), put("Patient", "a")]))
    info = await store.info()
    assert info.counts == {"Patient": 2}
    assert info.zone == "Asia/Bangkok"
    assert info.size > 0


async def test_what_one_opened_store_writes_another_reads(
    open_store: OpenStore, store: Store, rules: HandRules, clock: Clock
) -> None:
    other = await open_store(rules, clock=clock)
    try:
        assert await other.read("Patient", "a") is None
        [written] = await store.commit(Commit([put("Patient", "a")]))
        assert await other.read("Patient", "a") == written.version
        [next] = await other.commit(Commit([put("Patient", "a")]))
        assert await store.read("Patient", "a") == next.version
    finally:
        await other.close()
