"""What a search request asks for besides its query: the data that `compile` makes and interactions answer from."""

from __future__ import annotations

from dataclasses import dataclass

from server.search.contained import needs_confirming
from server.search.query import Criterion, Parameter, Query


@dataclass(frozen=True, slots=True)
class Include:
    """One `_include` or `_revinclude`: from resources of `source`, by reference parameters.

    `_include`: add what resources of `source` on the page refer to. `_revinclude`: add resources of `source` that refer
    to those on the page.   https://hl7.org/fhir/R4/search.html#include
    """

    source: str
    parameters: tuple[Parameter, ...]
    """One, or for `*` all reference parameters of the source."""
    target: str | None = None
    """Only referred resources of this type."""
    iterate: bool = False
    """Also from what was included itself."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A parameter that was dropped because the client is lenient."""

    name: str
    """As it may be quoted: at most 40 characters."""
    reason: str


@dataclass(frozen=True, slots=True)
class SearchRequest:
    query: Query
    """`limit` is the page size."""
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    summary: str = "false"
    """true text data count false; `_count=0` is count."""
    elements: tuple[str, ...] = ()
    """Root elements asked for by `_elements`, empty for all."""
    total: str = "none"
    """none estimate accurate"""
    contained: str = "false"
    """false true both: whether the query matches contained resources (it then concerns their containers)."""
    contained_type: str = "container"
    """container contained: what is returned of a match within a container."""
    within_types: tuple[str, ...] = ()
    within_where: tuple[Criterion, ...] = ()
    """Types and criteria of contained resources, unless `contained` is false: the query itself concerns containers."""
    used: tuple[tuple[str, str], ...] = ()
    """Parameters that shaped the answer, as written, for the self link."""
    ignored: tuple[Ignored, ...] = ()
    by_url: bool = False
    """A chain or `_has` goes through canonical references: the query is not complete yet (`interactions/by_url.py`)."""
    personal: bool = False
    """A value names a person (identifier, name, telecom, address, birth date): not for links and logs."""
    resource_type: str | None = None
    """What was searched: None for all types (of the compartment)."""
    compartment: tuple[str, str] | None = None
    base: str | None = None
    compiled_at: int = 0
    """Milliseconds UTC: `ap` on dates means this now on every page."""
    seen_to: int | None = None
    """Of a sorted search, place in the commit order when its first page was read. What changed later may be in another
    place of the order than where it was: it is left out, so that no page repeats it."""

    @property
    def needs_confirming(self) -> bool:
        """The query finds containers in which no single contained resource need meet all criteria."""
        return self.contained != "false" and needs_confirming(self.within_where)
