"""A lean closed-loop HTTP/1.1 load generator: plain sockets and epoll, about a quarter of the cost of an HTTP library.

Each connection follows a script, a generator that yields a Call and is sent the Answer to it: a client that creates,
reads what it created, and deletes it is written as such. Its own CPU is part of every result, because it shares the
machine with the server it measures.
"""

from __future__ import annotations

import itertools
import math
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

HEADER_END = b"\r\n\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"
GIVE_UP = 20
"""Broken connections in a row after which the server is not asked any more."""


class Call(NamedTuple):
    """One request of a script."""

    data: bytes
    label: str = ""
    """Latencies are kept by label."""
    units: int = 1
    """Resources that it carries, for loads and transactions."""
    leads: bool = False
    """Its time counts with the next call's: a client that must read before it can update is timed as one."""
    expected: tuple[int, ...] = ()
    """Statuses from 400 on that are right here."""


class Answer(NamedTuple):
    status: int
    """0 if the connection broke before the answer was whole."""
    data: bytes
    """Head and body."""

    @property
    def body(self) -> bytes:
        """Not of an answer in chunks."""
        return self.data[self.data.find(HEADER_END) + 4 :]


Script = Generator[Call, Answer, None]


@dataclass(slots=True)
class Result:
    """One workload against one server."""

    name: str
    seconds: float = 0.0
    units: int = 0
    """Of the calls that were answered below 400."""
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    """Label -> seconds from sending to the whole answer, one per timed call."""
    refused: Counter[str] = field(default_factory=Counter)
    """By label: answers 4xx and 501, which say what the server does not do."""
    failed: Counter[str] = field(default_factory=Counter)
    """By label: other answers 5xx and broken connections."""
    complaint: str = ""
    """Status and beginning of the first answer that failed."""
    generator_cpu: float = 0.0
    """CPU seconds of this process."""
    bytes_read: int = 0

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def percentile(self, share: float, label: str | None = None) -> float:
        """Latency in milliseconds that `share` (0..1) of the calls stay within; of one label or of all."""
        if label is None:
            ordered = sorted(itertools.chain.from_iterable(self.latencies.values()))
        else:
            ordered = sorted(self.latencies.get(label, ()))
        if not ordered:
            return math.nan
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def note(self, call: Call, answer: Answer, seconds: float) -> None:
        self.statuses[answer.status] += 1
        self.bytes_read += len(answer.data)
        if 0 < answer.status < 400:
            self.units += call.units
        elif answer.status not in call.expected:
            refused = 400 <= answer.status < 500 or answer.status == 501
            (self.refused if refused else self.failed)[call.label] += 1
            if not refused and not self.complaint:
                self.complaint = f"{answer.status} {answer.body[:400].decode(errors='replace')}".strip()
        if not call.leads:
            self.latencies.setdefault(call.label, []).append(seconds)


