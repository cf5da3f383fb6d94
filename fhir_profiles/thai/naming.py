"""NamingSystems of the identifiers in use: SIL-TH's by `identifiers.csv`, and those that OneCard itself writes.

A facility's own numbers have a system for each facility, so that theirs is a template with `{hcode}`, which R4 can tell
as a unique id of type `other` only.
https://hl7.org/fhir/R4/namingsystem.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.thai.rules import translation
from fhir_profiles.thai.systems import LOCAL, TYPES, IdentifierKind, identifier_kinds

PUBLISHED = "2026-11-24"
"""NamingSystem.date must be there; the day on which these were written down."""
OWN = {
    "card/holder": ("Holders of cards that were read", "ผู้ถือบัตรที่อ่าน"),
    "import": ("Imports of files", "การนำเข้าข้อมูล"),
    "identity": ("Decisions about who is who", "การรวมและแยกทะเบียนบุคคล"),
    "undo": ("Imports taken back", "การยกเลิกการนำเข้า"),
}
"""Last step of our own systems beside those of rows."""


def row_systems(family: str, files: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Last steps of the systems of a family's rows (`f43/service`), as in `OWN`."""
    return {
        f"{family}/{file.lower().replace('_', '-')}": (f"Rows of {file} ({family})", f"แถวของแฟ้ม {file} ({family})")
        for file in files
    }


def naming_systems(own: dict[str, tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """One NamingSystem a kind of identifier, and one for each of our own (`OWN`, `row_systems`)."""
    for kind in identifier_kinds().values():
        if kind.system:
            yield _published(kind)
    for step, (title, thai) in own.items():
        yield _resource(
            "onecard-" + step.replace("/", "-"), title, thai, {"type": "uri", "value": f"{CANONICAL}/{step}"}
        )


def _published(kind: IdentifierKind) -> dict[str, Any]:
    ids: dict[str, Any] = {"type": "uri", "value": kind.system}
    if kind.is_local:
        ids = {"type": "other", "value": f"{LOCAL}5/{{hcode}}/{kind.system}", "comment": "9/{hcode} for codes of 9"}
    type_ = {"coding": [{"system": TYPES, "code": kind.code}]}
    return {**_resource("th-" + kind.code.lower(), kind.title, kind.thai, ids), "type": type_}


def _resource(identity: str, title: str, thai: str, unique_id: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "NamingSystem",
        "id": identity,
        "name": "".join(part.title() for part in identity.split("-")),
        "status": "active",
        "kind": "identifier",
        "date": PUBLISHED,
        "description": title,
        "_description": translation(thai),
        "jurisdiction": [{"coding": [{"system": "urn:iso:std:iso:3166", "code": "TH"}]}],
        "uniqueId": [unique_id],
    }
