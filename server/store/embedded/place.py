"""Where terms are made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from server.store.embedded.checks import Checks
from server.store.embedded.driver import Connection
from server.store.embedded.estimates import Estimates
from server.store.embedded.symbols import Symbols
from server.store.embedded.terms import Binder


@dataclass(slots=True)
class Place:
    """One connection, within one read transaction."""

    connection: Connection
    symbols: Symbols
    estimates: Estimates
    checks: Checks
    bind: Binder
    whole: bool = False
    """All matches are wanted, not a page of them."""

    def count(self, key: object, select: str, **bindings: object) -> Callable[[], int]:
        """A lazy estimate: only a plan with a choice asks for it."""
        return lambda: self.estimates.rows(self.connection, key, select, bindings)
