"""What a write transaction holds of resources: as they are, as they become, and what is not written yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from server.store.contract import DELETED
from server.store.embedded.rows import UNMADE, Made
from server.store.embedded.tables import TableRow


@dataclass(slots=True)
class Known:
    """One resource as this transaction sees it."""

    t: int
    type: str
    id: str
    key: str | bytes
    rid: int = 0
    vid: int = 0
    seq: int = 0
    lu: int = 0
    m: int = DELETED
    frame: bytes | None = None
    """Compressed body of the current version; None for a tombstone."""
    made: Made | None = None
    """Of the current version, when this transaction made it."""
    stored_keys: str | None = None
    """What the tables hold now."""
    stored: bool = False
    """Has a row in `res` already."""
    text: tuple[str, str] | None = None
    said: bool = False
    """`text` is new."""
    strings: str | None = None
    """New content of the trigram index; None: stays as it is."""

    def fill(self, row: Sequence[Any]) -> None:
        self.rid, self.vid, self.seq, self.lu, self.m, self.stored_keys, self.frame = row
        self.stored = True

    @property
    def live(self) -> int:
        """Current version as clients see it; 0 if absent or deleted."""
        return self.vid if self.m != DELETED else 0


@dataclass(slots=True)
class Step:
    """A checked change, ready to be remembered."""

    known: Known
    rid: int
    vid: int
    m: int
    body: bytes | None = None
    frame: bytes | None = None
    made: Made = UNMADE
    text: tuple[str, str] | None = None
    place: tuple[int, int] | None = None
    """seq and lastUpdated of a version that is there already and gets other labels."""


@dataclass(slots=True)
class Pending:
    """What waits for `flush`."""

    hist: list[TableRow] = field(default_factory=list)
    log: list[TableRow] = field(default_factory=list)
    dirty: dict[int, Known] = field(default_factory=dict)
    arrived: list[tuple[int, int]] = field(default_factory=list)
    """(rid, negative number) of resources that were referred to before they came."""
