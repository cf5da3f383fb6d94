"""One process that writes for all workers of a server, so that their groups become one.

Alone, each worker's writer waits for the gate, for its own event loop's turns of the interpreter, and for a disk
flush of a group half as large. This process has no event loop and no definitions: it takes commits whose rows are
made (handover.py), writes what has come by then as one group, and answers. Whatever it cannot take, and everything
while it is away, the workers write themselves, at the same gate. What that gives: docs/performance.md
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from server.context import now_ms
from server.store.bodies import Bodies
from server.store.embedded.checkpoint import Checkpointer
from server.store.embedded.driver import Connection, connect
from server.store.embedded.handover import Plain, Unframing, commit_in, framed, outcome_out
from server.store.embedded.lock import Gate
from server.store.embedded.rows import Builder, Parameters
from server.store.embedded.symbols import Allocation, Symbols
from server.store.embedded.transaction import Transaction
from server.store.embedded.writer import Groups, Waiting

_RECEIVED = 1 << 18

CROWD = 4
"""Commits of a group from which on the next one is waited for: a single client never waits."""
WAIT_SECONDS = 0.001
ENOUGH = 0.7
"""Share of the usual group that is worth beginning with. Clients that were answered together come again one by one;
without the wait the first of them would be a group of its own."""


class Worker:
    """One worker's connection."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self._unframing = Unframing()
        self.outgoing = b""

    def receive(self) -> list[tuple[int, Plain]] | None:
        """Numbered commits that have come; None when the worker is gone."""
        try:
            data = self.socket.recv(_RECEIVED)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        return [one for several in self._unframing.feed(data) for one in several]

    def send(self) -> None:
        """As much as goes now. Raises: OSError when the worker is gone."""
        with suppress(BlockingIOError):
            self.outgoing = self.outgoing[self.socket.send(self.outgoing) :]


class Central:
    def __init__(self, path: Path, listening: socket.socket, clock: Callable[[], int] = now_ms) -> None:
        """path: of a store that is made already."""
        self._clock = clock
        self._connection = connect(path, cache=32)
        self._gate = Gate(path.with_name(path.name + ".lock"))
        self._symbols = Symbols()
        self._parameters = Parameters(lambda type, code: None)
        self._bodies = Bodies(dict(self._connection.execute("SELECT n, data FROM dict")))
        self._epoch = ""
        self._checkpointer = Checkpointer(path, self._connection)
        between = self._checkpointer.between_groups
        self._groups = Groups(self._connection, self._gate, self._begin, self._committed, between)
        self._selector = selectors.DefaultSelector()
        listening.setblocking(False)
        self._listening = listening
        self._selector.register(listening, selectors.EVENT_READ)
        self._workers: dict[socket.socket, Worker] = {}
        self._stopping = False
        self._usual = 0.0
        """Size of the groups of late."""

    def _begin(self, connection: Connection) -> Transaction:
        allocation = Allocation(connection, self._symbols)
        return Transaction(
            connection, allocation, Builder(allocation, self._parameters), self._bodies, self._clock, lambda asked: []
        )

    def _committed(self, transaction: Transaction) -> None:
        if transaction.epoch != self._epoch:
            self._symbols.clear()
            self._epoch = transaction.epoch
        transaction.allocation.publish()

    def run(self, wakeup: int, parent: int) -> bool:
        """Until it is told to stop (wakeup: a pipe that signals write to) or, its parent gone, no worker is left.

        parent: a pipe that closes when the parent ends. Gives whether it has ended.
        """
        self._selector.register(wakeup, selectors.EVENT_READ)
        self._selector.register(parent, selectors.EVENT_READ)
        orphan = False
        while not self._stopping and not (orphan and not self._workers):
            group: list[Waiting] = []
            for key, events in self._selector.select():
                if key.fileobj is self._listening:
                    self._accept()
                elif key.fileobj == wakeup:
                    self._stopping = signal.SIGTERM in os.read(wakeup, 512)
                elif key.fileobj == parent:
                    orphan = True
                    self._selector.unregister(parent)
                else:
                    self._serve(self._workers[key.fileobj], events, group)  # type: ignore[index]
            if group:
                self._write(group)
        self._close()
        return orphan

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            opened, _ = self._listening.accept()
            opened.setblocking(False)
            worker = self._workers[opened] = Worker(opened)
            self._selector.register(opened, selectors.EVENT_READ)
            worker.outgoing = framed([])  # the greeting: from now on it may send
            self._send(worker)

    def _serve(self, worker: Worker, events: int, group: list[Waiting]) -> None:
        if events & selectors.EVENT_WRITE:
            self._send(worker)
        if events & selectors.EVENT_READ:
            self._take(worker, group)

    def _take(self, worker: Worker, group: list[Waiting]) -> None:
        found = worker.receive()
        if found is None:
            self._drop(worker)
            return
        for number, plain in found:
            commit, ahead = commit_in(plain)
            group.append(Waiting(commit, ahead, (worker, number)))

    def _gather(self, group: list[Waiting]) -> None:
        for worker in list(self._workers.values()):
            self._take(worker, group)

    def _wait_for_others(self, group: list[Waiting]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while self._usual > CROWD and len(group) < self._usual * ENOUGH and (left := end - time.monotonic()) > 0:
            self._selector.select(left)
            self._gather(group)

    def _write(self, group: list[Waiting]) -> None:
        self._wait_for_others(group)
        answers: dict[Worker, list[tuple[int, Plain]]] = {}
        for outcome in self._groups.write(group, self._gather):
            worker, number = outcome.waiting.asked_by
            plain = outcome_out(outcome.waiting.work, outcome.result, outcome.error)  # type: ignore[arg-type]
            answers.setdefault(worker, []).append((number, plain))
        self._usual = max(len(group), self._usual * ENOUGH)
        for worker, several in answers.items():
            worker.outgoing += framed(several)
            self._send(worker)

    def _send(self, worker: Worker) -> None:
        if worker.socket not in self._workers:
            return
        try:
            worker.send()
        except OSError:
            self._drop(worker)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.outgoing else 0)
        self._selector.modify(worker.socket, wanted)

    def _drop(self, worker: Worker) -> None:
        if self._workers.pop(worker.socket, None) is not None:
            self._selector.unregister(worker.socket)
            worker.socket.close()

    def _close(self) -> None:
        for worker in list(self._workers.values()):
            self._drop(worker)
        self._selector.close()
        self._checkpointer.close()
        self._connection.close()
        self._gate.close()
