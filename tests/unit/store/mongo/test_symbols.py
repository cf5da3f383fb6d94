"""What a process remembers of symbols has a limit, and nobody is told of a name that it is unknown because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.store.mongo import open_mongo, symbols
from server.store.mongo.symbols import Name
from tests import mongod
from tests.contract.resources import HandRules

pytestmark = pytest.mark.mongo


async def test_names_that_were_known_stay_known_when_the_memory_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_mongo(mongod.fresh_url(mongod.database_of(tmp_path)), HandRules())
    try:
        known = [Name("Observation.code", "s", str(number)) for number in range(10)]
        await store._symbols.make(known)
        keys = [store._symbols.key(name) for name in known]
        assert None not in keys
        monkeypatch.setattr(symbols, "_LARGEST", 5)
        assert await store._symbols.load([*known, Name("Observation.code", "s", "never")]) == {
            Name("Observation.code", "s", "never")
        }
        assert [store._symbols.key(name) for name in known] == keys
    finally:
        await store.close()
        mongod.drop_all(tmp_path)
