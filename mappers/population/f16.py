"""The synthetic population as the claim files of one facility: claimed out of what its 43 files say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from mappers.case import Case
from mappers.f16.claims import ClaimRow, claim_rows
from mappers.f43.maps import MAPS
from mappers.identity import Registration, Rules, shared_patient
from mappers.links import Resource, Row
from mappers.population.f43 import f43_rows
from mappers.population.life import UNTIL
from mappers.population.places import HEALTH_CENTRE, staff

_Files = dict[str, list[Row]]


def f16_rows(
    count: int, seed: int, *, hcode: str = HEALTH_CENTRE.hcode, years: int = 5, until: date = UNTIL
) -> Iterator[ClaimRow]:
    """(file, non-empty columns) of the visits of the first `count` people; a person has one PAT row."""
    last = None
    for case in cases(count, seed, hcode=hcode, years=years, until=until):
        for file, row in claim_rows(case):
            if file != "PAT" or case.patient is not last:
                yield file, row
        last = case.patient


def cases(
    count: int, seed: int, *, hcode: str = HEALTH_CENTRE.hcode, years: int = 5, until: date = UNTIL
) -> Iterator[Case]:
    """The visits and admissions of a facility, those of a person together."""
    licences = {member.code: member.licence for member in staff(hcode) if member.licence}
    now = datetime.combine(until, time(), UTC)
    for files in _persons(f43_rows(count, seed, hcode=hcode, years=years, until=until)):
        if "PERSON" in files:
            yield from _of_person(hcode, files, licences, now)


def _persons(rows: Iterator[ClaimRow]) -> Iterator[_Files]:
    """The rows of each person: they come together."""
    pid, files = "", defaultdict[str, list[Row]](list)
    for file, row in rows:
        if "PID" in row and row["PID"] != pid:
            if files:
                yield files
            pid, files = row["PID"], defaultdict(list)
        if "PID" in row:
            files[file].append(row)
    yield files


def _of_person(hcode: str, files: _Files, licences: dict[str, str], now: datetime) -> Iterator[Case]:
    registration = Registration(files["PERSON"][0], addresses=tuple(files.get("ADDRESS", ())))
    patient = shared_patient([registration], now, Rules())
    coverages = [each.resource for row in files.get("CARD", ()) for each in MAPS["CARD"].to_fhir(row)]
    visits: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for file, rows in files.items():
        stay = file.endswith("_IPD") or file == "ADMISSION"
        for row in rows:
            if stay or "SEQ" in row:
                key = ("AN", row["AN"]) if stay else ("SEQ", row["SEQ"])
                visits[key] += [each.resource for each in MAPS[file].to_fhir(row)]
    for everything in visits.values():
        encounter = next((each for each in everything if each["resourceType"] == "Encounter"), None)
        if encounter is not None:
            rest = [each for each in everything if each is not encounter]
            yield Case(hcode, patient, encounter, [*rest, *coverages], licences)
