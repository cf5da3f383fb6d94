"""How long an interaction that others overtake goes on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.context import Context
from server.interactions import conditional
from server.interactions.conditional import Overtaken, patiently
from server.store.contract import CommitRefused, ConditionFailed, Exists, LabelsChanged


class Contended:
    """An attempt that others overtake a number of times."""

    def __init__(self, defeats: int, *kinds: CommitRefused) -> None:
        self.defeats, self.kinds = defeats, kinds
        self.tried = 0

    async def __call__(self) -> str:
        self.tried += 1
        if self.tried <= self.defeats:
            raise self.kinds[self.tried % len(self.kinds)]
        return "stored"


def context() -> Context:
    return cast(Context, SimpleNamespace(turns={}))


async def test_an_update_that_loses_to_another_process_again_and_again_is_stored_in_the_end() -> None:
    kinds = (Overtaken("x"), LabelsChanged("Patient", "1"), ConditionFailed(Exists("Patient", "1")))
    attempt = Contended(20, *kinds)
    assert await patiently(context(), "Patient/1", attempt) == "stored"
    assert attempt.tried == 21


async def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional, "_LONGEST_PAUSE", 0.0)
    attempt = Contended(10_000, Overtaken("x"))
    with pytest.raises(Overtaken):
        await patiently(context(), "Patient/1", attempt)
    assert attempt.tried == conditional.PATIENCE + 2


async def test_pauses_begin_after_some_defeats_and_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> Any:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(Overtaken):
        await patiently(context(), "Patient/1", Contended(10_000, Overtaken("x")))
    assert pauses[:8] == [0] * 8
    assert 0 < pauses[8] < 0.01 < max(pauses) <= 0.1
