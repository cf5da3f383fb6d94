"""Which primary is asked: one that a majority has followed since it was elected.

A new primary has all that its predecessor acknowledged, but does not know yet that a majority has it: until the first
write of its own term is confirmed, its majority reads show an older moment. It writes one when it takes over and tells
in its `hello` when a majority has it (`lastWrite.majorityOpTime`), so it is asked for that and for nothing else before.
What its predecessor was asked, and does not answer, is asked again. Part of driver.py.

https://www.mongodb.com/docs/manual/reference/command/hello/
https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/db/repl/replication_coordinator_impl.cpp
(fillHelloForReplSet, _setStableTimestampForStorage)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pymongo import timeout as at_most
from pymongo.errors import InvalidOperation, OperationFailure, PyMongoError
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)
from pymongo.server_type import SERVER_TYPE

from server.store.mongo.wire import leave, wake

if TYPE_CHECKING:
    from bson import ObjectId
    from pymongo import AsyncMongoClient
    from pymongo.server_description import ServerDescription

RIGHTS = frozenset({13, 18, 8000})
"""Codes of what refuses a user: Unauthorized, AuthenticationFailed, AtlasError."""
_PAUSES = (0.005, 0.01, 0.02, 0.05)
"""Seconds between two questions; the last one from then on."""
_ANSWER_SECONDS = 1.0
"""A primary that is silent for so long is asked anew, or whoever replaced it."""
_NOTED_SECONDS = 0.02
"""A heartbeat is told before the client has drawn its conclusions from it."""

_asks: ContextVar[bool] = ContextVar("asks", default=False)
"""Whether the question is whether the primary may be asked."""


class Primaries(ServerHeartbeatListener):
    """The `server_selector` of one client: hides a primary until a majority follows it; and its listener, because who
    waits for an answer of the old one selects nothing. Knows nothing of routers (`mongos`), which wait for primaries
    themselves, and nothing of single servers, which no selector is asked about."""

    def __init__(self) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] | None = None
        self._followed: ObjectId | None = None
        self._address: tuple[str, int | None] | None = None
        self._task: asyncio.Task[None] | None = None

    def serve(self, client: AsyncMongoClient[dict[str, Any]]) -> None:
        """The client that was made with this selector; before it asks anything."""
        self._client = client

    def __call__(self, servers: list[ServerDescription]) -> list[ServerDescription]:
        """Those that may be asked; starts to find out about a primary that may not be yet."""
        return [server for server in servers if self._may_be_asked(server)]

    def _may_be_asked(self, server: ServerDescription) -> bool:
        if server.server_type != SERVER_TYPE.RSPrimary or server.election_id in (None, self._followed) or _asks.get():
            return True
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        return False

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Says nothing of who is primary."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Says nothing of who is primary: the driver itself gives up what was asked there."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        if event.reply.server_type == SERVER_TYPE.RSPrimary and event.reply.election_id != self._followed:
            asyncio.get_running_loop().call_later(_NOTED_SECONDS, self._look)

    def _look(self) -> None:
        primary = self._primary()
        if primary is not None:
            self._may_be_asked(primary)

    async def _follow(self) -> None:
        """Until the primary of the moment is followed, or there is none."""
        assert self._client is not None, "served before it is asked"
        _asks.set(True)
        asked = 0
        try:
            while (primary := self._primary()) is not None:
                if self._address not in (None, primary.address):
                    await leave(self._client, self._address)
                self._address = primary.address
                if await self._is_followed(primary):
                    self._followed = primary.election_id
                    break
                await asyncio.sleep(_PAUSES[min(asked, len(_PAUSES) - 1)])
                asked += 1
        except InvalidOperation:
            return  # the client was closed
        finally:
            self._task = None
        await wake(self._client)

    def _primary(self) -> ServerDescription | None:
        assert self._client is not None
        servers = self._client.topology_description.server_descriptions().values()
        return next((each for each in servers if each.server_type == SERVER_TYPE.RSPrimary), None)

    async def _is_followed(self, primary: ServerDescription) -> bool:
        assert self._client is not None
        try:
            with at_most(_ANSWER_SECONDS):
                hello = await self._client.admin.command("hello")
        except InvalidOperation:
            raise
        except PyMongoError as error:
            # Of one that refuses this client, whoever asks next is told why.
            return isinstance(error, OperationFailure) and error.code in RIGHTS
        return hello.get("electionId") == primary.election_id and is_followed(hello)


def is_followed(hello: Mapping[str, Any]) -> bool:
    """Whether a primary that answers so has been followed by a majority in its term. True of what knows no terms."""
    last = hello.get("lastWrite")
    if not last:
        return True
    confirmed = last.get("majorityOpTime")
    return confirmed is not None and confirmed["t"] >= last["opTime"]["t"]
