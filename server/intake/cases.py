"""A facility's visits with all that belongs to them, read from the store person by person: what claims and reports are
made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from fhir_profiles.json_reading import read_json
from mappers.case import Case
from mappers.lens import look
from mappers.links import HCODE, LICENCES, Resource, local
from mappers.part import key_columns
from mappers.rows import FILE_OF_SYSTEM, LAYOUTS
from server.context import Context
from server.intake.documents import SourceError
from server.intake.pages_of_store import pages

ALTERNATIVES = 50
"""References in one search."""
_LICENCES = frozenset(f"https://terms.sil-th.org/id/{name}" for _, name in LICENCES)
_VISIT_SEARCHES = {
    "Condition": "encounter",
    "Observation": "encounter",
    "Procedure": "encounter",
    "MedicationDispense": "context",
    "ChargeItem": "context",
    "Claim": "encounter",
    "DiagnosticReport": "encounter",
}
"""Type of what belongs to a visit -> the search parameter that names the visit."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days, both included; None: without an end."""

    since: date | None = None
    until: date | None = None

    def holds(self, day: str) -> bool:
        """Whether a day (or moment) in ISO form lies in it."""
        since, until = (each.isoformat() if each else None for each in (self.since, self.until))
        return (since is None or day[:10] >= since) and (until is None or day[:10] <= until)

    @property
    def criteria(self) -> list[tuple[str, str]]:
        """Of a search for Encounters that may lie in it."""
        criteria = [("date", f"ge{self.since.isoformat()}")] if self.since else []
        if self.until:
            # `le` would leave out a visit of that day whose end is not known: it may be later.
            criteria.append(("date", f"lt{(self.until + timedelta(days=1)).isoformat()}"))
        return criteria


@dataclass(slots=True)
class Seen:
    """A person with the visits of the period."""

    patient: Resource
    cases: list[Case] = field(default_factory=list)
    allergies: list[Resource] = field(default_factory=list)


async def people(
    ctx: Context,
    hcode: str,
    period: Period,
    *,
    report: bool = False,
) -> AsyncIterator[list[Seen]]:
    """Everybody whom the facility has a number of and who was there, some at a time, oldest Patient first.

    report: with what a health record shows beside a claim: vaccinations, appointments, allergies.
    """
    licences = await _licences(ctx, hcode)
    own = ",".join(f"{local(hcode, what)}|" for what in ("HN", "PID"))
    async for patients in _found(ctx, "Patient", [("identifier", own)]):
        for some in _some([each for each in patients if each.get("active") is not False]):
            seen = await _seen(ctx, hcode, period, some, report=report)
            for person in seen:
                for case in person.cases:
                    case.licences = licences
            if seen:
                yield seen


async def _seen(ctx: Context, hcode: str, period: Period, patients: Sequence[Resource], *, report: bool) -> list[Seen]:
    found = {f"Patient/{each['id']}": Seen(each) for each in patients}
    names = ",".join(found)
    cases: dict[str, Case] = {}
    async for encounters in _found(ctx, "Encounter", [("subject", names), *period.criteria]):
        for encounter in encounters:
            person = found.get(str(look(encounter, ("subject", "reference"))))
            provider = look(encounter, ("serviceProvider", "identifier", "value"))
            ours = provider == hcode or (provider is None and _has_number(encounter, hcode))
            if person and ours and period.holds(day_of(encounter)):
                case = Case(hcode, person.patient, encounter, [])
                cases[f"Encounter/{encounter['id']}"] = case
                person.cases.append(case)
    for some in _some(list(cases)):
        for kind, parameter in _VISIT_SEARCHES.items():
            await _add(ctx, kind, [(parameter, ",".join(some))], cases)
    seen = [person for person in found.values() if person.cases]
    if seen:
        await _of_persons(ctx, found, cases, report=report)
    for person in seen:
        person.cases.sort(key=lambda case: day_of(case.encounter))
    return seen


