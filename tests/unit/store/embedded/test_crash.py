"""kill -9 in a storm of writes: what was acknowledged is there, and no half transaction."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path

from server.search.query import Match, Parameter, Query, TokenOperand
from server.store.embedded import open_embedded
from tests.contract.resources import HandRules

CHILDREN = Path(__file__).with_name("children.py")
ROUNDS = 20
CODE = Parameter("code", "token")


async def killed(path: Path, name: str, after: float) -> list[str]:
    """Ids that a storm acknowledged before it was killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILDREN), "storm", str(path), name, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    first = await process.stdout.readline()
    await asyncio.sleep(after)
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    text = (first + rest).decode()
    return text[: text.rfind("\n") + 1].split()


async def test_nothing_acknowledged_is_lost_and_nothing_is_half_done(tmp_path: Path) -> None:
    chance = random.Random(7)
    path = tmp_path / "s.db"
    acknowledged: list[str] = []
    for number in range(ROUNDS):
        acknowledged += await killed(path, f"r{number}", chance.uniform(0.0, 0.12))
        store = await open_embedded(path, HandRules())
        try:
            assert await store.verify() == []
            versions = [version async for version in store.changes(0)]
            by_id = {(version.type, version.id) for version in versions}
            assert {id for type, id in by_id if type == "Group"} >= set(acknowledged)
            whole = [id for type, id in by_id if type == "Basic" and id.count("-") == 2]
            assert sorted(whole) == sorted(id for type, id in by_id if type == "Group")
            assert [version.seq for version in versions] == list(range(1, len(versions) + 1))
            live = sum(1 for type, _ in by_id if type == "Basic")
            codes = tuple(TokenOperand(None, f"c{n}", any_system=True) for n in range(7))
            assert await store.count(Query(("Basic",), (Match(CODE, "", codes),))) == live
        finally:
            await store.close()
    assert len(acknowledged) > ROUNDS
