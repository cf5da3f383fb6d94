"""What a query means, on resources in memory: plain, complete and slow.

The engines are property-tested against `evaluate`; `holds` is what they ask for hits of an index that is only a
superset. Nothing here is shared with the engines but the matching of single values (types/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from server.errors import BadRequest
from server.search.instant import milliseconds
from server.search.query import (
    And,
    Chain,
    Criterion,
    FullText,
    Has,
    Ids,
    InCompartment,
    IsType,
    LastUpdated,
    Match,
    Missing,
    Not,
    Or,
    Parameter,
    Query,
    SortKey,
)
from server.search.texts import texts
from server.search.types import matches, sort_key
from server.search.types.prefix import in_range
from server.search.values import Index, Reference, Value

Extract = Callable[[str, dict[str, Any]], Index]
Key = tuple[str, str]


def holds(criterion: Criterion, index: Index) -> bool:
    """Truth of a Match or Missing on a resource's values."""
    values = index.get(criterion.parameter.code, ()) if isinstance(criterion, Match | Missing) else ()
    if isinstance(criterion, Missing):
        return bool(values) is not criterion.missing
    assert isinstance(criterion, Match), "other criteria look beyond the values"
    parameter, modifier = criterion.parameter, criterion.modifier
    return any(matches(parameter, modifier, value, operand) for value in values for operand in criterion.operands)


@dataclass(frozen=True, slots=True)
class Stored:
    """One live resource."""

    type: str
    id: str
    last_updated: int
    """Milliseconds UTC."""
    resource: dict[str, Any]


def evaluate(query: Query, resources: Sequence[Stored], extract: Extract) -> list[Key]:
    """Type and id of all that match, in the order of the query; `limit` and positions are left aside.

    resources: live ones in creation order, one per type and id; equal sort keys stay in that order.
    """
    world = World(resources, extract)
    found = [each for each in resources if each.type in query.types and world.matches(each, query.where)]
    for key in reversed(query.sort):
        found = world.ordered(found, key)
    return [(each.type, each.id) for each in found]


class World:
    """Resources that can refer to each other."""

    def __init__(self, resources: Iterable[Stored], extract: Extract) -> None:
        self._resources = {(each.type, each.id): each for each in resources}
        self._indexes = {key: extract(each.type, each.resource) for key, each in self._resources.items()}

    def index(self, one: Stored) -> Index:
        return self._indexes[one.type, one.id]

    def matches(self, one: Stored, criteria: Iterable[Criterion]) -> bool:
        return all(self._true(one, criterion) for criterion in criteria)

    def _true(self, one: Stored, criterion: Criterion) -> bool:
        match criterion:
            case Match() | Missing():
                return holds(criterion, self.index(one))
            case Not(inner):
                return not self._true(one, inner)
            case And(criteria):
                return all(self._true(one, each) for each in criteria)
            case Or(criteria):
                return any(self._true(one, each) for each in criteria)
            case IsType(types):
                return one.type in types
            case Ids(ids):
                return any(type_ in (None, one.type) and id_ == one.id for type_, id_ in ids)
            case LastUpdated(operands):
                return any(in_range(*milliseconds(one.last_updated), operand) for operand in operands)
            case FullText(name, alternatives):
                text = texts(one.resource)[0 if name == "_text" else 1]
                return any(all(phrase in text for phrase in phrases) for phrases in alternatives)
            case Chain(parameter, target, inner):
                return any(self._true(other, inner) for other in self.referred(one, parameter, target))
            case Has(source, parameter, inner):
                return any(
                    other.type == source
                    and (one.type, one.id) in keys_of(self.index(other).get(parameter.code, ()))
                    and self._true(other, inner)
                    for other in self._resources.values()
                )
            case InCompartment():
                return self._in_compartment(one, criterion)

    def referred(self, one: Stored, parameter: Parameter, target: str) -> list[Stored]:
        """Resources of a type that a reference parameter leads to."""
        keys = keys_of(self.index(one).get(parameter.code, ()))
        return [self._resources[key] for key in keys if key[0] == target and key in self._resources]

    def _in_compartment(self, one: Stored, compartment: InCompartment) -> bool:
        owner = (compartment.type, compartment.id)
        if compartment.itself and (one.type, one.id) == owner:
            return True
        parameters = dict(compartment.parameters).get(one.type, ())
        return any(owner in keys_of(self.index(one).get(parameter.code, ())) for parameter in parameters)

    def ordered(self, found: Sequence[Stored], key: SortKey) -> list[Stored]:
        """By one key; resources without a value come last in either direction."""
        keyed = [(self.key_of(one, key), one) for one in found]
        present = [(value, one) for value, one in keyed if value is not None]
        # sorted() keeps equal ones in their order, with reverse=True as well.
        in_order: list[tuple[Any, Stored]] = sorted(present, key=lambda each: each[0], reverse=key.descending)
        return [one for _, one in in_order] + [one for value, one in keyed if value is None]

    def key_of(self, one: Stored, key: SortKey) -> str | int | float | None:
        """Sort key of one resource: its lowest value, or its highest if descending, through the chain."""
        reached = [one]
        for parameter, target in key.chain:
            reached = [other for each in reached for other in self.referred(each, parameter, target)]
        code = key.parameter.code
        keys: list[Any] = []
        for each in reached:
            if code == "_id":
                keys.append(each.id)
            elif code == "_lastUpdated":
                keys.append(each.last_updated)
            else:
                value = sort_key(key.parameter.type, self.index(each).get(code, ()), key.descending)
                keys += [] if value is None else [value]
        lowest_or_highest: str | int | float | None = (max if key.descending else min)(keys, default=None)
        return lowest_or_highest


