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
from mappers.f16 import registration as claimed
from mappers.f16.links import FAMILY as CLAIMS
from mappers.f43.links import FAMILY
from mappers.id_card import reads
from mappers.identity import Registration
from mappers.links import CID, Row, local
from mappers.part import FIRST, by_part, file_of, row_system, row_value
from mappers.rows import LAYOUTS, MAPS
from server.errors import FhirError
from server.intake.f43 import review
from server.intake.f43.group import Group, source_of
from server.intake.f43.jobs import PERSON_FILES, Numbered, Refusal, Review
from server.intake.f43.keys import Facility, PersonKey, logical_references, person_of
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
    persons = [_Person(key, _last_read(group, rows)) for rows in people if (key := person_of(rows[0].row)) is not None]
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
    await review.keep(writer, group)


def _last_read(group: Group, rows: Sequence[Numbered]) -> Sequence[Numbered]:
    """Of several reads of a card the last one: a card may be read at every visit."""
    if rows[0].file != reads.FILE:
        return rows
    last = max(rows, key=lambda each: each.row["D_UPDATE"])
    group.answer.of(reads.FILE).older += len(rows) - 1
    return [last]


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
    stored = await writer.ctx.store.read_many([("Basic", writer.ids.person(person.key)) for person in persons])
    claimed_by_hn = await _claimed(writer, [p for p, version in zip(persons, stored, strict=True) if version is None])
    pending: list[_Known] = []
    for person, version in zip(persons, stored, strict=True):
        if version is not None:
            person.patient = patient_of(version)
        registration = _registration(person.rows)
        if not person.patient and registration is not None:
            person.patient = claimed_by_hn.get(person.key, "")
            if not person.patient and person.key.kind == "HN":
                person.patient = await with_hn(writer, group, person.key)
            if not person.patient:
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


_REGISTRATION_OF = {"PAT": claimed.registration, reads.FILE: reads.registration_of}


def _registration(rows: Sequence[Numbered]) -> Registration | None:
    """What the rows of one person say first."""
    for each in rows:
        if each.file == "PERSON":
            return Registration(each.row)
        if each.file in _REGISTRATION_OF:
            return _REGISTRATION_OF[each.file](each.row)
    return None


async def _claimed(writer: Writer, persons: Sequence[_Person]) -> dict[PersonKey, str]:
    """Patients that claim files of the same facility gave to the HN of a PERSON row: they mean one person by it."""
    asked = {}
    for person in persons:
        row = next((each.row for each in person.rows if each.file == "PERSON"), None)
        if row is not None and "HN" in row:
            asked[person.key] = ("Basic", writer.ids.person(PersonKey(row["HOSPCODE"], row["HN"], "HN")))
    found = await writer.ctx.store.read_many(list(asked.values())) if asked else ()
    return {key: patient_of(version) for key, version in zip(asked, found, strict=True) if version is not None}


async def with_hn(writer: Writer, group: Group, key: PersonKey) -> str:
    """Id of the only active Patient with a facility's HN, "" for none."""
    own = [("identifier", f"{local(key.hcode, 'HN')}|{key.number}")]
    found = await find(writer.ctx, "Patient", own, writer.ctx.settings.fhir_base)
    group.conditions.add(found.condition)
    active = [version.id for version in found.versions if is_active(version)]
    return active[0] if len(active) == 1 else ""


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


def patient_of(registration: Version) -> str:
    """Id of the Patient that a registration (Basic) belongs to, "" for none."""
    if registration.body is None:
        return ""
    subject = read_json(registration.body, max_depth=100).get("subject", {})
    kind, _, number = str(subject.get("reference", "")).partition("/")
    return number if kind == "Patient" else ""


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
    alone = _REGISTRATION_OF.items()
    return found + [made(row) for files in beside.values() for file, made in alone for row in files.get(file, ())]


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
        rows |= {place: row for place, row in group.rows.items() if person_of(row) in keys}
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
    file = key.file
    try:
        prepared = writer.prepare(patient, number, version, source_of(writer.import_id, key.hcode, file))
    except FhirError as error:
        writer.ban(key, error)
    group.answer.reviews += _no_longer_meeting(writer, own, registrations)
    if prepared is not None:
        group.put(prepared, version, f"{file} {key.hcode}/{key.number}")
        group.answer.of(file).resources += 1


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
        if person_of(one.person) not in keys:
            continue
        meetings = [(other, identity.meet(one, other, writer.rules)) for other in registrations if other is not one]
        found += [Review(one.source, other.source, meeting.reasons) for other, meeting in meetings if meeting.review]
    return found
