"""Rows of the 43 files into the store: mapped, checked as REST checks, compared with what is there, in one commit.

A row that makes nothing new writes nothing. A row with an older D_UPDATE than the stored one changes nothing. What a
changed row no longer makes is deleted. All resources of a row stand or fall together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fhir_profiles.json_reading import read_json
from mappers import identity
from mappers.id_card.reads import FILE as CARDS
from mappers.links import Row
from mappers.part import FIRST, Mapped, row_value
from mappers.problems import Problem
from mappers.rows import CLAIM_FILES, LAYOUTS, MAPS
from server.errors import FhirError
from server.intake.f43 import persons, referrals, visits
from server.intake.f43.group import (
    Group,
    Plan,
    live,
    refusals_of,
    source_of,
)
from server.intake.f43.jobs import PERSON_FILES, Answer, Job, Numbered, PersonsJob, Refusal
from server.intake.f43.keys import (
    REGISTRATIONS,
    Facility,
    Home,
    Meant,
    PersonKey,
    logical_references,
    part_types,
    person_of,
)
from server.intake.f43.registrations import patient_of, with_hn
from server.intake.f43.run import Banned, Run
from server.store.contract import Commit, CommitRefused, Version

PATIENCE = 8
"""How often a group starts over because another process changed what it had seen."""


class Writer:
    """Writes for one import; one per process."""

    def __init__(self, run: Run) -> None:
        self.run = run

    async def write(self, job: Job) -> Answer:
        """Rows of one job, in one commit. Raises: StoreUnavailable, StoreFull, CommitRefused (others never rest)."""
        for attempt in range(PATIENCE):
            group = Group(self.run.import_id)
            try:
                if isinstance(job, PersonsJob):
                    await persons.write_persons(self.run, group, job.persons, self.write_rows)
                else:
                    await self.write_rows(group, job.file, job.rows)
                await self._commit(group, job)
            except Banned:
                self.run.forget()
                continue
            except CommitRefused:
                if attempt == PATIENCE - 1:
                    raise
                self.run.forget()
                continue
            self.run.remember(group, job)
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
        provenance = group.provenance(self.run.ctx, f"{family}: {file}", source_of(self.run.import_id, hcode, file))
        await self.run.ctx.store.commit(Commit([*group.changes.values(), provenance], tuple(group.conditions)))

    # --- rows ---------------------------------------------------------------------------------------------------

    async def write_rows(self, group: Group, file: str, rows: Iterable[Numbered]) -> None:
        """Collect into the group what rows of one file change."""
        if file in CLAIM_FILES and file != "PAT":
            rows = await visits.only_ours(self.run, group, file, list(rows))
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
                group.answer.refusals.append(Refusal.of(Problem(file, row.number, "", "repeated", "")))
            else:
                self._refuse(group, file, [_duplicate(file, row.number)])
            return None
        try:
            return Plan(row, key, MAPS[file].to_fhir(row.row))
        except (LookupError, ValueError, TypeError) as error:
            # A text that a mapper did not expect: this row waits for a better mapper, the others go on.
            if file in REGISTRATIONS.values():
                self.run.ban(person_of(row.row), error)
            self._refuse(group, file, refusals_of(file, row.number, error))
            return None

    def _refuse(self, group: Group, file: str, refusals: list[Refusal]) -> None:
        group.answer.of(file).refused += 1
        group.answer.refusals += refusals

    async def _stored(self, file: str, plans: Sequence[Plan]) -> dict[str, dict[str, Version]]:
        """Row key to part name to current version; a row whose first resource never was has none at all."""
        types = part_types(file)
        firsts = await self.run.ctx.store.read_many([(types[FIRST], self.run.ids.of(file, plan.key)) for plan in plans])
        stored: dict[str, dict[str, Version]] = {plan.key: {} for plan in plans}
        parts = []
        for plan, first in zip(plans, firsts, strict=True):
            if first is None:
                continue
            stored[plan.key][FIRST] = first
            values = MAPS[file].values(plan.row.row)
            parts += [(plan.key, name, (types[name], self.run.ids.of(file, values[name]))) for name in types if name]
        versions = await self.run.ctx.store.read_many([target for _, _, target in parts]) if parts else []
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
            order = identity.order(plan.row.row, before, self.run.now, self.run.rules)
            if order in ("older", "implausible"):
                counts.older += 1
                return
            if order == "newer" and self.run.wrote(stored[FIRST], plan.row.row["HOSPCODE"], file):
                self._refuse(group, file, [_duplicate(file, plan.row.number)])
                return
        try:
            written = self._changes(group, file, plan, stored)
        except FhirError as error:
            if file in REGISTRATIONS.values():
                self.run.ban(person_of(plan.row.row), error)
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

    def stored_row(self, file: str, stored: Mapping[str, Version]) -> Row | None:
        """The row as its resources say it now; None if it is not there."""
        if not live(stored.get(FIRST)):
            return None
        depth = self.run.ctx.settings.max_depth
        parts = {
            name: read_json(version.body, max_depth=depth)
            for name, version in stored.items()
            if version.body is not None
        }
        return MAPS[file].from_fhir(parts)

    def _changes(self, group: Group, file: str, plan: Plan, stored: Mapping[str, Version]) -> int:
        """Number of versions that the row adds to the group. Raises: FhirError, then the group is as it was."""
        made, source = [], source_of(self.run.import_id, plan.row.row["HOSPCODE"], file)
        left = {name for name, version in stored.items() if live(version)}
        for mapped in plan.mapped:
            name = mapped.value.partition("#")[2]
            left.discard(name)
            current = stored.get(name)
            number = self.run.ids.of(file, mapped.value)
            if prepared := self.run.prepare(mapped.resource, number, current, source):
                made.append((prepared, current))
        label = f"{file} {plan.key}"
        for prepared, current in made:
            group.put(prepared, current, label)
        for name in left:
            group.delete(stored[name], label)
        return len(made) + len(left)

    # --- what rows refer to ---------------------------------------------------------------------------------------

    async def _resolve(self, group: Group, plans: Sequence[Plan]) -> None:
        """Add `reference` where the thing that a number names is in the store or in this group."""
        file = plans[0].row.file if plans else ""
        if file in CLAIM_FILES:
            await visits.name_patients(self.run, plans)
        await referrals.name_patients(self.run, plans)
        found: list[tuple[Plan, Meant, list[dict[str, Any]]]] = []
        for plan in plans:
            # The resources of a row refer to the same few things.
            for elements in _by_number(plan.mapped):
                meant = self.run.ids.meant(elements[0], plan.row.row, file)
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
            return f"Organization/{await self.run.facility(group, meant.hcode)}"
        if isinstance(meant, PersonKey):
            patient = group.patients.get(meant) or self.run.patients.get(meant)
            return f"Patient/{patient}" if patient else None
        there = meant.target in self.run.existing or self._own(plan, meant)
        return f"{meant.type}/{meant.id}" if there else None

    def _own(self, plan: Plan, meant: Home) -> bool:
        """Whether it is a resource of this very row."""
        return meant.file == plan.row.file and any(
            meant.target == (mapped.resource["resourceType"], self.run.ids.of(meant.file, mapped.value))
            for mapped in plan.mapped
        )

    async def _look_for(self, wanted: set[tuple[str, str]]) -> None:
        unknown = sorted(wanted - self.run.existing)
        for target, version in zip(
            unknown, await self.run.ctx.store.read_many(unknown) if unknown else (), strict=True
        ):
            if live(version):
                self.run.existing.add(target)

    async def _look_for_patients(self, group: Group, wanted: set[PersonKey]) -> None:
        """The Patient of a PID or HN is the subject of the facility's registration."""
        unknown = sorted(wanted - self.run.patients.keys() - group.patients.keys())
        asked = [("Basic", self.run.ids.person(key)) for key in unknown]
        for key, version in zip(unknown, await self.run.ctx.store.read_many(asked) if asked else (), strict=True):
            patient = patient_of(version) if version is not None else ""
            if not patient and key.kind == "HN":
                patient = await with_hn(self.run, group, key)
            if patient:
                self.run.patients[key] = patient


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
