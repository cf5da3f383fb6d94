"""Starts a real OneCard in the running loop and asks it over HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp

from tests import mongod

if TYPE_CHECKING:
    from server.app import App
    from server.context import Context
    from server.listener import Listener

ENGINES: dict[str, Callable[[Path], str]] = {
    "embedded": lambda folder: f"sqlite:///{folder}/onecard.db",
    "mongo": lambda folder: mongod.fresh_url(mongod.database_of(folder)),
}
"""Engine -> URL of a fresh store for a test."""

FHIR_JSON = "application/fhir+json"


class Clock:
    """Milliseconds UTC; stands still until a test moves it."""

    def __init__(self, now: int = 1_763_946_000_000) -> None:  # 2025-11-24T01:00:00Z
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, milliseconds: int) -> None:
        self.now += milliseconds


class Ids:
    """id-1, id-2, ..."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"id-{self.count}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def diagnostics(self) -> str:
        """All that an OperationOutcome says, in one text."""
        return " | ".join(issue.get("diagnostics", "") for issue in self.json["issue"])


class Client:
    """Small FHIR client; paths are below the FHIR base, or whole URLs. A body is a dict, bytes or text."""

    def __init__(self, base: str, session: aiohttp.ClientSession, headers: Mapping[str, str] | None = None) -> None:
        self.base = base
        self.session = session
        self.headers = dict(headers or {})

    def with_headers(self, **headers: str) -> Client:
        """The same client sending these headers too: `with_headers(Authorization="Bearer ...")`."""
        return Client(self.base, self.session, self.headers | headers)

    async def request(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        sent = self.headers | dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False).encode()
        if body is not None and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = FHIR_JSON
        if isinstance(body, bytes) and len(body) > 1 << 20:
            body = io.BytesIO(body)  # aiohttp's wish
        url = path if path.startswith("http") else f"{self.base}/{path}".rstrip("/")
        async with self.session.request(method, url, data=body, headers=sent, allow_redirects=False, **more) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str = "", **more: Any) -> Answer:
        return await self.request("GET", path, **more)

    async def head(self, path: str = "", **more: Any) -> Answer:
        return await self.request("HEAD", path, **more)

    async def post(self, path: str = "", body: Any = None, **more: Any) -> Answer:
        return await self.request("POST", path, body, **more)

    async def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.request("PUT", path, body, **more)

    async def patch(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.request("PATCH", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.request("DELETE", path, **more)

    async def search(self, path: str, form: Mapping[str, str], **more: Any) -> Answer:
        """POST [path]/_search with the parameters in a form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", **more.pop("headers", {})}
        return await self.post(f"{path}/_search".lstrip("/"), urlencode(form).encode(), headers=headers, **more)


@dataclass(slots=True)
class Running:
    """One server that runs in the test's loop."""

    app: App
    listener: Listener
    url: str
    """http://127.0.0.1:PORT"""
    client: Client

    @property
    def ctx(self) -> Context:
        return self.app.ctx

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    async def stop(self) -> None:
        await self.client.session.close()
        await self.listener.stop()
        await self.app.close()


async def run_server(*, clock: Callable[[], int], ids: Callable[[], str], **settings: Any) -> Running:
    """Settings are fields of `Settings`; the port is any free one."""
    # Imported here: most unit tests need no server and start faster without it.
    from server.app import build
    from server.config import Settings
    from server.listener import Listener, listen

    values = {"port": 0, "request_log": "off", "shutdown_timeout": 2.0, **settings}
    built = Settings(**values)
    app = await build(built, clock=clock, ids=ids)
    listener = Listener(app.shell, built)
    sockets = listen(built.host, built.port)
    await listener.start(sockets)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    session = aiohttp.ClientSession(auto_decompress=True)
    return Running(app, listener, url, Client(f"{url}/fhir", session))
