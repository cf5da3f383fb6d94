"""What becomes of one entry of a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fhir_profiles.issue import Issue
from server.errors import FhirError
from server.interactions.conditional import Found
from server.interactions.entry import located
from server.interactions.storing import Resource
from server.messages import FhirRequest
from server.store.contract import Change, Version, Written


@dataclass(slots=True)
class Step:
    """One entry, from its request to what was written."""

    number: int
    """Place in the Bundle."""
    request: FhirRequest
    interaction: str
    full_url: str | None
    type: str = ""
    id: str = ""
    found: Found | None = None
    """Matches of its criteria, of conditional interactions."""
    current: Version | None = None
    """What is stored now under its identity."""
    twin: Step | None = None
    """An earlier conditional create that asks for the very same; this one is answered like a match of it."""
    changes: list[Change] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    guarded: bool = False
    """The client named the version that must be current."""

    @property
    def expression(self) -> str:
        return f"Bundle.entry[{self.number}]"

    @property
    def matched(self) -> bool:
        """A conditional create that creates nothing."""
        return self.interaction == "create" and (self.twin is not None or self.current is not None)

    @property
    def resource(self) -> Resource:
        assert self.request.resource is not None
        return self.request.resource

    def identities(self) -> Iterable[tuple[str, str]]:
        """Type/id pairs that it changes."""
        if self.interaction == "delete" and self.found is not None:
            return [(each.type, each.id) for each in self.found.versions]
        return [(self.type, self.id)]


@contextmanager
def locating(step: Step, element: str = "") -> Iterator[None]:
    """Errors raised within point to the entry of the step, or to this element of it."""
    try:
        yield
    except FhirError as error:
        raise located(error, step.number, element) from None
