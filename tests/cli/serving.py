"""`onecard serve` as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ONECARD = [sys.executable, "-c", "import sys; from server.cli import main; sys.exit(main())"]
START_SECONDS = 60.0
SAMPLE_SECONDS = 240.0
"""Generous: the machine may be busy. Timing decides no test."""


def onecard(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, detached: bool = False, told: str | None = None
) -> subprocess.CompletedProcess[str]:
    """detached: without a terminal, as a scheduled job runs; told: what it reads from standard input."""
    return subprocess.run(
        [*ONECARD, *arguments],
        cwd=cwd,
        env=_environment(env),
        input=told,
        **({} if told is not None else {"stdin": subprocess.DEVNULL if detached else None}),
        start_new_session=detached,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ONECARD_")}
    root = str(Path(__file__).parent.parent.parent)
    return kept | {"PYTHONPATH": root} | dict(more or {})


@dataclass
class Served:
    process: subprocess.Popen[str]
    port: int = 0
    lines: list[str] = field(default_factory=list)
    """What it has printed on standard output."""

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            self.lines.extend(stdout)

    def printed(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first line that this is found in; waits for it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found
            assert not ended, f"onecard ended with {self.process.returncode}: {self.lines}"
            time.sleep(0.02)
        raise AssertionError(f"{pattern!r} was not printed: {self.lines}")

    def end(self) -> None:
        """However it stands: it is gone afterwards."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """(status, body, headers) on a connection of its own."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            names.setdefault("Content-Type", "application/fhir+json")
        request = urllib.request.Request(self.url + path, body, names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    def workers(self) -> set[int]:
        """Process ids of the workers that have counted anything, as /metrics tells."""
        text = self.request("/metrics")[1].decode()
        return {int(pid) for pid in re.findall(r'process_cpu_seconds_total\{pid="(\d+)"\}', text)}

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)


def starting(
    cwd: Path, *arguments: str, env: Mapping[str, str] | None = None, log: IO[str] | int | None = None
) -> subprocess.Popen[str]:
    """A server that may not listen yet; standard error goes to `log`."""
    return subprocess.Popen(
        [*ONECARD, "serve", "--port", "0", *arguments],
        cwd=cwd,
        env=_environment(env),
        stdout=subprocess.PIPE,
        stderr=log or subprocess.DEVNULL,
        text=True,
    )


def serve(cwd: Path, *arguments: str, env: Mapping[str, str] | None = None, log: IO[str] | None = None) -> Served:
    """A server that has said that it listens; standard error goes to `log`."""
    served = Served(starting(cwd, *arguments, env=env, log=log))
    try:
        served.port = int(served.printed(r"listens at https?://\S+?:(\d+)/", START_SECONDS)[1])
    except AssertionError:
        served.end()
        raise
    return served


def slow_body(served: Served, body: bytes, token: str = "") -> socket.socket:
    """A PUT whose last byte is missing: it is in flight until the caller sends it."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"PUT /fhir/Patient/slow HTTP/1.1\r\nHost: localhost\r\n{authorization}"
        f"Content-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body[:-1])
    return connection


PATIENT = json.dumps({"resourceType": "Patient", "id": "slow", "active": True}).encode()
