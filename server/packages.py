"""FHIR packages in the store: their definitions as resources that every worker takes up, tagged with the package.

Snapshots are completed on the way in. What a package brings may be read, searched and changed like any resource; an
older version of the same package is replaced, and `remove` takes away what still bears the tag.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.json_reading import read_json
from fhir_profiles.snapshot import SnapshotError, complete
from server.access.principal import Principal
from server.boundary import handle
from server.context import Context
from server.messages import FhirRequest
from server.package_reading import KINDS, Package, PackageError
from server.store.contract import Version

TAGS = f"{CANONICAL}/CodeSystem/package"
"""System of the tag `name#version`."""
_SETTING = "package/"
_MANAGER = Principal("packages")
_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]\.resource\.?")
_TOGETHER = 200
"""Resources of one transaction."""

Resource = dict[str, Any]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Added:
    """What came of a package."""

    name: str
    version: str
    counts: dict[str, int]
    """Resource type to how many."""
    removed: int
    """Resources of an earlier version that the new one no longer has."""
    missing: tuple[str, ...]
    """`name#version` of packages it builds upon that are not here."""


async def add(ctx: Context, package: Package, progress: Progress = lambda done: None) -> Added:
    """Store the definitions of a package.   Raises: PackageError; nothing was stored then, or a whole part of it."""
    here = await listing(ctx)
    resources = _completed(ctx, package)
    kept: set[tuple[str, str]] = set()
    for start in range(0, len(resources), _TOGETHER):
        part = resources[start : start + _TOGETHER]
        entries = [await _entry(ctx, package, *each) for each in part]
        await _transaction(ctx, entries, f"{package.label} cannot be stored", [member for member, _ in part])
        kept.update((entry["resource"]["resourceType"], entry["resource"]["id"]) for entry in entries)
        progress(len(entries))
    removed = await _delete(ctx, package.name, kept)
    counts = {kind: sum(each["resourceType"] == kind for _, each in resources) for kind in KINDS}
    counts = {kind: count for kind, count in counts.items() if count}
    row = {"name": package.name, "version": package.version, "counts": counts}
    await ctx.store.put_setting(_SETTING + package.name, orjson.dumps(row))
    known = {each["name"] for each in here} | {package.name}
    missing = tuple(f"{name}#{version}" for name, version in package.dependencies.items() if name not in known)
    return Added(package.name, package.version, counts, removed, missing)


async def listing(ctx: Context) -> list[dict[str, Any]]:
    """`{"name", "version", "counts"}` of every package, by name."""
    settings = await ctx.store.all_settings()
    return [orjson.loads(value) for key, value in sorted(settings.items()) if key.startswith(_SETTING) and value]


async def remove(ctx: Context, name: str) -> int:
    """Delete what a package brought; how many resources.   Raises: PackageError (there is no such package)."""
    if name not in {each["name"] for each in await listing(ctx)}:
        raise PackageError(f"there is no package {name[:80]}")
    deleted = await _delete(ctx, name, set())
    await ctx.store.put_setting(_SETTING + name, b"")
    return deleted


# --- on the way in ----------------------------------------------------------------------------------------------------


def _completed(ctx: Context, package: Package) -> list[tuple[str, Resource]]:
    """(file, resource), StructureDefinitions with snapshots, those that others build upon first."""
    waiting = [each for each in package.resources if each[1]["resourceType"] == "StructureDefinition"]
    ready: list[tuple[str, Resource]] = []
    while waiting:
        bases = {resource["url"] for _, resource in waiting}
        usable = [each for each in waiting if str(each[1].get("baseDefinition")).partition("|")[0] not in bases]
        if not usable:
            raise PackageError(f"{waiting[0][0]}: its base leads back to itself")
        for member, resource in usable:
            ready.append((member, _known(ctx, member, resource)))
        waiting = [each for each in waiting if each not in usable]
    others = [each for each in package.resources if each[1]["resourceType"] != "StructureDefinition"]
    return sorted([*others, *ready], key=lambda each: KINDS.index(each[1]["resourceType"]))


def _known(ctx: Context, member: str, resource: Resource) -> Resource:
    """The profile with a snapshot, and known to those that follow."""
    if resource.get("derivation") != "constraint":
        raise PackageError(f"{member}: it defines a type of its own (a logical model), which R4 servers cannot use")
    try:
        completed = dict(complete(resource, ctx.definitions))
        ctx.definitions.add(completed)
    except (SnapshotError, ValueError, KeyError, TypeError) as error:
        raise PackageError(f"{member}: no snapshot can be made of it: {error}") from error
    return completed


async def _entry(ctx: Context, package: Package, member: str, resource: Resource) -> Resource:
    """Transaction entry that stores a resource under the id that its url has here, or its own, or a new one."""
    kind = resource["resourceType"]
    number = await _id_of(ctx, package, member, resource)
    meta = resource.get("meta", {})
    tags = [each for each in meta.get("tag", ()) if each.get("system") != TAGS]
    tags.append({"system": TAGS, "code": package.label})
    tagged = {**resource, "id": number, "meta": {**meta, "tag": tags}}
    return {"resource": tagged, "request": {"method": "PUT", "url": f"{kind}/{number}"}}


async def _id_of(ctx: Context, package: Package, member: str, resource: Resource) -> str:
    kind = resource["resourceType"]
    query = ctx.search.criteria(kind, [("url", resource["url"])])
    for hit in (await ctx.store.search(query)).hits:
        owner = _package_of(hit.version)
        if owner is None:
            raise PackageError(f"{member}: {resource['url']} is here already as {kind}/{hit.version.id}")
        if owner == package.name:
            return hit.version.id
    own = resource.get("id")
    if isinstance(own, str):
        stored = await ctx.store.read(kind, own)
        if stored is None or stored.deleted or _package_of(stored) == package.name:
            return own
    return ctx.ids()


def _package_of(version: Version) -> str | None:
    """Name of the package that a stored resource came with."""
    tags = read_json(version.body)["meta"].get("tag", ()) if version.body else ()
    return next((tag["code"].partition("#")[0] for tag in tags if tag.get("system") == TAGS), None)


# --- store ------------------------------------------------------------------------------------------------------------


async def _delete(ctx: Context, name: str, kept: set[tuple[str, str]]) -> int:
    """Delete the resources of a package but those that are kept, definitions before what they are bound to."""
    entries: list[Resource] = []
    for kind in reversed(KINDS):
        entries += [
            {"request": {"method": "DELETE", "url": f"{kind}/{version.id}"}}
            for version in await _tagged(ctx, kind)
            if _package_of(version) == name and (kind, version.id) not in kept
        ]
    for start in range(0, len(entries), _TOGETHER):
        await _transaction(ctx, entries[start : start + _TOGETHER], f"{name} cannot be removed")
    return len(entries)


async def _tagged(ctx: Context, kind: str) -> list[Version]:
    """Every resource of a type that came with some package."""
    query = ctx.search.compile(kind, [("_tag", TAGS + "|"), ("_count", str(_TOGETHER))]).query
    found: list[Version] = []
    while True:
        page = await ctx.store.search(query)
        found += [hit.version for hit in page.hits]
        if not page.more:
            return found
        query = query.page(after=page.hits[-1].position)


async def _transaction(ctx: Context, entries: list[Resource], failure: str, files: Sequence[str] = ()) -> None:
    """`files`: where the entries come from, for the reason of a refusal."""
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    headers = {"prefer": "return=minimal"}
    request = FhirRequest(
        "POST",
        (),
        [],
        headers,
        ctx.settings.fhir_base,
        _MANAGER,
        media_type="application/fhir+json",
        resource=bundle,
    )
    response = await handle(ctx, request)
    if response.status >= 400:
        outcome = response.resource or read_json(response.body or b"{}")
        reasons = [_reason(each, files) for each in outcome.get("issue", ())]
        raise PackageError("; ".join([failure, *reasons[:5]]))


def _reason(issue: Resource, files: Sequence[str]) -> str:
    """Where and what: the file instead of the entry of our transaction."""
    expression = (issue.get("expression") or [""])[0]
    found = _ENTRY.match(expression)
    place = f"{files[int(found[1])]}: {expression[found.end() :]}" if found and files else expression
    return f"{place} {issue.get('diagnostics', '')}".strip()
