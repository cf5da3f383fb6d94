"""The parameters of a search request to a SearchRequest: its query and how the answer is shaped.
https://hl7.org/fhir/R4/search.html#return
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from server.errors import BadRequest
from server.search.contained import NotWithin, any_within, may_be_within
from server.search.criteria import EVERYTHING, Criteria
from server.search.filter_expression import compile_filter
from server.search.parse import Asked, Hop, Leaf, Name, Reverse, parse_one, shown
from server.search.query import And, Criterion, InCompartment, IsType, Or, Parameter, Query, SortKey, goes_by_url
from server.search.refusal import UnknownParameter, being_indexed, refused, unknown
from server.search.request import Ignored, Include, SearchRequest
from server.search.types import SORTABLE

SILENT = frozenset({"_format", "_pretty"})
"""Parameters of every interaction, not of the search."""

SHAPING = (
    "_sort", "_count", "_include", "_revinclude", "_summary", "_elements", "_total", "_contained", "_containedType",
)  # fmt: skip

ROW_SORTS = {
    "_id": Parameter("_id", "token", identifying=True),
    "_lastUpdated": Parameter("_lastUpdated", "date"),
}


@dataclass(slots=True)
class _Shape:
    """What the parameters that are no criteria have said so far."""

    types: tuple[str, ...]
    sort: list[SortKey] = field(default_factory=list)
    count: int | None = None
    summary: str = "false"
    elements: tuple[str, ...] = ()
    total: str = "none"
    contained: str = "false"
    contained_type: str = "container"
    includes: list[Include] = field(default_factory=list)
    revincludes: list[Include] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Compartment:
    """`Patient/1`: the compartment that is searched."""

    type: str
    id: str


def compile_search(
    criteria: Criteria,
    resource_type: str | None,
    pairs: Iterable[tuple[str, str]],
    *,
    base: str | None = None,
    compartment: Compartment | None = None,
    lenient: bool = False,
) -> SearchRequest:
    """resource_type: None for all types, or all of a compartment (`Patient/1/*`).
    Raises: BadRequest naming the parameter."""
    asked = _asked(criteria, pairs)
    types = _types(criteria, resource_type, asked, compartment)
    shape = _Shape(types)
    where: list[Criterion] = [] if compartment is None else [_compartment(criteria, compartment, types)]
    used: list[tuple[str, str]] = []
    ignored: list[Ignored] = []
    personal = False
    for one in asked:
        try:
            if isinstance(one.name, Leaf) and one.name.code in _SHAPERS:
                _SHAPERS[one.name.code](criteria, shape, one, one.name)
            else:
                where.append(_criterion(criteria, types, one))
                personal = personal or _is_personal(criteria, types, one.name)
        except UnknownParameter as problem:
            if not lenient:
                raise
            ignored.append(Ignored(shown(one.written), problem.issues[0].diagnostics))
            continue
        used.append((one.written, one.value))
    by_url = any(map(goes_by_url, where))
    if by_url and shape.contained != "false":
        raise refused("_contained", "what contained resources name by a canonical cannot be chained")
    query, inner = _query(criteria, shape, where)
    return SearchRequest(
        query,
        includes=tuple(shape.includes),
        revincludes=tuple(shape.revincludes),
        summary="count" if shape.count == 0 else shape.summary,
        elements=shape.elements,
        total=shape.total,
        contained=shape.contained,
        contained_type=shape.contained_type,
        within_types=shape.types if inner is not None else (),
        within_where=inner or (),
        used=tuple(used),
        ignored=tuple(ignored),
        by_url=by_url,
        personal=personal,
        resource_type=resource_type,
        compartment=None if compartment is None else (compartment.type, compartment.id),
        base=base,
        compiled_at=criteria.now // 1000,
    )


def _asked(criteria: Criteria, pairs: Iterable[tuple[str, str]]) -> list[Asked]:
    limits = criteria.limits
    asked: list[Asked] = []
    for written, value in pairs:
        if written in SILENT:
            continue
        if len(asked) >= limits.parameters:
            raise BadRequest(f"at most {limits.parameters} search parameters are allowed", code="too-long")
        asked.append(parse_one(written, value, limits))
    return asked


def _criterion(criteria: Criteria, types: tuple[str, ...], one: Asked) -> Criterion:
    if isinstance(one.name, Leaf) and one.name.code == "_filter":
        return compile_filter(criteria, types, one)
    if isinstance(one.name, Leaf) and one.written == "_type" and one.value:
        return IsType(types)  # what it says has become the types of the query
    return criteria.of(types, one)


def _query(criteria: Criteria, shape: _Shape, where: list[Criterion]) -> tuple[Query, tuple[Criterion, ...] | None]:
    """The query, and with `_contained` the criteria of contained resources."""
    limits = criteria.limits
    if shape.summary == "text" and (shape.includes or shape.revincludes):
        raise refused("_summary", "text cannot be combined with _include or _revinclude")
    where = [each for each in where if not isinstance(each, IsType) and each != EVERYTHING]
    count = limits.default_count if shape.count is None else max(1, min(shape.count, limits.count))
    if shape.contained == "false":
        return Query(shape.types, tuple(where), tuple(shape.sort), count), None
    types, containers = _contained(criteria, shape, where)
    return Query(types, tuple(containers), tuple(shape.sort), count), tuple(where)


def _is_personal(criteria: Criteria, types: tuple[str, ...], name: Name) -> bool:
    """Whether the value at the end of the chains may name a person."""
    if isinstance(name, Reverse):
        return _is_personal(criteria, (name.source,), name.rest)
    if len(types) > 1 and name.code in criteria.parameters.of("Resource"):
        types = ("Resource",)
    found = [registered for type_ in types if (registered := criteria.parameters.find(type_, name.code)) is not None]
    if isinstance(name, Hop):
        targets = [name.type] if name.type else [target for each in found for target in each.parameter.targets]
        return any(_is_personal(criteria, (target,), name.rest) for target in dict.fromkeys(targets))
    if name.code in ("_filter", "_text", "_content") or name.modifier == "identifier":
        return True
    return any(registered.personal for registered in found)


# --- types, compartments, contained ---------------------------------------------------------------------------------


def _types(
    criteria: Criteria, resource_type: str | None, asked: list[Asked], compartment: Compartment | None
) -> tuple[str, ...]:
    """Types that are searched: those of the address, narrowed by `_type`."""
    every = criteria.parameters.resource_types
    known = every if resource_type is None else frozenset({resource_type})
    if compartment is not None and resource_type is None:
        known = every.intersection(criteria.parameters.definitions.compartment(compartment.type)) | {compartment.type}
    chosen: list[str] | None = None
    for one in asked:
        if one.written != "_type" or not one.value:
            continue
        for text in one.alternatives:
            if text not in every:
                raise refused("_type", "this is no resource type", value=text, code="value")
        chosen = [text for text in one.alternatives if text in known and (chosen is None or text in chosen)]
        if not chosen:
            raise refused("_type", "none of these types can be found here", code="value")
    return tuple(sorted(known)) if chosen is None else tuple(dict.fromkeys(chosen))


def _compartment(criteria: Criteria, compartment: Compartment, types: tuple[str, ...]) -> Criterion:
    """https://hl7.org/fhir/R4/compartmentdefinition.html"""
    definitions = criteria.parameters.definitions
    if compartment.type not in definitions.compartment_types:
        raise BadRequest(f"there is no compartment of {compartment.type} resources", code="not-supported")
    inclusions = definitions.compartment(compartment.type)
    found: list[tuple[str, tuple[Parameter, ...]]] = []
    for type_ in types:
        parameters = [
            registered.parameter
            for code in inclusions.get(type_, ())
            if (registered := criteria.parameters.find(type_, code)) is not None
        ]
        if parameters:
            found.append((type_, tuple(dict.fromkeys(parameters))))
    itself = compartment.type in types
    if not found and not itself:
        raise BadRequest(f"{types[0]} is not in the compartment of a {compartment.type}", code="not-supported")
    return InCompartment(compartment.type, compartment.id, tuple(found), itself)


