"""$everything: all that belongs to a patient or an encounter.

https://hl7.org/fhir/R4/patient-operation-everything.html https://hl7.org/fhir/R4/encounter-operation-everything.html
The compartment, and what its resources refer to, but for what belongs to other patients: a Group names its members,
the Provenance of a file all whom it brought, and none of them is a part of everything of one. Without `_count` the
answer is one Bundle, sent as it is read; with `_count` it comes in pages, each of which brings what its resources refer
to.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from server.context import Context
from server.errors import BadRequest, Gone, NotFound
from server.interactions.history import page_size
from server.interactions.preconditions import version_headers
from server.interactions.searchset import Bundle, referenced
from server.messages import FhirRequest, FhirResponse
from server.operations.parameters import Inputs, inputs
from server.search.instant import MAX, MIN, interval
from server.search.query import (
    And,
    Chain,
    Criterion,
    InCompartment,
    IsType,
    LastUpdated,
    Match,
    Missing,
    Or,
    Parameter,
    Position,
    Query,
    RangeOperand,
)
from server.search.values import Reference
from server.store.contract import Hit, Version

_CHUNK = 200
"""Resources read at a time while an answer is sent."""

# The parameter that says when care happened, the first of these that a type has.
CARE_DATES = (
    "date",
    "period",
    "authored-on",
    "authoredon",
    "onset-date",
    "recorded-date",
    "effective-time",
    "created",
    "started",
    "sent",
    "whenhandedover",
    "when-given",
    "issued",
    "occurrence",
    "event-date",
    "target-date",
)


async def everything(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a Bundle of type searchset. Raises: NotFound, Gone (the patient), BadRequest."""
    after: Position | None = None
    cursor = next((value for name, value in request.query if name == "_cursor"), None)
    if cursor is not None:
        path, pairs, after = _opened(ctx.search.cursors.open(cursor, request.principal.name))
        if path != request.path:
            raise BadRequest("_cursor: this page link belongs to another address", code="value")
        values: dict[str, list[Any]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        asked = Inputs({name: tuple(each) for name, each in values.items()})
    else:
        asked = inputs(ctx, request, f"{request.path[0]}-everything")
    if asked.many("_offset"):
        raise BadRequest("_offset is not supported; follow the next links", code="not-supported", expression="_offset")
    if len(request.path) == 3:
        await _must_exist(ctx, request.path[0], request.path[1])
    count = asked.one("_count")
    limit = _CHUNK if count is None else max(1, page_size(ctx, str(count)))
    query = Query(_types(ctx, request.path[0], asked), _where(ctx, request, asked), limit=limit, after=after)
    return await (_stream(ctx, request, query) if count is None else _page(ctx, request, asked, query))


def _opened(payload: Any) -> tuple[tuple[str, ...], list[tuple[str, Any]], Position]:
    """Path, inputs and position of a cursor. Raises: BadRequest (the cursor of another kind of request)."""
    try:
        kind, path, pairs, after = payload
    except (TypeError, ValueError):
        kind = None
    if kind != "$everything":
        raise BadRequest("_cursor: this is no page of $everything", code="value")
    return tuple(path), [(name, value) for name, value in pairs], tuple(after)


async def _must_exist(ctx: Context, owner: str, name: str) -> None:
    version = await ctx.store.read(owner, name)
    if version is None:
        raise NotFound(f"{owner}/{name} is not known")
    if version.deleted:
        raise Gone(f"{owner}/{name} was deleted", headers=version_headers(version))


# ---------------------------------------------------------------- what belongs to it


def _types(ctx: Context, owner: str, asked: Inputs) -> tuple[str, ...]:
    members = ctx.definitions.compartment(owner)
    wanted = {each.strip() for value in asked.many("_type") for each in value.split(",") if each.strip()}
    for each in wanted:
        if each not in ctx.definitions.resource_types:
            raise BadRequest(
                f"_type: {each[:40]!r} is not a resource type of FHIR R4", code="value", expression="_type"
            )
    return tuple(each for each in sorted({owner, *members}) if not wanted or each in wanted)


def _where(ctx: Context, request: FhirRequest, asked: Inputs) -> tuple[Criterion, ...]:
    owner = request.path[0]
    if len(request.path) == 3:
        where: list[Criterion] = [_compartment_of(ctx, owner, request.path[1])]
    else:
        where = [_any_compartment(ctx, owner)]
    zone = zoneinfo.ZoneInfo(ctx.settings.timezone)
    since = asked.one("_since")
    if since is not None:
        lower = _moment("_since", since, zone)[0]
        where.append(LastUpdated((RangeOperand("ge", lower, lower + 1, lower),)))
    start, end = asked.one("start"), asked.one("end")
    if start is not None or end is not None:
        lower = _moment("start", start, zone)[0] if start is not None else MIN
        upper = _moment("end", end, zone)[1] if end is not None else MAX
        where.append(_care_between(ctx, owner, lower, upper))
    return tuple(where)


def _moment(name: str, text: str, zone: zoneinfo.ZoneInfo) -> tuple[int, int]:
    found = interval(text.replace(" ", "+"), zone)
    if found is None:
        raise BadRequest(f"{name} must be a date or an instant", code="value", expression=name)
    return found


def _members(ctx: Context, owner: str) -> list[tuple[str, tuple[Parameter, ...]]]:
    return [
        (
            name,
            tuple(
                ctx.search.parameters.of(name)[code].parameter
                for code in codes
                if code in ctx.search.parameters.of(name)
            ),
        )
        for name, codes in sorted(ctx.definitions.compartment(owner).items())
    ]


def _compartment_of(ctx: Context, owner: str, name: str) -> InCompartment:
    return InCompartment(owner, name, tuple(_members(ctx, owner)), itself=True)


def _any_compartment(ctx: Context, owner: str) -> Criterion:
    """Is an owner, or refers to one by a parameter of the compartment."""
    branches: list[Criterion] = [IsType((owner,))]
    for name, parameters in _members(ctx, owner):
        hops = tuple(Chain(each, owner, And(())) for each in parameters)
        branches.append(And((IsType((name,)), Or(hops))))
    return Or(tuple(branches))


def _care_between(ctx: Context, owner: str, lower: int, upper: int) -> Criterion:
    """Care within the dates; what has no date of care is given always."""
    dated: dict[Parameter, list[str]] = {}
    for name in ctx.definitions.compartment(owner):
        found = ctx.search.parameters.of(name)
        code = next((each for each in CARE_DATES if each in found), None)
        if code is not None and name != owner:
            dated.setdefault(found[code].parameter, []).append(name)
    undated: Criterion = IsType(
        tuple(
            sorted({owner, *ctx.definitions.compartment(owner)} - {each for names in dated.values() for each in names})
        )
    )
    branches: list[Criterion] = [undated]
    for parameter, names in dated.items():
        begins = Match(parameter, "", (RangeOperand("ge", lower, lower + 1, lower),))
        ends = Match(parameter, "", (RangeOperand("le", upper - 1, upper, upper - 1),))
        inside = And((begins, ends))
        branches.append(And((IsType(tuple(names)), Or((Missing(parameter, True), inside)))))
    return Or(tuple(branches))


# ---------------------------------------------------------------- answers


async def _page(ctx: Context, request: FhirRequest, asked: Inputs, query: Query) -> FhirResponse:
    hits = await ctx.store.search(query)
    bundle = Bundle(ctx, request.base)
    seen = {(hit.version.type, hit.version.id) for hit in hits.hits}
    entries = [bundle.entry(hit.version, "match") for hit in hits.hits]
    entries += [bundle.entry(version, "include") for version in await _brought(ctx, request, hits.hits, seen)]
    url = "/".join((request.base, *request.path))
    links = [("self", url)]
    if hits.more and hits.hits:
        pairs = [(name, value) for name, values in asked.values.items() for value in values]
        payload = ["$everything", request.path, pairs, hits.hits[-1].position]
        links.append(("next", f"{url}?_cursor={ctx.search.cursors.seal(payload, request.principal.name)}"))
    return FhirResponse(200, body=bundle.whole("searchset", entries, links))


async def _stream(ctx: Context, request: FhirRequest, query: Query) -> FhirResponse:
    """The whole answer in one Bundle. Its first part is read before anything is sent, so that failures are answered."""
    url = "/".join((request.base, *request.path))
    bundle = Bundle(ctx, request.base)
    first = await ctx.store.search(query)

    async def pieces() -> AsyncIterator[bytes]:
        yield bundle.start("searchset", [("self", url)])
        seen: set[tuple[str, str]] = set()
        separator = b',"entry":['
        page = first
        while page.hits:
            for piece in await _chunk(ctx, request, bundle, page.hits, seen):
                yield separator + piece
                separator = b","
            if not page.more:
                break
            page = await ctx.store.search(query.page(after=page.hits[-1].position))
        yield b"]}" if separator == b"," else b"}"

    return FhirResponse(200, stream=pieces())


async def _chunk(
    ctx: Context, request: FhirRequest, bundle: Bundle, hits: Sequence[Hit], seen: set[tuple[str, str]]
) -> Iterable[bytes]:
    """Entries of some hits and of what they refer to, none twice."""
    fresh = [hit for hit in hits if (hit.version.type, hit.version.id) not in seen]
    seen.update((hit.version.type, hit.version.id) for hit in fresh)
    others = await _brought(ctx, request, fresh, seen)
    found: list[Any] = [bundle.entry(hit.version, "match") for hit in fresh]
    return found + [bundle.entry(version, "include") for version in others]


async def _brought(
    ctx: Context, request: FhirRequest, hits: Sequence[Hit], seen: set[tuple[str, str]]
) -> list[Version]:
    """What the hits refer to and is not `seen`; it is then."""
    own = request.path[:2]
    if own[0] != "Patient" or len(request.path) < 3:
        return await referenced(ctx, request.base, hits, seen)
    itself = [hit for hit in hits if (hit.version.type, hit.version.id) == own]
    linked = await referenced(ctx, request.base, itself, seen)  # another record of the same person, as it says
    others = await referenced(ctx, request.base, hits, seen)
    return linked + [each for each in others if not _is_of_others(ctx, each, own[1])]


def _is_of_others(ctx: Context, version: Version, patient: str) -> bool:
    """Whether a resource is of one or several patients, and not of this one."""
    codes = ctx.definitions.compartment("Patient").get(version.type, ())
    index = ctx.search.extract(version.type, version.body or b"{}") if codes else {}
    of = {
        value.id
        for code in codes
        for value in index.get(code, ())
        if isinstance(value, Reference) and value.type == "Patient"
    }
    if version.type == "Patient":
        of.add(version.id)
    return bool(of) and patient not in of
