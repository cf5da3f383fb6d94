"""Marks of time in the commit order: what changed since an instant is found without a look at all that is older."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import pytest

from server.store.contract import Commit, Scope
from server.store.open import open_store
from tests.contract.resources import Clock, HandRules, put


@pytest.mark.parametrize(
    ("steps", "marks"),
    [
        ([200] * 30, 7),  # nobody pauses for a second
        ([0] * 10 + [999] * 6, 4),
        ([1500] * 5, 6),
        ([400, 400, 400, -3000, 700, 700, 700, 700, 700, 700], 3),  # a clock that is set back
    ],
)
async def test_marks_are_left_while_writing_goes_on_and_no_version_is_missed(
    tmp_path: Path, steps: list[int], marks: int
) -> None:
    clock = Clock()
    store = await open_store(f"sqlite:///{tmp_path}/s.db", HandRules(), clock=clock)
    updated = []
    for number, step in enumerate([*steps, 0]):
        [written] = await store.commit(Commit([put("Patient", f"p{number}")]))
        updated.append(written.version.last_updated)
        clock.forward(step)
    for since, scope in itertools.product(
        {each + one for each in updated for one in (0, 1)}, (Scope(), Scope("Patient"))
    ):
        found = await store.history(scope, since=since, limit=100)
        assert len(found.versions) == sum(each >= since for each in updated)
    await store.close()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        assert connection.execute("SELECT count(*) FROM tick").fetchone() == (marks,)
