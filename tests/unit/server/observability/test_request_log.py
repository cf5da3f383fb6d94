"""The request log: JSON lines, complete, and free of personal data, queries, ids and tokens."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from server.access.tokens import add_token
from server.observability.metrics import Metrics
from server.observability.request_log import MAX_WAITING, RequestLog
from tests.serving import Clock
from tests.unit.server.conftest import PATIENT, StartShell

CID = "1101700203451"


async def test_one_line_a_request_without_anything_of_a_person(
    start_shell: StartShell, tmp_path: Path, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "requests.log"
    shell = await start_shell(open=False, request_log=str(file))
    secret = add_token(shell.tokens, "his-11111", now=clock.now)
    client = shell.client.with_headers(Authorization=f"Bearer {secret}")
    marks = [CID, "สมชาย", "somchai", secret, "secret-session", "evil-agent"]
    await client.get(f"Patient/{CID}?name=สมชาย&identifier={CID}", headers={"User-Agent": "evil-agent"})
    await client.get(f"Patient/{CID}%zz")
    await client.put(f"Patient/{CID}", b'{"resourceType":"Patient","name":"somchai"}', headers={"X-Request-Id": CID})
    await client.search("Patient", {"name": "somchai"})
    await client.get(f"http://127.0.0.1:{shell.port}/{CID}", headers={"Cookie": "onecard_session=secret-session"})
    await shell.client.get(f"Patient/{CID}", headers={"Authorization": f"Bearer {CID}"})
    await shell.raw(f"PRO{CID} /fhir/{CID} HTTP/1.1\r\nHost: {CID}\r\nConnection: close\r\n\r\n".encode())
    await shell.raw(f"nonsense {CID}\r\n\r\n".encode())
    await shell.log.close()
    text = file.read_text("utf-8") + capfd.readouterr().err
    for mark in marks:
        assert mark not in text
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(rows) >= 6
    assert set(rows[0]) == {"time", "request", "route", "method", "status", "ms", "bytes", "by"}
    assert (rows[0]["route"], rows[0]["method"], rows[0]["status"], rows[0]["by"]) == ("read", "GET", 200, "his-11111")
    assert rows[0]["bytes"] > len(PATIENT)
    assert len({row["request"] for row in rows}) == len(rows)
    assert file.stat().st_mode & 0o077 in (0, 0o040)


async def test_the_request_id_of_the_log_is_that_of_the_answer(start_shell: StartShell, tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    shell = await start_shell(request_log=str(file))
    answer = await shell.client.get("Patient/1")
    await shell.log.close()
    assert json.loads(file.read_text())["request"] == answer.headers["X-Request-Id"]


async def test_a_rotated_log_goes_on_in_the_new_file(tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    log = RequestLog(str(file), Metrics())
    log.record("r1", "read", "GET", 200, 0.001, 10, "a")
    await asyncio.sleep(0.4)
    file.rename(tmp_path / "old.log")
    log.reopen()
    log.record("r2", "read", "GET", 200, 0.001, 10, "a")
    await log.close()
    assert "r1" in (tmp_path / "old.log").read_text()
    assert "r2" in file.read_text()


async def test_a_reader_that_has_stopped_stops_nobody(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    metrics = Metrics()
    log = RequestLog(str(fifo), metrics)
    async with asyncio.timeout(5):
        for _ in range(5):
            for _ in range(MAX_WAITING // 2):
                log.record("r", "read", "GET", 200, 0.001, 10, "a" * 100)
            await asyncio.sleep(0.25)
    dropped = [line for line in metrics.exposition({}, {}).decode().splitlines() if "dropped_total " in line]
    assert int(dropped[-1].split()[1]) > 0
    os.close(reader)  # ends the write that hangs
    await log.close()


async def test_the_log_can_be_off() -> None:
    log = RequestLog("off", Metrics())
    log.record("r", "read", "GET", 200, 0.001, 10, "a")
    assert not log.on
    await log.close()
