"""Rows that are made before their transaction begins: other processes wait for the write lock meanwhile.

Numbers that the store has are found without the lock, since they never change. What it has not yet (a new code, a
resource of the same transaction that is referred to) gets a number that only stands in its place; the transaction
puts the real one there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from server.store.contract import Change, Put
from server.store.embedded.driver import Connection
from server.store.embedded.rows import Builder, Made, Parameters, Rows, made, unique
from server.store.embedded.symbols import (
    ELSEWHERE,
    SHAPE,
    Allocation,
    SymbolKey,
    Symbols,
    shape_text,
)

Pair = tuple[str, str]

_FIRST = -(1 << 62)
"""Lower than any number of the store: the first that stands for another."""


@dataclass(slots=True)
class Missing:
    """What the rows of one resource need and the store does not have, with the numbers that stand for it."""

    symbols: dict[SymbolKey, int] = field(default_factory=dict)
    targets: dict[Pair, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    texts: list[tuple[int, str, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.symbols or self.targets or self.elsewhere or self.texts)

    def next(self) -> int:
        return _FIRST + len(self.symbols) + len(self.targets) + len(self.elsewhere)


class Early(NamedTuple):
    """What was made ahead of one change."""

    rows: Rows
    date: int | None
    missing: Missing
    made: Made | None
    """If nothing is missing."""


class Ahead:
    """For one process, on the thread of its connection."""

    def __init__(self, connection: Connection, symbols: Symbols, parameters: Parameters) -> None:
        self._numbers = _Stored(connection, symbols)
        self._builder = Builder(self._numbers, parameters)

    def of(self, changes: Sequence[Change], coming: Collection[Pair] = ()) -> dict[int, Early]:
        """By the `id()` of the change. Not those whose type, or one of its parameters, was never stored before.

        coming: all that the commit changes, if these are not its only change.
        """
        numbers = self._numbers
        numbers.coming = coming
        found = {}
        for change in changes:
            if isinstance(change, Put):
                numbers.missing = missing = Missing()
                with suppress(KeyError):
                    t = numbers.type(change.type)
                    rows, date = self._builder.rows(change.type, t, change.index, numbers.target)
                    found[id(change)] = Early(rows, date, missing, None if missing else made(rows, date))
        return found


def settled(early: Early, allocation: Allocation, target: Callable[[str, str], int]) -> Made:
    """Within the transaction.   target: number of the resource that a local reference names."""
    if early.made is not None:
        return early.made
    missing, rows = early.missing, early.rows
    numbers = {number: allocation.symbol(*key) for key, number in missing.symbols.items()}
    now = numbers.get
    for k, text, symbol in missing.texts:
        allocation.text(k, text, now(symbol, symbol))
    if missing.symbols:
        rows = rows._replace(
            code=unique([now(s, s) for s in rows.code]),
            tok=unique([now(s, s) for s in rows.tok]),
            ident=unique([(k, value, now(system, system)) for k, value, system in rows.ident]),
            num=unique([(now(s, s), *written) for s, *written in rows.num]),
            rng=unique([(now(s, s), *bounds) for s, *bounds in rows.rng]),
        )
    if missing.targets or missing.elsewhere:
        for pair, number in missing.targets.items():
            numbers[number] = target(*pair)
        for url, number in missing.elsewhere.items():
            numbers[number] = allocation.absent(ELSEWHERE, url)
        rows = rows._replace(
            ref=unique([(now(tr, tr), k) for tr, k in rows.ref]),
            comp=sorted([(now(patient, patient), bits) for patient, bits in rows.comp]),
        )
    return made(rows, early.date)


class _Stored:
    """`Numbering` by what the store has committed; what it has not is noted in `missing`.

    Raises: KeyError for types and parameters that are not there yet.
    """

    def __init__(self, connection: Connection, symbols: Symbols) -> None:
        self._connection = connection
        self._symbols = symbols
        self.syms = symbols.syms
        self.texts = symbols.texts
        self.missing = Missing()
        self.coming: Collection[Pair] = ()
        """Resources of the same commit: they need not be looked for."""

    def type(self, name: str) -> int:
        return _there(self._symbols.type(self._connection, name))

    def params(self, t: int) -> Mapping[str, int]:
        return self._symbols.params.get(t) or {}

    def param(self, t: int, code: str) -> int:
        return _there(self._symbols.param(self._connection, t, code))

    def shape(self, t: int, shape: tuple[int, ...]) -> int:
        s = self._symbols.shapes.get((t, shape))
        if s is None:
            s = self.symbol(self.param(t, SHAPE), "", shape_text(shape))
            if s > 0:
                self._symbols.shapes[t, shape] = s
        return s

    def symbol(self, k: int, system: str, code: str) -> int:
        s = self._symbols.symbol(self._connection, k, system, code)
        return s or self.missing.symbols.setdefault((k, system, code), self.missing.next())

    def text(self, k: int, text: str, symbol: int) -> None:
        known = k, text, symbol
        if known in self.texts:
            return
        if self._connection.execute("SELECT 1 FROM symtext WHERE k = ? AND v = ? AND s = ?", known).get:
            self.texts.add(known)
        else:
            self.missing.texts.append(known)

    def target(self, type: str, id: str) -> int:
        symbols = self._symbols
        if (type, id) not in self.coming:
            t = symbols.types.get(type) or symbols.type(self._connection, type)
            rid = t and (symbols.rids.get((t, id)) or symbols.rid(self._connection, t, id))
            if rid:
                return rid
        return self.missing.targets.setdefault((type, id), self.missing.next())

    def absent(self, t: int, id: str) -> int:
        assert t == ELSEWHERE, "resources that are not here are noted by `target`"
        return self.missing.elsewhere.setdefault(id, self.missing.next())


def _there(number: int | None) -> int:
    if number is None:
        raise KeyError
    return number
