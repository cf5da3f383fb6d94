"""What a MongoDB cluster must be before a store is opened on it; `refusal` is pure, `check_cluster` asks the cluster.

https://www.mongodb.com/docs/manual/reference/command/hello/
https://www.mongodb.com/docs/manual/reference/command/connectionStatus/
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from server.store.contract import StoreRefused
from server.store.mongo.driver import Client, Document, NotAllowed, failures, first_answer

OLDEST = (6, 0)
"""MongoDB 6.0: snapshot reads outside of transactions, internal tables that this is tested with."""
RIGHTS = frozenset(
    {"find", "insert", "update", "remove", "createCollection", "createIndex", "listCollections", "listIndexes"}
)
"""Actions on the database that OneCard takes. The role readWrite has them all."""


async def check_cluster(client: Client, database: str) -> None:
    """Raises: StoreRefused (alone, too old, no user, missing rights), StoreUnavailable."""
    with failures():
        hello = await first_answer(client)
        version = (await client.admin.command("buildInfo"))["versionArray"]
        status = await client.admin.command("connectionStatus", showPrivileges=True)
    compatibility = None
    with suppress(NotAllowed), failures():  # a right over the whole cluster, which nobody needs to have
        found = await client.admin.command({"getParameter": 1, "featureCompatibilityVersion": 1})
        compatibility = found["featureCompatibilityVersion"]["version"]
    why = refusal(hello, version, compatibility) or missing_rights(status["authInfo"], database)
    if why is not None:
        raise StoreRefused(why)


def refusal(hello: Document, version: list[int], compatibility: str | None) -> str | None:
    """Why a cluster cannot hold a store, with what to do; None if it can.

    hello, version: answers of `hello` and of `buildInfo`.versionArray. compatibility: the version as which it writes
    its files, None if that may not be asked.
    """
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return (
            "this mongod stands alone, and only a replica set has transactions: start it with --replSet rs0, run "
            "rs.initiate() once (one member is enough), then use mongodb://HOST/DATABASE?replicaSet=rs0"
        )
    oldest = f"{OLDEST[0]}.{OLDEST[1]}"
    if tuple(version[:2]) < OLDEST:
        found = ".".join(map(str, version[:3]))
        return f"MongoDB {found} is too old: OneCard needs {oldest} or newer"
    if compatibility is not None and tuple(map(int, compatibility.split("."))) < OLDEST:
        return (
            f"this cluster still writes as MongoDB {compatibility}: end its upgrade with "
            f'db.adminCommand({{setFeatureCompatibilityVersion: "{oldest}"}})'
        )
    return None


def missing_rights(authorization: Document, database: str) -> str | None:
    """What the user may not do, with the remedy; None where nothing is missing or the cluster has no users.

    authorization: `authInfo` of an answer to `connectionStatus`.
    """
    if not authorization["authenticatedUsers"]:
        return None  # without access control; with it, the first question is refused
    missing = RIGHTS - set(_allowed(authorization["authenticatedUserPrivileges"], database))
    if not missing:
        return None
    user = authorization["authenticatedUsers"][0]
    return (
        f"the user {user['user']} may not {', '.join(sorted(missing))} in the database {database}: give it the role "
        f'with db.getSiblingDB("{user["db"]}").grantRolesToUser("{user["user"]}", '
        f'[{{role: "readWrite", db: "{database}"}}])'
    )


def _allowed(privileges: Iterable[Document], database: str) -> Iterable[str]:
    for each in privileges:
        resource = each["resource"]
        if resource.get("anyResource") or resource.get("db") in ("", database):
            yield from each["actions"]
