"""The shell around the FHIR handlers, with a handler of the test's own and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from server.access.session import Sessions
from server.access.tokens import Tokens
from server.config import Settings
from server.context import Context
from server.listener import Listener, listen
from server.messages import FhirRequest, FhirResponse
from server.observability.metrics import Metrics
from server.observability.request_log import RequestLog
from server.store.embedded import open_embedded
from server.tls import Certificate
from server.web import Shell
from tests.contract.resources import HandRules
from tests.serving import Client, Clock

Handle = Callable[[Context, FhirRequest], Awaitable[FhirResponse]]

PATIENT = b'{"resourceType":"Patient","id":"1","multipleBirthInteger":1.00}'


@dataclass
class RunningShell:
    shell: Shell
    listener: Listener
    client: Client
    port: int
    tokens: Path
    log: RequestLog
    metrics: Metrics
    seen: list[FhirRequest]
    """Requests that reached the handler."""

    async def raw(self, *pieces: bytes, pause: float = 0.0, wait: float = 5.0) -> bytes:
        """Whatever the server sends until it closes, for these bytes; the sending side stays open."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if pause:
                    await asyncio.sleep(pause)
            return await asyncio.wait_for(reader.read(), wait)
        except (ConnectionResetError, BrokenPipeError):
            return b""
        finally:
            writer.close()


StartShell = Callable[..., Awaitable[RunningShell]]

ROUTE = SimpleNamespace(label="read", scope="r", interaction="read")


async def read_patient(ctx: Context, request: FhirRequest) -> FhirResponse:
    return FhirResponse(200, {"ETag": 'W/"1"'}, PATIENT)


@pytest.fixture
async def start_shell(tmp_path: Path, clock: Clock) -> AsyncIterator[StartShell]:
    running: list[tuple[RunningShell, Any]] = []

    async def start(handle: Handle = read_patient, **values: Any) -> RunningShell:
        seen: list[FhirRequest] = []

        async def recording(ctx: Context, request: FhirRequest) -> FhirResponse:
            seen.append(request)
            request.route = cast(Any, ROUTE)
            return await handle(ctx, request)

        settings = Settings(**{"open": True, "data_folder": str(tmp_path), "request_log": "off", **values})
        store = await open_embedded(tmp_path / "store.db", HandRules(), clock=clock)
        ctx = cast(Context, SimpleNamespace(settings=settings, store=store))
        metrics = Metrics()
        log = RequestLog(settings.request_log, metrics)
        tokens = Tokens(settings.token_file, clock)
        sessions = Sessions(b"k" * 32, tokens, clock)
        shell = Shell(ctx, tokens=tokens, sessions=sessions, metrics=metrics, log=log, handle=recording)
        certificate = Certificate(settings.tls_cert, settings.tls_key) if settings.tls_cert else None
        listener = Listener(shell, settings, certificate)
        sockets = listen("127.0.0.1", 0)
        await listener.start(sockets)
        port = sockets[0].getsockname()[1]
        scheme = "https" if certificate else "http"
        client = Client(f"{scheme}://127.0.0.1:{port}/fhir", aiohttp.ClientSession())
        started = RunningShell(shell, listener, client, port, settings.token_file, log, metrics, seen)
        running.append((started, store))
        return started

    yield start
    for each, store in running:
        await each.client.session.close()
        await each.listener.stop()
        await each.log.close()
        await store.close()
