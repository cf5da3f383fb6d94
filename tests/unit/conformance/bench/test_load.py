"""The load generator: what it counts, what it times, what it survives, what it costs."""

from __future__ import annotations

import itertools
import math
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conformance.bench.load import Answer, Call, Result, Script, Target, answer_length, once, repeating, run


class _Handler(socketserver.StreamRequestHandler):
    """/STATUS answers with it; /break closes in the middle; /chunked answers in chunks; /slow takes 20 ms."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            asked = line.split()[1].decode().removeprefix("/fhir/")
            if asked == "break":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                return
            if asked == "chunked":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
                continue
            if asked == "slow":
                time.sleep(0.02)
            status = asked if asked.isdigit() else "200"
            self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def small_server() -> Iterator[Target]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Target("127.0.0.1", server.server_address[1], "/fhir")
        finally:
            server.shutdown()
            thread.join()


def asked(target: Target, *paths: str, connections: int = 1) -> Result:
    calls = [Call(target.request("GET", "/" + path), path) for path in paths]
    return run("", target, once(calls), connections=connections, seconds=60)


def test_percentiles_are_of_the_ordered_latencies() -> None:
    result = Result("", latencies={"a": [0.004, 0.001, 0.003], "b": [0.002]})
    assert result.percentile(0.5) == 3.0
    assert result.percentile(0.99) == 4.0
    assert result.percentile(0.0) == 1.0
    assert result.percentile(0.5, "b") == 2.0
    assert math.isnan(result.percentile(0.5, "nothing"))


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 7", 7),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: x", 7),
        (b"HTTP/1.1 204 No Content\r\nETag: x", 0),
    ],
)
def test_the_length_of_an_answer_is_read_from_its_head(head: bytes, length: int) -> None:
    assert answer_length(head + b"\r\n\r\n", len(head)) == len(head) + 4 + length


def test_an_answer_in_chunks_has_no_length() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
    assert answer_length(head + b"\r\n\r\n", len(head)) == 0


def test_what_a_server_does_not_do_is_refused_what_it_cannot_do_has_failed() -> None:
    with small_server() as target:
        result = asked(target, "200", "404", "501", "500", "503")
    assert result.statuses == {200: 1, 404: 1, 501: 1, 500: 1, 503: 1}
    assert result.refused == {"404": 1, "501": 1}
    assert result.failed == {"500": 1, "503": 1}


def test_an_expected_status_is_neither() -> None:
    with small_server() as target:
        call = Call(target.request("GET", "/404"), expected=(404,))
        result = run("", target, once([call]), connections=1, seconds=60)
    assert not result.refused
    assert not result.failed


def test_units_count_when_they_were_taken() -> None:
    with small_server() as target:
        calls = [Call(target.request("GET", f"/{path}"), units=10) for path in ("200", "422", "201")]
        assert run("", target, once(calls), connections=1, seconds=60).units == 20


def test_answers_in_chunks_are_read_to_their_end() -> None:
    with small_server() as target:
        assert asked(target, "chunked", "chunked", "200").statuses == {200: 3}


def test_a_broken_answer_has_failed_and_the_client_goes_on() -> None:
    with small_server() as target:
        result = asked(target, "200", "break", "200")
    assert result.statuses == {200: 2, 0: 1}
    assert result.failed == {"break": 1}


def test_a_server_that_only_breaks_is_given_up() -> None:
    with small_server() as target, pytest.raises(ConnectionError):
        run("", target, repeating([target.request("GET", "/break")]), connections=1, seconds=60)


def test_a_call_that_leads_is_timed_with_the_next() -> None:
    def script() -> Script:
        yield Call(target.request("GET", "/slow"), "update", leads=True)
        yield Call(target.request("GET", "/200"), "update")

    with small_server() as target:
        result = run("", target, script, connections=1, seconds=60)
    assert result.requests == 2
    assert len(result.latencies["update"]) == 1
    assert result.percentile(0.5) > 20


def test_scripts_see_their_answers() -> None:
    seen: list[Answer] = []
    with small_server() as target:
        calls = [Call(target.request("GET", "/202"))]
        run("", target, once(calls, seen.append), connections=3, seconds=60)
    assert [(answer.status, answer.body) for answer in seen] == [(202, b"{}")]


def test_its_own_processor_time_is_told_and_small() -> None:
    with small_server() as target:
        before = time.process_time()
        result = run("", target, repeating([target.request("GET", "/200")]), connections=4, seconds=0.2)
        assert 0 < result.generator_cpu <= time.process_time() - before
    assert result.seconds >= 0.2
    assert result.rate == pytest.approx(result.requests / result.seconds)


def test_connections_share_what_repeats() -> None:
    scripts = repeating([b"a", b"b", b"c"])
    first, second = scripts(), scripts()
    sent = [next(first).data, next(second).data, first.send(Answer(200, b"")).data]
    assert sent == [b"a", b"b", b"c"]
    assert next(itertools.islice(scripts(), 1)).data == b"a"


def test_a_request_carries_token_and_further_headers() -> None:
    target = Target("127.0.0.1", 1, "/fhir", "secret", ("X-Tenant: 7",))
    data = target.request("POST", "/Patient", b"{}")
    assert data.startswith(b"POST /fhir/Patient HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer secret\r\n" in data
    assert b"\r\nX-Tenant: 7\r\n" in data
    assert data.endswith(b"Content-Length: 2\r\n\r\n{}")
