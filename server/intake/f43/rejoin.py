"""`onecard identity split|merge`: registrations of one Patient apart again, or of two Patients together.

Both move registrations, with everything their facility wrote about the person, from one Patient to another and compute
both Patients anew. A merged Patient stays, inactive, with `link.type` replaced-by (https://hl7.org/fhir/R4/patient.html#links).
A split undoes a meeting or a merge. Imports follow: a registration knows its Patient. One Provenance tells each change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fhir_profiles.json_reading import read_json
from mappers import identity
from mappers.identity import Registration
from mappers.part import key_columns
from mappers.rows import FILE_OF_SYSTEM, LAYOUTS
from server.context import Context
from server.errors import NotFound, Unprocessable
from server.intake.f43.decided import store_all
from server.intake.f43.keys import PersonKey, person_of
from server.intake.f43.registrations import is_active, registrations_in, rows_of_patient
from server.intake.f43.rules import rules_of
from server.intake.pages_of_store import pages
from server.interactions.references import reference_elements
from server.operations.validate import referring_to
from server.store.contract import Version

GROUP = 200
"""Resources of one commit."""

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done."""

    patients: tuple[str, ...]
    """Ids of the Patients that stand for somebody now, the one that was asked about first."""
    resources: int
    """That refer to another Patient than before."""


async def split(ctx: Context, patient: str) -> Moved:
    """Every registration but the first gets a Patient of its own, or the one that was merged into this.

    The Patient keeps the registration that is believed first. Raises: NotFound, Unprocessable (nothing to split).
    """
    await _patient(ctx, patient)
    registrations = registrations_in(await rows_of_patient(ctx, patient))
    believed = _by_facility(identity.by_precedence(registrations, _now(ctx), rules_of(ctx.settings)))
    if len(believed) < 2:
        raise Unprocessable("The Patient has fewer than two registrations: nothing to split / มีทะเบียนเดียว ไม่มีอะไรให้แยก")
    made, moved = [patient], 0
    for together in believed[1:]:
        number = ctx.ids()
        await _compute(ctx, number, together, f"split from Patient/{patient}", seealso=patient)
        moved += await _move(ctx, patient, number, together, "split")
        made.append(number)
    await _compute(ctx, patient, believed[0], "split")
    return Moved(tuple(made), moved)


def _by_facility(registrations: Iterable[Registration]) -> list[list[Registration]]:
    """Registrations that stay together: a facility's claim files and its 43 files mean one person by one HN."""
    found: list[list[Registration]] = []
    for each in registrations:
        own = (each.person["HOSPCODE"], each.person.get("HN"))
        for others in found:
            if own[1] and any((other.person["HOSPCODE"], other.person.get("HN")) == own for other in others):
                others.append(each)
                break
        else:
            found.append([each])
    return found


async def merge(ctx: Context, source: str, target: str) -> Moved:
    """All of `source` belongs to `target`; `source` stays as an inactive Patient that names it.

    Raises: NotFound, Unprocessable (the same, merged already, no registrations of hospitals in one of them).
    """
    if source == target:
        raise Unprocessable("A Patient is not merged with itself / เป็นผู้ป่วยคนเดียวกันอยู่แล้ว")
    old, new = await _patient(ctx, source), await _patient(ctx, target)
    if not is_active(old) or not is_active(new):
        raise Unprocessable("One of the Patients was merged into another before / ผู้ป่วยนี้ถูกรวมไปแล้ว")
    coming = registrations_in(await rows_of_patient(ctx, source))
    there = registrations_in(await rows_of_patient(ctx, target))
    if not coming or not there:
        raise Unprocessable("Both Patients must have registrations of hospitals / ต้องมีทะเบียนจากหน่วยบริการทั้งสองคน")
    rules = rules_of(ctx.settings)
    if len({each.person["CID"] for each in (*there, *coming) if identity.unusable(each, rules) is None}) > 1:
        raise Unprocessable(
            "The citizen ids are different: one of them has to be corrected first / เลขประจำตัวประชาชนต่างกัน"
        )
    moved = await _move(ctx, source, target, None, "merge")
    await _compute(ctx, target, [*there, *coming], f"merged with Patient/{source}")
    inactive = read_json(old.body or b"", max_depth=ctx.settings.max_depth)
    inactive["active"] = False
    inactive["link"] = [
        *(link for link in inactive.get("link", ()) if link.get("type") != "replaced-by"),
        {"other": {"reference": f"Patient/{target}"}, "type": "replaced-by"},
    ]
    await store_all(ctx, [(inactive, source)], f"merged into Patient/{target}")
    return Moved((target,), moved)


