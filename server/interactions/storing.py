"""What all writes share: reading the body, checking it, and making of it what the store keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from fhir_profiles.issue import Issue
from fhir_profiles.json_in_steps import read_in_steps
from fhir_profiles.json_reading import read_json, write_json
from server.conformance_resources import TYPES
from server.context import Context
from server.errors import BadRequest, Conflict, TooLarge, Unprocessable, UnsupportedMedia
from server.interactions import binary
from server.interactions.labels import UNGUARDED, Guard
from server.interactions.references import local_targets, reference_elements, references_in, without_version
from server.messages import FhirRequest
from server.store.contract import (
    Body,
    Change,
    Commit,
    Condition,
    ConditionFailed,
    Exists,
    Put,
    Unreferenced,
    Written,
)
from server.wire.media import RESOURCE_TYPES

Resource = dict[str, Any]
P = ParamSpec("P")
T = TypeVar("T")

LARGE = 64 * 1024
"""Bytes of JSON whose check and index values may take longer than others should wait, some 10 ms."""

_FIRST = frozenset({"resourceType", "id", "meta"})
_ENVELOPES = frozenset({"Bundle", "Parameters"})
_STAMPED = frozenset({"versionId", "lastUpdated", "_versionId", "_lastUpdated"})


# ---------------------------------------------------------------- reading


def read_body(ctx: Context, request: FhirRequest) -> Resource:
    """The body as a resource of any type. Raises: BadRequest, UnsupportedMedia, ReadError."""
    if request.resource is not None:
        return request.resource
    _check_sent(request)
    return _of_known_type(ctx, read_json(request.body, max_depth=ctx.settings.max_depth))


async def read_body_in_turns(ctx: Context, request: FhirRequest) -> Resource:
    """As `read_body`; a large Bundle is read in turns with other requests."""
    if request.resource is not None:
        return request.resource
    _check_sent(request)
    return _of_known_type(ctx, await json_in_turns(ctx, request.body))


async def json_in_turns(ctx: Context, body: bytes) -> dict[str, Any]:
    """Raises: ReadError."""
    steps = read_in_steps(body, max_depth=ctx.settings.max_depth)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: dict[str, Any] = end.value
            return found
        await asyncio.sleep(0)


async def read_bundle(ctx: Context, request: FhirRequest) -> Resource:
    """The body as a Bundle. Raises: BadRequest, UnsupportedMedia, ReadError."""
    bundle = await read_body_in_turns(ctx, request)
    if bundle["resourceType"] != "Bundle":
        raise BadRequest("A Bundle is posted here; other resources go to their type", expression="resourceType")
    return bundle


def _check_sent(request: FhirRequest) -> None:
    """That there is a body, and that it says to be a resource. Raises: BadRequest, UnsupportedMedia."""
    if not request.body.strip():
        raise BadRequest("The body is empty: a resource was expected", code="structure")
    if request.media_type not in RESOURCE_TYPES:
        sent = f"not {request.media_type[:80]}" if request.media_type else "but no Content-Type was sent"
        raise UnsupportedMedia(f"The body must be application/fhir+json, {sent}")


def _of_known_type(ctx: Context, resource: Resource) -> Resource:
    """Raises: BadRequest."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in ctx.definitions.resource_types:
        found = repr(kind[:40]) if isinstance(kind, str) else "none"
        raise BadRequest(
            f"resourceType must name a resource type of FHIR R4, found {found}",
            code="structure",
            expression="resourceType",
        )
    return resource


async def read_resource(ctx: Context, request: FhirRequest, resource_type: str) -> Resource:
    """The body as a resource of the type that the URL names, raw content of a Binary included.

    Raises: BadRequest, UnsupportedMedia, ReadError.
    """
    if resource_type == "Binary" and binary.is_raw(request):
        return binary.from_raw(request)
    resource = await read_body_in_turns(ctx, request)
    if resource["resourceType"] != resource_type:
        raise BadRequest(
            f"The URL says {resource_type}, the resource is a {resource['resourceType']}", expression="resourceType"
        )
    return resource


def check(ctx: Context, resource: Resource) -> list[Issue]:
    """Warnings and information about a resource that may be stored. Raises: Unprocessable with all issues."""
    issues = ctx.validator.validate(resource)
    if issues and any(issue.severity in ("error", "fatal") for issue in issues):
        raise Unprocessable("The resource breaks rules of FHIR", issues=issues)
    return issues


# ---------------------------------------------------------------- storing


@dataclass(slots=True)
class Prepared:
    """A checked resource, ready to be stored."""

    put: Put
    conditions: list[Condition]
    """What must exist by referential integrity."""
    warnings: list[Issue]


def prepare(
    ctx: Context,
    base: str,
    resource: Resource,
    resource_id: str,
    method: str,
    guard: Guard = UNGUARDED,
) -> Prepared:
    """Check a resource and make the change that stores it under an id.

    base: FHIR base URL, absolute references to it are ours. method POST: the id was made for this. Versions in
    references are taken off in place, unless the setting keeps them.
    Raises: Unprocessable, TooLarge.
    """
    resource = {**resource, "id": resource_id}
    warnings = check(ctx, resource)
    resource_type: str = resource["resourceType"]
    if resource_type == "SearchParameter" and resource["status"] == "active":
        ctx.search.parameters.check_new(resource)
    body, references = _body_and_references(ctx, resource, resource_id)
    refuse_searches(references, ctx.definitions.resource_types)
    conditions: list[Condition] = []
    if references and ctx.settings.referential_integrity:
        refuse_unresolved(references)
        targets = local_targets(references, base, ctx.definitions.resource_types)
        targets.discard((resource_type, resource_id))
        conditions = [Exists(*target) for target in targets]
    put = Put(
        resource_type,
        resource_id,
        body,
        ctx.search.extract(resource_type, resource),
        method,
        guard.expected,
        ctx.search.text(resource_type, resource) if ctx.settings.text_search else None,
        guard.seen,
        guard.labels,
        fresh=method == "POST",
    )
    return Prepared(put, conditions, warnings)


