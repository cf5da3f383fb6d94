"""Bundles of search results: stored bytes strung together, never parsed unless a subset is asked for.

https://hl7.org/fhir/R4/search.html#Summary https://hl7.org/fhir/R4/bundle.html#searchset
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from fhir_profiles.issue import Issue
from fhir_profiles.json_reading import read_json, write_json
from server.context import Context
from server.interactions.references import local_target, reference_elements
from server.interactions.subsets import Subset
from server.outcome import operation_outcome
from server.store.contract import Hit, Version, instant

Link = tuple[str, str]
"""Relation and url."""


class Bundle:
    """Writes Bundles with links to this base URL."""

    def __init__(self, ctx: Context, base: str) -> None:
        self._ctx = ctx
        self._base = orjson.dumps(base)[1:-1]

    def entry(self, version: Version, mode: str, subset: Subset | None = None) -> bytes:
        """Entry of a live resource; mode is match or include."""
        assert version.body is not None
        body = version.body if subset is None else subset.of(version.body)
        return b'{"fullUrl":"%b/%b/%b","resource":%b,"search":{"mode":"%b"}}' % (
            self._base,
            version.type.encode(),
            version.id.encode(),
            body,
            mode.encode(),
        )

    def contained_entry(self, version: Version, resource: dict[str, Any]) -> bytes:
        """Entry of a resource that is contained in a stored one: its fullUrl is the container's with the fragment."""
        url = f"{version.type}/{version.id}#{resource.get('id', '')}".encode()
        body = write_json(resource)
        return b'{"fullUrl":"%b/%b","resource":%b,"search":{"mode":"match"}}' % (self._base, url, body)

    def outcome(self, issues: Iterable[Issue]) -> bytes:
        """Entry that tells the client about the search itself."""
        return b'{"resource":%b,"search":{"mode":"outcome"}}' % write_json(operation_outcome(issues))

    def start(self, kind: str, links: Sequence[Link], total: int | None = None) -> bytes:
        """Everything before the entries, without the closing brace."""
        head: dict[str, Any] = {
            "resourceType": "Bundle",
            "id": self._ctx.ids(),
            "meta": {"lastUpdated": instant(self._ctx.clock())},
            "type": kind,
        }
        if total is not None:
            head["total"] = total
        head["link"] = [{"relation": relation, "url": url} for relation, url in links]
        return orjson.dumps(head)[:-1]

    def whole(self, kind: str, entries: Sequence[bytes], links: Sequence[Link], total: int | None = None) -> bytes:
        start = self.start(kind, links, total)
        return start + b',"entry":[' + b",".join(entries) + b"]}" if entries else start + b"}"


async def referenced(ctx: Context, base: str, hits: Sequence[Hit], seen: set[tuple[str, str]]) -> list[Version]:
    """Live resources that the hits refer to by any element, and that are not `seen`; they are then."""
    wanted: dict[tuple[str, str], None] = {}
    types = ctx.definitions.resource_types
    for hit in hits:
        for element in reference_elements(read_json(hit.version.body or b"{}")):
            target = local_target(element["reference"], base, types)
            if target is not None and (target.type, target.id) not in seen:
                wanted[target.type, target.id] = None
    seen.update(wanted)
    found = await ctx.store.read_many(list(wanted))
    return [version for version in found if version is not None and not version.deleted]
