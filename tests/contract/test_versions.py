"""A store that lacks an index or is of another version is refused with what to do, and the commands do it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from server.cli import main
from server.store.contract import Commit, Delete, Store, StoreRefused
from server.store.embedded.versions import bring_up
from server.store.mongo.driver import connect
from server.store.mongo.schema import Collections, migrate
from server.store.open import init_store, migrate_store, open_store
from tests import mongod
from tests.contract.resources import HandRules, put
from tests.serving import ENGINES


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test's store is, and the hand of somebody who damages it."""

    engine: str
    url: str
    ask: Callable[[str, Callable[[Any], None]], None]

    async def open(self, **more: Any) -> Store:
        return await open_store(self.url, HandRules(), **more)

    async def filled(self) -> None:
        store = await self.open()
        await store.commit(Commit([put("Patient", "a"), put("Group", "g")]))
        await store.close()

    def drop_index(self) -> None:
        self.ask("DROP INDEX res_lu", lambda database: database.resource.drop_index("s"))

    def set_version(self, version: int) -> None:
        self.ask(
            f"PRAGMA user_version = {version}",
            lambda database: database.state.update_one({"_id": "onecard"}, {"$set": {"schema": version}}),
        )


@pytest.fixture(params=["embedded", pytest.param("mongo", marks=pytest.mark.mongo)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    url = ENGINES[request.param](tmp_path)

    def ask(sql: str, of_mongo: Callable[[Any], None]) -> None:
        if request.param == "mongo":
            with MongoClient[dict[str, Any]](url) as client:
                of_mongo(client.get_default_database())
            return
        connection = sqlite3.connect(tmp_path / "onecard.db")
        connection.execute(sql)
        connection.commit()
        connection.close()

    yield Place(request.param, url, ask)
    mongod.drop_all(tmp_path)


class Told:
    """What a command said about its progress."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.steps.append((what, done, total))


async def test_a_new_store_is_made_by_whoever_opens_it_first_and_init_finds_nothing_to_do(place: Place) -> None:
    await (await place.open()).close()
    there, made = await init_store(place.url, "Asia/Bangkok", Told())
    assert (there > 4, made) == (True, 0)


async def test_init_makes_a_new_store_in_the_zone_that_is_asked_for(place: Place) -> None:
    there, made = await init_store(place.url, "Europe/Berlin", Told())
    assert there == made > 4
    with pytest.raises(StoreRefused, match="Europe/Berlin"):
        await place.open()
    await (await place.open(zone="Europe/Berlin")).close()


async def test_a_filled_store_without_an_index_is_refused_until_init_made_it(place: Place) -> None:
    await place.filled()
    place.drop_index()
    with pytest.raises(StoreRefused, match=r"lacks index .* run `onecard store init`"):
        await place.open()
    told = Told()
    _, made = await init_store(place.url, "Asia/Bangkok", told)
    assert made == 1
    assert [(done, total) for _, done, total in told.steps] == [(0, 1), (1, 1)]
    store = await place.open()
    assert (await store.info()).counts == {"Group": 1, "Patient": 1}
    await store.close()


async def test_a_newer_store_is_refused_by_everything(place: Place) -> None:
    await place.filled()
    place.set_version(99)
    for attempt in (
        place.open(),
        init_store(place.url, "Asia/Bangkok", Told()),
        migrate_store(place.url, Told()),
    ):
        with pytest.raises(StoreRefused, match="schema 99, this program knows 1: use the newer program"):
            await attempt


async def test_there_is_nothing_to_migrate_before_there_is_a_store(place: Place) -> None:
    with pytest.raises(StoreRefused, match="onecard store init"):
        await migrate_store(place.url, Told())


async def test_migrating_a_store_that_is_up_to_date_changes_nothing(place: Place) -> None:
    await place.filled()
    assert await migrate_store(place.url, Told()) == (1, 1)
    await (await place.open()).close()


async def test_indexes_are_made_anew_for_another_zone(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    await place.filled()
    store = await place.open(zone="Europe/Berlin", rezone=True)
    seen: list[tuple[int, int]] = []
    await store.commit(Commit([Delete("Group", "g")]))
    await store.rezone("Europe/Berlin", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1, 1)
    assert (await store.info()).zone == "Europe/Berlin"
    await store.close()
    with pytest.raises(StoreRefused, match="onecard store reindex"):
        await place.open()


# ---------------------------------------------------------------- older versions: this program is the second one


@pytest.mark.mongo
async def test_an_older_mongodb_store_is_refused_and_migrated_step_by_step(tmp_path: Path) -> None:
    url = ENGINES["mongo"](tmp_path)
    store = await open_store(url, HandRules())
    await store.commit(Commit([put("Patient", "a")]))
    await store.close()
    with MongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        database.state.update_one({"_id": "onecard"}, {"$set": {"schema": 0}})
        with pytest.raises(StoreRefused, match=r"schema 0, this program writes 1: .* `onecard store migrate`"):
            await open_store(url, HandRules())
        with pytest.raises(StoreRefused, match="cannot bring a store of version 0 up"):
            await migrate_store(url, Told())

        async def breaks(collections: Collections) -> None:
            raise OSError("the cable was pulled")

        async def marks(collections: Collections) -> None:
            await collections.resource.update_many({}, {"$set": {"mark": 1}})

        asynchronous, name = connect(url)
        told = Told()
        with pytest.raises(OSError, match="cable"):
            await migrate(asynchronous[name], told, {0: marks, 1: breaks}, 2)
        assert database.state.find_one({"_id": "onecard"}, {"schema": 1}) == {"_id": "onecard", "schema": 1}
        assert await migrate(asynchronous[name], told, {1: marks}, 2) == (1, 2)
        await asynchronous.close()
        assert told.steps == [("0 -> 1", 0, 2), ("1 -> 2", 1, 2), ("1 -> 2", 0, 1), ("version 2", 1, 1)]
        assert database.resource.count_documents({"mark": 1}) == 1
    mongod.drop_all(tmp_path)


async def test_an_older_file_is_migrated_step_by_step_and_a_step_that_breaks_leaves_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    await (await open_store(f"sqlite:///{path}", HandRules())).close()
    told = Told()
    steps = ("", "CREATE TABLE second(a)", "CREATE TABLE third(a); CREATE TABLE third(a)")
    with pytest.raises(Exception, match="third already exists"):
        bring_up(path, told, steps)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert ("second" in names, "third" in names) == (True, False)
    connection.close()
    assert bring_up(path, told, (*steps[:2], "CREATE TABLE third(a)")) == (2, 3)
    assert told.steps == [("1 -> 2", 0, 2), ("2 -> 3", 1, 2), ("2 -> 3", 0, 1), ("version 3", 1, 1)]


# ---------------------------------------------------------------- the commands


def test_the_commands_make_check_and_reindex_a_store(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    def command(action: str, *more: str) -> tuple[int, str, str]:
        code = main(["store", action, "--store", place.url, *more])
        return code, *capsys.readouterr()

    code, out, err = command("init")
    assert code == 0
    assert "made now" in out
    assert "indexes: 100%" in err
    place.drop_index()
    if place.engine == "embedded":  # a MongoDB that holds no resource makes up for it by itself
        code, _, err = command("info")
        assert code == 2
        assert "onecard store init" in err
    code, out, _ = command("init")
    assert (code, "1 made now" in out) == (0, True)
    code, out, _ = command("migrate")
    assert (code, "version 1" in out) == (0, True)
    code, out, _ = command("reindex", "--timezone", "Europe/Berlin")
    assert (code, "dates in Europe/Berlin" in out) == (0, True)
    assert command("info")[0] == 2
    code, out, _ = command("info", "--timezone", "Europe/Berlin")
    assert (code, '"zone": "Europe/Berlin"' in out) == (0, True)
    place.set_version(99)
    assert [command(action)[0] for action in ("init", "migrate", "reindex", "info")] == [2, 2, 2, 2]


@pytest.mark.mongo
async def test_a_database_named_much_like_that_of_a_store_is_refused_until_init_was_run(
    tmp_path: Path,
) -> None:
    url = ENGINES["mongo"](tmp_path)
    name = url.rpartition("/")[2].partition("?")[0]
    typo = url.replace(name, name[:-2] + name[-1] + name[-2] + "x")
    store = await open_store(url, HandRules(), wary=True)  # the first one is made
    await store.close()
    with pytest.raises(StoreRefused, match=f"{name} does: is the name mistyped.*store init"):
        await open_store(typo, HandRules(), wary=True)
    with pytest.raises(StoreRefused, match="there is no store"):
        await open_store(typo, HandRules(), must_exist=True)
    for again in (url, url.replace(name, "quite-different")):
        await (await open_store(again, HandRules(), wary=True)).close()
    try:
        await init_store(typo, "Asia/Bangkok", lambda what, done, total: None)
        await (await open_store(typo, HandRules(), wary=True)).close()
    finally:
        with MongoClient(url) as client:
            for each in (typo, url.replace(name, "quite-different")):
                client.drop_database(each.rpartition("/")[2].partition("?")[0])
        mongod.drop_all(tmp_path)