def about(resource: Resource) -> int:
    """Bytes of JSON of a parsed resource, roughly; at least `LARGE` if it has that many. It is not written for that:
    nothing large is gone through where others wait."""
    size, waiting = 0, [resource]
    while waiting and size < LARGE:
        value: Any = waiting.pop()
        if value.__class__ is dict:
            size += 12 * len(value)
            waiting += value.values()
        elif value.__class__ is list:
            waiting += value
        else:
            size += len(value) if value.__class__ is str else 8
    return size


async def beside(size: int, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What the work gives; on a thread if it takes long, so that other requests are answered meanwhile.

    size: about how many bytes of JSON it is about.
    """
    if size < LARGE:
        return work(*arguments, **named)
    return await asyncio.to_thread(work, *arguments, **named)


def _body_and_references(ctx: Context, resource: Resource, resource_id: str) -> tuple[Body, list[str]]:
    """What is stored, and whom it refers to; versions are taken off in place, unless the setting keeps them.
    Raises: TooLarge."""
    body = sized_body(ctx, resource, resource_id)
    # References within a Bundle or Parameters resolve there, and stay as they may have been signed.
    references = [] if resource["resourceType"] in _ENVELOPES else references_in(body)
    if not ctx.settings.versioned_references and any("/_history/" in each for each in references):
        for element in reference_elements(resource):
            element["reference"] = without_version(element["reference"])
        body = sized_body(ctx, resource, resource_id)
        references = references_in(body)
    return body, references


def refuse_searches(references: Sequence[str], resource_types: Collection[str]) -> None:
    """`Patient?identifier=x` is a reference in a transaction only, which has replaced it before it stores.

    https://hl7.org/fhir/R4/http.html#trules Raises: Unprocessable.
    """
    for reference in references:
        if "?" in reference and reference.partition("?")[0] in resource_types:
            raise Unprocessable(
                f"A conditional reference ({reference.partition('?')[0]}?...) is resolved in a transaction only",
                code="not-supported",
            )


def refuse_unresolved(references: Sequence[str]) -> None:
    """`urn:uuid:` and `urn:oid:` name an entry of the same Bundle: a transaction has replaced them, so one that is left
    points to nothing, here or anywhere.   https://hl7.org/fhir/R4/bundle.html#references
    Raises: Conflict.
    """
    for reference in references:
        if reference.startswith(("urn:uuid:", "urn:oid:")):
            raise Conflict(
                f"Referential integrity: {reference[:60]!r} is the fullUrl of no entry; it can only refer "
                "to an entry of the same transaction"
            )


def sized_body(ctx: Context, resource: Resource, resource_id: str) -> Body:
    """As `body_of`. Raises: TooLarge."""
    body = body_of(resource, resource_id)
    most = ctx.settings.max_resource_bytes
    if len(body.head) + len(body.tail) > most:
        raise TooLarge(f"The resource is larger than {most} bytes", expression=resource["resourceType"])
    return body


def body_of(resource: Resource, resource_id: str) -> Body:
    """Compact JSON: resourceType, id, meta, then as written; the store stamps version and time into meta."""
    rest = write_json({name: value for name, value in resource.items() if name not in _FIRST})
    head = f'{{"resourceType":"{resource["resourceType"]}","id":"{resource_id}","meta":{{'.encode()
    tail = b"}," + rest[1:] if len(rest) > 2 else b"}}"
    meta = resource.get("meta")
    if meta:
        kept = {name: value for name, value in meta.items() if name not in _STAMPED}
        if kept:
            tail = b"," + write_json(kept)[1:-1] + tail
    return Body(head, tail)


async def commit(
    ctx: Context,
    changes: Sequence[Change],
    conditions: Sequence[Condition] = (),
    askers: Mapping[Condition, str] = MappingProxyType({}),
) -> list[Written]:
    """Store, and tell whoever has to know of definitions that changed.

    askers: FHIRPath of what needs a condition, where that is a part of a Bundle.
    Raises: Conflict (referential integrity), ConditionFailed (of Matches), VersionConflict.
    """
    try:
        written = await ctx.store.commit(Commit(changes, conditions))
    except ConditionFailed as error:
        _refuse_dangling(error, askers)
        raise
    types = {change.type for change in changes}
    if "SearchParameter" in types:
        await ctx.reindexing.told()
    if not types.isdisjoint(TYPES):
        ctx.conformance.take_up(each.version for each in written)
    return written


def _refuse_dangling(error: ConditionFailed, askers: Mapping[Condition, str]) -> None:
    """Raises: Conflict, if it was referential integrity that failed."""
    condition = error.condition
    if isinstance(condition, Exists):
        text = f"Referential integrity: {condition.type}/{condition.id}, which is referred to, does not exist"
        raise Conflict(text, expression=askers.get(condition)) from None
    if isinstance(condition, Unreferenced):
        others = ", ".join(f"{kind}/{each}" for kind, each in error.found[:5])
        by = f" by {others}" if others else ""
        text = f"Referential integrity: {condition.type}/{condition.id} is still referred to{by}"
        raise Conflict(text, expression=askers.get(condition)) from None
