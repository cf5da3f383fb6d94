"""What is beside the FHIR base: health, metrics, pages, sign-in; and access over HTTP."""

from __future__ import annotations

import asyncio
import os
import re
from typing import cast
from urllib.parse import quote, urlencode

import pytest

from server.access.tokens import add_token, revoke_token
from server.context import Context
from server.messages import FhirRequest, FhirResponse
from server.pages import STYLESHEET_PATH
from server.site import STYLESHEET_PATH as SERVED_STYLESHEET
from server.site import local_path
from server.store.contract import Commit, StoreFull, StoreUnavailable
from server.store.embedded import EmbeddedStore
from tests.contract.resources import put
from tests.serving import Answer, Clock
from tests.unit.server.conftest import PATIENT, RunningShell, StartShell

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORM = "application/x-www-form-urlencoded"


def site(shell: RunningShell, path: str) -> str:
    return f"http://127.0.0.1:{shell.port}{path}"


async def sign_in(shell: RunningShell, token: str, next_path: str = "/", **headers: str) -> Answer:
    sent = {"Origin": site(shell, ""), "Content-Type": FORM} | headers
    return await shell.client.post(
        site(shell, "/sign-in"), urlencode({"token": token, "next": next_path}), headers=sent
    )


async def test_live_and_ready_need_no_token(start_shell: StartShell) -> None:
    shell = await start_shell(open=False)
    for path in ("/health/live", "/health/ready"):
        answer = await shell.client.get(site(shell, path))
        assert (answer.status, answer.json) == (200, {"status": "pass"})
    assert (await shell.client.post(site(shell, "/health/live"))).status == 405


