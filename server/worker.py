"""One serving process, from its sockets to its last answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.config import SettingRefused, Settings
from server.context import Context
from server.listener import Listener
from server.observability import failures
from server.observability.metrics import Metrics
from server.store.contract import StoreError, StoreUnavailable
from server.tls import Certificate

OK, FAILED, REFUSED = 0, 1, 2
"""Exit codes: REFUSED is for what starting again cannot mend (a setting, a store of another kind)."""


YOUNG = 20_000
"""Objects made between two looks of the garbage collector. What a transaction makes lives until it is answered and has
hardly a cycle; at Python's 700 the collector looks at it again and again, an eighth of the time of a write."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker stands among the others."""

    metrics: Metrics
    first: bool = True
    """Does what is done once: the sample."""
    parent: int = -1
    """End of a pipe that closes when the parent is gone; -1 without a parent."""


def run_worker(settings: Settings, sockets: Sequence[socket.socket], place: Place, ready: Callable[[], None]) -> int:
    """Serves until a signal ends it; `ready` is called when it answers. Gives the exit code."""
    _raise_file_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            return runner.run(_serve(settings, sockets, place, ready))
        except (SettingRefused, StoreError) as error:
            sys.stderr.write(f"onecard: {error}\n")
            # A cluster without a primary has one again in a moment: whoever started this may start it again.
            return FAILED if isinstance(error, StoreUnavailable) else REFUSED


def _raise_file_limit() -> None:
    """A connection is a file descriptor, and the usual soft limit of 1024 is soon reached."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65536), hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: it answers a fifth more requests. None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, sockets: Sequence[socket.socket], place: Place, ready: Callable[[], None]) -> int:
    from server.app import build
    from server.warming import warm

    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(_unhandled)
    certificate = Certificate(settings.tls_cert, settings.tls_key) if settings.tls_cert else None
    app = await build(settings, metrics=place.metrics)
    listener = Listener(app.shell, settings, certificate)

    def reload() -> None:
        app.log.reopen()
        if certificate:
            certificate.reload()

    _on_signals(stop, reload)
    _on_lost_parent(place.parent, stop)
    # What was made so far lives as long as the process: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    gc.enable()
    await listener.start(sockets)
    warming, sample = asyncio.create_task(warm(app.ctx)), None
    try:
        ready()
        if settings.sample and place.first:
            sample = asyncio.create_task(_load_sample(app.ctx))
        await stop.wait()
    finally:
        beside = [task for task in (warming, sample) if task is not None]
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        await listener.stop()
        await app.close()
    return OK


async def _load_sample(ctx: Context) -> None:
    """Beside the first requests: a newcomer need not wait for it."""
    from server.sample import load_sample

    try:
        await load_sample(ctx)
    except Exception as error:
        failures.record(error, "sample")


def _on_signals(stop: asyncio.Event, reload: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    handlers: list[tuple[str, Callable[[], object]]] = [("SIGTERM", stop.set), ("SIGINT", stop.set), ("SIGHUP", reload)]
    for name, work in handlers:
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, work)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_, work=work: loop.call_soon_threadsafe(work))


def _on_lost_parent(pipe: int, stop: asyncio.Event) -> None:
    """Ends the worker when its parent was killed: nobody else would."""
    if pipe < 0:
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(pipe)
        os.close(pipe)
        stop.set()

    loop.add_reader(pipe, gone)


def _unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What fails outside of any request: logged like every bug, without its message."""
    error = context.get("exception")
    if isinstance(error, (ConnectionError, ssl.SSLError, TimeoutError)):
        return  # a client that broke off
    if isinstance(error, BaseException):
        failures.record(error)
