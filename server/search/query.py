"""The compiled query: what `compile.py` makes of a URL and what both engines execute. Pure data, pickles.

Grammar: a Query asks for resources of `types` for which every criterion of `where` holds.
Nothing here knows of SQL or MongoDB, and nothing of URLs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from server.search.values import Reference

# ---------------------------------------------------------------- operands: one value of an OR list


class TokenOperand(NamedTuple):
    """`code`, `system|code`, `|code`, `system|`.   https://hl7.org/fhir/R4/search.html#token"""

    system: str | None
    """None means without a system (`|code`) unless `any_system`."""
    code: str | None
    """None means any code of the system (`system|`)."""
    any_system: bool


class OfTypeOperand(NamedTuple):
    system: str | None
    code: str
    value: str


class TextOperand(NamedTuple):
    """Of strings, uris, and `:text` on tokens: folded for comparison, and as written for `:exact`."""

    folded: str
    exact: str


class RangeOperand(NamedTuple):
    """Of dates (microseconds) and numbers: prefix and the interval [lower, upper) that the written value means.

    `eq` holds if the value's interval lies within it; the others as in https://hl7.org/fhir/R4/search.html#prefix;
    `ap` arrives as prefix "ap" with the interval widened already: holds if the intervals overlap.
    """

    prefix: str
    lower: float
    upper: float
    value: float
    """The written number itself (the middle of the interval); for dates equal to `lower`."""


class QuantityOperand(NamedTuple):
    """A number with a unit. `unit` has the operand's own interval in canonical units, when UCUM knows the unit."""

    range: RangeOperand
    system: str | None
    code: str | None
    canonical: RangeOperand | None
    canonical_code: str | None


class ReferenceOperand(NamedTuple):
    """Type/id, bare id (type None: any type), absolute or canonical url (version optional; empty: those without)."""

    type: str | None
    id: str | None
    version: str | None
    url: str | None


class CompositeOperand(NamedTuple):
    """`a$b`: one operand per component, in order."""

    components: tuple[Operand, ...]


class NearOperand(NamedTuple):
    latitude: float
    longitude: float
    metres: float


Operand = (
    TokenOperand
    | OfTypeOperand
    | TextOperand
    | RangeOperand
    | QuantityOperand
    | ReferenceOperand
    | CompositeOperand
    | NearOperand
)

# ---------------------------------------------------------------- criteria


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an engine must know of a SearchParameter; made from the official definition by registry.py."""

    code: str
    type: str
    """number date string token reference composite quantity uri special"""
    identifying: bool = False
    """A token of unbounded values (Identifier, ContactPoint, id): not worth interning."""
    targets: tuple[str, ...] = ()
    """Of a reference: resource types it may point to."""
    components: tuple[Parameter, ...] = ()
    """Of a composite: the single parameters of its components, which are indexed on their own."""


@dataclass(frozen=True, slots=True)
class Match:
    """One of `operands` matches one value of the parameter. `modifier` is one of
    "", "exact", "contains", "text", "identifier", "of-type", "above", "below" (uri and hierarchical reference);
    `:in`, `:not-in`, and `:above`/`:below` on tokens arrive expanded to operands, `:not` as Not(Match), `:[type]` in
    the operands; `:above`/`:below` through a hierarchy of references as chains, so "below" on a reference concerns
    the version of a canonical only. `:text` on tokens finds the folded text anywhere in it.

    `_filter` adds modifiers that no index need serve, so candidates are the resources that have a value, and `holds`
    decides: "equal" (whole folded string), "ends" (folded string ends so), "unequal" (some value is not equal).
    """

    parameter: Parameter
    modifier: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """The resource has no value (missing=True) or has one (False) for the parameter."""

    parameter: Parameter
    missing: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """`parameter` refers to a resource of type `target` (on this server, not deleted) for which `criterion` holds."""

    parameter: Parameter
    target: str
    criterion: Criterion
    by_url: bool = False
    """The references are canonicals: no engine finds any; `interactions/by_url.py` asks for something else instead."""


@dataclass(frozen=True, slots=True)
class Has:
    """A resource of type `source` refers here by `parameter`, and `criterion` holds for it."""

    source: str
    parameter: Parameter
    criterion: Criterion
    by_url: bool = False
    """As of a Chain."""


@dataclass(frozen=True, slots=True)
class Ids:
    """`_id`, and `_list`: Type/id pairs, type None for any of the query's types."""

    ids: tuple[tuple[str | None, str], ...]