def keys_of(values: Iterable[Value]) -> set[Key]:
    """Local resources that reference values name."""
    return {
        (value.type, value.id)
        for value in values
        if isinstance(value, Reference) and value.type is not None and value.id is not None
    }


# --- resources by themselves ----------------------------------------------------------------------------------------


def matches_alone(query: Query, id: str, resource: dict[str, Any], index: Index) -> bool:
    """Whether a resource that is not stored matches. Raises: BadRequest if a criterion asks for other resources."""
    one = Stored(resource["resourceType"], id, 0, resource)
    world = World((one,), lambda _, __: index)
    for criterion in _parts(query.where):
        if isinstance(criterion, Chain | Has | LastUpdated):
            raise BadRequest("Chains, _has, _list and _lastUpdated cannot be asked of a resource that is not stored")
    return one.type in query.types and world.matches(one, query.where)


def _parts(criteria: Iterable[Criterion]) -> Iterable[Criterion]:
    waiting = list(criteria)
    while waiting:
        current = waiting.pop()
        yield current
        if isinstance(current, And | Or):
            waiting += current.criteria
        elif isinstance(current, Not):
            waiting.append(current.criterion)


def contained_matches(
    types: Sequence[str], where: Sequence[Criterion], container: dict[str, Any], extract: Extract
) -> list[dict[str, Any]]:
    """Contained resources of these types that fulfil all criteria; what concerns other resources counts as fulfilled,
    as the query has seen to that."""
    own = _own(where)
    return [each for each in container.get("contained") or () if _fulfils(types, own, each, extract)]


def matches_itself(
    types: Sequence[str], where: Sequence[Criterion], resource: dict[str, Any], extract: Extract
) -> bool:
    """Whether a container that was found is a match by itself, too: `_contained=both`."""
    return _fulfils(types, _own(where), resource, extract)


def _own(where: Sequence[Criterion]) -> list[Criterion]:
    """Criteria that look at nothing but the resource itself."""
    return [each for each in where if not any(isinstance(part, Chain | Has) for part in _parts((each,)))]


def _fulfils(types: Sequence[str], own: Sequence[Criterion], resource: dict[str, Any], extract: Extract) -> bool:
    type_ = resource.get("resourceType")
    if not isinstance(type_, str) or type_ not in types:
        return False
    one = Stored(type_, resource.get("id", ""), 0, resource)
    return World((one,), extract).matches(one, own)
