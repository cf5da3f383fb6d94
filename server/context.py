"""What every handler is given: clock, ids, store, definitions. Passed in, never global: tests see literal answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from server.randomness import RandomPieces
from server.room import Room

if TYPE_CHECKING:
    from fhir_profiles.definitions import Definitions
    from fhir_profiles.validation import Validator
    from server.config import Settings
    from server.conformance_resources import ConformanceResources
    from server.jobs import Jobs
    from server.reindexing import Reindexing
    from server.routes import Routes
    from server.search.engine import Search
    from server.store.contract import Store
    from terminology.service import TerminologyService


def now_ms() -> int:
    """Milliseconds UTC since 1970."""
    return time.time_ns() // 1_000_000


_random = RandomPieces(10)


def new_id() -> str:
    """Time-ordered random id: UUID version 7 (RFC 9562 section 5.7); new rows go to the right edge of the indexes."""
    chance = int.from_bytes(_random(), "big")
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | (chance >> 68) << 64 | 0b10 << 62 | chance & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(slots=True)
class Context:
    settings: Settings
    store: Store
    definitions: Definitions
    validator: Validator
    search: Search
    terminology: TerminologyService
    routes: Routes
    jobs: Jobs
    """Requests that are answered later (`Prefer: respond-async`)."""
    reindexing: Reindexing
    """SearchParameter resources made searchable in the background."""
    conformance: ConformanceResources
    """Stored code systems, value sets, concept maps and profiles put to work."""
    clock: Callable[[], int] = field(default=now_ms)
    ids: Callable[[], str] = field(default=new_id)
    turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Locks of interactions that start over because others were faster: they take turns (interactions/conditional)."""
    room: Room = field(default_factory=Room)
    """For large Bundles."""
    statements: dict[tuple[str, str, int, int], bytes] = field(default_factory=dict)
    """CapabilityStatements made so far, by base, mode and generation of the search parameters."""
