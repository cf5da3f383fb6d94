"""Observations that several formats make: vital signs as HL7's profiles, blood pressure as a panel.

https://hl7.org/fhir/R4/observation-vitalsigns.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mappers.codes import LOINC, TERMINOLOGY, concept
from mappers.lens import Lens, Put, quantity
from mappers.links import Resource, Row
from mappers.part import Part

Shape = Callable[[Row], Resource]

VITAL_PROFILES = "http://hl7.org/fhir/StructureDefinition/"


class Setting(NamedTuple):
    """Whom and which encounter the rows of a file are about, and when: what its Observations have in common."""

    subject: Callable[[Row], dict[str, Any]]
    encounter: Callable[[Row], dict[str, Any] | None]
    when: Mapping[str, Put]
    """Columns that say when it was."""


_CATEGORY = TERMINOLOGY + "observation-category"
_CATEGORY_NAMES = {
    "vital-signs": "Vital Signs",
    "laboratory": "Laboratory",
    "social-history": "Social History",
    "survey": "Survey",
    "exam": "Exam",
    "procedure": "Procedure",
}


def observation(code: Mapping[str, Any], category: str, setting: Setting, profile: str = "") -> Shape:
    """An Observation about the row's person at the row's encounter."""

    def base(row: Row) -> Resource:
        return {
            "resourceType": "Observation",
            "meta": {"profile": [VITAL_PROFILES + profile]} if profile else None,
            "status": "final",
            "category": [concept(_CATEGORY, category, _CATEGORY_NAMES[category])],
            "code": {**code, "coding": [dict(entry) for entry in code["coding"]]},
            "subject": setting.subject(row),
            "encounter": setting.encounter(row),
        }

    return base


def loinc(code: str, display: str, thai: str = "") -> dict[str, Any]:
    return concept(LOINC, code, display, thai or display)


VITALS = {
    "temperature": ("8310-5", "Body temperature", "อุณหภูมิร่างกาย", "Cel", "bodytemp"),
    "pulse": ("8867-4", "Heart rate", "ชีพจร", "/min", "heartrate"),
    "respiration": ("9279-1", "Respiratory rate", "อัตราการหายใจ", "/min", "resprate"),
    "weight": ("29463-7", "Body weight", "น้ำหนัก", "kg", "bodyweight"),
    "height": ("8302-2", "Body height", "ส่วนสูง", "cm", "bodyheight"),
    "head": ("9843-4", "Head Occipital-frontal circumference", "รอบศีรษะ", "cm", "headcircum"),
    # Not one of HL7's vital signs profiles, so none is claimed.
    "waist": ("8280-0", "Waist Circumference at umbilicus by Tape measure", "รอบเอว", "cm", ""),
}


def vital(name: str, column: str, setting: Setting) -> Part:
    """One vital sign as a part of its own."""
    code, display, thai, unit, profile = VITALS[name]
    shape = observation(loinc(code, display, thai), "vital-signs", setting, profile)
    return Part(name, shape, {column: quantity("valueQuantity", unit, measured=True)}, setting.when)


def pressure(systolic: str, diastolic: str, setting: Setting, name: str = "pressure") -> Part:
    """Blood pressure as a panel; the half that was not taken says so.   https://hl7.org/fhir/R4/bp.html"""
    shape = observation(
        loinc("85354-9", "Blood pressure panel with all children optional", "ความดันโลหิต"), "vital-signs", setting, "bp"
    )

    def base(row: Row) -> Resource:
        return {
            **shape(row),
            "component": [
                _untaken("8480-6", "Systolic blood pressure"),
                _untaken("8462-4", "Diastolic blood pressure"),
            ],
        }

    return Part(name, base, {systolic: _half("8480-6"), diastolic: _half("8462-4")}, setting.when)


def _untaken(code: str, display: str) -> Resource:
    return {
        "code": loinc(code, display),
        "dataAbsentReason": concept(TERMINOLOGY + "data-absent-reason", "unknown", "Unknown"),
    }


def _half(code: str) -> Lens:
    value = quantity("valueQuantity", "mm[Hg]", measured=True)

    def put(resource: Resource, digits: str, row: Row) -> None:
        component = find_component(resource, LOINC, code)
        if component is not None and value.holds(digits):
            del component["dataAbsentReason"]
            value.put(component, digits, row)

    def get(resource: Resource) -> str:
        component = find_component(resource, LOINC, code)
        return value.get(component) if component is not None else ""

    return Lens(put, get, value.canonical)


def find_component(resource: Resource, url: str, code: str) -> Resource | None:
    """The component with that code."""
    for component in resource.get("component", ()):
        for entry in component["code"].get("coding", ()):
            if entry.get("code") == code and entry.get("system") == url:
                found: Resource = component
                return found
    return None
