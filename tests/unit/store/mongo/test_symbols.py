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


async def test_long_texts_are_remembered_up_to_a_number_of_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free texts that stand for codes: twenty thousand of ten thousand letters each took 330 MB of a process."""
    store = await open_mongo(mongod.fresh_url(mongod.database_of(tmp_path)), HandRules())
    try:
        known = store._symbols
        monkeypatch.setattr(symbols, "_LARGEST_TEXT", 100)
        texts = [Name("Observation.code:text", "", f"{number:020}") for number in range(30)]
        code = Name("Observation.code", "s", "1")
        await known.make([code])
        for text in texts:
            await known.make([text])
            await known.link([(text, code)])
            assert known.linked(text, code)
        assert len({*known._keys, *known._older}) < 15
        assert len(known._links) < 10
        assert await known.load(texts) == set()
        assert None not in [known.key(text) for text in texts]
    finally:
        await store.close()
        mongod.drop_all(tmp_path)
