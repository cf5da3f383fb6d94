"""What the store knows about persons: whose registration a row is, and the rows that a Patient is made of."""

from __future__ import annotations

import asyncio

from fhir_profiles.json_reading import read_json
from mappers.f16 import registration as claimed
from mappers.f16.links import FAMILY as CLAIMS
from mappers.f43.links import FAMILY
from mappers.id_card import reads
from mappers.identity import Registration
from mappers.links import Row, local
from mappers.part import FIRST, by_part, file_of, row_system, row_value
from mappers.rows import LAYOUTS, MAPS
from server.context import Context
from server.intake.f43.group import Group
from server.intake.f43.jobs import PERSON_FILES
from server.intake.f43.keys import PersonKey, person_of
from server.intake.f43.run import Run
from server.interactions.conditional import find
from server.store.contract import Version

MANY = 200
"""Registrations of one citizen that are read at most."""

Rows = dict[tuple[str, str], Row]
"""(file, row key) -> row."""


REGISTRATION_OF = {"PAT": claimed.registration, reads.FILE: reads.registration_of}
"""Files whose row alone is a registration."""


async def with_hn(run: Run, group: Group, key: PersonKey) -> str:
    """Id of the only active Patient with a facility's HN, "" for none."""
    own = [("identifier", f"{local(key.hcode, 'HN')}|{key.number}")]
    found = await find(run.ctx, "Patient", own, run.ctx.settings.fhir_base)
    group.conditions.add(found.condition)
    active = [version.id for version in found.versions if is_active(version)]
    return active[0] if len(active) == 1 else ""


def is_active(patient: Version) -> bool:
    """Whether a Patient stands for somebody; one that was merged into another does not."""
    return patient.body is not None and read_json(patient.body, max_depth=100).get("active") is not False


def patient_of(registration: Version) -> str:
    """Id of the Patient that a registration (Basic) belongs to, "" for none."""
    if registration.body is None:
        return ""
    subject = read_json(registration.body, max_depth=100).get("subject", {})
    kind, _, number = str(subject.get("reference", "")).partition("/")
    return number if kind == "Patient" else ""


async def rows_of_patient(ctx: Context, patient: str) -> Rows:
    """Every facility's rows of `PERSON_FILES` that a stored Patient is computed from."""
    asked = [
        ("Basic", [("subject", f"Patient/{patient}")]),
        ("Condition", [("subject", f"Patient/{patient}"), ("identifier", row_system(FAMILY, "DISABILITY") + "|")]),
        ("Observation", [("subject", f"Patient/{patient}"), ("identifier", row_system(FAMILY, "DEATH") + "|")]),
    ]
    rows: Rows = {}
    base = ctx.settings.fhir_base
    for found in await asyncio.gather(*(find(ctx, kind, criteria, base, limit=MANY) for kind, criteria in asked)):
        resources = [read_json(version.body, max_depth=100) for version in found.versions if version.body]
        files = {file_of(resource, family) for resource in resources for family in (FAMILY, CLAIMS, reads.FAMILY)}
        for file in files.intersection(PERSON_FILES):
            assert file is not None
            for parts in by_part(resources, MAPS[file].system).values():
                if FIRST in parts:
                    row = MAPS[file].from_fhir(parts)
                    rows[file, row_value(LAYOUTS[file], row)] = row
    return rows


def registrations_in(rows: Rows) -> list[Registration]:
    """Registrations of rows: one for each PERSON row, with the others of the same facility and PID, and for each row of
    PAT and CARDREAD."""
    beside: dict[PersonKey | None, dict[str, list[Row]]] = {}
    for (file, _), row in rows.items():
        beside.setdefault(person_of(row), {}).setdefault(file, []).append(row)
    found = [
        Registration(
            files["PERSON"][0],
            addresses=tuple(files.get("ADDRESS", ())),
            deaths=tuple(files.get("DEATH", ())),
            disabilities=tuple(files.get("DISABILITY", ())),
        )
        for files in beside.values()
        if "PERSON" in files
    ]
    alone = REGISTRATION_OF.items()
    return found + [made(row) for files in beside.values() for file, made in alone for row in files.get(file, ())]
