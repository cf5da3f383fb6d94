"""Rows of the 43 files into the store: mapped, checked as REST checks, compared with what is there, in one commit.

A row that makes nothing new writes nothing. A row with an older D_UPDATE than the stored one changes nothing. What a
changed row no longer makes is deleted. All resources of a row stand or fall together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fhir_profiles.json_reading import read_json, write_json
from mappers import identity
from mappers.id_card.reads import FILE as CARDS
from mappers.links import HCODE, Resource, Row, organization
from mappers.part import FIRST, Mapped, row_value
from mappers.problems import Problem
from mappers.rows import CLAIM_FILES, LAYOUTS, MAPS
from server.context import Context
from server.errors import FhirError
from server.intake.f43 import persons, visits
from server.intake.f43.group import (
    Group,
    live,
    refusals_of,
    rest_of,
    same_content,
    source_in,
    source_of,
)
from server.intake.f43.jobs import PERSON_FILES, Answer, Job, Numbered, PersonsJob, Refusal
from server.intake.f43.keys import (
    REFERRED_TO,
    REGISTRATIONS,
    Facility,
    Home,
    Ids,
    Meant,
    PersonKey,
    logical_references,
    part_types,
    person_of,
)
from server.interactions import labels, storing
from server.interactions.conditional import find
from server.store.contract import Commit, CommitRefused, Version

PATIENCE = 8
"""How often a group starts over because another process changed what it had seen."""
REMEMBERED = 100_000
"""Ids of things that exist, kept by each worker; then it forgets and looks again."""


@dataclass(slots=True)
class Plan:
    """One row on its way."""

    row: Numbered
    key: str
    mapped: list[Mapped]
    resolved: bool = True
    """Everything that it refers to by a number of the 43 files is in the store."""


class Writer:
    """Writes for one import; one per process."""

    def __init__(self, ctx: Context, secret: bytes, import_id: str, rules: identity.Rules) -> None:
        self.ctx = ctx
        self.ids = Ids(secret)
        self.import_id = import_id
        self.rules = rules
        self._existing: set[tuple[str, str]] = set()
        self._patients: dict[PersonKey, str] = {}
        self._organizations: dict[str, str] = {}
        self.asked: set[visits.VisitKey] = set()
        self.elsewhere: set[visits.VisitKey] = set()
        """Visits of claim rows that were looked for, and those of them that another source wrote."""
        self.banned: dict[PersonKey, str] = {}
        """Persons whose registration or Patient broke rules of FHIR: refused, without a Patient; and why."""

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ctx.clock() / 1000, UTC)

    async def write(self, job: Job) -> Answer:
        """Rows of one job, in one commit. Raises: StoreUnavailable, StoreFull, CommitRefused (others never rest)."""
        for attempt in range(PATIENCE):
            group = Group(self.import_id)
            try:
                if isinstance(job, PersonsJob):
                    await persons.write_persons(self, group, job.persons)
                else:
                    await self.write_rows(group, job.file, job.rows)
                await self._commit(group, job)
            except persons.Banned:
                self._forget()
                continue
            except CommitRefused:
                if attempt == PATIENCE - 1:
                    raise
                self._forget()
                continue
            self._remember(group, job)
            return group.answer
        return await self._one_by_one(job)

    async def _one_by_one(self, job: Job) -> Answer:
        """Many bans in one group use up its patience: then every person comes alone."""
        if not isinstance(job, PersonsJob) or len(job.persons) == 1:
            raise CommitRefused("the rows could not be written")
        whole = Answer()
        for person in job.persons:
            answer = await self.write(PersonsJob([person]))
            for file, counts in answer.counts.items():
                whole.of(file).add(counts)
            whole.refusals += answer.refusals
            whole.reviews += answer.reviews
        return whole

    async def _commit(self, group: Group, job: Job) -> None:
        if not group.changes:
            return
        file = job.persons[0][0].file if isinstance(job, PersonsJob) else job.file
        hcode = min(group.facilities, default="-")
        family = "claim files" if file in CLAIM_FILES else "cards" if file == CARDS else "43 files"
        provenance = group.provenance(self.ctx, f"{family}: {file}", source_of(self.import_id, hcode, file))
        await self.ctx.store.commit(Commit([*group.changes.values(), provenance], tuple(group.conditions)))

    def _remember(self, group: Group, job: Job) -> None:
        if len(self._existing) > REMEMBERED or len(self._patients) > REMEMBERED:
            self._forget()
        self._patients.update(group.patients)
        made = (key for key, change in group.changes.items() if hasattr(change, "body"))
        if isinstance(job, PersonsJob):
            self._existing.update(made)
        elif job.file in REFERRED_TO:  # others name the first resource of a row; what is seldom named is looked for
            first = part_types(job.file)[FIRST]
            self._existing.update(key for key in made if key[0] == first)

    def _forget(self) -> None:
        self._existing.clear()
        self._patients.clear()
        self._organizations.clear()

    # --- rows ---------------------------------------------------------------------------------------------------

    async def write_rows(self, group: Group, file: str, rows: Iterable[Numbered]) -> None:
        """Collect into the group what rows of one file change."""
        if file in CLAIM_FILES and file != "PAT":
            rows = await visits.only_ours(self, group, file, list(rows))
        plans = [plan for row in rows if (plan := self._plan(group, file, row)) is not None]
        await self._resolve(group, plans)
        stored = await self._stored(file, plans)
        for plan in plans:
            self._decide(group, file, plan, stored[plan.key])

    def _plan(self, group: Group, file: str, row: Numbered) -> Plan | None:
        counts = group.answer.of(file)
        key = row_value(LAYOUTS[file], row.row)
        before = group.seen.setdefault((file, key), row.row)
        if before is not row.row:
            if before == row.row:
                counts.unchanged += 1
            else:
                self._refuse(group, file, [_duplicate(file, row.number)])
            return None
        try:
            return Plan(row, key, MAPS[file].to_fhir(row.row))
        except (LookupError, ValueError, TypeError) as error:
            # A text that a mapper did not expect: this row waits for a better mapper, the others go on.
            if file in REGISTRATIONS.values():
                self.ban(person_of(row.row), error)
            self._refuse(group, file, refusals_of(file, row.number, error))
            return None

    def _refuse(self, group: Group, file: str, refusals: list[Refusal]) -> None:
        group.answer.of(file).refused += 1
        group.answer.refusals += refusals

    async def _stored(self, file: str, plans: Sequence[Plan]) -> dict[str, dict[str, Version]]:
        """Row key to part name to current version; a row whose first resource never was has none at all."""
        types = part_types(file)
        firsts = await self.ctx.store.read_many([(types[FIRST], self.ids.of(file, plan.key)) for plan in plans])
        stored: dict[str, dict[str, Version]] = {plan.key: {} for plan in plans}
        parts = []
        for plan, first in zip(plans, firsts, strict=True):
            if first is None:
                continue
            stored[plan.key][FIRST] = first
            values = MAPS[file].values(plan.row.row)
            parts += [(plan.key, name, (types[name], self.ids.of(file, values[name]))) for name in types if name]
        versions = await self.ctx.store.read_many([target for _, _, target in parts]) if parts else []
        for (key, name, _), version in zip(parts, versions, strict=True):
            if version is not None:
                stored[key][name] = version
        return stored

    def _decide(self, group: Group, file: str, plan: Plan, stored: Mapping[str, Version]) -> None:
        """Count the row, and collect its changes if it counts."""
        counts = group.answer.of(file)
        before = self.stored_row(file, stored)
        place = (file, plan.key)
        if before is not None:
            group.rows[place] = before
            order = identity.order(plan.row.row, before, self.now, self.rules)
            if order in ("older", "implausible"):
                counts.older += 1
                return
            source = source_of(self.import_id, plan.row.row["HOSPCODE"], file)
            if order == "newer" and source_in(stored[FIRST]) == source:
                self._refuse(group, file, [_duplicate(file, plan.row.number)])
                return
        try:
            written = self._changes(group, file, plan, stored)
        except FhirError as error:
            if file in REGISTRATIONS.values():
                self.ban(person_of(plan.row.row), error)
            self._refuse(group, file, refusals_of(file, plan.row.number, error))
            return
        group.rows[place] = plan.row.row
        counts.unresolved += not plan.resolved
        counts.resources += written
        if written:
            counts.mapped += 1
            group.facilities.add(plan.row.row["HOSPCODE"])
            if file in PERSON_FILES and (key := person_of(plan.row.row)):
                group.touched.add(key)
        else:
            counts.unchanged += 1

    def ban(self, person: PersonKey | None, error: Exception) -> None:
        """A person without a Patient: what is refused of it must not leave references to nothing.
        Raises: Banned, to start the group over."""
        [reason, *_] = refusals_of("PERSON", 0, error)
        assert person is not None
        self.banned[person] = reason.english
        raise persons.Banned

    def stored_row(self, file: str, stored: Mapping[str, Version]) -> Row | None:
        """The row as its resources say it now; None if it is not there."""
        if not live(stored.get(FIRST)):
            return None
        depth = self.ctx.settings.max_depth
        parts = {
            name: read_json(version.body, max_depth=depth)
            for name, version in stored.items()
            if version.body is not None
        }
        return MAPS[file].from_fhir(parts)

    def _changes(self, group: Group, file: str, plan: Plan, stored: Mapping[str, Version]) -> int:
        """Number of versions that the row adds to the group. Raises: FhirError, then the group is as it was."""
        made, source = [], source_of(self.import_id, plan.row.row["HOSPCODE"], file)
        left = {name for name, version in stored.items() if live(version)}
        for mapped in plan.mapped:
            name = mapped.value.partition("#")[2]
            left.discard(name)
            current = stored.get(name)
            number = self.ids.of(file, mapped.value)
            if prepared := self.prepare(mapped.resource, number, current, source):
                made.append((prepared, current))
        label = f"{file} {plan.key}"
        for prepared, current in made:
            group.put(prepared, current, label)
        for name in left:
            group.delete(stored[name], label)
        return len(made) + len(left)

    def prepare(self, resource: Resource, number: str, current: Version | None, source: str) -> storing.Prepared | None:
        """The checked change of one resource; None where the stored one says the same. Raises: FhirError."""
        if current is not None and same_content(current, write_json(rest_of(resource))):
            return None
        expected = current.version if current is not None and live(current) else 0
        resource["meta"] = {**resource.get("meta", {}), "source": source}
        labels.carry(resource, current)
        base = self.ctx.settings.fhir_base
        return storing.prepare(self.ctx, base, resource, number, "PUT", labels.at(expected, current))

    # --- what rows refer to ---------------------------------------------------------------------------------------

    async def _resolve(self, group: Group, plans: Sequence[Plan]) -> None:
        """Add `reference` where the thing that a number names is in the store or in this group."""
        file = plans[0].row.file if plans else ""
        if file in CLAIM_FILES:
            await visits.name_patients(self, plans)
        found: list[tuple[Plan, Meant, list[dict[str, Any]]]] = []
        for plan in plans:
            # The resources of a row refer to the same few things.
            for elements in _by_number(plan.mapped):
                meant = self.ids.meant(elements[0], plan.row.row, file)
                if meant is not None:
                    found.append((plan, meant, elements))
        await self._look_for_patients(group, {meant for _, meant, _ in found if isinstance(meant, PersonKey)})
        await self._look_for({m.target for plan, m, _ in found if isinstance(m, Home) and not self._own(plan, m)})
        for plan, meant, elements in found:
            reference = await self._reference(group, plan, meant)
            if reference is None:
                plan.resolved = False
                continue
            for element in elements:
                element["reference"] = reference

    async def _reference(self, group: Group, plan: Plan, meant: Meant) -> str | None:
        """None: it is not there."""
        if isinstance(meant, Facility):
            return f"Organization/{await self.facility(group, meant.hcode)}"
        if isinstance(meant, PersonKey):
            patient = group.patients.get(meant) or self._patients.get(meant)
            return f"Patient/{patient}" if patient else None
        there = meant.target in self._existing or self._own(plan, meant)
        return f"{meant.type}/{meant.id}" if there else None

    def _own(self, plan: Plan, meant: Home) -> bool:
        """Whether it is a resource of this very row."""
        return meant.file == plan.row.file and any(
            meant.target == (mapped.resource["resourceType"], self.ids.of(meant.file, mapped.value))
            for mapped in plan.mapped
        )

    async def _look_for(self, wanted: set[tuple[str, str]]) -> None:
        unknown = sorted(wanted - self._existing)
        for target, version in zip(unknown, await self.ctx.store.read_many(unknown) if unknown else (), strict=True):
            if live(version):
                self._existing.add(target)

    async def _look_for_patients(self, group: Group, wanted: set[PersonKey]) -> None:
        """The Patient of a PID or HN is the subject of the facility's registration."""
        unknown = sorted(wanted - self._patients.keys() - group.patients.keys())
        asked = [("Basic", self.ids.person(key)) for key in unknown]
        for key, version in zip(unknown, await self.ctx.store.read_many(asked) if asked else (), strict=True):
            patient = persons.patient_of(version) if version is not None else ""
            if not patient and key.kind == "HN":
                patient = await persons.with_hn(self, group, key)
            if patient:
                self._patients[key] = patient

    async def facility(self, group: Group, hcode: str) -> str:
        """Id of the Organization with a hospital code; one is made if there is none."""
        known = self._organizations.get(hcode)
        if known is not None:
            return known
        found = await find(self.ctx, "Organization", [("identifier", f"{HCODE}|{hcode}")], self.ctx.settings.fhir_base)
        if found.versions:
            self._organizations[hcode] = found.versions[0].id
            return found.versions[0].id
        number = self.ctx.ids()
        prepared = self.prepare(organization(hcode), number, None, source_of(self.import_id, hcode, "-"))
        assert prepared is not None
        group.conditions.add(found.condition)
        group.put(prepared, None, f"- {hcode}")
        self._organizations[hcode] = number
        return number


def _by_number(mapped: Iterable[Mapped]) -> Iterable[list[dict[str, Any]]]:
    """References by identifier in the resources of a row, those to the same thing together."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for each in mapped:
        for element in logical_references(each.resource):
            named = element["identifier"]
            found.setdefault((element["type"], named.get("system", ""), named["value"]), []).append(element)
    return found.values()


def _duplicate(file: str, number: int) -> Refusal:
    return Refusal.of(Problem(file, number, "", "duplicate", ""))