async def _of_persons(ctx: Context, found: dict[str, Seen], cases: dict[str, Case], *, report: bool) -> None:
    """What belongs to persons, or to a visit that no search finds it by."""
    names = ",".join(name for name, person in found.items() if person.cases)
    async for coverages in _found(ctx, "Coverage", [("beneficiary", names)]):
        for coverage in coverages:
            for case in found[coverage["beneficiary"]["reference"]].cases:
                case.resources.append(coverage)
    if not report:
        return
    async for allergies in _found(ctx, "AllergyIntolerance", [("patient", names)]):
        for allergy in allergies:
            found[allergy["patient"]["reference"]].allergies.append(allergy)
    cases = {**cases, **{f"{case.hcode}/{case.seq}": case for case in cases.values() if not case.inpatient}}
    for kind in ("Immunization", "Appointment"):
        await _add(ctx, kind, [("patient", names)], cases)


async def _add(ctx: Context, kind: str, criteria: Sequence[tuple[str, str]], cases: dict[str, Case]) -> None:
    async for resources in _found(ctx, kind, criteria):
        for resource in resources:
            if case := cases.get(_visit_of(resource)):
                case.resources.append(resource)


def _visit_of(resource: Resource) -> str:
    """Reference of the visit that the resource names, or facility and SEQ of the row that it was made of."""
    for steps in (("encounter",), ("context",), ("item", 0, "encounter", 0)):
        found = look(resource, (*steps, "reference"))
        if isinstance(found, str):
            return found
    for entry in resource.get("identifier", ()):
        if file := FILE_OF_SYSTEM.get(entry.get("system", "")):
            key = key_columns(LAYOUTS[file], entry["value"])
            return f"{key.get('HOSPCODE')}/{key.get('SEQ')}"
    return ""


def day_of(encounter: Resource) -> str:
    """The day that a visit counts for: of an admission that of the discharge."""
    period = encounter.get("period", {})
    inpatient = look(encounter, ("class", "code")) in ("IMP", "ACUTE", "NONAC")
    return str((period.get("end") if inpatient else None) or period.get("start", ""))


def _has_number(encounter: Resource, hcode: str) -> bool:
    systems = {local(hcode, "VN"), local(hcode, "AN")}
    return any(entry.get("system") in systems for entry in encounter.get("identifier", ()))


async def _licences(ctx: Context, hcode: str) -> dict[str, str]:
    """Licence number by the facility's own number of a practitioner, and by reference."""
    own = local(hcode, "Provider")
    found: dict[str, str] = {}
    async for practitioners in _found(ctx, "Practitioner", [("identifier", f"{own}|")]):
        for each in practitioners:
            numbers = {entry.get("system"): str(entry.get("value", "")) for entry in each.get("identifier", ())}
            licence = next((number for system, number in numbers.items() if system in _LICENCES), "")
            if licence:
                found[numbers[own]] = found[f"Practitioner/{each['id']}"] = licence
    return found


async def facilities(ctx: Context) -> list[str]:
    """Hospital codes of those whose visits are in the store."""
    found = []
    async for organizations in _found(ctx, "Organization", [("identifier", f"{HCODE}|")]):
        for each in organizations:
            query = ctx.search.compile("Encounter", [("service-provider", f"Organization/{each['id']}")]).query
            if (await ctx.store.search(replace(query, limit=1))).hits:
                found += [str(entry["value"]) for entry in each["identifier"] if entry.get("system") == HCODE]
    return sorted(found)


async def refuse_unknown(ctx: Context, hcode: str) -> None:
    """For an export that found nothing. Raises: SourceError, unless the facility itself is in the store."""
    async for _ in _found(ctx, "Organization", [("identifier", f"{HCODE}|{hcode}")]):
        return
    known = ", ".join((await facilities(ctx))[:20])
    there = f"; there are visits of / มีข้อมูลของ {known}" if known else ""
    raise SourceError(f"nothing of facility {hcode[:20]} is in the store / ไม่มีข้อมูลของหน่วยบริการนี้{there}")


async def facility_name(ctx: Context, hcode: str) -> str:
    """Of the Organization with the hospital code, else the code."""
    async for organizations in _found(ctx, "Organization", [("identifier", f"{HCODE}|{hcode}")]):
        return str(organizations[0].get("name", hcode))
    return hcode


async def _found(ctx: Context, kind: str, criteria: Sequence[tuple[str, str]]) -> AsyncIterator[list[dict[str, Any]]]:
    depth = ctx.settings.max_depth
    async for hits in pages(ctx.store, ctx.search.compile(kind, criteria).query):
        yield [read_json(hit.version.body or b"{}", max_depth=depth) for hit in hits.hits]


def _some(everything: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (everything[at : at + ALTERNATIVES] for at in range(0, len(everything), ALTERNATIVES))
