"""The writing process: what workers hand over is written once, answered truly, and survives its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.search.query import Match, Query, TokenOperand
from server.search.values import Token
from server.store.contract import (
    Commit,
    ConditionFailed,
    Exists,
    Matches,
    Put,
    StoreUnavailable,
    Version,
    VersionConflict,
    Written,
)
from server.store.embedded import EmbeddedStore, open_embedded
from server.store.embedded.handover import LARGEST, Unframing, can_go, framed
from server.store.embedded.link import Link
from server.store.open import WritingProcess, hand_over, writing_process
from tests.contract.resources import HandRules, put
from tests.contract.worlds import PARAMETERS

_PROCESS = """
import os, signal, socket, sys
from pathlib import Path
from server.store.open import WritingProcess

store, name, listening, parent = sys.argv[1:]
wakeup = os.pipe()
os.set_blocking(wakeup[1], False)
signal.set_wakeup_fd(wakeup[1])
signal.signal(signal.SIGTERM, lambda *_: None)
place = WritingProcess(Path(store), Path(name), socket.socket(fileno=int(listening)))
place.run(wakeup[0], int(parent), lambda: None)
"""


@dataclass
class Started:
    """The writing process as a child of the test. Not started: a test has threads."""

    place: WritingProcess
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        parent, self.alive = os.pipe()
        listening = self.place.listening.fileno()
        names = (str(self.place.store), str(self.place.path), str(listening), str(parent))
        command = [sys.executable, "-c", _PROCESS, *names]
        self.process = subprocess.Popen(command, pass_fds=(listening, parent), cwd=Path(__file__).parents[4])
        os.close(parent)

    def end(self, number: int) -> int:
        """The exit code; negative: the signal."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(10)
        os.close(self.alive)
        self.process = None
        return code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def stores(path: Path, tmp_path: Path) -> AsyncIterator[list[EmbeddedStore]]:
    """Two, as two workers have them."""
    opened = [await open_embedded(path, HandRules()) for _ in range(2)]
    yield opened
    for store in opened:
        await store.close()


@pytest.fixture
def central(path: Path, stores: list[EmbeddedStore]) -> Iterator[Started]:
    place = writing_process(f"sqlite:///{path}")
    assert place is not None
    started = Started(place)
    started.start()
    yield started
    if started.process is not None:
        started.end(signal.SIGKILL)
    place.close()


async def linked(store: EmbeddedStore, central: Started) -> Link:
    hand_over(store, central.place.path)
    link = store._link
    assert link is not None
    async with asyncio.timeout(10):
        await link.greeted.wait()
    return link


def observation(id: str, code: str = "a") -> Put:
    return replace(put("Observation", id, {"code": [Token("s", code, None)]}), method="POST", fresh=True)


def of_code(code: str) -> Query:
    parameter = next(each for each in PARAMETERS["Observation"] if each.code == "code")
    return Query(("Observation",), (Match(parameter, "", (TokenOperand("s", code, any_system=False),)),))


async def learn(store: EmbeddedStore) -> None:
    """Symbols are made by the workers themselves."""
    await store.commit(Commit([observation("first")]))


class Counted:
    """How many commits went over the link."""

    def __init__(self, link: Link) -> None:
        self.count = 0
        self._commit = link.commit
        link.commit = self.commit  # type: ignore[method-assign,assignment]

    async def commit(self, *asked: object) -> list[Written]:
        self.count += 1
        return await self._commit(*asked)  # type: ignore[arg-type]


async def test_workers_write_through_one_process(stores: list[EmbeddedStore], central: Started) -> None:
    counted = [Counted(await linked(store, central)) for store in stores]
    await learn(stores[0])
    commits = [stores[n % 2].commit(Commit([observation(f"o{n}")])) for n in range(60)]
    written = [one for [one] in await asyncio.gather(*commits)]
    assert [each.count for each in counted] == [30, 30]
    assert len({each.version.seq for each in written}) == 60
    for one in written:
        for store in stores:
            assert await store.read("Observation", one.version.id) == one.version
    assert await stores[1].count(of_code("a")) == 61


