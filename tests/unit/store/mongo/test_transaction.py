"""One transaction, without a cluster."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from server.store.contract import Commit, Delete, Unreferenced
from server.store.mongo.transaction import Transaction

Pair = tuple[str, str]


async def test_deletions_of_one_commit_share_the_set_of_what_it_changes() -> None:
    """Ten thousand had ten thousand copies of it, five gigabytes, and stopped the process for 17 seconds."""
    asked: dict[Pair, Container[Pair]] = {}

    async def referrers(targets: Mapping[Pair, Container[Pair]], session: object) -> Mapping[Pair, Sequence[Pair]]:
        asked.update(targets)
        return {}

    def deletion(*ids: str) -> Commit:
        return Commit([Delete("Basic", id) for id in ids], [Unreferenced("Basic", id) for id in ids])

    unused: Any = None
    transaction = Transaction(cast(Any, SimpleNamespace(referrers=referrers)), unused, unused, {})
    await transaction.look_for_referrers([deletion("a", "b", "c"), deletion("c", "d")])
    assert asked["Basic", "a"] is asked["Basic", "b"]
    assert asked["Basic", "c"] == {("Basic", "c")}, "both change no more"
