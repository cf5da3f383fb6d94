"""What every handler is given: clock, ids, store, definitions. Passed in, never global: tests see literal answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from server.clock import now_ms
from server.logical_id import new_id
from server.room import Room

if TYPE_CHECKING:
    from fhir_profiles.definitions import Definitions
    from fhir_profiles.validation import Validator
    from server.config import Settings
    from server.conformance_resources import ConformanceResources
    from server.dispatch import Routes
    from server.jobs import Jobs
    from server.reindexing import Reindexing
    from server.search.engine import Search
    from server.store.contract import Store
    from terminology.service import TerminologyService


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
