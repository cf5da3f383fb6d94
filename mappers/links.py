"""Identifier systems, and references by identifier.

Rows refer to each other by business keys, so a mapped resource refers by identifier (a logical reference,
https://hl7.org/fhir/R4/references.html#logical): the importer adds `reference` where it knows the id. No id is made
here, and none is made from a citizen id.
"""

from __future__ import annotations

from typing import Any

from fhir_profiles.thai.choice import claim
from terminology.thai import CORE

Row = dict[str, str]
"""Non-empty columns by name."""
Resource = dict[str, Any]

HCODE = "https://terms.sil-th.org/id/th-moph-hcode"
CID = "https://terms.sil-th.org/id/th-cid"
PASSPORT = "https://terms.sil-th.org/id/passport"
HOUSE = "https://terms.sil-th.org/id/th-dopa-house-no"
VILLAGE = "https://terms.sil-th.org/id/th-dopa-village-no"
DISABILITY = "https://terms.sil-th.org/id/th-disability-no"
CLAIM_CODE = "https://terms.sil-th.org/id/th-nhso-claim-code"
IDENTIFIER_TYPE = CORE + "CodeSystem/cs-th-identifier-type"


LICENCES = (
    ("ว", "th-doctor-id"),
    ("ท", "th-dentist-id"),
    ("พ", "th-nurse-id"),
    ("ภ", "th-pharmacist-id"),
)
"""First letters of a licence to the identifier system; whoever has none of them is a doctor (from memory)."""


def licence_system(licence: str) -> str:
    """Identifier system of a licence number, by its first letter."""
    name = next((name for letter, name in LICENCES if licence.startswith(letter)), "th-doctor-id")
    return f"https://terms.sil-th.org/id/{name}"


def local(hcode: str, what: str) -> str:
    """Identifier system of a facility's own numbers: HN, VN, AN, PID, Provider, Drug ..."""
    return f"https://terms.sil-th.org/hcode/{9 if len(hcode) == 9 else 5}/{hcode}/{what}"


def identifier(system: str, value: str, kind: str = "") -> dict[str, Any]:
    """An Identifier, with its Thai identifier type where it has one."""
    result: dict[str, Any] = {"system": system, "value": value}
    if kind:
        return {"type": {"coding": [{"system": IDENTIFIER_TYPE, "code": kind}]}, **result}
    return result


def logical(resource_type: str, system: str, value: str) -> dict[str, Any]:
    """A Reference by identifier."""
    return {"type": resource_type, "identifier": {"system": system, "value": value}}


def organization(hcode: str, name: str = "") -> Resource:
    """The Organization of a facility of which only the code is known."""
    found: Resource = {
        "resourceType": "Organization",
        "identifier": [identifier(HCODE, hcode, "hcode")],
        "active": True,
        "name": name or f"สถานพยาบาล {hcode}",
    }
    claim(found)
    return found


def without_none(resource: Resource) -> Resource:
    """The resource without the elements that are None."""
    return {name: value for name, value in resource.items() if value is not None}
