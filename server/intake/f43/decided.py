"""What somebody decided about persons: stored in one commit with its Provenance."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_profiles.canonical import CANONICAL
from mappers.links import Resource
from server.context import Context
from server.intake.f43.group import provenance_put
from server.interactions import labels, storing
from server.store.contract import Commit, instant

SOURCE = f"{CANONICAL}/identity"
"""meta.source of what is computed here."""


async def store_all(ctx: Context, resources: Sequence[tuple[Resource, str]], why: str) -> None:
    """One commit with its Provenance; the rest of the checks of a write hold."""
    prepared = []
    for resource, number in resources:
        before = await ctx.store.read(resource["resourceType"], number)
        resource.setdefault("meta", {})["source"] = SOURCE
        expected = before.version if before is not None and not before.deleted else 0
        labels.carry(resource, before)
        guard = labels.at(expected, before)
        prepared.append(storing.prepare(ctx, ctx.settings.fhir_base, resource, number, "PUT", guard))
    note = {
        "resourceType": "Provenance",
        "meta": {"source": SOURCE},
        "target": [
            {"reference": f"{each.put.type}/{each.put.id}/_history/{(each.put.expected or 0) + 1}"} for each in prepared
        ],
        "recorded": instant(ctx.clock()),
        "reason": [{"text": why}],
        "agent": [{"who": {"display": "OneCard"}}],
    }
    conditions = {condition for each in prepared for condition in each.conditions}
    changes = [each.put for each in prepared]
    await ctx.store.commit(Commit([*changes, provenance_put(ctx, note)], tuple(conditions)))