async def test_what_is_refused_is_refused_there_too(stores: list[EmbeddedStore], central: Started) -> None:
    counted = Counted(await linked(stores[0], central))
    await learn(stores[0])
    await stores[0].commit(Commit([observation("o")]))
    with pytest.raises(VersionConflict) as conflict:
        await stores[0].commit(Commit([replace(observation("o"), fresh=False, expected=7)]))
    assert (conflict.value.expected, conflict.value.current) == (7, 1)
    missing = Exists("Patient", "nobody")
    with pytest.raises(ConditionFailed) as failed:
        await stores[0].commit(Commit([observation("p")], [Exists("Observation", "o"), missing]))
    assert failed.value.condition == missing
    assert await stores[0].read("Observation", "p") is None
    assert counted.count == 3


async def test_what_needs_definitions_stays_with_the_worker(stores: list[EmbeddedStore], central: Started) -> None:
    counted = Counted(await linked(stores[0], central))
    await learn(stores[0])
    await stores[0].commit(Commit([observation("new", code="never seen")]))
    asked = Matches(of_code("b"), frozenset())
    await stores[0].commit(Commit([observation("o")], [asked]))
    await stores[0].commit(Commit([observation(f"m{n}") for n in range(LARGEST + 1)]))
    assert counted.count == 0
    assert not can_go(Commit([replace(observation("o"), seen=b"{}")]), {})


async def test_a_killed_process_loses_nothing(stores: list[EmbeddedStore], central: Started) -> None:
    """New resources are stored once, whatever the process had done with them; then the worker writes by itself."""
    link = await linked(stores[0], central)
    await learn(stores[0])
    commits = [asyncio.create_task(stores[0].commit(Commit([observation(f"o{n}")]))) for n in range(200)]
    await commits[0]
    central.end(signal.SIGKILL)
    written = [one for [one] in await asyncio.gather(*commits)]
    assert len({one.version.seq for one in written}) == 200
    for one in written:
        assert one.version.version == 1
        assert await stores[1].read("Observation", one.version.id) == one.version
    await stores[0].commit(Commit([observation("after")]))
    central.start()
    async with asyncio.timeout(10):
        await link.greeted.wait()
    await stores[0].commit(Commit([observation("again")]))


async def test_a_change_of_unknown_fate_is_told_as_such(stores: list[EmbeddedStore], central: Started) -> None:
    await linked(stores[0], central)
    await learn(stores[0])
    assert central.process is not None
    central.process.send_signal(signal.SIGSTOP)
    change = replace(observation("first"), fresh=False)
    commit = asyncio.create_task(stores[0].commit(Commit([change])))
    new = asyncio.create_task(stores[0].commit(Commit([observation("new")])))
    await asyncio.sleep(0.1)
    central.end(signal.SIGKILL)
    with pytest.raises(StoreUnavailable, match="look whether"):
        await commit
    [written] = await new
    assert written.created
    assert isinstance(await stores[1].read("Observation", "new"), Version)


async def test_it_ends_when_it_is_told(stores: list[EmbeddedStore], central: Started) -> None:
    await linked(stores[0], central)
    await learn(stores[0])
    await stores[0].commit(Commit([observation("o")]))
    assert central.end(signal.SIGTERM) == 0


async def test_it_ends_and_leaves_nothing_when_its_parent_and_the_workers_are_gone(
    stores: list[EmbeddedStore], central: Started
) -> None:
    link = await linked(stores[0], central)
    os.close(central.alive)
    await stores[0].commit(Commit([observation("still served")]))
    await link.close()
    assert central.process is not None
    assert await asyncio.to_thread(central.process.wait, 10) == 0
    assert not central.place.path.parent.exists()
    central.process = None


def test_frames_arrive_in_any_pieces() -> None:
    sent = [[(1, None)], [(2, [b"x" * 300])], []]
    data = b"".join(map(framed, sent))
    for size in (1, 3, 7, len(data)):
        unframing = Unframing()
        got = [one for at in range(0, len(data), size) for one in unframing.feed(data[at : at + size])]
        assert got == sent
