"""A URL names the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from server.store.contract import StoreRefused
from server.store.embedded import EmbeddedStore
from server.store.open import open_store
from tests.contract.resources import HandRules


async def test_sqlite_with_an_absolute_path(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'folder' / 'a%20b.db'}", HandRules())
    assert isinstance(store, EmbeddedStore)
    assert store.path == tmp_path / "folder" / "a b.db"
    assert (await store.info()).engine == "sqlite"
    await store.close()


async def test_sqlite_with_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = await open_store("sqlite:///data/onecard.db", HandRules())
    await store.close()
    assert (tmp_path / "data" / "onecard.db").exists()


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///", "sqlite://host/path", "postgresql://host/db", "onecard.db", "mongodb://[a/db"],
)
async def test_what_is_no_store_is_refused_with_what_would_be(url: str) -> None:
    with pytest.raises(StoreRefused, match="sqlite:///PATH"):
        await open_store(url, HandRules())


def test_an_embedded_server_loads_no_mongodb_driver() -> None:
    code = "import sys, server.store.open, server.store.embedded; sys.exit('pymongo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
