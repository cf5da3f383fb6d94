"""Large Bundles take turns."""

from __future__ import annotations

import asyncio
import gc

import pytest

from server.room import LARGE, MOST, Room


class Watched:
    """Who is inside, and the order in which they came in."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.inside = 0
        self.most = 0
        self.order: list[str] = []

    async def work(self, name: str, size: int, turns: int = 3) -> None:
        async with self.room.taken(size):
            self.order.append(name)
            self.inside += size
            self.most = max(self.most, self.inside)
            for _ in range(turns):
                await asyncio.sleep(0)
            self.inside -= size


async def test_no_more_bytes_are_at_work_than_there_is_room_for_and_all_come_through() -> None:
    watched = Watched(Room(4 * LARGE))
    await asyncio.gather(*(watched.work(str(n), LARGE * (1 + n % 3)) for n in range(20)))
    assert len(watched.order) == 20
    assert watched.most <= 4 * LARGE


async def test_first_come_first_served() -> None:
    """A larger one is not overtaken for ever by smaller ones."""
    watched = Watched(Room(2 * LARGE))
    names = (("a", LARGE), ("large", 2 * LARGE), ("b", LARGE), ("c", LARGE))
    await asyncio.gather(*(watched.work(name, size) for name, size in names))
    assert watched.order == ["a", "large", "b", "c"]


async def test_one_that_is_larger_than_all_room_is_alone() -> None:
    watched = Watched(Room(2 * LARGE))
    await asyncio.gather(watched.work("huge", 9 * LARGE), watched.work("next", LARGE))
    assert watched.most == 9 * LARGE


async def test_small_ones_never_wait() -> None:
    room = Room(LARGE)
    async with room.taken(MOST):
        await asyncio.wait_for(Watched(room).work("small", LARGE - 1), 5)


@pytest.mark.parametrize("given", [False, True])
async def test_who_gives_up_waiting_leaves_the_room_to_the_others(given: bool) -> None:
    """given: its turn has just come."""
    room = Room(LARGE)
    watched = Watched(room)
    async with room.taken(LARGE):
        gone = asyncio.create_task(watched.work("gone", LARGE))
        last = asyncio.create_task(watched.work("last", LARGE))
        await asyncio.sleep(0)
        if not given:
            gone.cancel()
            await asyncio.wait([gone])
    gone.cancel()
    await asyncio.wait_for(last, 5)
    assert watched.order == ["last"]


async def test_a_failure_leaves_the_room_too() -> None:
    room = Room(LARGE)
    with pytest.raises(ZeroDivisionError):
        async with room.taken(LARGE):
            raise ZeroDivisionError
    await asyncio.wait_for(Watched(room).work("next", LARGE), 5)


async def test_the_collector_of_garbage_rests_while_a_large_one_is_at_work() -> None:
    room = Room(4 * LARGE)
    async with room.taken(LARGE), room.taken(LARGE):
        assert not gc.isenabled()
    await asyncio.sleep(0)
    assert gc.isenabled()
    async with room.taken(LARGE - 1):
        assert gc.isenabled()


async def test_the_collector_does_not_rest_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large Bundles may follow one another without an end."""
    monkeypatch.setattr("server.room.REST", 0.0)
    looks: list[int] = []

    def look(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            looks.append(info["generation"])

    room = Room(4 * LARGE)
    gc.callbacks.append(look)
    try:
        async with room.taken(LARGE):
            async with room.taken(LARGE):
                pass
            assert looks
            assert not gc.isenabled()
    finally:
        gc.callbacks.remove(look)