@dataclass(frozen=True, slots=True)
class LastUpdated:
    """`_lastUpdated` against meta.lastUpdated, an instant of millisecond precision: OR of the operands."""

    operands: tuple[RangeOperand, ...]


@dataclass(frozen=True, slots=True)
class FullText:
    """`_text` (narrative) or `_content` (whole resource): every phrase of one alternative occurs in the folded text."""

    field: str
    """"_text" or "_content"."""
    alternatives: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class InCompartment:
    """Resource is in the compartment of `type`/`id` by one of the parameters that the CompartmentDefinition names
    for its type (`parameters`: resource type -> parameters; a type absent there is not in the compartment).
    `itself` adds the compartment's own resource."""

    type: str
    id: str
    parameters: tuple[tuple[str, tuple[Parameter, ...]], ...]
    itself: bool = False


@dataclass(frozen=True, slots=True)
class IsType:
    """Resource type is one of these: for OR branches of a search over several types."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    criterion: Criterion


@dataclass(frozen=True, slots=True)
class And:
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Empty: matches nothing."""

    criteria: tuple[Criterion, ...]


Criterion = Match | Missing | Chain | Has | Ids | LastUpdated | FullText | InCompartment | IsType | Not | And | Or


def any_of(criteria: Iterable[Criterion]) -> Criterion:
    """Or without an Or inside; of one criterion, that itself."""
    flat: list[Criterion] = []
    for each in criteria:
        flat += each.criteria if isinstance(each, Or) else (each,)
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


# ---------------------------------------------------------------- order and paging


@dataclass(frozen=True, slots=True)
class SortKey:
    """A sort by `parameter` (or "_id", "_lastUpdated" as its code), through references if `chain` names some.

    Ascending takes a resource's lowest value, descending its highest; resources without a value come last.
    """

    parameter: Parameter
    descending: bool = False
    chain: tuple[tuple[Parameter, str], ...] = ()
    """Reference parameter and target type of each hop."""


Position = tuple[object, ...]
"""Where a hit stands in the order: opaque, made by the engine, JSON values only (it travels in cursors)."""


@dataclass(frozen=True, slots=True)
class Query:
    types: tuple[str, ...]
    """At least one resource type."""
    where: tuple[Criterion, ...] = ()
    sort: tuple[SortKey, ...] = ()
    """Empty: creation order, oldest first."""
    limit: int = 50
    after: Position | None = None
    """Only hits behind this position."""
    before: Position | None = None
    """Only the last `limit` hits ahead of this position, still in forward order. `()` means the end: the last page."""

    def page(self, *, after: Position | None = None, before: Position | None = None) -> Query:
        return replace(self, after=after, before=before)


def goes_by_url(criterion: Criterion) -> bool:
    """Whether a chain or `_has` in it goes through canonical references."""
    match criterion:
        case And(parts) | Or(parts):
            return any(map(goes_by_url, parts))
        case Not(inner):
            return goes_by_url(inner)
        case Chain() | Has():
            return criterion.by_url or goes_by_url(criterion.criterion)
        case _:
            return False


def references_to(parameter: Parameter, targets: list[Reference]) -> Match:
    """Criterion of `_revinclude`: refers by `parameter` to one of the resources."""
    return Match(parameter, "", tuple(ReferenceOperand(t.type, t.id, t.version, t.url) for t in targets))
