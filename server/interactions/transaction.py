"""A transaction: all entries or none, by one commit.   https://hl7.org/fhir/R4/http.html#trules

The order of the specification is kept by construction: identities are settled first (deletes, creates, updates and
patches may not overlap), then links and conditional references are rewritten, then one commit stores everything, then
reads and searches are answered from what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fhir_profiles.json_reading import read_json, same_json, write_json
from server import boundary
from server.access.decide import decide
from server.context import Context
from server.errors import BadRequest, FhirError, NotFound, PreconditionFailed
from server.interactions import conditional, labels
from server.interactions.conditional_references import resolve
from server.interactions.delete import MOST, deleted_answer, unreferenced
from server.interactions.entry import Answers, entries_of, entry_request, located, response_bundle, response_entry
from server.interactions.links import Links
from server.interactions.patch import patched
from server.interactions.preconditions import check_if_match, check_if_none_match
from server.interactions.search import compiled
from server.interactions.step import Step, locating
from server.interactions.storing import LARGE, about, beside, commit, prepare
from server.interactions.update import check_id, identity
from server.interactions.written import written_answer
from server.messages import FhirRequest, FhirResponse
from server.outcome import response_of
from server.prefer import prefer
from server.search.query import Query
from server.store.contract import (
    Condition,
    Delete,
    Put,
    Version,
    VersionConflict,
    instant,
)
from server.turn import Turn

WRITES = frozenset({"create", "update", "patch", "delete"})
SEARCHES = frozenset({"search-type", "search-system"})


async def transaction(ctx: Context, request: FhirRequest, body: dict[str, Any]) -> FhirResponse:
    """200 with a Bundle of type transaction-response, entries in the order sent.

    Raises: the error of the first entry that fails, its issues naming the entry; nothing is stored then.
    """
    # Resources are rewritten in place and dropped once they are changes, so a repetition starts from the text, and so
    # does the first time for a body that a caller within the program still holds.
    text = request.body or write_json(body)
    bodies = [body] if request.body else []

    async def attempt() -> FhirResponse:
        return await _once(ctx, request, bodies.pop() if bodies else read_json(text))

    return await conditional.patiently(ctx, "transaction", attempt)


async def _once(ctx: Context, request: FhirRequest, body: dict[str, Any]) -> FhirResponse:
    steps = await _steps(ctx, request, entries_of(ctx, body))
    writes = [step for step in steps if step.interaction in WRITES]
    await _identify(ctx, writes)
    _refuse_overlaps(writes)
    conditions = await _rewrite(ctx, request, writes)
    askers: dict[Condition, str] = {}
    conditions += await _make_changes(ctx, request.base, writes, askers, large=len(request.body) > LARGE)
    await _check_reads(ctx, steps, writes)
    once = {id(each): each for each in conditions}  # what was found together shares one
    await _commit(ctx, writes, list(once.values()), askers)
    taken = Answers(ctx.settings.max_body_bytes)
    answers, turn = [], Turn()
    for step in steps:
        answers.append(_written(request, step) if step.interaction in WRITES else await _read(ctx, step, taken))
        step.changes = []  # one by one: to forget them all at once takes its time
        if turn.is_over():
            await asyncio.sleep(0)
    return FhirResponse(200, body=response_bundle(ctx, "transaction-response", answers))


# ---------------------------------------------------------------- what each entry asks for


async def _steps(ctx: Context, outer: FhirRequest, rows: Sequence[dict[str, Any]]) -> list[Step]:
    """Raises: FhirError, located."""
    steps, turn = [], Turn()
    for number, row in enumerate(rows):
        steps.append(_step(ctx, outer, number, row))
        if turn.is_over():
            await asyncio.sleep(0)
    return steps


def _step(ctx: Context, outer: FhirRequest, number: int, row: dict[str, Any]) -> Step:
    try:
        request = entry_request(ctx, outer, row)
        if request.method == "POST" and not request.path:
            raise BadRequest("A Bundle within a Bundle is not processed")
        route = request.route = ctx.routes.find(request.method, request.path)
        decide(request.principal, route, request)
        if route.interaction not in WRITES and route.scope == "w":
            raise BadRequest(f"${route.operation} changes the store on its own; it cannot be part of a transaction")
        step = Step(number, request, route.interaction, row.get("fullUrl"))
        if step.interaction in WRITES:
            _name(step)
    except FhirError as error:
        raise located(error, number) from None
    return step


def _name(step: Step) -> None:
    """Type and id of the URL, and that the resource is of this type. Raises: BadRequest."""
    path = step.request.path
    step.type, step.id = path[0], path[1] if len(path) > 1 else ""
    if step.interaction in ("create", "update") and step.resource["resourceType"] != step.type:
        raise BadRequest(
            f"request.url says {step.type}, the resource is a {step.resource['resourceType']}",
            expression="resourceType",
        )
    if step.interaction == "update" and step.id:
        check_id(step.resource, step.id)


# ---------------------------------------------------------------- identities


async def _identify(ctx: Context, writes: Sequence[Step]) -> None:
    """Settle which resource each entry is about, by few calls of the store."""
    _pair_twins(ctx, writes)
    await _match(ctx, writes)
    for step in writes:
        if not step.id and step.interaction in ("create", "update") and step.twin is None:
            with locating(step):
                step.id = (
                    ctx.ids() if step.interaction == "create" else await identity(ctx, step.resource, step.current)
                )
    for step in writes:
        if step.twin is not None:
            step.id = step.twin.id
    named = [step for step in writes if step.found is None and step.interaction != "create"]
    stored = await ctx.store.read_many([(step.type, step.id) for step in named])
    for step, version in zip(named, stored, strict=True):
        step.current = version


def _criteria(ctx: Context, step: Step) -> list[tuple[str, str]] | None:
    """Search parameters of a conditional interaction; None if the entry is none."""
    if step.interaction == "create":
        text = step.request.headers.get("if-none-exist")
        if text is None or step.twin is not None:
            return None
        return conditional.header_criteria(ctx, text, step.type)
    return None if step.id else conditional.url_criteria(step.request.query)


async def _match(ctx: Context, writes: Sequence[Step]) -> None:
    """Search the criteria of all conditional interactions. Raises: FhirError, located."""
    asking: list[Step] = []
    queries: list[Query] = []
    for step in writes:
        with locating(step, "request.ifNoneExist" if step.interaction == "create" else "request.url"):
            criteria = _criteria(ctx, step)
            if criteria is not None:
                asking.append(step)
                queries.append(conditional.compiled(ctx, step.type, criteria, step.request.base))
    for step, found in zip(asking, await conditional.found_by_each(ctx, queries), strict=True):
        with locating(step):
            if step.interaction == "delete" and ctx.settings.conditional_delete_multiple:
                step.found = await conditional.found_by(ctx, found.query, MOST)
                if step.found.more:
                    raise PreconditionFailed(f"More than {MOST} resources match", code="too-costly")
                continue
            step.found = found
            step.current = found.one_or_none()
            if step.interaction == "patch" and step.current is None:
                raise NotFound(f"No {step.type} matches the criteria")
            if step.current is not None:
                step.id = step.current.id


def _pair_twins(ctx: Context, writes: Sequence[Step]) -> None:
    """Conditional creates of equal criteria and content are one; of other content they overlap."""
    first: dict[tuple[str, str], Step] = {}
    for step in writes:
        text = step.request.headers.get("if-none-exist")
        if step.interaction == "create" and text is not None:
            twin = first.setdefault((step.type, text), step)
            if twin is not step:
                if not same_json(twin.resource, step.resource):
                    raise located(
                        BadRequest("Two entries create a resource by equal criteria", code="duplicate"), step.number
                    )
                step.twin = twin


def _refuse_overlaps(writes: Sequence[Step]) -> None:
    """https://hl7.org/fhir/R4/http.html#trules: identities may not overlap. Raises: BadRequest."""
    owner: dict[tuple[str, str], int] = {}
    for step in writes:
        if step.twin is not None:
            continue
        for identified in step.identities():
            if owner.setdefault(identified, step.number) != step.number:
                kind, name = identified
                text = f"{kind}/{name} is also the subject of Bundle.entry[{owner[identified]}]"
                raise located(BadRequest(text, code="duplicate"), step.number)
    _refuse_equal_criteria(writes)


