"""What goes between a worker and the writing process (central.py): commits one way, what became of them the other.

Only commits whose rows are made already, which is nearly all of the many small ones: those carry no definitions and
no search. marshal, because both ends are one program on one machine and it costs a third of pickle; the socket lies
in a folder that only this user can enter.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from server.store.contract import (
    Body,
    Commit,
    ConditionFailed,
    Exists,
    Put,
    StoreError,
    StoreFull,
    StoreUnavailable,
    Version,
    VersionConflict,
    Written,
)
from server.store.embedded.rows import Made, Rows

LARGEST = 16
"""Changes of a commit that is handed over; a larger one is worth a turn at the gate of its own."""

_LENGTH = struct.Struct(">I")

Plain = Any
"""Tuples, lists, numbers, str, bytes, None: what marshal writes."""


def can_go(commit: Commit, ahead: Mapping[int, Made]) -> bool:
    return (
        len(commit.changes) == len(ahead) <= LARGEST
        and all(isinstance(change, Put) and change.seen is None for change in commit.changes)
        and all(isinstance(condition, Exists) for condition in commit.conditions)
    )


def commit_out(commit: Commit, ahead: Mapping[int, Made]) -> Plain:
    changes = []
    for change in commit.changes:
        assert isinstance(change, Put), "see can_go"
        rows, dates, keys, strings = ahead[id(change)]
        body = change.body
        changes.append(
            (
                *(change.type, change.id, body.head, body.tail, change.method, change.expected, change.text),
                *(change.fresh, tuple(rows), dates, keys, strings),
            )
        )
    return changes, [(condition.type, condition.id) for condition in commit.conditions]  # type: ignore[union-attr]


def commit_in(plain: Plain) -> tuple[Commit, dict[int, Made]]:
    changes, exist = plain
    puts = []
    ahead = {}
    for type, id_, head, tail, method, expected, text, fresh, rows, dates, keys, strings in changes:
        put = Put(type, id_, Body(head, tail), {}, method, expected, text, fresh=fresh)
        puts.append(put)
        ahead[id(put)] = Made(Rows(*rows), dates, keys, strings)
    return Commit(puts, [Exists(*pair) for pair in exist]), ahead


def outcome_out(commit: Commit, result: Sequence[Written] | None, error: BaseException | None) -> Plain:
    """None for a failure that the worker finds out by itself when it tries: a bug, a value that SQLite refuses."""
    if result is not None:
        return [(each.version.version, each.version.last_updated, each.version.seq, each.created) for each in result]
    match error:
        case VersionConflict():
            return "conflict", error.type, error.id, error.expected, error.current
        case ConditionFailed():
            return "condition", commit.conditions.index(error.condition)
        case StoreFull() | StoreUnavailable():
            return type(error).__name__, str(error)
    return None


def outcome_in(commit: Commit, plain: Plain) -> list[Written]:
    """plain: not None. Raises: CommitRefused, StoreFull, StoreUnavailable."""
    if isinstance(plain, list):
        return [
            Written(_version(change, *place), created)
            for change, (*place, created) in zip(commit.changes, plain, strict=True)
        ]
    raise _error(commit, *plain)


def _version(change: Any, version: int, last_updated: int, seq: int) -> Version:
    body = change.body.at(version, last_updated)
    return Version(change.type, change.id, version, last_updated, seq, change.method, body)


def _error(commit: Commit, kind: str, *parts: Any) -> StoreError:
    if kind == "conflict":
        return VersionConflict(*parts)
    if kind == "condition":
        return ConditionFailed(commit.conditions[parts[0]])
    return (StoreFull if kind == StoreFull.__name__ else StoreUnavailable)(*parts)


def framed(plain: Plain) -> bytes:
    content = marshal.dumps(plain)
    return _LENGTH.pack(len(content)) + content


class Unframing:
    """Bytes as they come -> what was framed."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> Iterator[Plain]:
        data = self._rest + received if self._rest else received
        start = 0
        while len(data) - start >= _LENGTH.size:
            end = start + _LENGTH.size + _LENGTH.unpack_from(data, start)[0]
            if end > len(data):
                break
            yield marshal.loads(memoryview(data)[start + _LENGTH.size : end])  # noqa: S302 - our own program wrote it
            start = end
        self._rest = data[start:]
