"""Persons: every facility's registration is kept, and the Patient that they share is computed from all of them.

Rules of meeting and precedence: `mappers.identity`. A new registration meets a Patient by citizen id if it meets every
registration that the Patient has; what almost meets is listed for review. https://hl7.org/fhir/R4/patient.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhir_profiles.json_reading import read_json
from mappers import identity
from mappers.f43.layout import LAYOUTS
from mappers.f43.links import FAMILY
from mappers.f43.maps import MAPS
from mappers.identity import Registration
from mappers.links import CID, Row
from mappers.part import FIRST, by_part, file_of, row_system, row_value
from server.errors import FhirError
from server.intake.f43.group import Group, source_of
from server.intake.f43.jobs import PERSON_FILES, Numbered, Refusal, Review
from server.intake.f43.keys import Facility, PersonKey, logical_references
from server.interactions.conditional import find
from server.store.contract import Version

if TYPE_CHECKING:
    from server.context import Context
    from server.intake.f43.writer import Writer

MANY = 200
"""Registrations of one citizen that are read at most."""

Rows = dict[tuple[str, str], Row]
"""(file, row key) -> row."""


class Banned(Exception):
    """A person cannot be stored: the group starts over without it."""


@dataclass(slots=True)
class _Person:
    key: PersonKey
    rows: Sequence[Numbered]
    patient: str = ""
    """Id of its Patient."""
    minted: bool = False


@dataclass(slots=True)
class _Known:
    """A Patient and the registrations it is made of."""

    patient: str
    registrations: list[Registration]


async def write_persons(writer: Writer, group: Group, people: Iterable[Sequence[Numbered]]) -> None:
    """Collect registrations and Patients of some people into the group. Raises: Banned."""
    persons = [_Person(PersonKey(rows[0].row["HOSPCODE"], rows[0].row["PID"]), rows) for rows in people]
    banned = [person for person in persons if person.key in writer.banned]
    for person in banned:
        _refuse_banned(group, person, writer.banned[person.key])
    persons = [person for person in persons if person.key not in writer.banned]
    await _find_patients(writer, group, persons)
    for file in PERSON_FILES:
        rows = [row for person in persons for row in person.rows if row.file == file]
        if rows:
            await writer.write_rows(group, file, rows)
    await _write_patients(writer, group, persons)


def _refuse_banned(group: Group, person: _Person, reason: str) -> None:
    for row in person.rows:
        group.answer.of(row.file).refused += 1
        group.answer.refusals.append(
            Refusal(
                row.file,
                row.number,
                "",
                "person",
                "",
                f"the person cannot be stored: {reason}",
                "บันทึกบุคคลนี้ไม่ได้ เพราะข้อมูลทะเบียนไม่ถูกต้อง",
                True,
            )
        )


# --- which Patient ----------------------------------------------------------------------------------------------------


async def _find_patients(writer: Writer, group: Group, persons: Sequence[_Person]) -> None:
    """The Patient of every person: the one it had, one that it meets, or a new one."""
    from server.intake.f43.writer import patient_of

    stored = await writer.ctx.store.read_many([("Basic", writer.ids.person(person.key)) for person in persons])
    pending: list[_Known] = []
    for person, version in zip(persons, stored, strict=True):
        if version is not None:
            person.patient = patient_of(version)
        row = next((each.row for each in person.rows if each.file == "PERSON"), None)
        if not person.patient and row is not None:
            registration = Registration(row)
            person.patient = await _meeting(writer, group, registration, pending)
            if not person.patient:
                person.patient, person.minted = writer.ctx.ids(), True
                pending.append(_Known(person.patient, []))
            known = next((each for each in pending if each.patient == person.patient), None)
            if known is None:
                known = _Known(person.patient, [])
                pending.append(known)
            known.registrations.append(registration)
        if person.patient:
            group.patients[person.key] = person.patient


async def _meeting(writer: Writer, group: Group, registration: Registration, pending: Sequence[_Known]) -> str:
    """Id of the only Patient all of whose registrations the new one meets, "" for none or several."""
    if identity.unusable(registration, writer.rules) is not None:
        return ""
    cid = registration.person["CID"]
    found = await find(writer.ctx, "Patient", [("identifier", f"{CID}|{cid}")], writer.ctx.settings.fhir_base, limit=20)
    group.conditions.add(found.condition)
    candidates = {version.id: version for version in found.versions}
    known = {each.patient: list(each.registrations) for each in pending if _same_cid(each, cid)}
    for number, version in candidates.items():
        if is_active(version):
            rows = await rows_of_patient(writer.ctx, number)
            known.setdefault(number, []).extend(registrations_in(rows))
    joined, almost = [], []
    for number, others in known.items():
        meetings = [(other, identity.meet(registration, other, writer.rules)) for other in others]
        if meetings and all(meeting.same for _, meeting in meetings):
            joined.append(number)
        almost += [Review(registration.source, o.source, m.reasons) for o, m in meetings if m.review]
    group.answer.reviews += almost
    if len(joined) > 1:
        group.answer.reviews += [
            Review(registration.source, known[number][0].source, ("several",)) for number in joined
        ]
    return joined[0] if len(joined) == 1 else ""


def _same_cid(known: _Known, cid: str) -> bool:
    return any(each.person.get("CID") == cid for each in known.registrations)


def is_active(patient: Version) -> bool:
    """Whether a Patient stands for somebody; one that was merged into another does not."""
    return patient.body is not None and read_json(patient.body, max_depth=100).get("active") is not False


# --- what a Patient is made of ----------------------------------------------------------------------------------------


async def rows_of_patient(ctx: Context, patient: str) -> Rows:
    """Every facility's rows of `PERSON_FILES` that a stored Patient is computed from."""
    asked = [
        ("Basic", [("subject", f"Patient/{patient}")]),
        ("Condition", [("subject", f"Patient/{patient}"), ("identifier", row_system(FAMILY, "DISABILITY") + "|")]),
        ("Observation", [("subject", f"Patient/{patient}"), ("identifier", row_system(FAMILY, "DEATH") + "|")]),
    ]
    rows: Rows = {}
    for kind, criteria in asked:
        found = await find(ctx, kind, criteria, ctx.settings.fhir_base, limit=MANY)
        resources = [read_json(version.body, max_depth=100) for version in found.versions if version.body]
        for file in {file for resource in resources if (file := file_of(resource, FAMILY)) in PERSON_FILES}:
            assert file is not None
            for parts in by_part(resources, row_system(FAMILY, file)).values():
                if FIRST in parts:
                    row = MAPS[file].from_fhir(parts)
                    rows[file, row_value(LAYOUTS[file], row)] = row
    return rows


