"""Plans that are used again when the very same query object is asked once more: first pages of one type.

A plan stays right while all that was looked up for it stays as it was. Numbers of types, parameters, codes and
resources never change, but what is missing may come: only queries whose every name has its number are kept, and what
else was assumed is asked again each time. After SECONDS the choice of the driver is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from sys import intern

from server.search.query import (
    Criterion,
    Match,
    Operand,
    Query,
    RangeOperand,
    ReferenceOperand,
    TextOperand,
    TokenOperand,
)
from server.store.embedded.checks import Made as MadeChecks
from server.store.embedded.statements import Made
from server.store.embedded.symbols import Symbols
from server.store.ordering import ID, LAST_UPDATED
from server.store.principal import PRINCIPAL, REPEATS

MOST = 2000
SECONDS = 30.0
_FEW = 8
"""Operands of one criterion."""


@dataclass(slots=True)
class Ready:
    query: Query
    type: str
    made: Made
    bound: dict[str, object]
    checks: MadeChecks
    epoch: int
    """`Symbols.epoch` when it was made."""
    until: float


class ReadyPlans:
    """Of one connection."""

    def __init__(self, symbols: Symbols, clock: Callable[[], float] = time.monotonic) -> None:
        self._symbols = symbols
        self._clock = clock
        self._seen: dict[int, Query] = {}
        """Asked once; held, so that no other object can have its identity."""
        self._ready: dict[int, Ready] = {}

    def get(self, query: Query) -> Ready | None:
        ready = self._ready.get(id(query))
        if ready is not None and (ready.until < self._clock() or ready.epoch != self._symbols.epoch):
            del self._ready[id(query)]
            return None
        return ready

    def comes_again(self, query: Query) -> bool:
        """Whether a plan of it should be kept: it has been asked before, and is of a kind that can be kept."""
        if id(query) in self._seen:
            return True
        if len(query.types) == 1 and query.after is None and query.before is None:
            if len(self._seen) >= MOST:
                self._seen.clear()
                self._ready.clear()
            self._seen[id(query)] = query
        return False

    def keep(self, query: Query, made: Made, bound: dict[str, object], checks: MadeChecks) -> None:
        type = query.types[0]
        if is_settled(query, self._symbols):
            until = self._clock() + SECONDS
            made = replace(made, statements=[intern(statement) for statement in made.statements])
            self._ready[id(query)] = Ready(query, type, made, bound, checks, self._symbols.epoch, until)

    def drop(self, query: Query) -> None:
        self._ready.pop(id(query), None)


def is_settled(query: Query, symbols: Symbols) -> bool:
    """Whether every name in it has its number."""
    type = query.types[0]
    t = symbols.types.get(type)
    principal = PRINCIPAL.get(type)
    if t is None or (principal is not None and principal.date not in symbols.params.get(t, {})):
        return False
    sorts = {ID, LAST_UPDATED, principal.date if principal is not None else ID}
    if any(key.chain or key.parameter.code not in sorts for key in query.sort):
        return False
    return all(_is_known(criterion, type, t, symbols) for criterion in query.where)


def _is_known(criterion: Criterion, type: str, t: int, symbols: Symbols) -> bool:
    if not isinstance(criterion, Match) or criterion.modifier or len(criterion.operands) > _FEW:
        return False
    parameter = criterion.parameter
    k = symbols.params.get(t, {}).get(parameter.code)
    if k is None or (type, parameter.code) in REPEATS or parameter.type not in _TYPES:
        return False
    if parameter.identifying and len(criterion.operands) > 1:
        return False
    return all(_has_number(operand, k, parameter.identifying, symbols) for operand in criterion.operands)


_TYPES = frozenset({"token", "reference", "date", "string"})


def _has_number(operand: Operand, k: int, identifying: bool, symbols: Symbols) -> bool:
    match operand:
        case TokenOperand(system, code, any_system):
            if code is None or any_system:
                return identifying and system is None and code is not None
            if identifying:
                return system is None or (0, "", system) in symbols.syms
            return (k, system or "", code) in symbols.syms
        case ReferenceOperand(type, id, version, url):
            if type is None or id is None or version is not None or url is not None:
                return False
            return (symbols.types.get(type), id) in symbols.rids
        case RangeOperand() | TextOperand():
            return True
    return False
