"""One import in one process: what it was given, what it remembers of the store, and how one resource is made ready."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fhir_profiles.json_reading import write_json
from mappers import identity
from mappers.links import HCODE, Resource, organization
from mappers.part import FIRST
from server.context import Context
from server.intake.f43.group import Group, live, refusals_of, rest_of, same_content, source_in, source_of
from server.intake.f43.jobs import Job, PersonsJob
from server.intake.f43.keys import REFERRED_TO, Ids, PersonKey, part_types
from server.interactions import labels, storing
from server.interactions.conditional import find
from server.store.contract import Version

REMEMBERED = 100_000
"""Ids of things that exist, kept by each worker; then it forgets and looks again."""

VisitKey = tuple[str, str, str]
"""Hospital code, `AN` or `SEQ`, number."""


class Banned(Exception):
    """A person cannot be stored: the group starts over without it."""


class Run:
    """One import in one process."""

    def __init__(self, ctx: Context, secret: bytes, ids_of_import: Sequence[str], rules: identity.Rules) -> None:
        """ids_of_import: its own, then those of the imports whose refused rows it tries again."""
        self.ctx = ctx
        self.ids = Ids(secret)
        self.import_id = ids_of_import[0]
        self._of_import = ids_of_import
        self.rules = rules
        self.existing: set[tuple[str, str]] = set()
        """Type and id of resources that others may refer to."""
        self.patients: dict[PersonKey, str] = {}
        self._organizations: dict[str, str] = {}
        self.asked: set[VisitKey] = set()
        self.elsewhere: set[VisitKey] = set()
        """Visits of claim rows that were looked for, and those of them that another source wrote."""
        self.banned: dict[PersonKey, str] = {}
        """Persons whose registration or Patient broke rules of FHIR: refused, without a Patient; and why."""

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ctx.clock() / 1000, UTC)

    def remember(self, group: Group, job: Job) -> None:
        """What a job that was committed made."""
        if len(self.existing) > REMEMBERED or len(self.patients) > REMEMBERED:
            self.forget()
        self.patients.update(group.patients)
        made = (key for key, change in group.changes.items() if hasattr(change, "body"))
        if isinstance(job, PersonsJob):
            self.existing.update(made)
        elif job.file in REFERRED_TO:  # others name the first resource of a row; what is seldom named is looked for
            first = part_types(job.file)[FIRST]
            self.existing.update(key for key in made if key[0] == first)

    def forget(self) -> None:
        self.existing.clear()
        self.patients.clear()
        self._organizations.clear()

    def wrote(self, version: Version, hcode: str, file: str) -> bool:
        """Whether this very import wrote a version for a row of a file."""
        source = source_in(version)
        return any(source == source_of(each, hcode, file) for each in self._of_import)

    def ban(self, person: PersonKey | None, error: Exception) -> None:
        """A person without a Patient: what is refused of it must not leave references to nothing.
        Raises: Banned, to start the group over."""
        [reason, *_] = refusals_of("PERSON", 0, error)
        assert person is not None
        self.banned[person] = reason.english
        raise Banned

    def prepare(self, resource: Resource, number: str, current: Version | None, source: str) -> storing.Prepared | None:
        """The checked change of one resource; None where the stored one says the same. Raises: FhirError."""
        if current is not None and same_content(current, write_json(rest_of(resource))):
            return None
        expected = current.version if current is not None and live(current) else 0
        resource["meta"] = {**resource.get("meta", {}), "source": source}
        labels.carry(resource, current)
        base = self.ctx.settings.fhir_base
        return storing.prepare(self.ctx, base, resource, number, "PUT", labels.at(expected, current))

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
