"""The shell over HTTP: negotiation, bodies, headers, limits.   https://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from server.context import Context
from server.errors import NotFound
from server.messages import FhirRequest, FhirResponse
from server.store.contract import StoreFull
from tests.unit.server.conftest import PATIENT, StartShell

FHIR = {"Content-Type": "application/fhir+json"}


async def empty(ctx: Context, request: FhirRequest) -> FhirResponse:
    return FhirResponse(204)


async def test_an_answer_has_type_length_date_and_request_id(start_shell: StartShell) -> None:
    shell = await start_shell()
    answer = await shell.client.get("Patient/1")
    assert (answer.status, answer.body) == (200, PATIENT)
    assert answer.headers["Content-Type"] == "application/fhir+json;charset=utf-8"
    assert answer.headers["Content-Length"] == str(len(PATIENT))
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Date" in answer.headers
    other = await shell.client.get("Patient/1")
    assert answer.headers["X-Request-Id"] != other.headers["X-Request-Id"]


async def test_head_is_get_without_its_body(start_shell: StartShell) -> None:
    shell = await start_shell()
    answer = await shell.client.head("Patient/1")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", str(len(PATIENT)))
    assert shell.seen[0].method == "HEAD"


async def test_204_and_304_have_neither_body_nor_length(start_shell: StartShell) -> None:
    shell = await start_shell(empty)
    answer = await shell.client.delete("Patient/1")
    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Length" not in answer.headers
    assert "Content-Type" not in answer.headers


async def test_a_uuid_as_request_id_is_taken_and_any_other_comes_back_as_correlation_id(
    start_shell: StartShell,
) -> None:
    shell = await start_shell()
    uuid = "0b7f6e3c-5f5e-4b5c-9a51-3f2f0f0c9d11"
    taken = await shell.client.get("Patient/1", headers={"X-Request-Id": uuid})
    assert taken.headers["X-Request-Id"] == uuid
    other = await shell.client.get("Patient/1", headers={"X-Request-Id": "my-request"})
    assert other.headers["X-Request-Id"] != "my-request"
    assert other.headers["X-Correlation-Id"] == "my-request"


@pytest.mark.parametrize("wanted", ["xml", "application/fhir%2Bxml", "ttl"])
async def test_xml_is_refused_clearly_before_anything_is_done(start_shell: StartShell, wanted: str) -> None:
    shell = await start_shell()
    answer = await shell.client.get(f"Patient/1?_format={wanted}")
    assert answer.status == 406
    assert "XML" in answer.diagnostics
    put = await shell.client.put("Patient/1", {}, headers={"Accept": "application/fhir+xml"})
    assert put.status == 406
    assert shell.seen == []


async def test_a_binary_may_be_asked_for_as_what_it_is(start_shell: StartShell) -> None:
    async def png(ctx: Context, request: FhirRequest) -> FhirResponse:
        return FhirResponse(200, body=b"\x89PNG", media_type="image/png")

    shell = await start_shell(png)
    answer = await shell.client.get("Binary/1", headers={"Accept": "image/png"})
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"\x89PNG", "image/png")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_pretty_indents_and_keeps_the_text_of_numbers(start_shell: StartShell) -> None:
    shell = await start_shell()
    answer = await shell.client.get("Patient/1?_pretty=true")
    assert b'\n  "multipleBirthInteger": 1.00\n' in answer.body
    assert (await shell.client.get("Patient/1?_pretty=false")).body == PATIENT


async def test_a_resource_built_as_a_dict_is_serialised(start_shell: StartShell) -> None:
    async def built(ctx: Context, request: FhirRequest) -> FhirResponse:
        return FhirResponse(200, resource={"resourceType": "Bundle", "type": "searchset"})

    shell = await start_shell(built)
    assert (await shell.client.get("Patient")).body == b'{"resourceType":"Bundle","type":"searchset"}'


async def test_large_answers_are_compressed_when_asked(start_shell: StartShell) -> None:
    sizes = {"small": 100, "large": 2000, "huge": 200_000}

    async def sized(ctx: Context, request: FhirRequest) -> FhirResponse:
        return FhirResponse(200, body=json.dumps({"text": "ก" * sizes[request.path[1]]}).encode())

    shell = await start_shell(sized)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for size, coding in (("small", None), ("large", "gzip"), ("huge", "gzip")):
            async with session.get(
                f"{shell.client.base}/Patient/{size}", headers={"Accept-Encoding": "gzip, br"}
            ) as answer:
                body = await answer.read()
                assert answer.headers.get("Content-Encoding") == coding
                assert answer.content_length == len(body)
                text = gzip.decompress(body) if coding else body
                assert json.loads(text) == {"text": "ก" * sizes[size]}
        for refused in ("identity", "gzip;q=0"):
            async with session.get(
                f"{shell.client.base}/Patient/large", headers={"Accept-Encoding": refused}
            ) as answer:
                assert "Content-Encoding" not in answer.headers


async def test_streams_are_sent_in_chunks_and_compressed_when_asked(start_shell: StartShell) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b'{"resourceType":"Bundle",'
        yield b""
        yield b'"type":"searchset"}'

    async def streaming(ctx: Context, request: FhirRequest) -> FhirResponse:
        return FhirResponse(200, stream=stream())

    shell = await start_shell(streaming)
    plain = await shell.client.get("Patient", headers={"Accept-Encoding": "identity"})
    assert plain.headers["Transfer-Encoding"] == "chunked"
    packed = await shell.client.get("Patient", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.json == packed.json == {"resourceType": "Bundle", "type": "searchset"}
    old = await shell.raw(b"GET /fhir/Patient HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert old.endswith(b'\r\n\r\n{"resourceType":"Bundle","type":"searchset"}')


async def test_a_stream_that_fails_breaks_the_connection(start_shell: StartShell) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b'{"resourceType":"Bundle",'
        raise RuntimeError("in the middle")

    async def streaming(ctx: Context, request: FhirRequest) -> FhirResponse:
        return FhirResponse(200, stream=failing())

    shell = await start_shell(streaming)
    with pytest.raises(aiohttp.ClientError):
        await shell.client.get("Patient")


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("GZIP", gzip.compress)],
)
async def test_compressed_bodies_are_read(start_shell: StartShell, coding: str, pack: Any) -> None:
    shell = await start_shell()
    answer = await shell.client.put("Patient/1", pack(PATIENT), headers=FHIR | {"Content-Encoding": coding})
    assert answer.status == 200
    assert shell.seen[0].body == PATIENT
    assert shell.seen[0].media_type == "application/fhir+json"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Encoding": "br"}, b"x", 415),
        ({"Content-Encoding": "gzip, gzip"}, b"x", 415),
        ({"Content-Encoding": "gzip"}, b"no gzip", 400),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"0" * 3_000_000), 413),
        ({}, b"0" * 2_000_000, 413),
    ],
)
async def test_bodies_that_cannot_be_taken(
    start_shell: StartShell, headers: dict[str, str], body: bytes, status: int
) -> None:
    shell = await start_shell(max_body_bytes=1 << 20)
    answer = await shell.client.put("Patient/1", body, headers=FHIR | headers)
    assert (answer.status, answer.json["resourceType"]) == (status, "OperationOutcome")
    assert shell.seen == []


async def test_a_body_without_a_length_is_cut_off_at_the_limit(start_shell: StartShell) -> None:
    shell = await start_shell(max_body_bytes=1 << 20)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"0" * 65_536

    answer = await shell.client.session.put(f"{shell.client.base}/Patient/1", data=endless(), headers=FHIR)
    assert answer.status == 413


async def test_the_form_of_a_posted_search_follows_the_query(start_shell: StartShell) -> None:
    shell = await start_shell()
    form = urlencode({"name": "สมชาย ใจดี", "_sort": "-birthdate"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await shell.client.post("Patient/_search?_count=2", form, headers=headers)
    assert answer.status == 200
    request = shell.seen[0]
    assert request.path == ("Patient", "_search")
    assert request.query == [("_count", "2"), ("name", "สมชาย ใจดี"), ("_sort", "-birthdate")]
    assert request.body == b""


@pytest.mark.parametrize("media_type", ["text/plain", "", "multipart/form-data", "application/x-www-form-urlencoded"])
async def test_writes_need_a_fhir_media_type(start_shell: StartShell, media_type: str) -> None:
    shell = await start_shell()
    answer = await shell.client.post("Patient", PATIENT, headers={"Content-Type": media_type})
    assert answer.status == 415
    assert shell.seen == []


async def test_too_many_parameters_in_query_and_form_together(start_shell: StartShell) -> None:
    shell = await start_shell(max_parameters=10)
    assert (await shell.client.get("Patient?" + "a=1&" * 10)).status == 200
    assert (await shell.client.get("Patient?" + "a=1&" * 11)).status == 400
    form = b"&".join([b"a=1"] * 6)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await shell.client.post("Patient/_search?" + "a=1&" * 5, form, headers=headers)
    assert answer.status == 400


async def test_an_unknown_exception_is_500_with_a_request_id_and_nothing_else(
    start_shell: StartShell, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(ctx: Context, request: FhirRequest) -> FhirResponse:
        raise RuntimeError("นายสมชาย 1101700203451")

    shell = await start_shell(broken)
    answer = await shell.client.get("Patient/1?identifier=1101700203451")
    assert answer.status == 500
    assert answer.headers["X-Request-Id"] in answer.diagnostics
    assert "1101700203451" not in answer.text
    logged = capfd.readouterr().err
    assert "RuntimeError" in logged
    assert "broken" in logged
    assert "1101700203451" not in logged
    assert "สมชาย" not in logged


async def test_an_error_raised_by_the_handler_of_the_test_is_mapped(start_shell: StartShell) -> None:
    async def missing(ctx: Context, request: FhirRequest) -> FhirResponse:
        raise NotFound("Patient/1 is not known")

    shell = await start_shell(missing)
    answer = await shell.client.get("Patient/1")
    assert (answer.status, answer.json["issue"][0]["code"]) == (404, "not-found")


async def test_too_many_requests_in_flight_are_429_with_retry_after(start_shell: StartShell) -> None:
    going, full = asyncio.Event(), asyncio.Semaphore(0)

    async def waiting(ctx: Context, request: FhirRequest) -> FhirResponse:
        full.release()
        await going.wait()
        return FhirResponse(200, body=PATIENT)

    shell = await start_shell(waiting, max_in_flight=3)
    at_work = [asyncio.create_task(shell.client.get("Patient/1")) for _ in range(3)]
    for _ in at_work:
        await full.acquire()
    refused = await shell.client.get("Patient/1")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    live = await shell.client.get(f"http://127.0.0.1:{shell.port}/health/live")
    assert live.status == 200
    going.set()
    assert [answer.status for answer in await asyncio.gather(*at_work)] == [200, 200, 200]
    assert (await shell.client.get("Patient/1")).status == 200


async def test_an_answer_that_takes_too_long_is_ended(start_shell: StartShell) -> None:
    ended = asyncio.Event()

    async def slow(ctx: Context, request: FhirRequest) -> FhirResponse:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return FhirResponse(200)

    shell = await start_shell(slow, time_limit=0.2)
    answer = await shell.client.get("Patient")
    assert (answer.status, answer.json["issue"][0]["code"]) == (503, "timeout")
    assert ended.is_set()


async def test_expect_100_continue_is_answered_before_the_body(start_shell: StartShell) -> None:
    shell = await start_shell(max_body_bytes=1000)
    head = (
        b"PUT /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\n"
        b"Content-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    taken = await shell.raw(head % len(PATIENT), PATIENT, pause=0.05)
    assert taken.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    refused = await shell.raw(head % 5000, pause=0.05)
    assert refused.startswith(b"HTTP/1.1 413")


async def test_a_raised_store_failure_is_answered(start_shell: StartShell) -> None:
    from server.boundary import handle
    from server.dispatch import Route

    class Full:
        def find(self, method: str, path: tuple[str, ...]) -> Route:
            async def full(ctx: Context, request: FhirRequest) -> FhirResponse:
                raise StoreFull("disk")

            return Route(method, "", full, "create", "w", "")

    async def through_boundary(ctx: Any, request: FhirRequest) -> FhirResponse:
        ctx.routes = Full()
        return await handle(ctx, request)

    shell = await start_shell(through_boundary)
    answer = await shell.client.post("Patient", PATIENT, headers=FHIR)
    assert (answer.status, answer.json["issue"][0]["code"]) == (507, "no-store")


async def test_links_use_the_host_that_was_asked_or_the_base_url(start_shell: StartShell) -> None:
    shell = await start_shell()
    await shell.client.get("Patient")
    assert shell.seen[0].base == f"http://127.0.0.1:{shell.port}/fhir"
    public = await start_shell(base_url="https://fhir.example.go.th/r4")
    await public.client.get("Patient")
    assert public.seen[0].base == "https://fhir.example.go.th/r4"


async def test_forwarded_headers_are_believed_from_trusted_proxies_only(start_shell: StartShell) -> None:
    import ipaddress

    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "fhir.example.go.th"}
    stranger = await start_shell()
    await stranger.client.get("Patient", headers=headers)
    assert stranger.seen[0].base == f"http://127.0.0.1:{stranger.port}/fhir"
    proxied = await start_shell(trusted_proxy=(ipaddress.ip_network("127.0.0.0/8"),))
    await proxied.client.get("Patient", headers=headers)
    assert proxied.seen[0].base == "https://fhir.example.go.th/fhir"
    bad = await proxied.client.get("Patient", headers=headers | {"X-Forwarded-Host": "evil.example/x?"})
    assert bad.status == 400


@pytest.mark.parametrize("path", ["/", "/nothing", "/fhirx/Patient", "/fhir/../secret"])
async def test_other_paths_are_no_fhir(start_shell: StartShell, path: str) -> None:
    shell = await start_shell()
    sent = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    answer = await shell.raw(sent.encode())
    status = int(answer.split()[1])
    assert status == (200 if path == "/" else 400 if ".." in path else 404)
    assert shell.seen == []