@pytest.mark.parametrize("failure", [StoreFull("disk"), StoreUnavailable("gone")])
async def test_not_ready_when_the_store_takes_no_writes(
    start_shell: StartShell, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = await start_shell()

    async def failing(*_: object, **__: object) -> bytes:
        raise failure

    monkeypatch.setattr(type(shell.shell.ctx.store), "put_setting", failing)
    answer = await shell.client.get(site(shell, "/health/ready"))
    assert answer.status == 503
    assert type(failure).__name__ in answer.text
    assert (await shell.client.get(site(shell, "/health/live"))).status == 200


async def test_not_ready_after_a_write_found_no_room_until_there_is_room_again(start_shell: StartShell) -> None:
    async def write(ctx: Context, request: FhirRequest) -> FhirResponse:
        await ctx.store.commit(Commit([put("Basic", "large", note=os.urandom(100_000).hex())]))
        return FhirResponse(201)

    shell = await start_shell(write)
    store = cast(EmbeddedStore, shell.shell.ctx.store)

    async def pages(limit: int) -> None:
        await store._writer.submit(lambda t: t.connection.execute(f"PRAGMA max_page_count = {limit}").fetchall())

    async def ready() -> int:
        await asyncio.sleep(1.05)  # it is asked of the store once a second
        return (await shell.client.get(site(shell, "/health/ready"))).status

    await pages((await store.info()).size // 4096 + 8)
    assert await ready() == 200, "a small write fits, and no large one was refused"
    assert (await shell.client.put("Basic/large", b"{}")).status == 507
    assert await ready() == 503
    await pages(100_000)
    assert await ready() == 200
    assert await store.get_setting("ready-probe") == b"1", "the large one is gone again"


async def test_not_ready_while_stopping(start_shell: StartShell) -> None:
    shell = await start_shell()
    shell.shell.drain()
    answer = await shell.client.get(site(shell, "/health/ready"))
    assert (answer.status, answer.headers["Connection"]) == (503, "close")


async def test_metrics_count_by_route_and_never_name_a_person(start_shell: StartShell) -> None:
    shell = await start_shell()
    for _ in range(3):
        await shell.client.get("Patient/1101700203451?name=สมชาย")
    await shell.raw(b"GET /fhir/Patient/%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await shell.client.get(site(shell, "/metrics"))
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'onecard_request_seconds_count{route="read",method="GET",status="200"} 3' in lines
    assert 'onecard_request_seconds_bucket{route="read",method="GET",status="200",le="+Inf"} 3' in lines
    assert 'onecard_request_seconds_count{route="refused",method="GET",status="400"} 1' in lines
    assert "onecard_requests_in_flight 1" in lines
    assert re.search(r"^onecard_process_resident_memory_bytes\{pid=\"\d+\"\} \d{7,}$", answer.text, re.MULTILINE)
    assert re.search(r"^onecard_store_bytes \S+$", answer.text, re.MULTILINE)
    assert "1101700203451" not in answer.text
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+', line), line


async def test_every_request_but_capabilities_and_health_needs_a_token(start_shell: StartShell, clock: Clock) -> None:
    from server.boundary import handle

    shell = await start_shell(open=False)
    assert (await shell.client.get(site(shell, "/metrics"))).status == 401
    shell.shell._handle = handle  # the real decision; its routes are not reached
    shell.shell.ctx.routes = NoRoutes()  # type: ignore[assignment]
    for method, path in (("GET", "Patient/1"), ("GET", "nonsense"), ("POST", "Patient"), ("DELETE", "Patient/1")):
        answer = await shell.client.request(method, path, PATIENT if method == "POST" else None)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.json["issue"][0]["code"] == "login"
    secret = add_token(shell.tokens, "his", now=clock.now)
    known = shell.client.with_headers(Authorization=f"Bearer {secret}")
    assert (await known.get("Patient/1")).status == 404
    assert (await known.get(site(shell, "/metrics"))).status == 200
    for wrong in (f"Bearer {secret}x", "Bearer", "Basic abc", secret, "Bearer \u00e9"):
        answer = await shell.client.get("Patient/1", headers={"Authorization": wrong})
        assert answer.status == 401
        assert secret not in answer.text
    assert (await known.get("Patient/1", headers={"authorization": f"bearer {secret}"})).status == 404
    revoke_token(shell.tokens, "his")
    assert (await known.get("Patient/1")).status == 401


class NoRoutes:
    def find(self, method: str, path: tuple[str, ...]) -> object:
        from server.errors import NotFound

        raise NotFound("no route")


async def test_a_body_is_not_read_for_who_has_no_token(start_shell: StartShell) -> None:
    shell = await start_shell(open=False)
    head = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    assert (await shell.raw(head)).startswith(b"HTTP/1.1 401")
    assert shell.seen == []


async def test_open_mode_refuses_foreign_hosts_and_origins_everywhere(start_shell: StartShell) -> None:
    shell = await start_shell()
    for path in ("/fhir/Patient/1", "/", "/metrics"):
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            answer = await shell.client.get(site(shell, path), headers=headers)
            assert answer.status == 403, (path, headers)
    own = await shell.client.get("Patient/1", headers={"Origin": site(shell, "")})
    assert own.status == 200
    assert shell.seen[-1].principal.name == "open"


async def test_cors_is_off_until_origins_are_listed(start_shell: StartShell) -> None:
    origin = {"Origin": "https://app.example"}
    ask = origin | {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    shell = await start_shell(open=False, cors_origin=())
    assert (await shell.client.request("OPTIONS", "Patient/1", headers=ask)).status == 403
    listed = await start_shell(open=False, cors_origin=("https://app.example",))
    preflight = await listed.client.request("OPTIONS", "Patient/1", headers=ask)
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, "https://app.example")
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    answer = await listed.client.get("metadata", headers=origin)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    foreign = await listed.client.get("metadata", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in foreign.headers


# ---------------------------------------------------------------- pages


async def test_the_start_page_and_fhir_answers_are_pages_in_a_browser(start_shell: StartShell) -> None:
    shell = await start_shell()
    start = await shell.client.get(site(shell, "/"), headers=BROWSER)
    assert (start.status, start.headers["Content-Type"]) == (200, "text/html;charset=utf-8")
    page = await shell.client.get("Patient/1", headers=BROWSER)
    assert page.headers["Content-Type"] == "text/html;charset=utf-8"
    assert "script" not in page.headers["Content-Security-Policy"].replace("default-src 'none'", "")
    assert page.body.lower().startswith(b"<!doctype html>")
    forced = await shell.client.get("Patient/1?_format=json", headers=BROWSER)
    assert forced.body == PATIENT
    assert (await shell.client.get(site(shell, STYLESHEET_PATH))).headers["Content-Type"].startswith("text/css")
    assert SERVED_STYLESHEET == STYLESHEET_PATH


async def test_signing_in_opens_the_pages_for_reading(start_shell: StartShell, clock: Clock) -> None:
    shell = await start_shell(open=False)
    secret = add_token(shell.tokens, "desk", now=clock.now)
    away = await shell.client.get(site(shell, "/"), headers=BROWSER)
    assert (away.status, away.headers["Location"]) == (303, "/sign-in?next=%2F")
    form = await shell.client.get(site(shell, "/sign-in?next=%2Ffhir%2FPatient%3F_count%3D2"))
    assert form.status == 200
    assert "/fhir/Patient?_count=2" in form.text
    wrong = await sign_in(shell, "wrong")
    assert (wrong.status, wrong.headers.get("Set-Cookie")) == (403, None)
    done = await sign_in(shell, secret, "/fhir/Patient/1")
    assert (done.status, done.headers["Location"]) == (303, "/fhir/Patient/1")
    cookie = {"Cookie": done.headers["Set-Cookie"].partition(";")[0]}
    page = await shell.client.get("Patient/1", headers=BROWSER | cookie)
    assert page.status == 200
    assert shell.seen[-1].principal.name == "desk"
    assert shell.seen[-1].principal.read_only
    write = await shell.client.put("Patient/1", PATIENT, headers=cookie)
    assert write.status == 401
    out = await shell.client.post(site(shell, "/sign-out"), headers={"Origin": site(shell, ""), "Content-Type": FORM})
    assert (out.status, "Max-Age=0" in out.headers["Set-Cookie"]) == (303, True)


async def test_a_foreign_page_cannot_sign_anybody_in_or_out(start_shell: StartShell, clock: Clock) -> None:
    shell = await start_shell(open=False)
    secret = add_token(shell.tokens, "desk", now=clock.now)
    for origin in ("https://evil.example", "null"):
        answer = await sign_in(shell, secret, Origin=origin)
        assert (answer.status, answer.headers.get("Set-Cookie")) == (403, None)
    without = await shell.client.post(site(shell, "/sign-in"), f"token={secret}", headers={"Content-Type": FORM})
    assert without.status == 403
    assert (await shell.client.post(site(shell, "/sign-out"))).status == 403


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/fhir/Patient?_count=2", "/fhir/Patient?_count=2"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/ก", "/"),
    ],
)
async def test_after_the_sign_in_nobody_is_sent_elsewhere(text: str, path: str) -> None:
    assert local_path(text) == path


async def test_the_way_to_the_sign_in_keeps_the_page_that_was_wanted(start_shell: StartShell) -> None:
    from server.boundary import handle

    shell = await start_shell(open=False)
    shell.shell._handle = handle
    shell.shell.ctx.routes = NoRoutes()  # type: ignore[assignment]
    answer = await shell.client.get("Patient?name=a%20b", headers=BROWSER)
    assert answer.status == 303
    assert answer.headers["Location"] == "/sign-in?next=" + quote("/fhir/Patient?name=a%20b", safe="")
