"""Which Thai profile a resource is to claim: by its type, an Observation or ServiceRequest by its category or code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_profiles.thai.differential import profile_url

BY_TYPE: Mapping[str, str] = {
    each: profile_url("th-" + each.lower())
    for each in (
        "Patient", "RelatedPerson", "Practitioner", "PractitionerRole", "Organization", "Location", "Encounter",
        "Condition", "AllergyIntolerance", "Procedure", "Immunization", "MedicationRequest", "MedicationDispense",
        "Medication", "DiagnosticReport", "Specimen", "Appointment", "Schedule", "Slot", "Coverage", "Account",
        "ChargeItem", "Claim", "ClaimResponse", "EpisodeOfCare", "Task", "Provenance", "DocumentReference",
        "Composition",
    )
}  # fmt: skip
"""Types with one profile."""

BY_CODE: Mapping[tuple[str, str], str] = {
    ("Observation", code): profile_url("th-observation-" + name)
    for code, name in (
        ("72166-2", "smoking"),
        ("74013-4", "alcohol"),
        ("11331-6", "alcohol"),
        ("82810-3", "pregnancy"),
        ("31", "ncd-screening"),
    )
}
"""(type, a code of `code`): asked before the category. 31 is NCDSCREEN in SIL-TH's list of the 43 files."""

BY_CATEGORY: Mapping[tuple[str, str], str] = {
    ("Observation", "vital-signs"): profile_url("th-observation-vital-signs"),
    ("Observation", "laboratory"): profile_url("th-observation-laboratory"),
    ("ServiceRequest", "108252007"): profile_url("th-servicerequest-laboratory"),
    ("ServiceRequest", "3457005"): profile_url("th-servicerequest-referral"),
}
"""(type, a code of `category`)."""


def profile_of(resource: Mapping[str, Any]) -> str | None:
    """Canonical url of the profile; None where there is none for such a resource."""
    kind = resource["resourceType"]
    found = BY_TYPE.get(kind)
    if found is not None or kind not in ("Observation", "ServiceRequest"):
        return found
    for code in _codes(resource.get("code", {})):
        if (kind, code) in BY_CODE:
            return BY_CODE[kind, code]
    for category in resource.get("category", ()):
        for code in _codes(category):
            if (kind, code) in BY_CATEGORY:
                return BY_CATEGORY[kind, code]
    return None


def _codes(concept: Mapping[str, Any]) -> Iterator[str]:
    return (coding["code"] for coding in concept.get("coding", ()) if "code" in coding)


def claim(resource: dict[str, Any]) -> None:
    """Writes the profile into `meta.profile`, beside those that are there."""
    url = profile_of(resource)
    if url is None:
        return
    profiles = resource.get("meta", {}).get("profile", [])
    if url not in profiles:
        resource["meta"] = {**resource.get("meta", {}), "profile": [*profiles, url]}
