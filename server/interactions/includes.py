"""`_include` and `_revinclude`: resources that those on a page refer to, or that refer to them.

https://hl7.org/fhir/R4/search.html#include
References are taken from the index values of the hits. What an include adds is never a match, never repeated, and
deleted resources are not added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from server.context import Context
from server.interactions.by_url import references_by_url, version_in
from server.search.query import Match, Or, Parameter, Query, TextOperand, references_to
from server.search.request import Include, SearchRequest
from server.search.values import Index, Reference, Uri
from server.store.contract import Version

MOST = 1000
"""Resources that includes may add to a page; beyond that they are cut, and an outcome entry says so."""
ROUNDS = 8
"""How often `:iterate` goes on from what was added."""

_VERSIONS = 20
"""Versions of one definition that are looked at."""

Key = tuple[str, str]


class Included:
    """Collects what the includes of one page add."""

    def __init__(self, ctx: Context, plan: SearchRequest, matches: Sequence[Version]) -> None:
        self._ctx = ctx
        self._plan = plan
        self._seen: set[Key] = {(each.type, each.id) for each in matches}
        self.added: list[Version] = []
        self.cut = False
        """More would have been added."""

    async def collect(self, matches: Sequence[Version]) -> None:
        """Add by the includes, then by those that iterate, from what the round before added."""
        around: Sequence[Version] = matches
        for number in range(ROUNDS):
            before = len(self.added)
            for include in self._plan.includes:
                if number == 0 or include.iterate:
                    await self._forward(include, around)
            for include in self._plan.revincludes:
                if number == 0 or include.iterate:
                    await self._backward(include, around)
            around = self.added[before:]
            if not around or self.cut:
                return

    def _add(self, versions: Iterable[Version | None]) -> None:
        for version in versions:
            if version is None or version.deleted or (version.type, version.id) in self._seen:
                continue
            if len(self.added) >= MOST:
                self.cut = True
                return
            self._seen.add((version.type, version.id))
            self.added.append(version)

    # ------------------------------------------------------------------ what they refer to

    async def _forward(self, include: Include, versions: Sequence[Version]) -> None:
        wanted: dict[Key, None] = {}
        pinned: dict[tuple[str, str, int], None] = {}
        canonical: dict[tuple[Parameter, str, str | None], None] = {}
        for parameter, value in self._references(include, versions):
            if value.type is None or value.id is None:
                if value.url is not None and not value.url.startswith("#"):
                    canonical[parameter, value.url, value.version] = None
            elif include.target in (None, value.type) and (value.type, value.id) not in self._seen:
                if value.version is not None and value.version.isdecimal():
                    pinned[value.type, value.id, int(value.version)] = None
                else:
                    wanted[value.type, value.id] = None
        if wanted:
            self._add(await self._ctx.store.read_many(list(wanted)))
        for each in pinned:
            self._add([await self._ctx.store.vread(*each)])
        for parameter, url, number in canonical:
            await self._by_url(include, parameter, url, number)

    def _references(self, include: Include, versions: Sequence[Version]) -> Iterable[tuple[Parameter, Reference]]:
        for version in versions:
            if version.type == include.source:
                index = self._index(version)
                for parameter in include.parameters:
                    for value in index.get(parameter.code, ()):
                        if isinstance(value, Reference):
                            yield parameter, value

    def _index(self, version: Version) -> Index:
        return self._ctx.search.extract(version.type, version.body) if version.body is not None else {}

    async def _by_url(self, include: Include, parameter: Parameter, url: str, version: str | None) -> None:
        """Canonical references name a resource by its `url`, and perhaps its version.
        https://hl7.org/fhir/R4/references.html#canonical"""
        targets = [include.target] if include.target else parameter.targets
        for target in targets:
            found = self._ctx.search.parameters.find(target, "url")
            if found is not None and found.parameter.type == "uri":
                query = Query((target,), (Match(found.parameter, "", (TextOperand(url, url),)),), limit=_VERSIONS)
                hits = (await self._ctx.store.search(query)).hits
                self._add(each.version for each in hits if version in (None, version_in(self._index(each.version))))

    # ------------------------------------------------------------------ what refers to them

    async def _backward(self, include: Include, versions: Sequence[Version]) -> None:
        around = [each for each in versions if include.target in (None, each.type)]
        if not around:
            return
        targets = [Reference(each.type, each.id, None, None) for each in around]
        targets += references_by_url(self._called(include, around))
        criteria = tuple(references_to(parameter, targets) for parameter in include.parameters)
        query = Query((include.source,), (Or(criteria) if len(criteria) > 1 else criteria[0],), limit=MOST)
        found = await self._ctx.store.search(query)
        self._add(hit.version for hit in found.hits)
        self.cut = self.cut or found.more

    def _called(self, include: Include, versions: Sequence[Version]) -> Iterable[tuple[str, str | None]]:
        """`url` and version of those that canonical references of the include may name."""
        parameters = self._ctx.search.parameters
        registered = [parameters.find(include.source, each.code) for each in include.parameters]
        if all(each is None or each.is_literal for each in registered):
            return
        for version in versions:
            if parameters.find(version.type, "url") is not None:
                index = self._index(version)
                yield from ((url.value, version_in(index)) for url in index.get("url", ()) if isinstance(url, Uri))
