"""One visit or admission with everything that belongs to it, and how its numbers are found in FHIR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mappers.codes import hl7, system
from mappers.lens import code_of, look
from mappers.links import CID, CLAIM_CODE, Resource, licence_system, local
from mappers.part import remainder

FUND_LIST, ECLAIM_LIST, RIGHT_LIST = "cs-th-coverage-type", "cs-eclaim-coverage-type", "cs-thcc-coverage-type"


@dataclass
class Case:
    """What a claim or a report is about. `resources` are those of the encounter, and the Coverages of the person."""

    hcode: str
    patient: Resource
    encounter: Resource
    resources: list[Resource]
    licences: Mapping[str, str] = field(default_factory=dict)
    """Licence number by what references to practitioners say: `Practitioner/id`, or the facility's own PROVIDER
    code."""

    def of(self, resource_type: str, wanted: Callable[[Resource], bool] = lambda resource: True) -> Iterator[Resource]:
        """The resources of one type, in their order."""
        return (r for r in self.resources if r["resourceType"] == resource_type and wanted(r))

    @cached_property
    def inpatient(self) -> bool:
        return bool(look(self.encounter, ("class", "code")) in ("IMP", "ACUTE", "NONAC"))

    @cached_property
    def hn(self) -> str:
        """Of a health centre that gives no HN its PID."""
        return number(self.patient, local(self.hcode, "HN")) or number(self.patient, local(self.hcode, "PID"))

    @cached_property
    def cid(self) -> str:
        return number(self.patient, CID)

    @cached_property
    def seq(self) -> str:
        """The number of the visit; of an admission, that of the visit that led to it where it says."""
        own = number(self.encounter, local(self.hcode, "VN"))
        return own or str(look(self.encounter, ("partOf", "identifier", "value")) or "")

    @cached_property
    def an(self) -> str:
        return number(self.encounter, local(self.hcode, "AN"))

    @cached_property
    def coverage(self) -> Resource | None:
        return next(self.of("Coverage"), None)

    @cached_property
    def fund(self) -> str:
        """INSCL: UCS, OFC, SSS, LGO ...; "" where no Coverage says."""
        kind = (self.coverage or {}).get("type")
        known = code_of(kind, system(ECLAIM_LIST)) or code_of(kind, system(FUND_LIST))
        return known or hl7("coverage-fund").get(code_of(kind, system(RIGHT_LIST)), "")

    @cached_property
    def claim_code(self) -> str:
        """The authen code, from the Coverage or the Encounter."""
        return number(self.coverage or {}, CLAIM_CODE) or number(self.encounter, CLAIM_CODE)

    @cached_property
    def clinic(self) -> str:
        """Two digits: of the Encounter, or of a row of the 43 files (whose second and third digit they are)."""
        if own := code_of(self.encounter.get("serviceType"), system("cs-eclaim-clinic")):
            return own
        for resource in self.of("Condition"):
            if len(clinic := remainder(resource, "f43").get("CLINIC", "")) == 5:
                return clinic[1:3]
        return ""

    def licence(self, reference: Any) -> str:
        """The licence number of a practitioner, "" where it is not known."""
        value = str(look(reference, ("identifier", "value")) or "")
        if value and look(reference, ("identifier", "system")) == licence_system(value):
            return value
        return self.licences.get(value) or self.licences.get(str(look(reference, ("reference",)) or ""), "")


def number(resource: Resource, url: str) -> str:
    """The identifier of a system, "" where there is none."""
    return next((str(e.get("value", "")) for e in resource.get("identifier", ()) if e.get("system") == url), "")
