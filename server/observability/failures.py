"""Log of bugs: the kind of an exception and where it was raised, never its message, which may quote a person's data."""

from __future__ import annotations

import sys
import traceback

import orjson

from server.clock import now_ms
from server.store.contract import instant

MAX_FRAMES = 30


def record(error: BaseException, request_id: str = "") -> None:
    """One JSON line on standard error: {"time", "level", "request", "error", "at": ["server/web.py:12 handle", ...]}"""
    sys.stderr.write(described(error, request_id).decode() + "\n")
    sys.stderr.flush()


def described(error: BaseException, request_id: str) -> bytes:
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    line = {
        "time": instant(now_ms()),
        "level": "error",
        "request": request_id,
        "error": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if error.__cause__ is not None:
        line["cause"] = type(error.__cause__).__qualname__
    return orjson.dumps(line)
