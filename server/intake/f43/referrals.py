"""Whom the rows of a referral are about: they name the referral only, and the referral names the patient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fhir_profiles.json_reading import read_json
from server.intake.f43.group import Plan, live
from server.intake.f43.keys import Home
from server.intake.f43.run import Run


async def name_patients(run: Run, plans: Iterable[Plan]) -> None:
    """Give what is based on a referral, and names no patient, the subject of its ServiceRequest where that is here."""
    nameless = [
        (meant.target, element)
        for plan in plans
        for mapped in plan.mapped
        if "basedOn" in mapped.resource
        and "identifier" not in (element := mapped.resource.get("subject", {}))
        and isinstance(meant := run.ids.meant(mapped.resource["basedOn"][0], plan.row.row), Home)
    ]
    if not nameless:
        return
    versions = await run.ctx.store.read_many([target for target, _ in nameless])
    for (_, element), version in zip(nameless, versions, strict=True):
        if version is not None and live(version):
            subject: dict[str, Any] = read_json(version.body or b"{}", max_depth=100).get("subject", {})
            element.clear()
            element.update(subject)
