"""Observations of one visit: vital signs, screening answers, laboratory results, with LOINC and UCUM.

https://hl7.org/fhir/R4/observation-vitalsigns.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mappers.population.clinic import Test
from mappers.population.fhir_places import Resource, local
from mappers.population.model import Screening, Vitals

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_THCC = "https://terms.sil-th.org/core/CodeSystem/cs-thcc-"


@dataclass(slots=True, frozen=True)
class Scene:
    """What every resource of a visit repeats. Shared, so never changed in place."""

    subject: dict[str, Any]
    encounter: dict[str, Any]
    performer: list[dict[str, Any]]
    start: str
    issued: str
    hcode: str
    visit: str


_SIGNS = (
    # attribute, LOINC, English, Thai, unit shown, UCUM
    ("temperature", "8310-5", "Body temperature", "อุณหภูมิร่างกาย", "Cel", "Cel"),
    ("pulse", "8867-4", "Heart rate", "ชีพจร", "/min", "/min"),
    ("respiration", "9279-1", "Respiratory rate", "อัตราการหายใจ", "/min", "/min"),
    ("saturation", "2708-6", "Oxygen saturation in Arterial blood", "ความอิ่มตัวของออกซิเจน", "%", "%"),
    ("weight", "29463-7", "Body weight", "น้ำหนัก", "kg", "kg"),
    ("height", "8302-2", "Body height", "ส่วนสูง", "cm", "cm"),
    ("waist", "8280-0", "Waist Circumference at umbilicus by Tape measure", "รอบเอว", "cm", "cm"),
    ("head", "9843-4", "Head Occipital-frontal circumference", "รอบศีรษะ", "cm", "cm"),
)

_ANSWERS = (
    # attribute, LOINC, English, Thai, code system, words
    ("smoke", "72166-2", "Tobacco smoking status", "การสูบบุหรี่", "ncd-smoking", {"1": "ไม่สูบ", "4": "สูบเป็นประจำ"}),
    (
        "alcohol",
        "11331-6",
        "History of Alcohol use",
        "การดื่มเครื่องดื่มแอลกอฮอล์",
        "ncd-alchohol",
        {"1": "ไม่ดื่ม", "2": "ดื่มนานๆครั้ง", "3": "ดื่มเป็นครั้งคราว"},
    ),
)


def vital_signs(vitals: Vitals, scene: Scene) -> Iterator[Resource]:
    """One Observation for each sign that was taken, blood pressure as a panel, and the body mass index."""
    for attribute, code, english, thai, unit, ucum in _SIGNS:
        value = getattr(vitals, attribute)
        if value is not None:
            resource = _observation("vital-signs", "Vital Signs", code, english, thai, scene)
            resource["valueQuantity"] = _quantity(value, unit, ucum)
            yield resource
    if vitals.systolic is not None and vitals.diastolic is not None:
        yield _pressure(vitals.systolic, vitals.diastolic, scene)
    if vitals.weight and vitals.height:
        resource = _observation(
            "vital-signs", "Vital Signs", "39156-5", "Body mass index (BMI) [Ratio]", "ดัชนีมวลกาย", scene
        )
        resource["valueQuantity"] = _quantity(round(vitals.weight / (vitals.height / 100) ** 2, 1), "kg/m2", "kg/m2")
        yield resource


def _pressure(systolic: int, diastolic: int, scene: Scene) -> Resource:
    resource = _observation(
        "vital-signs", "Vital Signs", "85354-9", "Blood pressure panel with all children optional", "ความดันโลหิต", scene
    )
    resource["component"] = [
        {"code": _concept("8480-6", "Systolic blood pressure"), "valueQuantity": _quantity(systolic, "mmHg", "mm[Hg]")},
        {
            "code": _concept("8462-4", "Diastolic blood pressure"),
            "valueQuantity": _quantity(diastolic, "mmHg", "mm[Hg]"),
        },
    ]
    if systolic >= 140 or diastolic >= 90:
        resource["interpretation"] = [_flag("H", "High")]
    return resource


def screening(answers: Screening, scene: Scene) -> Iterator[Resource]:
    """Smoking and alcohol of the yearly NCD screening."""
    for attribute, code, english, thai, system, words in _ANSWERS:
        answer = getattr(answers, attribute)
        resource = _observation("social-history", "Social History", code, english, thai, scene)
        resource["valueCodeableConcept"] = {
            "coding": [{"system": _THCC + system, "code": answer, "display": words[answer]}],
            "text": words[answer],
        }
        yield resource


def laboratory(test: Test, value: float | str, scene: Scene) -> Resource:
    """A result with the facility's code, LOINC where there is one, its range and whether it lies outside."""
    resource = _observation("laboratory", "Laboratory", test.loinc, test.name, test.name, scene)
    coding = [{"system": local(scene.hcode, "LabItem"), "code": test.local, "display": test.name}]
    if test.loinc:
        coding.insert(0, {"system": LOINC, "code": test.loinc, "display": test.name})
    resource["identifier"] = [{"system": local(scene.hcode, "Lab"), "value": f"{scene.visit}-{test.local}"}]
    resource["code"] = {"coding": coding, "text": test.name}
    if isinstance(value, str):
        resource["valueString"] = value
        return resource
    resource["valueQuantity"] = _quantity(value, test.unit, test.unit)
    flag = ("H", "High") if value > test.high else ("L", "Low") if value < test.low else ("N", "Normal")
    resource["interpretation"] = [_flag(*flag)]
    resource["referenceRange"] = [
        {
            "low": _quantity(test.low, test.unit, test.unit),
            "high": _quantity(test.high, test.unit, test.unit),
            "text": f"{test.low} - {test.high} {test.unit}",
        }
    ]
    return resource


def _observation(category: str, title: str, code: str, english: str, thai: str, scene: Scene) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": category, "display": title}], "text": title}],
        "code": {"coding": [{"system": LOINC, "code": code, "display": english}], "text": thai},
        "subject": scene.subject,
        "encounter": scene.encounter,
        "effectiveDateTime": scene.start,
        "issued": scene.issued,
        "performer": scene.performer,
    }


def _concept(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code, "display": display}], "text": display}


def _flag(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": _INTERPRETATION, "code": code, "display": display}]}


def _quantity(value: float, unit: str, code: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": code}