def _refuse_equal_criteria(writes: Sequence[Step]) -> None:
    """Entries that each make what the same criteria do not find are about one resource, though no identity tells it.
    Raises: BadRequest."""
    owner: dict[Query, int] = {}
    for step in writes:
        if step.found is not None and step.interaction in ("create", "update") and step.current is None:
            first = owner.setdefault(step.found.query, step.number)
            if first != step.number:
                text = f"Bundle.entry[{first}] makes a resource by equal criteria"
                raise located(BadRequest(text, code="duplicate"), step.number)


# ---------------------------------------------------------------- links


async def _rewrite(ctx: Context, request: FhirRequest, writes: Sequence[Step]) -> list[Condition]:
    """Apply the patches and replace links to entries and conditional references in all resources.

    What the conditional references matched is a condition of the commit.
    """
    identities: dict[str, str] = {}
    versions: dict[str, int] = {}
    for step in writes:
        where = f"{step.type}/{step.id}"
        if step.interaction == "delete":
            continue
        if step.full_url and step.full_url != f"{request.base}/{where}":
            identities[step.full_url] = where
        versions[where] = (step.current.version if step.current else 0) + (0 if step.matched else 1)
    links, turn = Links(ctx.definitions, identities, versions), Turn()
    for step in writes:
        if turn.is_over():
            await asyncio.sleep(0)
        if step.interaction == "delete" or step.matched:
            continue
        with locating(step):
            if step.interaction == "patch":
                assert step.current is not None or step.found is None
                if step.current is None:
                    raise NotFound(f"{step.type}/{step.id} is not known")
                step.request.resource = patched(ctx, step.request, step.current)
            elif step.interaction == "create":
                step.resource["id"] = step.id
            links.rewrite(step.resource, step.full_url)
    return await resolve(ctx, request, links, writes) if links.searches else []