def registrations_in(rows: Rows) -> list[Registration]:
    """Registrations of rows: one for each PERSON row, with the others of the same facility and PID."""
    beside: dict[PersonKey, dict[str, list[Row]]] = {}
    for (file, _), row in rows.items():
        beside.setdefault(PersonKey(row["HOSPCODE"], row["PID"]), {}).setdefault(file, []).append(row)
    return [
        Registration(
            files["PERSON"][0],
            addresses=tuple(files.get("ADDRESS", ())),
            deaths=tuple(files.get("DEATH", ())),
            disabilities=tuple(files.get("DISABILITY", ())),
        )
        for files in beside.values()
        if "PERSON" in files
    ]


async def _write_patients(writer: Writer, group: Group, persons: Sequence[_Person]) -> None:
    """The Patients of persons of whom something changed in this group."""
    touched: dict[str, list[_Person]] = {}
    for person in persons:
        if person.patient and (person.minted or person.key in group.touched):
            touched.setdefault(person.patient, []).append(person)
    current = await writer.ctx.store.read_many([("Patient", number) for number in touched])
    for (number, own), version in zip(touched.items(), current, strict=True):
        rows = {} if version is None else await rows_of_patient(writer.ctx, number)
        keys = {person.key for person in own}
        rows |= {place: row for place, row in group.rows.items() if PersonKey(row["HOSPCODE"], row["PID"]) in keys}
        await _write_patient(writer, group, own, number, version, registrations_in(rows))


async def _write_patient(
    writer: Writer,
    group: Group,
    own: Sequence[_Person],
    number: str,
    version: Version | None,
    registrations: list[Registration],
) -> None:
    if not registrations:
        return
    patient = identity.shared_patient(registrations, writer.now, writer.rules)
    await resolve_facilities(writer, group, patient)
    key = own[0].key
    try:
        prepared = writer.prepare(patient, number, version, source_of(writer.import_id, key.hcode, "PERSON"))
    except FhirError as error:
        writer.ban({"HOSPCODE": key.hcode, "PID": key.pid}, error)
    group.answer.reviews += _no_longer_meeting(writer, own, registrations)
    if prepared is not None:
        group.put(prepared, version, f"PERSON {key.hcode}/{key.pid}")
        group.answer.of("PERSON").resources += 1


async def resolve_facilities(writer: Writer, group: Group, resource: dict[str, object]) -> None:
    """Organizations of a computed Patient."""
    for element in logical_references(resource):
        meant = writer.ids.meant(element, {})
        if isinstance(meant, Facility):
            element["reference"] = f"Organization/{await writer.facility(group, meant.hcode)}"


def _no_longer_meeting(writer: Writer, own: Sequence[_Person], registrations: list[Registration]) -> list[Review]:
    """A changed registration that contradicts others of its Patient: for a person to look at."""
    keys = {person.key for person in own}
    found = []
    for one in registrations:
        if PersonKey(one.person["HOSPCODE"], one.person["PID"]) not in keys:
            continue
        meetings = [(other, identity.meet(one, other, writer.rules)) for other in registrations if other is not one]
        found += [Review(one.source, other.source, meeting.reasons) for other, meeting in meetings if meeting.review]
    return found
