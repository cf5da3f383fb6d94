"""The embedded store over HTTP: a long write holds no reader up; a full disk is answered, and work goes on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from server.context import Context
from server.store.embedded import EmbeddedStore
from tests.cli.serving import onecard
from tests.serving import Answer, Client, Clock, Ids, Running, run_server


def patient(id: str, note: str = "") -> dict[str, object]:
    return {"resourceType": "Patient", "id": id, "active": True, "name": [{"text": note or "x"}]}


async def test_readers_never_wait_for_a_writer(fhir: Client, tmp_path: Path) -> None:
    """While a write transaction is held open, reads, searches and histories are answered; the write behind it waits."""
    assert (await fhir.put("Patient/p", patient("p"))).status == 201
    holding = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(tmp_path / "onecard.db"), stdin=PIPE, stdout=PIPE
    )
    assert holding.stdout is not None
    assert await holding.stdout.readline() == b"held\n"
    try:
        writing = asyncio.ensure_future(fhir.put("Patient/p", patient("p", "new")))
        await asyncio.sleep(0.2)
        for _ in range(20):
            for path in ("Patient/p", "Patient?active=true", "Patient/p/_history"):
                assert (await fhir.get(path)).status == 200
        assert not writing.done()
    finally:
        await holding.communicate(b"\n")
    assert (await writing).headers["ETag"] == 'W/"2"'


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
connection.close()
"""
"""A process of its own: two SQLite libraries in one process would not see each other's locks."""


def refused(answer: Answer) -> None:
    assert answer.status in (503, 507), (answer.status, answer.body)
    assert answer.json["resourceType"] == "OperationOutcome"
    assert answer.json["issue"][0]["severity"] in ("error", "fatal")


def make_read_only(ctx: Context, value: str) -> None:
    """The writer's connection refuses to write, as on a disk that has become read-only; it is idle now."""
    assert isinstance(ctx.store, EmbeddedStore)
    ctx.store._written_by.execute(f"PRAGMA query_only = {value}").fetchall()


WRITES: tuple[Callable[[Client], Awaitable[Answer]], ...] = (
    lambda fhir: fhir.post("Patient", {"resourceType": "Patient"}),
    lambda fhir: fhir.put("Patient/p", patient("p", "changed")),
    lambda fhir: fhir.patch("Patient/p", b'{"active":false}', headers={"Content-Type": "application/merge-patch+json"}),
    lambda fhir: fhir.delete("Patient/p"),
    lambda fhir: fhir.post(
        "",
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [{"resource": patient("q"), "request": {"method": "PUT", "url": "Patient/q"}}],
        },
    ),
)


async def test_a_read_only_database_answers_every_write_with_an_outcome_and_reads_go_on(
    server: Running, fhir: Client
) -> None:
    await fhir.put("Patient/p", patient("p"))
    make_read_only(server.ctx, "ON")
    for write in WRITES:
        refused(await write(fhir))
        assert (await fhir.get("Patient/p")).json["active"] is True
    assert (await fhir.get("Patient/q")).status == 404
    make_read_only(server.ctx, "OFF")
    for write in WRITES:
        assert (await write(fhir)).status in (200, 201, 204)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a failed test may still have files open


async def test_a_full_disk_is_answered_with_507_and_writes_go_on_when_there_is_room_again(
    small_disk: Path, start: Callable[..., Awaitable[Running]]
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 2_000_000)
    fhir = (await start(store=f"sqlite:///{small_disk}/onecard.db")).client
    stored, answer = 0, None
    for n in range(500):
        answer = await fhir.put(f"Patient/p{n}", patient(f"p{n}", os.urandom(20_000).hex()))
        if answer.status != 201:
            break
        stored += 1
    assert answer is not None
    assert answer.status == 507
    refused(answer)
    assert [(await fhir.get(f"Patient/p{n}")).status for n in range(stored + 1)] == [200] * stored + [404]
    assert (await fhir.get("Patient?_summary=count")).json["total"] == stored
    ballast.unlink()
    assert (await fhir.put("Patient/after", patient("after", os.urandom(20_000).hex()))).status == 201
    assert (await fhir.get("Patient/after")).status == 200


async def test_a_read_only_disk_refuses_the_start_with_the_reason(small_disk: Path) -> None:
    store = f"sqlite:///{small_disk}/onecard.db"
    running = await run_server(clock=Clock(), ids=Ids(), store=store, data_folder=str(small_disk), open=True)
    await running.stop()
    remounting = await asyncio.create_subprocess_exec("mount", "-o", "remount,ro", str(small_disk))
    assert await remounting.wait() == 0
    ended = await asyncio.to_thread(onecard, "serve", "--open", "--port", "0", "--store", store, cwd=small_disk.parent)
    assert ended.returncode == 2
    assert "ead-only" in ended.stderr
    assert "Traceback" not in ended.stderr