# ---------------------------------------------------------------- changes


async def _make_changes(
    ctx: Context, base: str, writes: Sequence[Step], askers: dict[Condition, str], *, large: bool
) -> list[Condition]:
    """The changes of each entry, every resource checked once; what must hold for them. large: one of them may be so.
    askers: gets the entry that needs a condition of referential integrity.
    Raises: FhirError, located."""
    conditions: list[Condition] = []
    turn = Turn()
    for step in writes:
        if turn.is_over():
            await asyncio.sleep(0)
        if step.found is not None:
            conditions.append(step.found.condition)
        if step.matched:
            continue
        with locating(step):
            if step.interaction == "delete":
                needed = _deletes(ctx, step)
                askers.update(dict.fromkeys(needed, step.expression))
                conditions += needed
                continue
            guard, size = _guard(step), about(step.resource) if large else 0
            prepared = await beside(size, prepare, ctx, base, step.resource, step.id, step.request.method, guard)
            step.changes = [prepared.put]
            step.warnings = prepared.warnings
            step.resource.clear()  # all is said in the change; a parsed resource takes ten times its bytes
            for each in prepared.conditions:
                if each not in askers:
                    askers[each] = step.expression
                    conditions.append(each)
    return conditions


def _guard(step: Step) -> labels.Guard:
    """What must be current for the change of an entry. Raises: PreconditionFailed, BadRequest, Unprocessable."""
    if step.interaction == "create":
        return labels.Guard(0)
    headers, current = step.request.headers, step.current
    expected = check_if_match(headers, current)
    step.guarded = expected is not None
    if step.interaction == "patch":
        assert current is not None
        return labels.at(current.version, current)
    if check_if_none_match(headers, current):
        step.guarded = True
        return labels.Guard(0)
    guard = labels.carry(step.resource, current)
    return guard if expected is None else labels.at(expected, current)