def _contained(criteria: Criteria, shape: _Shape, where: list[Criterion]) -> tuple[tuple[str, ...], list[Criterion]]:
    """The query for containers; with `both` also for resources of their own."""
    if any(key.parameter.code not in ROW_SORTS for key in shape.sort):
        raise refused("_sort", "with _contained only _id and _lastUpdated sort")
    branches: list[Criterion] = []
    try:
        for type_ in shape.types:
            inner = tuple(may_be_within(each, type_) for each in where)
            branches.append(And((any_within(type_), *inner)))
    except NotWithin:
        raise refused("_contained", "one of the criteria cannot be asked of contained resources") from None
    if shape.contained == "both":
        branches.append(And((IsType(shape.types), *where)))
    return tuple(sorted(criteria.parameters.resource_types)), [Or(tuple(branches))]


# --- parameters that shape the answer -------------------------------------------------------------------------------


def _one_of(*allowed: str) -> Callable[[Asked, Leaf], str]:
    def read(one: Asked, name: Leaf) -> str:
        if name.modifier:
            raise refused(one.written, f"{name.code} takes no modifier")
        if one.value not in allowed:
            raise refused(one.written, f"expected one of {' '.join(allowed)}", value=one.value, code="value")
        return one.value

    return read


_READ_SUMMARY = _one_of("true", "text", "data", "count", "false")
_READ_TOTAL = _one_of("none", "estimate", "accurate")
_READ_CONTAINED = _one_of("true", "false", "both")
_READ_CONTAINED_TYPE = _one_of("container", "contained")


