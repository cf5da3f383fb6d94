"""Processes of their own that open a store and write: `python children.py TASK PATH NAME`; one line for each result."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))

from server.search.query import Match, Parameter, Query, TokenOperand
from server.search.values import Index, Token
from server.store.contract import Commit, ConditionFailed, Matches, Store
from server.store.embedded import open_embedded
from tests.contract.resources import HandRules, put

IDENTIFIER = Parameter("identifier", "token", identifying=True)


def say(*words: object) -> None:
    """Whole lines at once: they are lost with a killed process only as a whole."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def storm(store: Store, name: str) -> None:
    """Transactions of three resources each, without end; says what was acknowledged."""

    async def client(number: int) -> None:
        n = 0
        while True:
            n += 1
            id = f"{name}-{number}-{n}"
            index: Index = {"code": [Token(None, f"c{n % 7}")]}
            shared = put("Basic", f"{name}-{number}", index, note="x" * 300)
            await store.commit(Commit([put("Basic", id, index), shared, put("Group", id)]))
            say(id)

    await asyncio.gather(*(client(number) for number in range(8)))


async def race(store: Store, name: str) -> None:
    """Fifty conditional creates of the same person."""
    found = TokenOperand("https://id", "1", any_system=False)
    query = Query(("Patient",), (Match(IDENTIFIER, "", (found,)),))
    for n in range(50):
        made = put("Patient", f"{name}-{n}", {"identifier": [Token("https://id", "1")]})
        try:
            await store.commit(Commit([made], [Matches(query, frozenset())]))
            say("created", made.id)
        except ConditionFailed as failed:
            say("refused", failed.found[0][1])


async def update(store: Store, name: str) -> None:
    """Twenty-five updates of one resource, all at once."""
    jobs = [store.commit(Commit([put("Patient", "shared", note=f"{name}-{n}")])) for n in range(25)]
    for [written] in await asyncio.gather(*jobs):
        say(written.version.version)


async def write(store: Store, name: str) -> None:
    """Two hundred resources with codes nobody has seen, one after the other."""
    for n in range(200):
        await store.commit(Commit([put("Basic", f"{name}-{n}", {"code": [Token(None, f"{name}-{n}")]})]))
    say("done")


TASKS = {task.__name__: task for task in (storm, race, update, write)}


async def main(task: str, path: str, name: str) -> None:
    store = await open_embedded(path, HandRules())
    await TASKS[task](store, name)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
