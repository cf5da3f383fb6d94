"""A person signs in with a token in a real browser, reads, and signs out; foreign pages get nothing done.

Browsers differ from test clients in what they send of themselves: Origin, Referer, cookies.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.access.tokens import add_token
from tests.serving import Clock, Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian package chromium"),
]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0")
SECONDS = 60


async def until(truth: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await truth():  # noqa: ASYNC110 - a browser's state can only be asked for
            await asyncio.sleep(0.05)


async def written(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


class Leaving(Exception):
    """The page that was asked is being left."""


class Tab:
    """One page, driven over the DevTools protocol.   https://chromedevtools.github.io/devtools-protocol/"""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                if "navigated" in message.get("error", {}).get("message", ""):
                    raise Leaving
                assert "error" not in message, message
                return dict(message["result"])

    async def value(self, expression: str) -> Any:
        """None while one page gives way to the next."""
        try:
            found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        except Leaving:
            return None
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        await until(lambda: self.value(expression))


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/onecard.db"


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    profile = tmp_path / "chromium"
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: written(profile / "DevToolsActivePort"))
        port = (profile / "DevToolsActivePort").read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"]) as socket:
                yield Tab(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_signing_in_reading_and_signing_out(
    start: Callable[..., Awaitable[Running]], tab: Tab, tmp_path: Path, clock: Clock
) -> None:
    server = await start(open=False)
    secret = add_token(tmp_path / "tokens.json", "desk", now=clock.now)
    await tab.call("Page.navigate", url=f"{server.url}/fhir/Patient?_count=2")
    await tab.until("location.pathname === '/sign-in' && document.querySelector('input[name=token]') !== null")
    await tab.value(
        "document.querySelector('input[name=token]').value = 'wrong'; document.querySelector('form').submit()"
    )
    await tab.until("document.querySelector('[role=alert]') !== null")
    await tab.value(
        f"document.querySelector('input[name=token]').value = {secret!r}; document.querySelector('form').submit()"
    )
    await tab.until("location.pathname === '/fhir/Patient' && document.readyState === 'complete'")
    assert await tab.value("document.cookie") == ""  # HttpOnly: no script sees it
    assert secret not in str(await tab.value("document.documentElement.outerHTML"))
    await tab.value("document.querySelector('form[action=\"/sign-out\"] button').click()")
    await tab.until("location.pathname === '/sign-in'")
    await tab.call("Page.navigate", url=f"{server.url}/")
    await tab.until("location.pathname === '/sign-in'")


async def test_a_foreign_page_cannot_write_in_open_mode(start: Callable[..., Awaitable[Running]], tab: Tab) -> None:
    """A page of another origin sends what a browser lets it send without asking first."""
    server = await start()
    foreign = await start()  # another port is another origin
    await tab.call("Page.navigate", url=f"{foreign.url}/")
    await tab.until("document.readyState === 'complete'")
    await tab.call("Page.setBypassCSP", enabled=True)
    await tab.call("Page.reload")
    await tab.until("document.readyState === 'complete'")
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        sending = f"fetch('{server.url}/fhir/Patient', {{method: 'POST', mode: 'no-cors', headers: {{'Content-Type': "
        sending += f"'{kind}'}}, body: '{{\"resourceType\":\"Patient\"}}'}}).finally(() => window.sent = true)"
        await tab.value(f"window.sent = false; {sending}; null")
        await tab.until("window.sent")
    metrics = (await server.client.get(f"{server.url}/metrics")).text
    assert 'onecard_request_seconds_count{route="refused",method="POST",status="403"} 2' in metrics
    assert (await server.client.get("Patient?_summary=count")).json["total"] == 0