def _summary(_: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    shape.summary = _READ_SUMMARY(one, name)


def _total(_: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    shape.total = _READ_TOTAL(one, name)


def _contained_mode(_: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    shape.contained = _READ_CONTAINED(one, name)


def _contained_type(_: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    shape.contained_type = _READ_CONTAINED_TYPE(one, name)


LONGEST_COUNT = 40
"""Digits: clients that want all ask for the largest number they know."""


def _count(_: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    if name.modifier:
        raise refused(one.written, "_count takes no modifier")
    if not (one.value.isascii() and one.value.isdecimal()) or len(one.value) > LONGEST_COUNT:
        raise refused(one.written, "expected a whole number, 0 or more", value=one.value, code="value")
    shape.count = int(one.value)


def _elements(criteria: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    if name.modifier:
        raise refused(one.written, "_elements takes no modifier")
    definitions = criteria.parameters.definitions
    for text in one.alternatives:
        if len(shape.types) == 1 and text not in definitions.children(shape.types[0]):
            raise refused(one.written, f"this is no element of {shape.types[0]}", value=text, code="value")
    shape.elements = tuple(dict.fromkeys((*shape.elements, *one.alternatives)))


_NO_SORT_KEY = "a sort key is the code of a parameter, or a chain to one"


def _sort(criteria: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    if name.modifier:
        raise refused(one.written, "_sort takes no modifier; a key is code or -code")
    for text in one.alternatives:
        code = text.removeprefix("-")
        shape.sort.append(_sort_key(criteria, shape.types, code, one, text != code))
    if len(shape.sort) > criteria.limits.sort_keys:
        raise refused(one.written, f"at most {criteria.limits.sort_keys} keys are allowed", code="too-long")


def _sort_key(criteria: Criteria, types: tuple[str, ...], code: str, one: Asked, descending: bool) -> SortKey:
    if not code:
        raise refused(one.written, _NO_SORT_KEY)
    name = parse_one(code, "", criteria.limits).name
    chain: list[tuple[Parameter, str]] = []
    while isinstance(name, Hop):
        parameter = _sort_parameter(criteria, types, name.code, one)
        target = name.type or (parameter.targets[0] if len(parameter.targets) == 1 else None)
        if parameter.type != "reference" or target is None or target not in criteria.parameters.resource_types:
            raise refused(one.written, f"say the type of {name.code}, as in {name.code}:Patient.name")
        if any(found and not found.is_literal for found in (criteria.parameters.find(t, name.code) for t in types)):
            raise refused(one.written, f"{name.code} is a canonical reference: none to sort by", code="not-supported")
        chain.append((parameter, target))
        types, name = (target,), name.rest
    if isinstance(name, Reverse) or name.modifier:
        raise refused(one.written, _NO_SORT_KEY)
    return SortKey(_sort_parameter(criteria, types, name.code, one), descending, tuple(chain))


def _sort_parameter(criteria: Criteria, types: tuple[str, ...], code: str, one: Asked) -> Parameter:
    if code in ROW_SORTS:
        return ROW_SORTS[code]
    if len(types) > 1 and code in criteria.parameters.of("Resource"):
        types = ("Resource",)
    found = [criteria.parameters.find(type_, code) for type_ in types]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        raise unknown(one.written, code, types, criteria.parameters.nearest(types, code, ROW_SORTS))
    parameters = {(each.parameter.code, each.parameter.type): each for each in known}
    if len(parameters) != 1 or known[0].parameter.type not in SORTABLE or not known[0].is_found:
        raise refused(one.written, f"{shown(code)} cannot be sorted by", code="not-supported")
    if not criteria.parameters.is_searchable(known[0]):
        raise being_indexed(one.written)
    return known[0].parameter


def _include(criteria: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
    if name.modifier not in ("", "iterate"):
        raise refused(one.written, f"{name.code} takes :iterate only")
    iterate, reverse = name.modifier == "iterate", name.code == "_revinclude"
    source, colon, rest = one.value.partition(":")
    code, _, target = rest.partition(":")
    parameters = criteria.parameters
    if source == "*" and not colon:
        sources = shape.types if not reverse and not iterate else tuple(sorted(parameters.resource_types))
        code = "*"
    else:
        sources = (source,)
    for each in (*sources, target or sources[0]):
        if each not in parameters.resource_types or not code:
            raise refused(one.written, "expected Type:parameter or Type:parameter:Type", value=one.value, code="value")
    into = shape.revincludes if reverse else shape.includes
    for each in sources:
        if code == "*":
            found = _all_references(criteria, each, target, shape.types if reverse and not iterate else ())
        else:
            found = (_reference(criteria, each, code, target, one),)
        if found:
            into.append(Include(each, found, target or None, iterate))


def _all_references(criteria: Criteria, source: str, target: str, types: tuple[str, ...]) -> tuple[Parameter, ...]:
    """Reference parameters of a type, to `target` and to one of `types` if those are given."""
    found = (registered.parameter for registered in criteria.parameters.of(source).values())
    return tuple(
        dict.fromkeys(
            parameter
            for parameter in found
            if parameter.type == "reference"
            and (not target or target in parameter.targets)
            and (not types or not set(types).isdisjoint(parameter.targets))
        )
    )


def _reference(criteria: Criteria, source: str, code: str, target: str, one: Asked) -> Parameter:
    registered = criteria.parameters.find(source, code)
    if registered is None:
        raise unknown(one.written, code, (source,), criteria.parameters.nearest((source,), code))
    parameter = registered.parameter
    if parameter.type != "reference":
        raise refused(one.written, f"{source}.{shown(code)} is no reference")
    if target and parameter.targets and target not in parameter.targets:
        raise refused(one.written, f"{source}.{shown(code)} does not refer to {target}")
    return parameter


def _valued(shaper: _Shaper) -> _Shaper:
    def shape_if_valued(criteria: Criteria, shape: _Shape, one: Asked, name: Leaf) -> None:
        if not one.value:
            raise UnknownParameter(f"{shown(one.written)}: the parameter has no value", expression=shown(one.written))
        shaper(criteria, shape, one, name)

    return shape_if_valued


_Shaper = Callable[[Criteria, _Shape, Asked, Leaf], None]
_SHAPERS: dict[str, _Shaper] = {
    code: _valued(shaper)
    for code, shaper in {
        "_sort": _sort,
        "_count": _count,
        "_include": _include,
        "_revinclude": _include,
        "_summary": _summary,
        "_elements": _elements,
        "_total": _total,
        "_contained": _contained_mode,
        "_containedType": _contained_type,
    }.items()
}
