"""The sample village: loaded once into an empty store, and to its end even if the first start was broken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.app import build_context
from server.config import Settings
from server.context import Context
from server.intake.f43 import importing
from server.sample import load_sample

PEOPLE = 6


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[Context]:
    made = await build_context(Settings(store=f"sqlite:///{tmp_path}/s.db", data_folder=str(tmp_path)))
    yield made
    await made.store.close()


async def test_a_sample_that_was_broken_off_goes_on_at_the_next_start(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importing.import_f43

    async def broken_off(*arguments: Any, **options: Any) -> Any:
        def advance(resources: int, read: int) -> None:
            if resources:
                raise asyncio.CancelledError

        return await real(*arguments, **options | {"advance": advance})

    with monkeypatch.context() as patched:
        patched.setattr(importing, "import_f43", broken_off)
        with pytest.raises(asyncio.CancelledError):
            await load_sample(ctx, PEOPLE)
    begun = sum((await ctx.store.info()).counts.values())
    assert begun
    assert await load_sample(ctx, PEOPLE)
    counts = (await ctx.store.info()).counts
    assert counts["Patient"] == PEOPLE
    assert sum(counts.values()) > begun
    assert await load_sample(ctx, PEOPLE) == 0


async def test_a_store_that_holds_something_gets_no_sample(ctx: Context) -> None:
    await ctx.store.put_setting("sample", b"1")
    assert await load_sample(ctx, PEOPLE) == 0
    assert (await ctx.store.info()).counts == {}
