"""Full and read-only disks, broken and foreign files: answered, not crashed on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.store.contract import Commit, StoreFull, StoreRefused
from server.store.embedded import EmbeddedStore, open_embedded
from tests.contract.resources import HandRules, put


def noise(number: int) -> str:
    return os.urandom(20_000).hex() + str(number)


async def fill(store: EmbeddedStore) -> int:
    """Writes until nothing more fits; gives how many resources were acknowledged."""
    for n in range(500):
        try:
            await store.commit(Commit([put("Basic", f"b{n}", note=noise(n))]))
        except StoreFull:
            return n
    raise AssertionError("the disk is larger than this test means it to be")


async def read_ids(store: EmbeddedStore, count: int) -> list[bool]:
    return [await store.read("Basic", f"b{n}") is not None for n in range(count + 1)]


async def test_a_full_database_refuses_writes_and_goes_on_reading(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    try:
        await store._writer.submit(lambda t: t.connection.execute("PRAGMA max_page_count = 300").fetchall())
        stored = await fill(store)
        assert await read_ids(store, stored) == [True] * stored + [False]
        results = await asyncio.gather(
            *(store.commit(Commit([put("Basic", f"c{n}", note=noise(n))])) for n in range(4)), return_exceptions=True
        )
        assert all(isinstance(result, StoreFull) for result in results)
        await store._writer.submit(lambda t: t.connection.execute("PRAGMA max_page_count = 100000").fetchall())
        await store.commit(Commit([put("Basic", "after", note=noise(0))]))
        assert await store.verify() == []
    finally:
        await store.close()


async def test_a_read_only_database_refuses_writes_and_goes_on_reading(tmp_path: Path) -> None:
    store = await open_embedded(tmp_path / "s.db", HandRules())
    try:
        await store.commit(Commit([put("Basic", "a")]))
        await store._writer.submit(lambda t: t.connection.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(StoreFull):
            await store.commit(Commit([put("Basic", "b")]))
        assert await store.read("Basic", "a") is not None
        assert await store.read("Basic", "b") is None
    finally:
        await store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)
    store = await open_embedded(small_disk / "s.db", HandRules())
    try:
        stored = await fill(store)
        assert await read_ids(store, stored) == [True] * stored + [False]
        ballast.unlink()
        await store.commit(Commit([put("Basic", "after", note=noise(0))]))
        assert await store.read("Basic", "after") is not None
    finally:
        await store.close()


async def test_a_read_only_disk_is_named_when_opening(small_disk: Path) -> None:
    await (await open_embedded(small_disk / "s.db", HandRules())).close()
    remounting = await asyncio.create_subprocess_exec("mount", "-o", "remount,ro", str(small_disk))
    assert await remounting.wait() == 0
    with pytest.raises(StoreRefused, match="Read-only"):
        await open_embedded(small_disk / "s.db", HandRules())


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"this is a letter, not a database\n" * 100)
    with pytest.raises(StoreRefused, match="not a sound SQLite database"):
        await open_embedded(path, HandRules())
    assert path.read_bytes().startswith(b"this is a letter")


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs(a)")
    other.close()
    with pytest.raises(StoreRefused, match="another program"):
        await open_embedded(path, HandRules())


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    await (await open_embedded(path, HandRules())).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 9999")
    other.close()
    with pytest.raises(StoreRefused, match="newer program"):
        await open_embedded(path, HandRules())


async def test_verify_finds_a_body_that_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = await open_embedded(path, HandRules())
    await store.commit(Commit([put("Basic", f"b{n}") for n in range(3)]))
    assert await store.verify() == []
    await store.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE res SET body = x'00112233' WHERE rid = 2")
        other.execute("DELETE FROM log WHERE rid = 3")
    other.close()
    store = await open_embedded(path, HandRules())
    try:
        wrong = await store.verify()
    finally:
        await store.close()
    assert wrong[0] == "the body of res 2 cannot be read"
    assert len(wrong) > 1
