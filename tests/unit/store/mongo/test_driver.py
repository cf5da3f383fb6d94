"""What the driver's failures and cancellations become."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypeVar

import pytest
from pymongo.errors import (
    AutoReconnect,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from server.store.contract import (
    QueryTooCostly,
    ResourceTooLarge,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from server.store.mongo.driver import Again, connect, failures, first_answer

Failure = TypeVar("Failure", bound=PyMongoError)


def labelled(error: Failure, label: str) -> Failure:
    error._add_error_label(label)
    return error


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (AutoReconnect("gone"), StoreUnavailable),
        (ServerSelectionTimeoutError("nobody"), StoreUnavailable),
        (OperationFailure("not primary", 10107), StoreUnavailable),
        (labelled(OperationFailure("conflict", 112), "TransientTransactionError"), Again),
        (labelled(OperationFailure("?", 91), "UnknownTransactionCommitResult"), StoreUnavailable),
        (DuplicateKeyError("there", 11000), Again),
        (OperationFailure("time", 50), QueryTooCostly),
        (OperationFailure("memory", 292), QueryTooCostly),
        (OperationFailure("interrupted", 11601), StoreUnavailable),
        (OperationFailure("time within the cluster", 262), StoreUnavailable),
        (labelled(ServerSelectionTimeoutError("nobody"), "TransientTransactionError"), StoreUnavailable),
        (OperationFailure("moved", 371), StoreFull),
        (OperationFailure("disk", 14031), StoreFull),
        (OperationFailure("rights", 13), StoreRefused),
        (OperationFailure("large", 10334), ResourceTooLarge),
        (OperationFailure("large for the cache", 388), ResourceTooLarge),
        (DocumentTooLarge("large"), ResourceTooLarge),
    ],
)
async def test_every_failure_of_the_cluster_has_its_name(error: Exception, becomes: type[StoreError]) -> None:
    with pytest.raises(becomes), failures():
        raise error


@pytest.mark.parametrize("code", [11601, 262, 13388, 206])
async def test_before_its_commit_a_transaction_may_be_begun_anew_after_whatever_passes(code: int) -> None:
    with pytest.raises(Again), failures(uncommitted=True):
        raise OperationFailure("passes", code)


async def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(OperationFailure), failures():
        raise OperationFailure("unknown operator", 2)


async def test_a_cancellation_that_the_driver_swallowed_ends_the_task() -> None:
    async def swallowing() -> str:
        with failures(), contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(10)
        return "went on"

    task = asyncio.create_task(swallowing())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("replicaSat=rs0", "Unknown option"),
        ("maxPoolSize=many", "maxpoolsize must be an integer"),
        ("tls=true&tlsCAFile=/no/such.pem", "tlscafile file is not readable"),
        ("tls=true&tlsCAFile={here}", "certificate"),
    ],
)
def test_an_option_of_the_url_that_cannot_be_used_is_refused(option: str, why: str) -> None:
    with pytest.raises(StoreRefused, match=why) as refused:
        connect(f"mongodb://user:secret@127.0.0.1/onecard?{option.format(here=__file__)}")
    assert "secret" not in str(refused.value)


async def test_a_cluster_that_is_looked_up_by_a_wrong_name_is_refused() -> None:
    client, _ = connect("mongodb+srv://127.0.0.1/onecard")
    with pytest.raises(StoreRefused, match="IP address"):
        await first_answer(client)
    await client.close()