async def _patient(ctx: Context, number: str) -> Version:
    found = await ctx.store.read("Patient", number)
    if found is None or found.body is None:
        raise NotFound(f"Patient/{number[:64]} is not known / ไม่พบผู้ป่วยนี้")
    return found


def _now(ctx: Context) -> datetime:
    return datetime.fromtimestamp(ctx.clock() / 1000, UTC)


async def _compute(
    ctx: Context, number: str, registrations: Sequence[Registration], why: str, *, seealso: str = ""
) -> None:
    """The Patient of the registrations; links to Patients that were merged into it are kept."""
    patient = identity.shared_patient(registrations, _now(ctx), rules_of(ctx.settings))
    before = await ctx.store.read("Patient", number)
    links = read_json(before.body, max_depth=100).get("link", []) if before is not None and before.body else []
    if seealso:
        links = [{"other": {"reference": f"Patient/{seealso}"}, "type": "seealso"}]
    if links:
        patient["link"] = links
    organization = patient.get("managingOrganization", {}).get("identifier", {})
    if organization:
        criteria = [("identifier", f"{organization['system']}|{organization['value']}")]
        hits = await ctx.store.search(ctx.search.criteria("Organization", criteria))
        if hits.hits:
            patient["managingOrganization"]["reference"] = f"Organization/{hits.hits[0].version.id}"
    await store_all(ctx, [(patient, number)], why)


async def _move(ctx: Context, source: str, target: str, registrations: Iterable[Registration] | None, why: str) -> int:
    """Let what refers to one Patient refer to another; of some registrations, or all. The number of resources.

    May be repeated after an interruption: what has moved is not found again.
    """
    keys = None
    if registrations is not None:
        keys = {person_of(each.person) for each in registrations}
    moved: list[tuple[Resource, str]] = []
    count = 0
    query = referring_to(ctx, "Patient", source)
    found = [hit.version async for hits in pages(ctx.store, query) for hit in hits.hits]
    for version in found:
        resource = read_json(version.body or b"{}", max_depth=ctx.settings.max_depth)
        if version.type in ("Patient", "Provenance") or (keys is not None and _person_of(resource) not in keys):
            continue
        elements = [each for each in reference_elements(resource) if each["reference"] == f"Patient/{source}"]
        for element in elements:
            element["reference"] = f"Patient/{target}"
        if elements:
            moved.append((resource, version.id))
        if len(moved) >= GROUP:
            await store_all(ctx, moved, why)
            count += len(moved)
            moved = []
    if moved:
        await store_all(ctx, moved, why)
    return count + len(moved)


def _person_of(resource: Resource) -> PersonKey | None:
    """Facility and PID of the row that a resource was made of: from what it says of its subject, else from its key."""
    for entry in resource.get("identifier", ()):
        file = FILE_OF_SYSTEM.get(entry.get("system", ""))
        if file is None:
            continue
        if (found := person_of(key_columns(LAYOUTS[file], entry["value"]))) is not None:
            return found
    for name in ("subject", "patient", "beneficiary"):
        identifier = resource.get(name, {}).get("identifier", {}) if isinstance(resource.get(name), dict) else {}
        system = str(identifier.get("system", ""))
        *_, hcode, kind = ("", "", *system.split("/"))
        if kind in ("PID", "HN"):
            return PersonKey(hcode, identifier["value"], kind)
    return None
