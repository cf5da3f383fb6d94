"""Several stores open on one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.mongo import MongoStore, open_mongo
from tests import mongod
from tests.contract.resources import Clock, HandRules


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[list[MongoStore]]:
    url = mongod.fresh_url(mongod.database_of(tmp_path))
    opened = [await open_mongo(url, HandRules(), clock=Clock()) for _ in range(4)]
    yield opened
    for store in opened:
        await store.close()
    mongod.drop_all(tmp_path)
