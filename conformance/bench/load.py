"""A lean closed-loop HTTP/1.1 load generator: plain sockets and epoll, about a quarter of the cost of an HTTP library.

Its own CPU is part of every result, because it shares the machine with the server it measures.
"""

from __future__ import annotations

import math
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

HEADER_END = b"\r\n\r\n"


@dataclass(slots=True)
class Result:
    """One workload against one server."""

    name: str
    requests: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Seconds from sending to the whole answer, one per request."""
    generator_cpu: float = 0.0
    """CPU seconds of this process."""
    bytes_read: int = 0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Latency in milliseconds that `share` (0..1) of the requests stay within."""
        if not self.latencies:
            return math.nan
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def failures(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 400)


@dataclass(frozen=True, slots=True)
class Target:
    """A server by URL: where to connect and what every request carries."""

    host: str
    port: int
    path: str
    """Of the FHIR base, without a trailing slash."""
    token: str | None = None

    def request(self, method: str, path: str, body: bytes | None = None, media_type: str | None = None) -> bytes:
        """The bytes of one keep-alive request; `path` below the base, already percent-encoded."""
        lines = [f"{method} {self.path}{path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines.append("Accept: application/fhir+json")
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if body is not None:
            lines.append(f"Content-Type: {media_type or 'application/fhir+json'}")
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


class _Connection:
    __slots__ = ("expected", "pending", "received", "sent_at", "socket")

    def __init__(self, target: Target) -> None:
        self.socket = socket.create_connection((target.host, target.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.expected = -1
        self.sent_at = 0.0
        self.pending = b""

    def send(self, data: bytes) -> None:
        self.received, self.expected = b"", -1
        self.sent_at = time.perf_counter()
        # Requests are smaller than the socket buffer but for large bundles: those block here, which costs only us.
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Read what is there; True once the answer is whole."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise ConnectionError("the server closed the connection in the middle of an answer")
        self.received = self.received + chunk if self.received else chunk
        if self.expected < 0:
            end = self.received.find(HEADER_END)
            if end < 0:
                return False
            self.expected = _answer_length(self.received, end)
        if self.expected == 0:  # chunked
            return self.received.endswith(b"0\r\n\r\n")
        return len(self.received) >= self.expected


def _answer_length(data: bytes, end: int) -> int:
    """Bytes of the whole answer, 0 if it comes in chunks."""
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        stop = head.find(b"\r\n", at + 2)
        return end + 4 + int(head[at + 17 : stop if stop > 0 else end])
    if head.find(b"\r\ntransfer-encoding: chunked") >= 0:
        return 0
    return end + 4


def run(
    name: str,
    target: Target,
    next_request: Callable[[], bytes | None],
    *,
    connections: int,
    seconds: float,
    seen: Callable[[int, bytes], None] | None = None,
) -> Result:
    """Keep `connections` requests in flight for `seconds`, or until `next_request` gives None.

    seen(status, whole answer) is called for every answer. Raises: ConnectionError.
    """
    result = Result(name)
    poll = select.epoll()
    lines = [_Connection(target) for _ in range(connections)]
    by_number = {line.socket.fileno(): line for line in lines}
    cpu, started = time.process_time(), time.perf_counter()
    deadline = started + seconds
    busy = 0
    for number, line in by_number.items():
        poll.register(number, select.EPOLLIN)
        if (data := next_request()) is not None:
            line.send(data)
            busy += 1
    while busy:
        for number, _ in poll.poll(10):
            line = by_number[number]
            if not line.receive():
                continue
            now = time.perf_counter()
            status = int(line.received[9:12])
            result.statuses[status] += 1
            result.latencies.append(now - line.sent_at)
            result.bytes_read += len(line.received)
            if seen is not None:
                seen(status, line.received)
            data = next_request() if now < deadline else None
            if data is None:
                busy -= 1
            else:
                line.send(data)
    result.seconds = time.perf_counter() - started
    result.requests = len(result.latencies)
    result.generator_cpu = time.process_time() - cpu
    for line in lines:
        line.socket.close()
    poll.close()
    return result
