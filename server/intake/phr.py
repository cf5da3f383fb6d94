"""`onecard export moph-phr`: persons with their visits as bodies of `POST /UpdatePHRv1`, one a line."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fhir_profiles.json_reading import write_json
from mappers.moph_phr import Hospital, NoCitizenId, update_phr
from server.context import Context
from server.intake.cases import Period, facility_name, people, refuse_unknown


@dataclass(slots=True)
class Sent:
    """What was written."""

    persons: int = 0
    visits: int = 0
    without_cid: int = 0
    """Persons that the PHR cannot know: left out."""

    def as_json(self) -> dict[str, int]:
        return {"persons": self.persons, "visits": self.visits, "without_cid": self.without_cid}


async def export_phr(
    ctx: Context, hcode: str, out: Path, period: Period, *, advance: Callable[[int], object] = lambda persons: None
) -> Sent:
    """One JSON document a person of the facility, with the visits of the period. Mode 0600.

    Raises: SourceError (no such facility), OSError, StoreError.
    """
    name = await facility_name(ctx, hcode)
    hospital = Hospital(hcode, name, swap_city_and_district=ctx.settings.phr_swap_address)
    sent = Sent()
    unfinished = out.with_name(out.name + ".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            async for some in people(ctx, hcode, period, report=True):
                for person in some:
                    try:
                        body = update_phr(hospital, person.patient, person.cases, person.allergies)
                    except NoCitizenId:
                        sent.without_cid += 1
                        continue
                    target.write(write_json(body) + b"\n")
                    sent.persons += 1
                    sent.visits += len(person.cases)
                    advance(1)
        if sent == Sent():
            await refuse_unknown(ctx, hcode)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return sent