@dataclass(frozen=True, slots=True)
class Target:
    """A server by URL: where to connect and what every request carries."""

    host: str
    port: int
    path: str
    """Of the FHIR base, without a trailing slash."""
    token: str | None = None
    headers: tuple[str, ...] = ()
    """Further lines `Name: value`."""

    def request(self, method: str, path: str, body: bytes | None = None, media_type: str | None = None) -> bytes:
        """The bytes of one keep-alive request; `path` below the base, already percent-encoded."""
        lines = [f"{method} {self.path}{path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines.append("Accept: application/fhir+json")
        lines += self.headers
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if body is not None:
            lines.append(f"Content-Type: {media_type or 'application/fhir+json'}")
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


class _Connection:
    __slots__ = ("began", "call", "expected", "received", "script", "socket", "target")

    def __init__(self, target: Target, script: Script) -> None:
        self.target = target
        self.script = script
        self.call = Call(b"")
        self.began = 0.0
        self.connect()

    def connect(self) -> None:
        self.received, self.expected = b"", -1
        self.socket = socket.create_connection((self.target.host, self.target.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, call: Call) -> None:
        if not self.call.leads:
            self.began = time.perf_counter()
        self.call = call
        self.received, self.expected = b"", -1
        # Requests are smaller than the socket buffer but for large bundles: those block here, which costs only us.
        self.socket.sendall(call.data)

    def receive(self) -> bool:
        """Read what is there; True once the answer is whole.   Raises: ConnectionError."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise ConnectionError("the server closed the connection before the answer was whole")
        self.received = self.received + chunk if self.received else chunk
        if self.expected < 0:
            end = self.received.find(HEADER_END)
            if end < 0:
                return False
            self.expected = answer_length(self.received, end)
        if self.expected == 0:  # chunked
            return self.received.endswith(LAST_CHUNK)
        return len(self.received) >= self.expected


def answer_length(data: bytes, end: int) -> int:
    """Bytes of the whole answer whose head ends at `end`; 0 if it comes in chunks."""
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        stop = head.find(b"\r\n", at + 2)
        return end + 4 + int(head[at + 17 : stop if stop > 0 else end])
    if head.find(b"\r\ntransfer-encoding: chunked") >= 0:
        return 0
    return end + 4


def repeating(requests: Iterable[bytes], *, units: int = 1) -> Callable[[], Script]:
    """Scripts that send these requests, all connections together, over and over."""
    calls = itertools.cycle([Call(data, units=units) for data in requests])

    def script() -> Script:
        for call in calls:  # noqa: UP028 - what is sent in is for this generator, an iterator cannot take it
            yield call

    return script


def once(calls: Iterable[Call], seen: Callable[[Answer], None] | None = None) -> Callable[[], Script]:
    """Scripts that send these calls, all connections together, and end; `seen` is given every answer."""
    shared = iter(calls)

    def script() -> Script:
        for call in shared:
            answer = yield call
            if seen is not None:
                seen(answer)

    return script


def run(name: str, target: Target, script: Callable[[], Script], *, connections: int, seconds: float) -> Result:
    """Let `connections` clients follow a script each for `seconds`, or until all scripts have ended.

    Raises: ConnectionError (nothing can be sent, or GIVE_UP answers in a row broke off).
    """
    result = Result(name)
    with closing(_Clients(target, script, connections)) as clients:
        cpu, began = time.process_time(), time.perf_counter()
        clients.follow(result, began + seconds)
        result.seconds = time.perf_counter() - began
        result.generator_cpu = time.process_time() - cpu
    return result


class _Clients:
    """All connections of a run, in one thread."""

    def __init__(self, target: Target, script: Callable[[], Script], connections: int) -> None:
        self._poll = select.epoll()
        self._clients = [_Connection(target, script()) for _ in range(connections)]
        self._by_number: dict[int, _Connection] = {}
        self._broken = 0
        for client in self._clients:
            self._watch(client)

    def _watch(self, client: _Connection) -> None:
        self._poll.register(client.socket.fileno(), select.EPOLLIN)
        self._by_number[client.socket.fileno()] = client

    def follow(self, result: Result, deadline: float) -> None:
        busy = 0
        for client in self._clients:
            if (call := next(client.script, None)) is not None:
                client.send(call)
                busy += 1
        while busy:
            for number, _ in self._poll.poll(10):
                client = self._by_number[number]
                answer = self._received(client)
                if answer is None:
                    continue
                now = time.perf_counter()
                result.note(client.call, answer, now - client.began)
                if not answer.status or b"\r\nconnection: close" in answer.data[:1000].lower():
                    self._poll.unregister(number)
                    client.socket.close()
                    client.connect()
                    self._watch(client)
                if now >= deadline and not client.call.leads:
                    busy -= 1
                    continue
                try:
                    client.send(client.script.send(answer))
                except StopIteration:
                    busy -= 1

    def _received(self, client: _Connection) -> Answer | None:
        """None while the answer is not whole."""
        try:
            if not client.receive():
                return None
        except ConnectionError:
            self._broken += 1
            if self._broken >= GIVE_UP:
                raise
            return Answer(0, client.received)
        self._broken = 0
        return Answer(int(client.received[9:12]), client.received)

    def close(self) -> None:
        for client in self._clients:
            client.script.close()
            client.socket.close()
        self._poll.close()
