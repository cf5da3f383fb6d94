"""A store that lacks an index or is of another version is refused with what to do, and the commands do it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from pymongo import MongoClient

from server.cli import main
from server.search.query import (
    Criterion,
    Match,
    Parameter,
    Query,
    RangeOperand,
    ReferenceOperand,
    SortKey,
    TokenOperand,
)
from server.search.values import Date, Reference, Token
from server.store.contract import Commit, Delete, Store, StoreInUse, StoreRefused
from server.store.embedded.versions import bring_up
from server.store.mongo.dates import periods_of
from server.store.mongo.documents import Hashes
from server.store.mongo.driver import connect
from server.store.mongo.hashing import keyed
from server.store.mongo.schema import Collections, Progress, migrate
from server.store.open import init_store, migrate_store, open_store
from tests import mongod
from tests.cli.serving import onecard, serve
from tests.contract.resources import HandRules, put
from tests.serving import ENGINES

KNOWN = {"embedded": 2, "mongo": 4}
"""Engine -> the version that this program writes."""


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
        connection = apsw.Connection(
            f"{tmp_path}/onecard.db"
        )  # sqlite3 would drop the locks of a store of this process
        connection.execute(sql)
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


@pytest.mark.mongo
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": "s", "hidden": True}, "index s of resource is not as OneCard made it"),
        ({"name": "s", "partialFilterExpression": {"t": "Patient"}, "sparse": False}, "index s of resource is not"),
        ({"name": "mine"}, "index mine of resource stands where OneCard's index s must be"),
    ],
)
async def test_an_index_that_was_made_anew_by_hand_is_refused_with_what_to_do(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    url = ENGINES["mongo"](tmp_path)
    await init_store(url, "Asia/Bangkok", Told())
    with MongoClient[dict[str, Any]](url) as client:
        resource = client.get_default_database().resource
        resource.drop_index("s")
        resource.create_index([("s", 1)], **{"sparse": True, **changed})
        name = changed["name"]
        for attempt in (open_store(url, HandRules()), init_store(url, "Asia/Bangkok", Told())):
            with pytest.raises(StoreRefused, match=rf'{told}.*: drop it with db.resource.dropIndex\("{name}"\), then'):
                await attempt
        resource.drop_index(name)
    assert await init_store(url, "Asia/Bangkok", Told()) == (14, 1)
    store = await open_store(url, HandRules())
    await store.close()


def test_a_server_ends_with_2_and_what_to_do_where_an_index_is_missing_or_the_version_is_another(
    place: Place, tmp_path: Path
) -> None:
    asyncio.run(place.filled())
    known = KNOWN[place.engine]
    for damage, told in (
        (lambda: place.set_version(known - 1), "with the older program, stop all servers, then run `onecard store"),
        (lambda: place.set_version(known + 1), "use the newer program"),
        (lambda: (place.set_version(known), place.drop_index()), "onecard store init"),
    ):
        damage()
        done = onecard("serve", "--port", "0", "--open", "--store", place.url, cwd=tmp_path)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr


async def test_a_newer_store_is_refused_by_everything(place: Place) -> None:
    await place.filled()
    place.set_version(99)
    for attempt in (
        place.open(),
        init_store(place.url, "Asia/Bangkok", Told()),
        migrate_store(place.url, Told()),
    ):
        with pytest.raises(
            StoreRefused, match=f"schema 99, this program knows {KNOWN[place.engine]}: use the newer program"
        ):
            await attempt


async def test_there_is_nothing_to_migrate_before_there_is_a_store(place: Place) -> None:
    with pytest.raises(StoreRefused, match="onecard store init"):
        await migrate_store(place.url, Told())


async def test_migrating_a_store_that_is_up_to_date_changes_nothing(place: Place) -> None:
    await place.filled()
    assert await migrate_store(place.url, Told()) == (KNOWN[place.engine], KNOWN[place.engine])
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
        with pytest.raises(StoreRefused, match=r"schema 0, this program writes 4: .* `onecard store migrate`"):
            await open_store(url, HandRules())
        with pytest.raises(StoreRefused, match="cannot bring a store of version 0 up"):
            await migrate_store(url, Told())

        async def breaks(collections: Collections, progress: Progress) -> None:
            raise OSError("the cable was pulled")

        async def marks(collections: Collections, progress: Progress) -> None:
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


PATIENT = Match(Parameter("subject", "reference"), "", (ReferenceOperand("Patient", "p", None, None),))
DAY = 86_400_000_000
JANUARY = Match(Parameter("date", "date"), "", (RangeOperand("ap", 0, 31 * DAY, 0),))
SINCE_FEBRUARY = Match(Parameter("date", "date"), "", (RangeOperand("ge", 31 * DAY, 32 * DAY, 31 * DAY),))
SMOKES = Match(Parameter("code", "token"), "", (TokenOperand("http://a", "smokes", False),))


@pytest.mark.mongo
@pytest.mark.parametrize(("version", "breaks_at"), [(1, None), (1, 1), (1, 4), (2, None), (2, 1), (3, None), (3, 1)])
async def test_an_older_mongodb_store_is_searched_like_a_new_one_after_its_migration(
    tmp_path: Path, version: int, breaks_at: int | None
) -> None:
    url = ENGINES["mongo"](tmp_path)
    store = await open_store(url, HandRules())
    mine = {"subject": [Reference("Patient", "p", None, None)], "code": [Token("http://a", "smokes")]}
    others = {**mine, "subject": [Reference("Patient", "q", None, None)]}
    years = [Date(-900 * DAY, 900 * DAY)]
    twice = [Date(-90 * DAY, -89 * DAY), Date(5 * DAY, 6 * DAY), Date(90 * DAY, 91 * DAY)]
    puts = [
        put("Observation", "day", {**mine, "date": [Date(DAY, 2 * DAY)]}),
        put("Observation", "years", {**others, "date": years}),
        put("Observation", "twice", {**others, "date": twice}),
        put("Observation", "later", {**others, "date": [Date(60 * DAY, 61 * DAY)]}),
        put("Observation", "gone", mine),
    ]
    await store.commit(Commit(puts))
    await store.commit(Commit([Delete("Observation", "gone")]))
    await store.close()
    with MongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        new = {each["_id"]: _layout(each) for each in database.resource.find({})}
        indexes = database.resource.index_information()
        for older in (3, 2, 1)[: 4 - version]:
            _AS_VERSION[older](database)

        def told(what: str, done: int, total: int) -> None:
            if done == breaks_at and not what.startswith(("version", "keys", "ends", "1 ->", "2 ->", "3 ->")):
                raise OSError("the cable was pulled")

        if breaks_at is not None:
            with pytest.raises(OSError, match="cable"):
                await migrate_store(url, told)
        assert (await migrate_store(url, Told()))[1] == 4
        assert {each["_id"]: _layout(each) for each in database.resource.find({})} == new
        made = database.resource.index_information()
        assert {name: each["key"] for name, each in made.items()} == {n: each["key"] for n, each in indexes.items()}
        anew = {1: made.keys() - {"_id_"}, 2: {"c", "d", "q"}, 3: {"q"}}[version]
        assert all("block_compressor=zstd" in str(made[name]["storageEngine"]) for name in anew)
    store = await open_store(url, HandRules())
    await _found(store, (PATIENT,), ["day"])
    await _found(store, (SMOKES, JANUARY), ["day", "years", "twice"])
    await _found(store, (JANUARY,), ["day", "years", "twice"])
    await _found(store, (SINCE_FEBRUARY,), ["years", "twice", "later"])
    oldest = await store.search(Query(("Observation",), (SMOKES,), (SortKey(Parameter("date", "date")),)))
    assert [hit.version.id for hit in oldest.hits] == ["years", "twice", "day", "later"]
    await store.close()
    mongod.drop_all(tmp_path)


def _layout(document: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(value) if name == "k" else value for name, value in document.items()}


def _as_version_3(database: Any) -> None:
    """The commit order of all types in one index."""
    database.state.update_one({"_id": "onecard"}, {"$set": {"schema": 3}})
    for collection in (database.resource, database.history):
        collection.drop_index("q")
        collection.create_index("q", name="q")


def _as_version_2(database: Any) -> None:
    """Without the ends of dates, whose intervals were all in `r`."""
    secret = bytes(database.state.find_one_and_update({"_id": "onecard"}, {"$set": {"schema": 2}})["secret"])
    hashes, space = Hashes(keyed(secret)), "Observation.date"
    days = database.symbol.find_one({"k": space, "s": "date", "v": "0"})["_id"]
    for each in database.resource.find({"e": {"$exists": True}}):
        months = [hashes.period("Observation", name) for name in periods_of(each["e"])]
        change = {"$unset": {"e": ""}, "$pullAll": {"k": months}}
        if each["e"] - each["d"] == DAY and each["a"] == each["d"]:
            change["$push"] = {"r": {"p": days, "l": each["d"], "u": each["e"]}}
        database.resource.update_one({"_id": each["_id"]}, change)
    for name, field in (("c", "c"), ("d", "t")):
        database.resource.drop_index(name)
        present = {"partialFilterExpression": {name: {"$exists": True}}}
        compressed = {"storageEngine": {"wiredTiger": {"configString": "block_compressor=zstd"}}}
        database.resource.create_index([(field, 1), ("d", -1), ("n", 1)], name=name, **present, **compressed)


def _as_version_1(database: Any) -> None:
    """Without the keys and indexes that version 2 added."""
    database.state.update_one({"_id": "onecard"}, {"$set": {"schema": 1}})
    odd = {"$filter": {"input": "$k", "cond": {"$ne": [{"$mod": ["$$this", 2]}, 0]}}}
    database.resource.update_many({"k": {"$exists": True}}, [{"$set": {"k": odd}}])  # symbols are odd, hashes even
    for name in ("a", "ca"):
        database.resource.drop_index(name)


_AS_VERSION = {3: _as_version_3, 2: _as_version_2, 1: _as_version_1}


async def _found(store: Store, where: tuple[Criterion, ...], ids: list[str]) -> None:
    hits = await store.search(Query(("Observation",), where))
    assert [hit.version.id for hit in hits.hits] == ids
    assert await store.count(Query(("Observation",), where)) == len(ids)


async def test_a_file_of_version_1_gets_the_index_of_those_with_several_dates(tmp_path: Path) -> None:
    url, dates = f"sqlite:///{tmp_path}/s.db", [Date(0, 1000), Date(9000, 10_000)]
    store = await open_store(url, HandRules())
    await store.commit(Commit([put("Observation", "several", {"date": dates})]))
    await store.close()
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.executescript("DROP INDEX dat_f; PRAGMA user_version = 1")
    with pytest.raises(StoreRefused, match=r"schema 1, this program writes 2: .*onecard store migrate"):
        await open_store(url, HandRules())
    assert await migrate_store(url, Told()) == (1, 2)
    with sqlite3.connect(tmp_path / "s.db") as connection:
        assert connection.execute("SELECT count(*) FROM dat INDEXED BY dat_f WHERE f > 0").fetchone() == (2,)
    await (await open_store(url, HandRules())).close()


async def test_an_older_file_is_migrated_step_by_step_and_a_step_that_breaks_leaves_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    await (await open_store(f"sqlite:///{path}", HandRules())).close()
    told = Told()
    steps = ("", "", "CREATE TABLE third(a)", "CREATE TABLE fourth(a); CREATE TABLE fourth(a)")
    with pytest.raises(Exception, match="fourth already exists"):
        bring_up(path, told, steps)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert ("third" in names, "fourth" in names) == (True, False)
    connection.close()
    assert bring_up(path, told, (*steps[:3], "CREATE TABLE fourth(a)")) == (3, 4)
    assert told.steps == [("2 -> 3", 0, 2), ("3 -> 4", 1, 2), ("3 -> 4", 0, 1), ("version 4", 1, 1)]


# ---------------------------------------------------------------- a store that is in use


async def test_a_store_that_is_open_elsewhere_is_not_migrated_nor_read_in_another_zone(place: Place) -> None:
    await place.filled()
    serving = await place.open()
    place.set_version(KNOWN[place.engine] - 1)
    with pytest.raises(StoreInUse, match="stop all servers"):
        await migrate_store(place.url, Told())
    place.set_version(KNOWN[place.engine])
    with pytest.raises(StoreInUse):
        await place.open(zone="Europe/Berlin", rezone=True)
    assert (await serving.info()).zone == "Asia/Bangkok"
    assert await serving.commit(Commit([put("Patient", "b")]))
    beside = await place.open(rezone=True)  # the same zone: what is served may be indexed anew
    await beside.close()
    await serving.close()
    after = await place.open(zone="Europe/Berlin", rezone=True)
    await after.close()


async def test_a_running_server_is_noticed_by_migrate_and_reindex(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = await asyncio.to_thread(serve, tmp_path, "--open", "--workers", "2", "--store", place.url)
    try:
        place.set_version(KNOWN[place.engine] - 1)
        for arguments in (["migrate"], ["reindex", "--timezone", "Europe/Berlin"]):
            assert await asyncio.to_thread(main, ["store", *arguments, "--store", place.url]) == 2
            assert "stop all servers" in capsys.readouterr().err
            place.set_version(KNOWN[place.engine])
        assert served.request("/fhir/Patient")[0] == 200
    finally:
        assert served.stop() == 0
    assert await asyncio.to_thread(main, ["store", "reindex", "--timezone", "Europe/Berlin", "--store", place.url]) == 0


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
    assert (code, f"version {KNOWN[place.engine]}" in out) == (0, True)
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
