"""`onecard serve` as a process: start, workers, signals, stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.certificates import presented, write_pair
from tests.cli.serving import PATIENT, Served, onecard, serve, slow_body, starting

Start = Callable[..., Served]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Served] = []

    def start(*arguments: str, **more: object) -> Served:
        running.append(serve(tmp_path, *arguments, **more))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for served in running:
        served.end()


def until(truth: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_it_says_where_it_listens_and_three_queries_that_work(start: Start) -> None:
    served = start("--open", "--request-log", "off")
    served.printed("metadata", 20)
    queries = [line.split("'")[1] for line in served.lines if "curl" in line]
    assert len(queries) == 3
    for query in queries:
        assert query.startswith(f"{served.url}/fhir/")
        assert served.request(query.removeprefix(served.url))[0] == 200
    assert served.stop() == 0


def test_what_was_stored_is_there_after_a_start_again(start: Start, tmp_path: Path) -> None:
    served = start("--open")
    assert served.request("/fhir/Patient/slow", "PUT", PATIENT)[0] == 201
    assert served.stop(signal.SIGINT) == 0
    again = start("--open", "--workers", "2")
    assert json.loads(again.request("/fhir/Patient/slow")[1])["active"] is True
    assert (tmp_path / "data" / "onecard.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--port", "no"), "whole number"),
        (("--host", "0.0.0.0"), "without TLS"),
        (("--open", "--host", "0.0.0.0", "--insecure-http"), "loopback"),
        (("--store", "oracle://x"), "sqlite:///PATH"),
        (("--config", "/no/file.toml"), "cannot be read"),
        (("--tls-cert", "x"), "belong together"),
        (("--port", "0", "--request-log", "/no/folder/requests.log"), "request-log"),
        (("--port", "0", "--workers", "2", "--request-log", "/no/folder/requests.log"), "request-log"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason_and_code_2(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    ended = onecard("serve", *arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_and_another_zone_are_refused(start: Start, tmp_path: Path) -> None:
    served = start("--open")
    taken = onecard("serve", "--open", "--port", str(served.port), cwd=tmp_path)
    assert (taken.returncode, "cannot listen" in taken.stderr) == (2, True)
    served.stop()
    for workers in ("1", "2"):
        zone = onecard("serve", "--open", "--port", "0", "--timezone", "UTC", "--workers", workers, cwd=tmp_path)
        assert zone.returncode == 2, zone.stderr
        assert "Traceback" not in zone.stderr
        assert "zone" in zone.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new(start: Start, workers: str) -> None:
    served = start("--open", "--workers", workers, "--shutdown-timeout", "20")
    slow_body(served, b"x" * 10).close()
    with slow_body(served, PATIENT) as connection:
        time.sleep(0.3)
        served.process.send_signal(signal.SIGTERM)
        turned_away(served)
        assert served.process.poll() is None
        connection.sendall(PATIENT[-1:])
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 201")
        assert b"Connection: close" in answer
    assert served.process.wait(20) == 0


def turned_away(served: Served) -> None:
    """Waits until nobody new is taken."""
    last = time.monotonic() + 10
    while time.monotonic() < last:
        try:
            served.request("/health/live")
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("still served ten seconds after the signal")


def transaction(family: str, entries: int) -> bytes:
    """As large as the record of a person with a long history."""
    subject = f"urn:uuid:00000000-0000-4000-8000-{family:0>12}"
    made = [{"fullUrl": subject, "resource": {"resourceType": "Patient", "name": [{"family": family}]}}]
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    made += [{"resource": {**observation, "subject": {"reference": subject}}} for _ in range(entries - 1)]
    rows = [{**each, "request": {"method": "POST", "url": each["resource"]["resourceType"]}} for each in made]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": rows}).encode()


def connected(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=60)


def posted(body: bytes) -> bytes:
    head = ("POST /fhir HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join((*head, "", "")).encode() + body


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("opened", ["before", "just now"])
def test_a_stop_finishes_large_transactions_whose_beginning_has_come(start: Start, workers: str, opened: str) -> None:
    """Four of 600 entries, on connections that were idle or still wait to be accepted; most of it comes afterwards."""
    served = start("--open", "--workers", workers)
    requests = [posted(transaction(str(number), 600)) for number in range(4)]
    connections = [connected(served) for _ in requests]
    if opened == "before":
        time.sleep(0.5)
    for connection, request in zip(connections, requests, strict=True):
        connection.sendall(request[:1000])
    served.process.send_signal(signal.SIGTERM)
    with ThreadPoolExecutor(len(requests)) as threads:
        pairs = zip(connections, requests, strict=True)
        list(threads.map(lambda pair: pair[0].sendall(pair[1][1000:]), pairs))
        answers = list(threads.map(lambda connection: connection.recv(65536), connections))
    assert [answer.split(b" ")[1] for answer in answers] == [b"200"] * 4
    assert served.process.wait(30) == 0
    for connection in connections:
        connection.close()


def test_a_stop_waits_no_longer_than_its_time(start: Start) -> None:
    served = start("--open", "--shutdown-timeout", "0.3")
    with slow_body(served, PATIENT) as connection:
        time.sleep(0.2)
        assert served.stop(seconds=15) == 0
        assert not connection.recv(65536).startswith(b"HTTP/1.1 2")


def test_workers_share_the_port_and_the_counters(start: Start) -> None:
    served = start("--open", "--workers", "3")
    for i in range(40):
        assert served.request(f"/fhir/Patient/p{i}", "PUT", PATIENT.replace(b"slow", b"p%d" % i))[0] == 201
    assert len(served.workers()) == 3
    text = served.request("/metrics")[1].decode()
    assert 'onecard_request_seconds_count{route="update",method="PUT",status="201"} 40' in text
    assert served.stop() == 0


def test_a_dead_worker_is_started_again_and_nobody_is_turned_away(start: Start) -> None:
    served = start("--open", "--workers", "2")
    before = served.workers()
    os.kill(min(before), signal.SIGKILL)
    for _ in range(30):
        assert served.request("/fhir/Patient?_count=1")[0] == 200
    until(lambda: len(served.workers() - before) == 1 and len(served.workers()) == 2)
    assert served.stop() == 0


def test_a_first_worker_that_is_killed_before_it_answers_is_a_failure(tmp_path: Path) -> None:
    process = starting(tmp_path, "--open", "--workers", "2", log=subprocess.PIPE)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: bool(children.read_text()))
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, "by signal 9 before it answered" in told) == (1, True), told


def test_workers_end_when_their_parent_is_killed(start: Start) -> None:
    served = start("--open", "--workers", "2")
    workers = served.workers()
    served.process.kill()
    served.process.wait()

    def all_gone() -> bool:
        return not any(Path(f"/proc/{pid}").exists() for pid in workers)

    until(all_gone)


def test_a_revoked_token_is_refused_by_all_workers_at_once(start: Start, tmp_path: Path) -> None:
    served = start("--workers", "2", "--request-log", "off")
    assert served.request("/fhir/Patient")[0] == 401
    assert served.request("/fhir/metadata")[0] == 200
    assert served.request("/health/ready")[0] == 200
    secret = onecard("token", "add", "his", cwd=tmp_path).stdout.strip()
    reader = onecard("token", "add", "viewer", "--read-only", "--expires", "1d", cwd=tmp_path).stdout.strip()

    def status(token: str, method: str = "GET", body: bytes | None = None) -> set[int]:
        """What a dozen connections get, which both workers share."""
        path = "/fhir/Patient/slow" if body else "/fhir/Patient"
        return {served.request(path, method, body, Authorization=f"Bearer {token}")[0] for _ in range(12)}

    assert status(secret) == {200}
    assert status(secret, "PUT", PATIENT) <= {200, 201}
    assert status(reader) == {200}
    assert status(reader, "PUT", PATIENT) == {403}
    bundle = {"resourceType": "Bundle", "type": "transaction"}
    bundle["entry"] = [{"resource": json.loads(PATIENT), "request": {"method": "PUT", "url": "Patient/x"}}]  # type: ignore[assignment]
    assert served.request("/fhir", "POST", json.dumps(bundle).encode(), Authorization=f"Bearer {reader}")[0] == 403
    assert onecard("token", "revoke", "his", cwd=tmp_path).returncode == 0
    assert status(secret) == {401}
    assert status(reader) == {200}


def test_nothing_personal_is_printed_or_logged(start: Start, tmp_path: Path) -> None:
    with (tmp_path / "stderr.txt").open("w+") as log:
        served = start("--open", "--workers", "2", log=log)
        cid = "1101700203451"
        patient = PATIENT.replace(b'"slow"', f'"{cid}", "name": [{{"text": "Somchai"}}]'.encode())
        served.request(f"/fhir/Patient/{cid}", "PUT", patient)
        served.request(f"/fhir/Patient?identifier={cid}&name=Somchai")
        served.request("/fhir/Patient", "POST", b'{"resourceType":"Patient","nmae":"Somchai"}')
        served.stop()
        served.end()
        log.seek(0)
        text = log.read() + "".join(served.lines)
    assert text.count('"route":"') == 3
    assert cid not in text
    assert "Somchai" not in text


def test_a_new_certificate_is_taken_on_sighup_by_all_workers(start: Start, tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "first")
    served = start("--workers", "2", "--tls-cert", cert, "--tls-key", key, "--request-log", "off")

    def names() -> set[str]:
        return {asyncio.run(presented(served.port)) for _ in range(8)}

    assert names() == {"first"}
    before = {path: os.stat(path) for path in (cert, key)}
    write_pair(tmp_path, "second")
    for path, status in before.items():
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # so that only the signal tells of the change
    served.process.send_signal(signal.SIGHUP)
    until(lambda: names() == {"second"})
    assert served.stop() == 0


def test_health_is_an_exit_code(start: Start, tmp_path: Path) -> None:
    served = start("--open", "--request-log", "off")
    assert onecard("health", "--ready", "--port", str(served.port), cwd=tmp_path).returncode == 0
    served.stop()
    assert onecard("health", "--port", str(served.port), cwd=tmp_path).returncode == 1
