"""$meta, $meta-add, $meta-delete: profiles, tags and security labels.

https://hl7.org/fhir/R4/resource-operation-meta.html
`$meta-add` and `$meta-delete` change the meta of a version where it is: its versionId and lastUpdated stay, so its ETag
does too, and histories tell nothing new. https://hl7.org/fhir/R4/resource-operation-meta-add.html
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from fhir_profiles.json_reading import read_json
from server.context import Context
from server.errors import Gone, NotFound, TooCostly, Unprocessable
from server.interactions import conditional, labels
from server.interactions.preconditions import check_if_match, version_headers
from server.interactions.storing import Resource, commit, sized_body
from server.messages import FhirRequest, FhirResponse
from server.operations.parameters import inputs, returned
from server.search.query import Query
from server.store.contract import Relabel, Version, VersionConflict

_LABELS = ("profile", *labels.CODED)
_PAGE = 100
_SECONDS = 20.0
"""As long as a search may take (server/store/contract.py, QueryTooCostly)."""

Meta = dict[str, Any]

_NONE: Meta = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "not-applicable"}]
}
"""No label is in use: the output is mandatory, and no element may be empty (ele-1)."""


async def meta(ctx: Context, request: FhirRequest) -> FhirResponse:
    """Meta of a resource or version; of a type or the system: every label in use.

    Raises: NotFound, Gone, TooCostly.
    """
    where = request.path[:-1]
    if len(where) >= 2:
        found = await _one(ctx, where)
        return returned("return", "valueMeta", _meta_of(found))
    types = where or tuple(sorted(ctx.definitions.resource_types))
    used: Meta = {}
    async for version in _all(ctx, types):
        used = _added(used, _meta_of(version))
    return returned("return", "valueMeta", {name: used[name] for name in _LABELS if used.get(name)} or _NONE)


async def meta_add(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The labels given are added; system and code (or the url of a profile) say what is there already."""
    return await _change(ctx, request, "Resource-meta-add", _added)


async def meta_delete(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The labels given are taken off; those that are not there are no error."""
    return await _change(ctx, request, "Resource-meta-delete", _removed)


async def _change(
    ctx: Context, request: FhirRequest, operation: str, change: Callable[[Meta, Meta], Meta]
) -> FhirResponse:
    """Raises: NotFound, Gone, PreconditionFailed (If-Match names another version than this), Unprocessable."""
    given = inputs(ctx, request, operation).one("meta")
    if not labels.are_sound(given) or not _are_texts(given.get("profile", [])):
        raise Unprocessable("The labels are not well-formed", code="structure", expression="Parameters.parameter.value")
    where = request.path[:-1]

    async def attempt() -> FhirResponse:
        version = await _one(ctx, where)
        expected = check_if_match(request.headers, version)
        resource = read_json(version.body or b"")
        before = resource["meta"]
        meta = change(before, given)
        if meta != before:
            relabel = _relabel(ctx, version, resource, meta, current=len(where) == 2)
            try:
                [written] = await commit(ctx, [relabel])
            except VersionConflict as error:
                if expected is None:
                    raise conditional.Overtaken(str(error)) from None
                raise
            version = written.version
        answer = returned("return", "valueMeta", _meta_of(version))
        answer.headers.update(version_headers(version))
        return answer

    return await conditional.patiently(ctx, "/".join(where[:2]), attempt)


def _relabel(ctx: Context, version: Version, resource: Resource, meta: Meta, *, current: bool) -> Relabel:
    """current: the version must be the current one.

    Raises: TooLarge, Unprocessable with what the labels break that was whole before them.
    """
    assert version.body is not None
    old = {(issue.code, issue.diagnostics, issue.expression) for issue in ctx.validator.validate(resource)}
    labelled = {**resource, "meta": meta}
    issues = ctx.validator.validate(labelled)
    broken = [each for each in issues if (each.code, each.diagnostics, each.expression) not in old]
    if any(each.severity in ("error", "fatal") for each in broken):
        raise Unprocessable("The labels break rules of FHIR", issues=broken)
    return Relabel(
        version.type,
        version.id,
        version.version,
        version.body,
        sized_body(ctx, labelled, version.id),
        ctx.search.extract(version.type, labelled),
        ctx.search.text(version.type, labelled) if ctx.settings.text_search else None,
        version.version if current else None,
    )


async def _one(ctx: Context, where: tuple[str, ...]) -> Version:
    if len(where) == 4:
        number = int(where[3]) if where[3].isdecimal() and len(where[3]) < 16 else 0
        version = await ctx.store.vread(where[0], where[1], number)
    else:
        version = await ctx.store.read(where[0], where[1])
    if version is None:
        raise NotFound(f"{'/'.join(where)} is not known")
    if version.body is None:
        raise Gone(f"{where[0]}/{where[1]} was deleted", headers=version_headers(version))
    return version


async def _all(ctx: Context, types: tuple[str, ...]) -> AsyncIterator[Version]:
    """Every live resource of the types that has a label. Raises: TooCostly."""
    query = Query(types, limit=_PAGE)
    deadline = time.monotonic() + _SECONDS
    while True:
        if time.monotonic() >= deadline:
            raise TooCostly(
                "It takes too long to look for the labels of so many resources. Ask for those of a type or of "
                "one resource, or search by _tag, _security or _profile."
            )
        page = await ctx.store.search(query)
        for hit in page.hits:
            body = hit.version.body
            if body is not None and any(f'"{name}":'.encode() in body for name in _LABELS):
                yield hit.version
        if not page.more:
            return
        query = query.page(after=page.hits[-1].position)


def _meta_of(version: Version) -> Meta:
    assert version.body is not None
    found: Meta = read_json(version.body)["meta"]
    return found


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)


def _added(meta: Meta, more: Meta) -> Meta:
    merged: Meta = {name: labels.union(meta.get(name, ()), more.get(name, ())) for name in labels.CODED}
    merged["profile"] = list(dict.fromkeys([*meta.get("profile", ()), *more.get("profile", ())]))
    return {**meta, **{name: values for name, values in merged.items() if values}}


def _removed(meta: Meta, fewer: Meta) -> Meta:
    remaining: Meta = {name: labels.difference(meta.get(name, ()), fewer.get(name, ())) for name in labels.CODED}
    remaining["profile"] = [each for each in meta.get("profile", ()) if each not in fewer.get("profile", ())]
    kept = {name: value for name, value in meta.items() if name not in remaining}
    return {**kept, **{name: values for name, values in remaining.items() if values}}
