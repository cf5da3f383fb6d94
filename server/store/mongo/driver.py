"""The MongoDB driver as the store needs it: the only file that imports pymongo, but for wire.py and primaries.py, which
are part of it.

PyMongo's own AsyncMongoClient, not Motor: Motor was deprecated in May 2025 and reached its end of life in May 2026
(https://www.mongodb.com/docs/drivers/motor/). docs/decisions/mongodb-driver.md says more.

Gives `connect`, one attempt of a transaction, and the translation of the cluster's failures into those of the store
contract. A failure whose outcome is unknown is StoreUnavailable and is never repeated here under another id.
https://github.com/mongodb/specifications/blob/master/source/transactions/transactions.md
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bson import Binary, Timestamp
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, IndexModel, ReplaceOne, UpdateOne
from pymongo import timeout as at_most
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.driver_info import DriverInfo
from pymongo.errors import (
    BulkWriteError,
    CollectionInvalid,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidURI,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.topology_description import TOPOLOGY_TYPE
from pymongo.write_concern import WriteConcern

from server.store.contract import (
    QueryTooCostly,
    ResourceTooLarge,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from server.store.mongo.primaries import RIGHTS, Primaries
from server.store.mongo.wire import wait_directly

__all__ = [
    "Again",
    "Binary",
    "Client",
    "Collection",
    "Cursor",
    "Database",
    "Document",
    "IndexModel",
    "NotAllowed",
    "ReplaceOne",
    "Session",
    "Timestamp",
    "UpdateOne",
    "at_most",
    "compressed",
    "connect",
    "end_abandoned",
    "failures",
    "first_answer",
    "insert_if_absent",
    "make_collection",
    "others",
    "plain",
    "snapshot",
    "transact",
]

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Session = AsyncClientSession
Cursor = AsyncCursor[Document]

T = TypeVar("T")

POOL = 16
"""Connections of one process. Never more operations in flight than that: waiters of PyMongo's pool are served
unfairly (p99 of 700 ms measured), so the store has queues of its own."""
APP_NAME = "onecard"
_PRODUCT = "OneCard"
_DEFAULTS: Mapping[str, Any] = {
    "maxPoolSize": POOL,
    "maxConnecting": 4,
    "serverSelectionTimeoutMS": 5000,
    "connectTimeoutMS": 3000,
    "heartbeatFrequencyMS": 2000,  # a primary that is silent is given up after both together
    "socketTimeoutMS": 60_000,
    "retryReads": True,
    "retryWrites": True,
    "wTimeoutMS": 10_000,  # a majority that does not come so soon is told, else the socket gives up, twice
    "appname": APP_NAME,
    "compressors": [],
}
_DURABLE = WriteConcern("majority", wtimeout=10_000)
"""A majority that does not come so soon is told as an unknown outcome, not waited for until the socket gives up."""
_ABANDONED_SECONDS = 3.0
_COMMIT_SECONDS = 10.0
"""How long an unknown outcome of a commit is asked for again before it is told as unknown."""

_DUPLICATE = 11000
_THERE = 48
_UNKNOWN_USER = 18
_TRANSIENT = "TransientTransactionError"
_UNKNOWN = "UnknownTransactionCommitResult"
_FULL = {
    14031: "the disk of the cluster is full",  # OutOfDiskSpace
    371: "the cluster takes no writes while it is moved",  # UserWritesBlocked
}
_NARROW = "Narrow it: name a patient, a code or a date, or leave _total=accurate out."
_TOO_LARGE = {10334, 17419, 17420, 257, 388}
"""BSONObjectTooLarge and what it was called before, TransactionTooLarge, TransactionTooLargeForCache."""
_LARGE = (
    "This is more than MongoDB stores at once: 16 MB of a resource with what searches find it by, and of a transaction "
    "what fits into its cache. Send fewer resources together, or fewer values in one list."
)
_COSTLY = {
    50: f"The search takes too long. {_NARROW}",  # MaxTimeMSExpired: only searches have a limit
    146: f"The search takes too much memory. {_NARROW}",  # ExceededMemoryLimit
    292: f"The search takes too much memory. {_NARROW}",  # QueryExceededMemoryLimitNoDiskUseAllowed
}
PASSING = frozenset(
    {
        *(6, 7, 89, 202, 9001),  # the network between nodes: HostUnreachable, NetworkTimeout ...
        *(91, 189, 216, 10107, 11600, 11602, 13435, 13436),  # shutdowns, elections, a node that is no primary
        *(24, 46, 112, 117, 262, 267),  # others hold what is asked: LockTimeout, WriteConflict, ExceededTimeLimit ...
        *(43, 175, 237, 279, 290, 355, 11601),  # ended from outside: CursorKilled, Interrupted by killSessions ...
        *(206, 225, 251, 256),  # a session or transaction that the node does not know any more
        *(134, 239, 246, 272),  # snapshots that are not there yet, or gone
        *(63, 133, 150, 249, 250, 343, 13388),  # a shard whose data just moves: StaleConfig, MigrationConflict ...
        *(64, 365, 402, 407, 433, 449),  # overload: WriteConcernTimeout, TemporarilyUnavailable, AdmissionQueueOverflow
    }
)
"""Codes after which another try may succeed.
https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/base/error_codes.yml"""


class NotAllowed(StoreRefused):
    """The cluster refuses its user."""


class Again(StoreError):
    """Nothing was stored, and the same transaction may succeed when it is begun anew: a write conflict, an election."""

    def __init__(self, message: str, *, lost: bool = False) -> None:
        """lost: the cluster may still hold what the transaction wrote."""
        super().__init__(message)
        self.lost = lost


def connect(url: str) -> tuple[Client, str]:
    """A client and the name of the database in the URL ("onecard" if it names none). Connects when first used.

    Raises: StoreRefused (a URL that cannot be read).
    """
    wait_directly()
    given = {part.partition("=")[0].lower() for part in urlsplit(url).query.split("&")}
    options = {name: value for name, value in _DEFAULTS.items() if name.lower() not in given}
    primaries = Primaries()
    try:
        with warnings.catch_warnings(action="error", category=UserWarning):  # else a wrong option is left out
            client: Client = AsyncMongoClient(
                url,
                **options,
                w="majority",
                readConcernLevel="majority",
                tz_aware=False,
                server_selector=primaries,
                event_listeners=[primaries],
            )
        primaries.serve(client)
        name = client.get_default_database("onecard").name
        client.append_metadata(DriverInfo(_PRODUCT, platform=f"{name}#{secrets.token_hex(4)}"))
    except (InvalidURI, ConfigurationError, ValueError, UserWarning) as error:
        raise StoreRefused(f"{_UNUSABLE}: {error}") from None
    except OSError as error:  # a file of a TLS option; ssl.SSLError, for one that is no certificate, is one too
        raise StoreRefused(f"{_UNUSABLE}: {error.strerror or error}") from None
    return client, name


def plain(collection: Collection) -> Collection:
    """The same collection answering from the newest state of the primary, acknowledged by it alone."""
    return collection.with_options(
        codec_options=CodecOptions(document_class=dict),
        write_concern=WriteConcern(w=1),
        read_concern=ReadConcern("local"),
    )


# ---------------------------------------------------------------- failures


async def first_answer(client: Client) -> Document:
    """What the cluster says of itself (`hello`). A cluster that just starts, or a busy machine, may need longer for the
    first connections than for any question later: nodes that are there are asked as long as three questions may wait.
    Raises: PyMongoError, StoreUnavailable (with what its nodes say), StoreRefused (another replica set)."""
    attempts = 3
    while True:
        attempts -= 1
        try:
            return await client.admin.command("hello")
        except ServerSelectionTimeoutError as error:
            servers = client.topology_description.server_descriptions().values()
            if not servers:  # those that are of no set, or of another one than the URL names, are struck out
                raise StoreRefused(_OTHER_SET) from error
            if not attempts or all(each.error and not isinstance(each.error, NetworkTimeout) for each in servers):
                said = [str(each.error).partition(" (configured")[0] for each in servers if each.error]
                raise StoreUnavailable("; ".join([_NO_PRIMARY, *said])) from error  # nobody listens there
        except ConfigurationError as error:  # of mongodb+srv, whose nodes are looked up now
            kind = StoreRefused if error.__cause__ is None else StoreUnavailable
            raise kind(f"{_UNUSABLE}: {error}") from error


@contextmanager
def failures(*, uncommitted: bool = False) -> Iterator[None]:
    """What the driver raises inside becomes what the store contract names.

    uncommitted: within a transaction, before its commit. Nothing is stored, so it may be begun anew after whatever
    passes; outside, the caller is told.

    A cancellation that arrives with an answer is lost in the `asyncio.wait_for` of Python 3.11 that the driver uses
    (https://github.com/python/cpython/issues/86296): it is raised here, else a task that was told to end goes on.
    Raises: Again, StoreUnavailable, StoreFull, StoreRefused, QueryTooCostly, ResourceTooLarge; bugs stay what they are.
    """
    task = asyncio.current_task()
    told = task.cancelling() if task is not None else 0
    try:
        yield
    except PyMongoError as error:
        translated = _translated(error, uncommitted)
        if translated is None:
            raise
        raise translated from error
    except DocumentTooLarge as error:  # by the driver itself, no PyMongoError
        raise ResourceTooLarge(_LARGE) from error
    if task is not None and task.cancelling() > told:
        raise asyncio.CancelledError


def _translated(error: PyMongoError, uncommitted: bool) -> StoreError | None:
    code = _code(error)
    if error.has_error_label(_UNKNOWN):
        return StoreUnavailable("the cluster did not say whether the commit took place")
    if isinstance(error, ServerSelectionTimeoutError):
        return StoreUnavailable(_NO_PRIMARY)  # waited for already
    if error.has_error_label(_TRANSIENT) or code == _DUPLICATE:
        return Again("the transaction met another one or an election", lost=isinstance(error, ConnectionFailure))
    if code in _TOO_LARGE:
        return ResourceTooLarge(_LARGE)
    if code in _FULL:
        return StoreFull(_FULL[code])
    if code in _COSTLY:
        return QueryTooCostly(_COSTLY[code])
    if code in RIGHTS:
        return NotAllowed(
            "the cluster does not know this user and password: mongodb://USER:PASSWORD@HOST/DATABASE?authSource=DB"
            if code == _UNKNOWN_USER
            else "the cluster refuses this user, or the URL names none: it needs the role readWrite, as in "
            'db.createUser({user, pwd, roles: [{role: "readWrite", db: "onecard"}]})'
        )
    if isinstance(error, ConnectionFailure) or code in PASSING or error.timeout:
        return Again(_NO_PRIMARY, lost=True) if uncommitted else StoreUnavailable(_NO_PRIMARY)
    if isinstance(error, OperationFailure) and (error.details or {}).get("writeConcernError"):
        return StoreUnavailable(_UNCONFIRMED)
    return None


_NO_PRIMARY = "the cluster has no primary that answers"
_UNCONFIRMED = "the cluster did not confirm the write in time"
_OTHER_SET = (
    "no server of the URL is in the replica set that it names: replicaSet=NAME must be what rs.status().set tells; "
    "a mongod that stands alone is in none, start it with --replSet NAME and run rs.initiate() once"
)
_UNUSABLE = "the URL of the store cannot be used"


def _code(error: PyMongoError) -> int | None:
    if isinstance(error, BulkWriteError):
        errors: Any = error.details.get("writeErrors") or error.details.get("writeConcernErrors") or ({},)
        code: int | None = errors[0].get("code")
        return code
    if isinstance(error, OperationFailure):
        return error.code
    return None


# ---------------------------------------------------------------- transactions


def _isolation(client: Client) -> ReadConcern:
    """What a transaction reads with: one moment in either case, confirmed by the majority together with its own writes.

    On a replica set "snapshot" would take the last moment before which no write is under way, of whomever, and
    "majority" takes now: a transaction that begins right after its own registration would not see it there while
    another process is just writing, and begin anew. On a sharded cluster only "snapshot" is the same moment on all
    shards; the router chooses one that this process has seen.
    https://www.mongodb.com/docs/manual/core/transactions/#read-concern-snapshot
    https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/db/transaction/transaction_participant.cpp (_setReadSnapshot)
    """
    sharded = client.topology_description.topology_type == TOPOLOGY_TYPE.Sharded
    return ReadConcern("snapshot" if sharded else "majority")


async def transact(client: Client, work: Callable[[Session], Awaitable[T]]) -> T:
    """One attempt of a transaction that reads one moment, durable on the majority when this returns.

    Raises: Again (nothing stored), StoreUnavailable (outcome unknown), and what `work` raises (nothing stored).
    """
    with failures():
        async with client.start_session(causal_consistency=False) as session:
            await session.start_transaction(_isolation(client), _DURABLE)
            try:
                with failures(uncommitted=True):
                    result = await work(session)
            except BaseException:
                with suppress(PyMongoError):
                    await session.abort_transaction()
                raise
            await _commit(session)
            return result


async def _commit(session: Session) -> None:
    """A commit may be repeated: the server answers what became of it. Only the commit, never the work.

    The driver calls the outcome unknown after some failures only; one that was interrupted (`killSessions`) may have
    taken place as well.
    """
    deadline = time.monotonic() + _COMMIT_SECONDS
    while True:
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            unknown = error.has_error_label(_UNKNOWN) or (
                _code(error) in PASSING and not error.has_error_label(_TRANSIENT)
            )
            if not unknown or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


@asynccontextmanager
async def snapshot(client: Client) -> AsyncIterator[Session]:
    """All reads with this session see one moment of the majority."""
    async with client.start_session(snapshot=True) as session:
        yield session


async def end_abandoned(client: Client) -> int:
    """Ends transactions of OneCard's whose process is gone; how many. The server would keep what they wrote from
    everybody for a minute. A process that lives asks on within milliseconds: one that does not for so long was killed,
    or is paused and will be told to begin anew. Needs no right beyond the user's own.
    https://www.mongodb.com/docs/manual/reference/operator/aggregation/currentOp/
    """
    abandoned = {"appName": APP_NAME, "transaction.timeInactiveMicros": {"$gt": int(_ABANDONED_SECONDS * 1e6)}}
    asked = [{"$currentOp": {"allUsers": False, "idleSessions": True}}, {"$match": abandoned}]
    found = await client.admin.command({"aggregate": 1, "pipeline": asked, "cursor": {}})
    sessions = [{"id": each["lsid"]["id"]} for each in found["cursor"]["firstBatch"]]
    if sessions:
        await client.admin.command({"killSessions": sessions})
    return len(sessions)


async def others(client: Client, database: str) -> list[str]:
    """host:port of the other clients of OneCard's that have the store in this database open: servers, or commands. Each
    connection says which database it is for, also one that rests. Needs no right beyond the user's own.
    https://www.mongodb.com/docs/manual/reference/operator/aggregation/currentOp/
    """
    own = client.options.pool_options.metadata["platform"]
    whose = {
        "clientMetadata.driver.name": {"$regex": _PRODUCT},
        "clientMetadata.platform": {"$regex": f"\\|{re.escape(database)}#", "$ne": own},
    }
    asked = [{"$currentOp": {"allUsers": False, "idleConnections": True}}, {"$match": whose}]
    found = await client.admin.command({"aggregate": 1, "pipeline": asked, "cursor": {"batchSize": 100}})
    return sorted(each["client"] for each in found["cursor"]["firstBatch"])


async def insert_if_absent(collection: Collection, documents: list[Document]) -> None:
    """Inserts those whose _id is not taken; durable on the majority. Raises: StoreUnavailable, PyMongoError."""
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if error.details.get("writeConcernErrors"):
            raise StoreUnavailable(_UNCONFIRMED) from error
        if any(each.get("code") != _DUPLICATE for each in error.details.get("writeErrors", ())):
            raise
    except DuplicateKeyError:
        pass


def compressed(model: IndexModel) -> IndexModel:
    """The index, compressed also in a collection whose indexes are not by themselves."""
    model.document["storageEngine"] = _ZSTD
    return model


_ZSTD = {"wiredTiger": {"configString": "block_compressor=zstd"}}


async def make_collection(database: Database, name: str) -> None:
    """Unless another process was faster. Its blocks and those of all its indexes are compressed by zstd: documents take
    a sixth less than with the default snappy (bodies are compressed already), indexes less than a third of their size
    without. It costs when pages are written out and read in, not while they are in the cache.
    https://www.mongodb.com/docs/manual/reference/command/create/
    """
    try:
        await database.create_collection(name, storageEngine=_ZSTD, indexOptionDefaults={"storageEngine": _ZSTD})
    except CollectionInvalid:
        pass
    except OperationFailure as error:
        if error.code != _THERE:
            raise
