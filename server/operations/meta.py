"""$meta, $meta-add, $meta-delete: profiles, tags and security labels.

https://hl7.org/fhir/R4/resource-operation-meta.html
A change of labels is a new version here, so that history and audit show who labelled what, when.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from fhir_profiles.json_reading import read_json
from server.context import Context
from server.errors import Gone, NotFound
from server.interactions import conditional
from server.interactions.preconditions import check_if_match, version_headers
from server.interactions.storing import commit, prepare
from server.interactions.update import union
from server.messages import FhirRequest, FhirResponse
from server.operations.parameters import inputs, returned
from server.search.query import Query
from server.store.contract import Version, VersionConflict

_LABELS = ("profile", "security", "tag")
_PAGE = 500

Meta = dict[str, Any]


async def meta(ctx: Context, request: FhirRequest) -> FhirResponse:
    """Meta of a resource or version; of a type or the system: every label in use. Raises: NotFound, Gone."""
    where = request.path[:-1]
    if len(where) >= 2:
        found = await _one(ctx, where)
        return returned("return", "valueMeta", _meta_of(found))
    types = where or tuple(sorted(ctx.definitions.resource_types))
    labels: Meta = {}
    async for version in _all(ctx, types):
        labels = _added(labels, _meta_of(version))
    return returned("return", "valueMeta", {name: labels[name] for name in _LABELS if labels.get(name)})


async def meta_add(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The labels given are added; system and code (or the url of a profile) say what is there already."""
    return await _change(ctx, request, "Resource-meta-add", _added)


async def meta_delete(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The labels given are taken off; those that are not there are no error."""
    return await _change(ctx, request, "Resource-meta-delete", _removed)


async def _change(
    ctx: Context, request: FhirRequest, operation: str, change: Callable[[Meta, Meta], Meta]
) -> FhirResponse:
    given = inputs(ctx, request, operation, bare=None).one("meta")
    where = request.path[:-1]

    async def attempt() -> FhirResponse:
        current = await _one(ctx, where)
        expected = check_if_match(request.headers, current)
        assert current.body is not None
        resource = read_json(current.body)
        resource["meta"] = change(resource["meta"], given)
        prepared = prepare(ctx, request.base, resource, current.id, "PUT", expected=current.version)
        try:
            [written] = await commit(ctx, [prepared.put], prepared.conditions)
        except VersionConflict as error:
            if expected is None:
                raise conditional.Overtaken(str(error)) from None
            raise
        answer = returned("return", "valueMeta", _meta_of(written.version))
        answer.headers.update(version_headers(written.version))
        return answer

    return await conditional.patiently(attempt)


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
    """Every live resource of the types that has a label."""
    query = Query(types, limit=_PAGE)
    while True:
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


def _added(labels: Meta, more: Meta) -> Meta:
    merged = {
        "profile": list(dict.fromkeys([*labels.get("profile", ()), *more.get("profile", ())])),
        "security": union(labels.get("security", ()), more.get("security", ())),
        "tag": union(labels.get("tag", ()), more.get("tag", ())),
    }
    return {**labels, **{name: values for name, values in merged.items() if values}}


def _removed(labels: Meta, fewer: Meta) -> Meta:
    kept = dict(labels)
    profiles = set(fewer.get("profile", ()))
    remaining = {"profile": [each for each in labels.get("profile", ()) if each not in profiles]}
    for name in ("security", "tag"):
        gone = {(each.get("system"), each.get("code")) for each in fewer.get(name, ())}
        remaining[name] = [each for each in labels.get(name, ()) if (each.get("system"), each.get("code")) not in gone]
    for name, values in remaining.items():
        if values:
            kept[name] = values
        else:
            kept.pop(name, None)
    return kept
