"""Several worker processes on one file: they take turns, nothing is lost, nothing is seen late."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from server.search.query import Match, Parameter, Query, TokenOperand
from server.search.values import Token
from server.store.contract import Commit
from server.store.embedded import EmbeddedStore, open_embedded
from tests.contract.resources import HandRules, put

CHILDREN = Path(__file__).with_name("children.py")
CODE = Parameter("code", "token")


async def child(task: str, path: Path, name: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(CHILDREN), task, str(path), name, stdout=asyncio.subprocess.PIPE
    )


async def said(process: asyncio.subprocess.Process) -> list[str]:
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().splitlines()


async def all_say(task: str, path: Path) -> list[str]:
    """What four processes say that do the same at the same time."""
    await (await open_embedded(path, HandRules())).close()
    processes = [await child(task, path, f"p{n}") for n in range(4)]
    return [line for lines in await asyncio.gather(*map(said, processes)) for line in lines]


async def test_two_hundred_conditional_creates_of_four_processes_make_one_resource(tmp_path: Path) -> None:
    lines = [line.split() for line in await all_say("race", tmp_path / "s.db")]
    created = [id for verdict, id in lines if verdict == "created"]
    assert len(lines) == 200
    assert len(created) == 1
    assert {id for _, id in lines} == set(created)


async def test_a_hundred_updates_of_four_processes_make_a_hundred_versions(tmp_path: Path) -> None:
    lines = await all_say("update", tmp_path / "s.db")
    assert sorted(map(int, lines)) == list(range(1, 101))


async def test_a_reader_of_changes_beside_four_writers_misses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = await open_embedded(path, HandRules())
    processes = [await child("write", path, f"p{n}") for n in range(4)]
    waiting = asyncio.gather(*map(said, processes))
    seen: list[tuple[int, str]] = []
    try:
        while len(seen) < 800:
            last = seen[-1][0] if seen else 0
            seen += [(version.seq, version.id) async for version in store.changes(last)]
            await asyncio.sleep(0.005)
            assert not waiting.done() or len(seen) >= 800 or [v async for v in store.changes(seen[-1][0])]
    finally:
        await waiting
        await store.close()
    assert [seq for seq, _ in seen] == list(range(1, 801))
    assert {id for _, id in seen} == {f"p{n}-{m}" for n in range(4) for m in range(200)}


async def found(store: EmbeddedStore, code: str) -> list[str]:
    query = Query(("Basic",), (Match(CODE, "", (TokenOperand(None, code, any_system=True),)),))
    return [hit.version.id for hit in (await store.search(query)).hits]


async def test_codes_that_another_store_object_has_just_made_are_found(tmp_path: Path) -> None:
    """A stale cache of symbols is a miss that is looked up, never an empty answer."""
    path = tmp_path / "s.db"
    one, other = await open_embedded(path, HandRules()), await open_embedded(path, HandRules())
    try:
        for n in range(5):
            writer, reader = (one, other) if n % 2 else (other, one)
            assert await found(reader, f"c{n}") == []
            await writer.commit(Commit([put("Basic", f"b{n}", {"code": [Token("s", f"c{n}")]})]))
            assert await found(reader, f"c{n}") == [f"b{n}"]
    finally:
        await one.close()
        await other.close()


@pytest.mark.parametrize("writers", [2])
async def test_the_log_does_not_grow_without_end(tmp_path: Path, writers: int) -> None:
    path = tmp_path / "s.db"
    stores = [await open_embedded(path, HandRules()) for _ in range(writers)]
    try:
        for n in range(12):
            await asyncio.gather(
                *(
                    store.commit(Commit([put("Basic", f"{n}-{s}-{m}", note=str(m) * 9000)]))
                    for s, store in enumerate(stores)
                    for m in range(200)
                )
            )
    finally:
        for store in stores:
            await store.close()
    wal = path.with_name(path.name + "-wal")
    assert not wal.exists() or wal.stat().st_size < 64 * 1024 * 1024
