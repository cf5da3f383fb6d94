"""Attacks below HTTP's surface, by raw sockets: a 4xx or a closed connection, never a 5xx, never a stall of others."""

from __future__ import annotations

import asyncio
import gzip
import random

import pytest

from tests.unit.server.conftest import PATIENT, RunningShell, StartShell

PUT = b"PUT /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


async def others_are_served(shell: RunningShell) -> None:
    async with asyncio.timeout(2):
        assert (await shell.client.get("Patient/1")).status == 200


def get(target: str, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"GET {target} HTTP/{version}", "Host: localhost", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40,  # TLS to a plain port
        b"GET\r\n\r\n",
        b"GET /fhir/Patient HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xyz, chunked\r\n\r\nzz\r\n",
        b"PUT /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n",
        b"GET /fhir/Pat\xff\xfeient HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /fhir/Patient HTTP/1.1\nHost localhost\n\n",
        b"\r\n\r\n\r\nnonsense\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(start_shell: StartShell, sent: bytes) -> None:
    shell = await start_shell(idle_timeout=1.0)
    answer = await shell.raw(sent)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert b"OperationOutcome" in answer or answer == b""
    assert shell.seen == []
    await others_are_served(shell)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/fhir/Patient/%", 400),
        ("/fhir/Patient/%zz", 400),
        ("/fhir/Patient/%00", 400),
        ("/fhir/Patient?name=%ff", 400),
        ("/fhir/Patient?name=%", 400),
        ("/fhir/Patient/..%2f..%2fetc%2fpasswd", 400),
        ("/fhir/Patient/../../etc/passwd", 400),
        ("/fhir//Patient", 400),
        ("/fhir/Patient/a%5Cb", 400),
        ("http://localhost/fhir/Patient/1", 200),
        ("/fhir/Patient?name=สมชาย", 400),
        ("/fhir/Patient?" + "a" * 20_000, 431),
        ("/fhir/" + "a/" * 9_000, 431),
        ("*", 400),
    ],
)
async def test_hostile_targets(start_shell: StartShell, target: str, status: int) -> None:
    shell = await start_shell()
    answer = await shell.raw(get(target))
    assert answer.split(b" ", 2)[1] == str(status).encode(), answer[:300]
    await others_are_served(shell)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["X-Big: " + "a" * 20_000], 431),
        ([f"X-{i}: a" for i in range(200)], 400),
        (["Host: localhost"], 400),
        (["Authorization: Bearer a", "Authorization: Bearer b"], 400),
        (["Content-Type: a/b", "Content-Type: application/json"], 400),
        (["Accept: " + "x/y," * 3000], 406),
        (["X-Request-Id: a\tb", "Prefer: return=minimal", "Prefer: handling=lenient"], 200),
        (["Accept-Encoding: " + "gzip;q=0," * 500], 200),
    ],
)
async def test_hostile_headers(start_shell: StartShell, headers: list[str], status: int) -> None:
    shell = await start_shell()
    answer = await shell.raw(get("/fhir/Patient/1", *headers))
    assert answer.split(b" ", 2)[1] == str(status).encode(), answer[:300]
    assert b"\r\nX-Correlation-Id: a" not in answer
    await others_are_served(shell)


async def test_repeated_prefer_headers_are_one_list(start_shell: StartShell) -> None:
    shell = await start_shell()
    await shell.raw(get("/fhir/Patient/1", "Prefer: return=minimal", "Prefer: handling=lenient"))
    assert shell.seen[0].headers["prefer"] == "return=minimal, handling=lenient"


