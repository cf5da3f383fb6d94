"""Persons: every facility's registration is kept, and the Patient that they share is computed from all of them.

Rules of meeting and precedence: `mappers.identity`. A new registration meets a Patient by citizen id if it meets every
registration that the Patient has; what almost meets is listed for review. https://hl7.org/fhir/R4/patient.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mappers import identity
from mappers.id_card import reads
from mappers.identity import Registration
from mappers.links import CID
from server.errors import FhirError
from server.intake.f43 import review
from server.intake.f43.group import Group, source_of
from server.intake.f43.jobs import PERSON_FILES, Numbered, Refusal, Review
from server.intake.f43.keys import Facility, PersonKey, logical_references, person_of
from server.intake.f43.registrations import (
    REGISTRATION_OF,
    is_active,
    patient_of,
    registrations_in,
    rows_of_patient,
    with_hn,
)
from server.intake.f43.run import Run
from server.interactions.conditional import Found, compiled, found_by_each
from server.store.contract import Version

WriteRows = Callable[[Group, str, Iterable[Numbered]], Awaitable[None]]


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


async def write_persons(run: Run, group: Group, people: Iterable[Sequence[Numbered]], write_rows: WriteRows) -> None:
    """Collect registrations and Patients of some people into the group. write_rows: of one file. Raises: Banned."""
    persons = [_Person(key, _last_read(group, rows)) for rows in people if (key := person_of(rows[0].row)) is not None]
    banned = [person for person in persons if person.key in run.banned]
    for person in banned:
        _refuse_banned(group, person, run.banned[person.key])
    persons = [person for person in persons if person.key not in run.banned]
    await _find_patients(run, group, persons)
    for file in PERSON_FILES:
        rows = [row for person in persons for row in person.rows if row.file == file]
        if rows:
            await write_rows(group, file, rows)
    await _write_patients(run, group, persons)
    await review.keep(run, group)


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


async def _find_patients(run: Run, group: Group, persons: Sequence[_Person]) -> None:
    """The Patient of every person: the one it had, one that it meets, or a new one."""
    stored = await run.ctx.store.read_many([("Basic", run.ids.person(person.key)) for person in persons])
    claimed_by_hn = await _claimed(run, [p for p, version in zip(persons, stored, strict=True) if version is None])
    for person, version in zip(persons, stored, strict=True):
        if version is not None:
            person.patient = patient_of(version)
    by_citizen = await _by_citizen(run, [person for person in persons if not person.patient])
    pending: list[_Known] = []
    for person in persons:
        registration = _registration(person.rows)
        if not person.patient and registration is not None:
            person.patient = claimed_by_hn.get(person.key, "")
            if not person.patient and person.key.kind == "HN":
                person.patient = await with_hn(run, group, person.key)
            if not person.patient:
                person.patient = await _meeting(run, group, registration, pending, by_citizen)
            if not person.patient:
                person.patient, person.minted = run.ctx.ids(), True
                pending.append(_Known(person.patient, []))
            known = next((each for each in pending if each.patient == person.patient), None)
            if known is None:
                known = _Known(person.patient, [])
                pending.append(known)
            known.registrations.append(registration)
        if person.patient:
            group.patients[person.key] = person.patient


def _registration(rows: Sequence[Numbered]) -> Registration | None:
    """What the rows of one person say first."""
    for each in rows:
        if each.file == "PERSON":
            return Registration(each.row)
        if each.file in REGISTRATION_OF:
            return REGISTRATION_OF[each.file](each.row)
    return None


async def _claimed(run: Run, persons: Sequence[_Person]) -> dict[PersonKey, str]:
    """Patients that claim files of the same facility gave to the HN of a PERSON row: they mean one person by it."""
    asked = {}
    for person in persons:
        row = next((each.row for each in person.rows if each.file == "PERSON"), None)
        if row is not None and "HN" in row:
            asked[person.key] = ("Basic", run.ids.person(PersonKey(row["HOSPCODE"], row["HN"], "HN")))
    found = await run.ctx.store.read_many(list(asked.values())) if asked else ()
    return {key: patient_of(version) for key, version in zip(asked, found, strict=True) if version is not None}


async def _by_citizen(run: Run, persons: Sequence[_Person]) -> dict[str, Found]:
    """Patients by the citizen ids through which persons may meet others: one search for all, and one condition."""
    registrations = [found for person in persons if (found := _registration(person.rows)) is not None]
    usable = [one for one in registrations if identity.unusable(one, run.rules) is None]
    asked = list(dict.fromkeys(one.person["CID"] for one in usable))
    base = run.ctx.settings.fhir_base
    queries = [compiled(run.ctx, "Patient", [("identifier", f"{CID}|{cid}")], base) for cid in asked]
    return dict(zip(asked, await found_by_each(run.ctx, queries, limit=20), strict=True))


async def _meeting(
    run: Run,
    group: Group,
    registration: Registration,
    pending: Sequence[_Known],
    by_citizen: Mapping[str, Found],
) -> str:
    """Id of the only Patient all of whose registrations the new one meets, "" for none or several."""
    if identity.unusable(registration, run.rules) is not None:
        return ""
    cid = registration.person["CID"]
    found = by_citizen[cid]
    group.conditions.add(found.condition)
    candidates = {version.id: version for version in found.versions}
    known = {each.patient: list(each.registrations) for each in pending if _same_cid(each, cid)}
    for number, version in candidates.items():
        if is_active(version):
            rows = await rows_of_patient(run.ctx, number)
            known.setdefault(number, []).extend(registrations_in(rows))
    joined, almost = [], []
    for number, others in known.items():
        meetings = [(other, identity.meet(registration, other, run.rules)) for other in others]
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


# --- what a Patient is made of ----------------------------------------------------------------------------------------


async def _write_patients(run: Run, group: Group, persons: Sequence[_Person]) -> None:
    """The Patients of persons of whom something changed in this group."""
    touched: dict[str, list[_Person]] = {}
    for person in persons:
        if person.patient and (person.minted or person.key in group.touched):
            touched.setdefault(person.patient, []).append(person)
    current = await run.ctx.store.read_many([("Patient", number) for number in touched])
    for (number, own), version in zip(touched.items(), current, strict=True):
        rows = {} if version is None else await rows_of_patient(run.ctx, number)
        keys = {person.key for person in own}
        rows |= {place: row for place, row in group.rows.items() if person_of(row) in keys}
        await _write_patient(run, group, own, number, version, registrations_in(rows))


async def _write_patient(
    run: Run,
    group: Group,
    own: Sequence[_Person],
    number: str,
    version: Version | None,
    registrations: list[Registration],
) -> None:
    if not registrations:
        return
    patient = identity.shared_patient(registrations, run.now, run.rules)
    await resolve_facilities(run, group, patient)
    key = own[0].key
    file = key.file
    try:
        prepared = run.prepare(patient, number, version, source_of(run.import_id, key.hcode, file))
    except FhirError as error:
        run.ban(key, error)
    group.answer.reviews += _no_longer_meeting(run, own, registrations)
    if prepared is not None:
        group.put(prepared, version, f"{file} {key.hcode}/{key.number}")
        group.answer.of(file).resources += 1


async def resolve_facilities(run: Run, group: Group, resource: dict[str, object]) -> None:
    """Organizations of a computed Patient."""
    for element in logical_references(resource):
        meant = run.ids.meant(element, {})
        if isinstance(meant, Facility):
            element["reference"] = f"Organization/{await run.facility(group, meant.hcode)}"


def _no_longer_meeting(run: Run, own: Sequence[_Person], registrations: list[Registration]) -> list[Review]:
    """A changed registration that contradicts others of its Patient: for a person to look at."""
    keys = {person.key for person in own}
    found = []
    for one in registrations:
        if person_of(one.person) not in keys:
            continue
        meetings = [(other, identity.meet(one, other, run.rules)) for other in registrations if other is not one]
        found += [Review(one.source, other.source, meeting.reasons) for other, meeting in meetings if meeting.review]
    return found
