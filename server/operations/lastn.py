"""Observation/$lastn: the newest observations of each code.

https://hl7.org/fhir/R4/observation-operation-lastn.html
Observations that share a coding are of one group. The newest come first, by clinical date; observations of the very
same time as the last one of a group are given too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from fhir_profiles.json_reading import read_json
from server.context import Context
from server.errors import BadRequest, TooCostly
from server.interactions import by_url
from server.interactions.searchset import Bundle
from server.messages import FhirRequest, FhirResponse
from server.operations.parameters import inputs
from server.prefer import prefer
from server.search.query import SortKey
from server.store.contract import Version

MOST = 20_000
"""Observations that one request may look through."""
_CHUNK = 500


@dataclass(slots=True)
class Group:
    """Observations of one code, newest first."""

    codings: set[tuple[str | None, str | None]]
    versions: list[Version] = field(default_factory=list)
    last: str = ""
    """Clinical date of the last one that was taken within `max`."""


async def lastn(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a Bundle of type searchset: the groups in the order of their newest member.

    Raises: BadRequest (neither patient nor subject, neither category nor code), TooCostly.
    """
    asked = inputs(ctx, request, "Observation-lastn", search=True)
    names = {name.partition(":")[0].partition(".")[0] for name, _ in asked.rest}
    if not names & {"patient", "subject"}:
        raise BadRequest("$lastn needs patient or subject", code="required", expression="patient")
    most = asked.one("max") or 1
    parameters = [pair for pair in asked.rest if pair[0] not in ("_sort", "_count", "_format", "_pretty")]
    lenient = prefer(request.headers).handling == "lenient"
    plan = ctx.search.compile("Observation", parameters, base=request.base, lenient=lenient)
    plan = await by_url.resolved(ctx, plan)
    date = ctx.search.parameters.of("Observation")["date"].parameter
    query = replace(plan.query, sort=(SortKey(date, descending=True),), limit=_CHUNK)
    groups: list[Group] = []
    looked = 0
    while True:
        page = await ctx.store.search(query)
        for hit in page.hits:
            _take(groups, hit.version, most)
        looked += len(page.hits)
        if not page.more:
            break
        if looked >= MOST:
            raise TooCostly(f"More than {MOST} observations match; narrow them by code, category or date")
        query = query.page(after=page.hits[-1].position)
        await asyncio.sleep(0)
    bundle = Bundle(ctx, request.base)
    entries = [bundle.entry(version, "match") for group in groups for version in group.versions]
    links = [("self", f"{request.base}/Observation/$lastn")]
    return FhirResponse(200, body=bundle.whole("searchset", entries, links, len(entries)))


def _take(groups: list[Group], version: Version, most: int) -> None:
    """Put an observation, older than those before it, into its group, as long as that has room."""
    resource = read_json(version.body or b"{}")
    codings = set(_codings(resource.get("code", {})))
    group = next((each for each in groups if each.codings & codings), None)
    if group is None:
        group = Group(codings)
        groups.append(group)
    group.codings |= codings
    when = _clinical_date(resource)
    if len(group.versions) < most:
        group.versions.append(version)
        group.last = when
    elif when and when == group.last:
        group.versions.append(version)


def _codings(concept: dict[str, Any]) -> Iterable[tuple[str | None, str | None]]:
    for coding in concept.get("coding", ()):
        yield coding.get("system"), coding.get("code")
    if not concept.get("coding"):
        yield None, concept.get("text")


def _clinical_date(resource: dict[str, Any]) -> str:
    if "effectivePeriod" in resource:
        return str(resource["effectivePeriod"].get("start", ""))
    return str(resource.get("effectiveDateTime") or resource.get("effectiveInstant") or "")
