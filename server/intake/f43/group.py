"""One commit group: what rows change, what must hold for it, and its Provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.issue import Issue
from fhir_profiles.thai.choice import claim
from mappers.links import HCODE, Resource, Row, logical
from mappers.part import Mapped
from server.context import Context
from server.errors import Unprocessable
from server.intake.f43.jobs import Answer, Numbered, Refusal
from server.intake.f43.keys import PersonKey
from server.interactions import storing
from server.store.contract import Change, Condition, Delete, Put, Version, instant

IMPORTS = f"{CANONICAL}/import"
"""Identifier system of imports; `meta.source` of what they write lies below it."""
_OWN = frozenset({"resourceType", "id", "meta"})
_ACTIVITIES = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_AGENTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def source_of(import_id: str, hcode: str, file: str) -> str:
    """meta.source: names the import, the facility and the file."""
    return f"{IMPORTS}/{import_id}/{hcode}/{file}"


@dataclass(slots=True)
class Group:
    """Collected while the rows of a job are worked on; nothing of it is stored before the commit."""

    import_id: str
    answer: Answer = field(default_factory=Answer)
    changes: dict[tuple[str, str], Change] = field(default_factory=dict)
    conditions: set[Condition] = field(default_factory=set)
    targets: list[dict[str, str]] = field(default_factory=list)
    """Of the Provenance: versioned references with the row's key."""
    facilities: set[str] = field(default_factory=set)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    """(file, key) -> row, as it now counts: of the group, or stored and not older."""
    seen: dict[tuple[str, str], Row] = field(default_factory=dict)
    """Rows of this job by (file, key)."""
    touched: set[PersonKey] = field(default_factory=set)
    """Persons with a changed row."""
    patients: dict[PersonKey, str] = field(default_factory=dict)
    """Patients that persons of this group have."""

    def put(self, prepared: storing.Prepared, current: Version | None, label: str) -> None:
        """A new version after the current one (None or a tombstone: there is none)."""
        put = prepared.put
        self.changes[put.type, put.id] = put
        self.conditions.update(prepared.conditions)
        self._target(put.type, put.id, (current.version if current else 0) + 1, label)

    def delete(self, current: Version, label: str) -> None:
        self.changes[current.type, current.id] = Delete(current.type, current.id, current.version)
        self._target(current.type, current.id, current.version + 1, label)

    def _target(self, kind: str, number: str, version: int, label: str) -> None:
        self.targets.append({"reference": f"{kind}/{number}/_history/{version}", "display": label})

    def provenance(self, ctx: Context, what: str, source: str) -> Put:
        """The Provenance of all changes.   https://hl7.org/fhir/R4/provenance.html"""
        facilities = sorted(self.facilities)
        resource: Resource = {
            "resourceType": "Provenance",
            "meta": {"source": source},
            "target": self.targets,
            "recorded": instant(ctx.clock()),
            "activity": {"coding": [{"system": _ACTIVITIES, "code": "UPDATE"}]},
            "agent": [
                {
                    "type": {"coding": [{"system": _AGENTS, "code": "assembler"}]},
                    "who": {"display": "OneCard"},
                    **({"onBehalfOf": logical("Organization", HCODE, facilities[0])} if len(facilities) == 1 else {}),
                }
            ],
            "entity": [
                {
                    "role": "source",
                    "what": {"identifier": {"system": IMPORTS, "value": self.import_id}, "display": what},
                }
            ],
        }
        return provenance_put(ctx, resource)


def provenance_put(ctx: Context, resource: Resource) -> Put:
    """Checked like every resource; its targets keep their versions (`Provenance.target` is about versions)."""
    number = ctx.ids()
    resource = {**resource, "id": number}
    claim(resource)
    storing.check(ctx, resource)
    text = ctx.search.text("Provenance", resource) if ctx.settings.text_search else None
    body = storing.body_of(resource, number)
    return Put("Provenance", number, body, ctx.search.extract("Provenance", resource), "POST", 0, text)


@dataclass(slots=True)
class Plan:
    """One row on its way."""

    row: Numbered
    key: str
    mapped: list[Mapped]
    resolved: bool = True
    """Everything that it refers to by a number of the 43 files is in the store."""


def live(version: Version | None) -> bool:
    return version is not None and not version.deleted


def same_content(version: Version, content: bytes) -> bool:
    """Whether a stored resource says the same apart from id and meta; `content`: compact JSON of the rest."""
    body = version.body
    if body is None:
        return False
    end = b"}," + content[1:]
    if not body.endswith(end):
        return False
    # What stands before must be nothing but resourceType, id and meta.
    head = orjson.loads(body[: len(body) - len(end)] + b"}}")
    return bool(head.keys() == _OWN)


def rest_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The resource without resourceType, id and meta."""
    return {name: value for name, value in resource.items() if name not in _OWN}


def source_in(version: Version) -> str:
    """meta.source of a stored resource, "" for none."""
    meta = orjson.loads(version.body or b"{}").get("meta", {})
    return str(meta.get("source", ""))


def refusals_of(file: str, number: int, error: Exception) -> list[Refusal]:
    """Why a mapped row broke rules of FHIR: the elements, never their values."""
    found = error.issues if isinstance(error, Unprocessable) and error.issues else [Issue("error", "processing", "")]
    grave = [issue for issue in found if issue.severity in ("error", "fatal")] or list(found)
    return [
        Refusal(
            file,
            number,
            (issue.expression or "")[:80],
            "fhir",
            "",
            f"the row makes a resource that FHIR does not allow: {issue.diagnostics[:200]}",
            "ข้อมูลแถวนี้แปลงเป็นทรัพยากร FHIR ที่ถูกต้องไม่ได้",
            True,
        )
        for issue in grave[:5]
    ]