def _deletes(ctx: Context, step: Step) -> list[Condition]:
    versions = step.found.versions if step.found is not None else [step.current] if step.current else []
    if step.found is None:
        expected = check_if_match(step.request.headers, step.current)
        step.guarded = expected is not None
        deletes = [Delete(step.type, step.id, expected)]
    else:
        for version in versions:
            check_if_match(step.request.headers, version)
        deletes = [Delete(each.type, each.id, each.version) for each in versions if each is not None]
    step.changes = list(deletes)
    return unreferenced(ctx, deletes)


async def _commit(
    ctx: Context, writes: Sequence[Step], conditions: Sequence[Condition], askers: Mapping[Condition, str]
) -> None:
    """askers: see `commit`."""
    changing = [step for step in writes if step.changes]
    changes = [change for step in changing for change in step.changes]
    if not changes:
        return
    try:
        written = iter(await commit(ctx, changes, conditions, askers))
    except VersionConflict as error:
        raise _overtaken(error, changing) from None
    for step in changing:
        step.written = [next(written) for _ in step.changes]


def _overtaken(error: VersionConflict, changing: Sequence[Step]) -> Exception:
    """The client's own condition failed (412, naming the entry), or another request was faster (start over)."""
    for step in changing:
        if step.guarded and any((each.type, each.id) == (error.type, error.id) for each in step.changes):
            text = f"{error.type}/{error.id} is not at the version named, it is at {error.current}"
            return located(PreconditionFailed(text), step.number)
    return conditional.Overtaken(str(error))


# ---------------------------------------------------------------- reads, and answers


async def _check_reads(ctx: Context, steps: Sequence[Step], writes: Sequence[Step]) -> None:
    """Reads of what will not exist and searches that cannot be understood fail the transaction before it is stored.

    Raises: FhirError, located.
    """
    after = {(change.type, change.id): isinstance(change, Put) for step in writes for change in step.changes}
    for step in steps:
        if step.interaction == "read":
            key = (step.request.path[0], step.request.path[1])
            if key not in after:
                version = await ctx.store.read(*key)
                after[key] = version is not None and not version.deleted
            if not after[key]:
                raise located(NotFound(f"{'/'.join(key)} is not there to be read"), step.number)
        elif step.interaction in SEARCHES:
            with locating(step, "request.url"):
                compiled(ctx, step.request)


def _written(request: FhirRequest, step: Step) -> bytes:
    version: Version | None
    if step.interaction == "delete":
        answer = deleted_answer(step.request, step.written)
        version = step.written[0].version if step.written else None
    elif step.matched:
        version = _version_of(step.twin or step)
        assert version is not None, "a conditional create that creates nothing has a match"
        answer = written_answer(step.request, version, created=False)
    else:
        [written] = step.written
        version = written.version
        answer = written_answer(step.request, version, created=written.created, warnings=step.warnings)
    if prefer(request.headers).answer is None:
        answer.body = None  # an entry need not repeat the resource: the sender has it
    return response_entry(step.request, answer, instant(version.last_updated) if version is not None else None)


def _version_of(step: Step) -> Version | None:
    return step.written[0].version if step.written else step.current


async def _read(ctx: Context, step: Step, taken: Answers) -> bytes:
    try:
        taken.check_room()
        response = await boundary.dispatch(ctx, step.request)
        await taken.take(response)
        return response_entry(step.request, response)
    except FhirError as error:
        return response_entry(step.request, response_of(error, step.request.request_id))
