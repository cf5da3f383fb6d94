"""Starting and watching a server process and its children: CPU, memory, disk."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PINS = hasattr(os, "sched_setaffinity")
CORES = os.sched_getaffinity(0) if PINS else set(range(os.cpu_count() or 1))
"""All that this process was given at its start."""


@dataclass(frozen=True, slots=True)
class Usage:
    cpu: float
    """CPU seconds so far, children included."""
    memory: int
    """Resident bytes, summed over the processes."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += family(int(child))
        except OSError:
            continue  # ended meanwhile
    return found


def usage(pid: int) -> Usage:
    cpu, memory = 0.0, 0
    for number in family(pid):
        try:
            fields = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        cpu += (int(fields[11]) + int(fields[12])) / TICK
        memory += int(fields[21]) * PAGE
    return Usage(cpu, memory)


def disk(path: Path) -> int:
    """Bytes allocated on disk below a file or folder (for a database file: with its -wal and -shm)."""
    files = path.rglob("*") if path.is_dir() else path.parent.glob(path.name + "*")
    return sum(f.stat().st_blocks * 512 for f in files if f.is_file())


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """This process, and what it starts meanwhile, on this core; None: on all."""
    if not PINS:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(arguments: Sequence[str], ready_url: str, *, core: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A running process that answers `ready_url`; ended by its process id afterwards.

    core: pin it to this CPU core, so that the generator has the other one; else it has them all.
    """

    def pin() -> None:
        if PINS:
            os.sched_setaffinity(0, CORES if core is None else {core})

    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL, preexec_fn=pin)
    try:
        wait_for(ready_url, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_CONTROL = Path("/sys/fs/cgroup")
_SLICE_US = 1000
"""Of its core that a process gets at a time: the least that can be asked for."""


@contextmanager
def rationed(pids: Sequence[int], share: float, control: Path = _CONTROL) -> Iterator[None]:
    """Each of these processes gets at most this share (0..1) of a core, in slices of a millisecond.

    Through control groups, of either version, so as root only. Raises: OSError where they cannot be written.
    https://docs.kernel.org/scheduler/sched-bwc.html, https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    unified = (control / "cgroup.controllers").exists()
    if unified:
        (control / "cgroup.subtree_control").write_text("+cpu")
    root = control if unified else control / "cpu"
    period = round(_SLICE_US / share)
    groups = []
    try:
        for pid in pids:
            groups.append(root / f"onecard-bench-{pid}")
            groups[-1].mkdir()
            if unified:
                (groups[-1] / "cpu.max").write_text(f"{_SLICE_US} {period}")
            else:
                (groups[-1] / "cpu.cfs_period_us").write_text(str(period))
                (groups[-1] / "cpu.cfs_quota_us").write_text(str(_SLICE_US))
            (groups[-1] / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for group in groups:
            with suppress(OSError):  # of a process that has ended it is empty
                for inside in (group / "cgroup.procs").read_text().split():
                    (root / "cgroup.procs").write_text(inside)
                group.rmdir()


def wait_for(url: str, process: subprocess.Popen[bytes], *, seconds: float = 120) -> float:
    """Seconds until the URL answered. Raises: RuntimeError if the process ends or time runs out."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return time.perf_counter() - began
        except OSError as error:
            if hasattr(error, "code"):
                return time.perf_counter() - began  # it answered, be it with an error
            time.sleep(0.01)
    raise RuntimeError(f"no answer from {url} within {seconds} s")