async def test_http_1_1_without_host_is_400(start_shell: StartShell) -> None:
    shell = await start_shell()
    assert (await shell.raw(b"GET /fhir/Patient/1 HTTP/1.1\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "OPTIONS", "QUERY"])
async def test_methods_outside_fhir_are_405(start_shell: StartShell, method: str) -> None:
    shell = await start_shell()
    answer = await shell.raw(
        f"{method} /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.split(b" ", 2)[1] in (b"405", b"400"), answer[:200]
    assert shell.seen == []


async def test_a_head_that_never_ends_is_cut_off(start_shell: StartShell) -> None:
    shell = await start_shell(idle_timeout=0.5)
    dripping = asyncio.create_task(
        shell.raw(b"GET /fhir/Patient/1 HTTP/1.1\r\n", *[b"X-%d: a\r\n" % i for i in range(90)], pause=0.05)
    )
    await others_are_served(shell)
    assert await dripping == b""


async def test_a_body_that_drips_is_408(start_shell: StartShell) -> None:
    shell = await start_shell(body_timeout=0.3)
    head = PUT % 5000
    answer = asyncio.create_task(shell.raw(head, *[b"a"] * 8, pause=0.1))
    await others_are_served(shell)
    assert (await answer).startswith(b"HTTP/1.1 408")


async def test_many_idle_connections_keep_nobody_out(start_shell: StartShell) -> None:
    shell = await start_shell(idle_timeout=1.0)
    idle = [await asyncio.open_connection("127.0.0.1", shell.port) for _ in range(200)]
    await others_are_served(shell)
    ends = await asyncio.gather(*(asyncio.wait_for(reader.read(), 5) for reader, _ in idle))
    assert set(ends) == {b""}
    for _, writer in idle:
        writer.close()


async def test_connections_beyond_the_limit_are_closed_at_once(start_shell: StartShell) -> None:
    shell = await start_shell(max_connections=5)
    await others_are_served(shell)
    held = [await asyncio.open_connection("127.0.0.1", shell.port) for _ in range(4)]
    await asyncio.sleep(0.05)
    for _ in range(3):
        assert await shell.raw(get("/fhir/Patient/1")) == b""
    held[0][1].close()
    await asyncio.sleep(0.05)
    assert (await shell.raw(get("/fhir/Patient/1"))).startswith(b"HTTP/1.1 200")
    for _, writer in held:
        writer.close()


async def test_a_bomb_of_a_gigabyte_costs_no_gigabyte(start_shell: StartShell) -> None:
    shell = await start_shell(max_body_bytes=1 << 20)
    bomb = gzip.compress(b"\0" * (1 << 28))
    answer = await shell.client.put(
        "Patient/1", bomb, headers={"Content-Type": "application/fhir+json", "Content-Encoding": "gzip"}
    )
    assert answer.status == 413


async def test_pipelined_requests_are_answered_in_order(start_shell: StartShell) -> None:
    shell = await start_shell()
    keep = b"GET /fhir/Patient/%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = await shell.raw(b"".join(keep % i for i in range(20)) + get("/fhir/Patient/20"))
    assert answer.count(b"HTTP/1.1 200 OK") == 21
    assert [request.path[1] for request in shell.seen] == [str(i) for i in range(21)]


async def test_who_asks_for_another_protocol_is_answered_in_this_one_and_may_go_on(start_shell: StartShell) -> None:
    """Clients offer HTTP/2 this way, and go on with HTTP/1.1 on the same connection when nobody takes it up."""
    shell = await start_shell()
    offer = b"GET /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answers = await shell.raw(offer, offer, get("/fhir/Patient/2"), pause=0.1)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert [request.path[1] for request in shell.seen] == ["1", "1", "2"]


async def test_what_a_request_says_in_its_headers_is_not_taken_for_the_next_one(start_shell: StartShell) -> None:
    shell = await start_shell()
    asked = "GET /fhir/Patient/{} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
    lines = ["Prefer: handling=lenient\r\n", "Prefer: handling=lenient\r\n", "Prefer: handling=strict\r\n", ""]
    text = "".join(asked.format(number, line) for number, line in enumerate(lines))
    await shell.raw(text.encode() + get("/fhir/Patient/9"))
    found = [request.headers.get("prefer") for request in shell.seen]
    assert found == ["handling=lenient", "handling=lenient", "handling=strict", None, None]


async def test_a_smuggled_second_request_stays_in_the_body(start_shell: StartShell) -> None:
    shell = await start_shell()
    body = b"GET /fhir/Secret/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = (
        b"PUT /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    )
    await shell.raw(head + body)
    assert [request.path for request in shell.seen] == [("Patient", "1")]


async def test_a_client_that_takes_nothing_holds_nobody_up(start_shell: StartShell) -> None:
    shell = await start_shell()
    _, writer = await asyncio.open_connection("127.0.0.1", shell.port)
    writer.write(b"GET /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20_000)
    await asyncio.sleep(0.3)
    await others_are_served(shell)
    writer.transport.abort()


async def test_random_bytes_never_give_a_5xx(start_shell: StartShell) -> None:
    shell = await start_shell(idle_timeout=0.3)
    chance = random.Random(4)
    good = PUT % 9 + PATIENT[:9]

    async def spoiled() -> bytes:
        data = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return await shell.raw(bytes(data))

    for answer in await asyncio.gather(*(spoiled() for _ in range(150))):
        assert answer == b"" or answer.split(b" ", 2)[1][:1] in (b"2", b"4"), answer[:200]
    await others_are_served(shell)
