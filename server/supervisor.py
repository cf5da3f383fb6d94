"""Several workers that share one port: the parent starts them, starts a dead one again, passes signals on.

The parent opens the sockets and the shared memory of the metrics, then forks; it never runs an event loop and never
opens a store, so nothing that must not be shared exists at a fork. A worker's socket stays open in the parent: what
waits in its queue while it is started again is answered afterwards.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.config import Settings
from server.observability import failures
from server.observability.metrics import Metrics, shared
from server.worker import FAILED, OK, REFUSED, Place, run_worker

GRACE_SECONDS = 5.0
"""How much longer than shutdown-timeout a worker may take to end before it is killed."""
SHORT_LIFE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 5.0

_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGCHLD")


@dataclass(slots=True)
class Slot:
    """One worker's place; the process in it changes."""

    index: int
    pid: int = 0
    started: float = 0.0
    pause: float = 0.0
    """Seconds to wait before the next start: grows while the worker dies young."""
    due: float = 0.0


class Supervisor:
    def __init__(self, settings: Settings, sockets: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._memory = shared(settings.workers)
        self._slots = [Slot(index) for index in range(settings.workers)]
        self._stopping = False
        self._answered = False
        """Whether a worker ever did: then one that cannot start is tried again."""
        self._code = OK
        self._alive = os.pipe()
        self._wakeup = os.pipe()

    def run(self, ready: Callable[[], None]) -> int:
        """Until a signal ends it; `ready` is called when the workers answer. Gives the exit code."""
        self._catch_signals()
        # What all workers are made of is read once, here; nothing of it opens a store or runs a loop.
        importlib.import_module("server.app")
        # The first one makes the store and the sample; the others come when it answers.
        if not self._start(self._slots[0]):
            return self._code
        for slot in self._slots[1:]:
            self._start(slot)
        if not self._stopping:
            ready()
        while any(slot.pid or not self._stopping for slot in self._slots):
            self._wait()
        return self._code

    # ------------------------------------------------------------ starting

    def _start(self, slot: Slot) -> bool:
        """Whether the worker answers now; waits for it."""
        ready = os.pipe()
        numbers = [getattr(signal, name) for name in _SIGNALS]
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        slot.started = time.monotonic()
        slot.pid = os.fork()
        if slot.pid == 0:
            os._exit(self._be_worker(slot, ready, numbers))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        os.close(ready[1])
        answered = os.read(ready[0], 1) == b"1"
        os.close(ready[0])
        self._answered |= answered
        if not answered:
            self._buried(slot, os.waitpid(slot.pid, 0)[1])
        return answered

    def _be_worker(self, slot: Slot, ready: tuple[int, int], numbers: Sequence[int]) -> int:
        try:
            signal.set_wakeup_fd(-1)
            for number in numbers:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
            for unused in (ready[0], self._alive[1], *self._wakeup):
                os.close(unused)
            own = self._sockets[slot.index]
            for other in self._sockets:
                if other is not own:
                    other.close()
            place = Place(Metrics(self._memory, slot.index), slot.index == 0, self._alive[0])
            code = run_worker(self._settings, [own], place, lambda: _tell(ready[1]))
        except BaseException as error:
            failures.record(error)
            code = FAILED
        sys.stdout.flush()
        sys.stderr.flush()
        return code

    # ------------------------------------------------------------ watching

    def _catch_signals(self) -> None:
        for end in self._wakeup:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakeup[1])
        for name in _SIGNALS:
            signal.signal(getattr(signal, name), lambda *_: None)

    def _wait(self) -> None:
        """For a signal or for the next start that is due."""
        now = time.monotonic()
        waits = [slot.due - now for slot in self._slots if slot.due]
        readable, _, _ = select.select([self._wakeup[0]], [], [], max(0.0, min(waits)) if waits else None)
        received = set(os.read(self._wakeup[0], 512)) if readable else set()
        if received & {signal.SIGTERM, signal.SIGINT}:
            self._stop()
        if signal.SIGHUP in received:
            self._send(signal.SIGHUP)
        self._bury_dead()
        for slot in self._slots:
            if slot.due and slot.due <= time.monotonic():
                slot.due = 0.0
                if self._stopping:
                    self._kill(slot)
                else:
                    self._start(slot)

    def _bury_dead(self) -> None:
        for slot in self._slots:
            if slot.pid:
                pid, status = os.waitpid(slot.pid, os.WNOHANG)
                if pid:
                    self._buried(slot, status)

    def _buried(self, slot: Slot, status: int) -> None:
        pid, slot.pid = slot.pid, 0
        code = os.waitstatus_to_exitcode(status)
        if self._stopping:
            slot.due = 0.0
            self._code = self._code or max(code, 0)
            return
        if code == REFUSED or not self._answered:
            # An end by SIGTERM or SIGINT was asked for, by whoever asked the parent too; any other signal is a failure.
            self._code = code if code >= 0 else OK if -code in (signal.SIGTERM, signal.SIGINT) else FAILED
            if code < 0 and self._code == FAILED:
                sys.stderr.write(f"onecard: worker {pid} was ended by signal {-code} before it answered\n")
            self._stop()
            return
        young = time.monotonic() - slot.started < SHORT_LIFE_SECONDS
        slot.pause = min(LONGEST_PAUSE_SECONDS, slot.pause * 2 or 0.1) if young else 0.0
        slot.due = time.monotonic() + slot.pause
        sys.stderr.write(f"onecard: worker {pid} ended ({code}); another one is started\n")

    # ------------------------------------------------------------ stopping

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        for opened in self._sockets:
            opened.close()  # nothing may queue where nobody will answer
        self._send(signal.SIGTERM)
        last = time.monotonic() + self._settings.shutdown_timeout + GRACE_SECONDS
        for slot in self._slots:
            slot.due = last if slot.pid else 0.0

    def _send(self, number: int) -> None:
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, number)

    def _kill(self, slot: Slot) -> None:
        if slot.pid:
            os.kill(slot.pid, signal.SIGKILL)
            self._buried(slot, os.waitpid(slot.pid, 0)[1])


def _tell(pipe: int) -> None:
    os.write(pipe, b"1")
    os.close(pipe)
