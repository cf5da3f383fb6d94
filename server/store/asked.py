"""What both engines are asked for: a part of a history, a part of an order."""

from __future__ import annotations

from dataclasses import dataclass

from server.search.query import Position
from server.store.contract import Scope


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of `Store.history`."""

    scope: Scope
    since: int | None
    at: tuple[int, int] | None
    before: int | None
    until: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the order of a search."""

    limit: int
    after: Position | None = None
    before: Position | None = None

    @property
    def backward(self) -> bool:
        return self.before is not None
