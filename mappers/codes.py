"""Code lists of the 43 files and what their codes mean in HL7's.

Lists named `cs-...` are SIL-TH's, from the terminology package; lists named `@...` are small ones that SIL-TH does not
publish. Marked "from memory" is what no public source confirms: correct the row here if it is wrong.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from terminology.conceptmaps.maps import list_url, to_hl7
from terminology.thai import CORE, ThaiLists

Coding = dict[str, Any]

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD9CM = TERMINOLOGY + "icd9cm"
ICD10TM = CORE + "CodeSystem/cs-th-icd10tm"
TMT = CORE + "CodeSystem/cs-th-tmt"
DRUG24 = CORE + "CodeSystem/cs-th-24drug"

LOCAL_LISTS: dict[str, dict[str, str]] = {
    "@abo": {"1": "A", "2": "B", "3": "AB", "4": "O", "9": "ไม่ทราบ"},
    # from memory
    "@rh": {"1": "Positive", "2": "Negative", "9": "ไม่ทราบ"},
    # from memory
    "@addresstype": {"1": "ที่อยู่ตามทะเบียนบ้าน", "2": "ที่อยู่ที่ติดต่อได้"},
    # from memory: 1 has, 2 has not, 9 unknown
    "@yesno": {"1": "มีประวัติ", "2": "ไม่มีประวัติ", "9": "ไม่ทราบ"},
    # from memory: 1 used, 2 not used, 9 unknown
    "@ynu": {"1": "ใช้", "2": "ไม่ใช้", "9": "ไม่ทราบ"},
}

_THAI = ThaiLists()


@cache
def displays(list_id: str) -> dict[str, str]:
    """Code to display of a list; empty for a list that is not known."""
    if list_id in LOCAL_LISTS:
        return LOCAL_LISTS[list_id]
    resource = _THAI.code_system(system(list_id))
    return {concept["code"]: concept.get("display", "") for concept in (resource or {}).get("concept", ())}


def system(list_id: str) -> str:
    """Canonical URL of a list."""
    return list_url(list_id)


_CODE = re.compile(r"[^\s]+( [^\s]+)*\Z")


def is_code(text: str) -> bool:
    """Whether the text can be a FHIR code (no blanks at its ends, none doubled)."""
    return _CODE.match(text) is not None


def coding(system_url: str, code: str, display: str = "") -> Coding:
    """A Coding; what is no FHIR code is shown, not coded."""
    if not is_code(code):
        return {"system": system_url, "display": display or code}
    return {"system": system_url, "code": code, "display": display} if display else {"system": system_url, "code": code}


def concept(system_url: str, code: str, display: str = "", text: str = "") -> dict[str, Any]:
    """A CodeableConcept of one Coding."""
    value: dict[str, Any] = {"coding": [coding(system_url, code, display)]}
    if text:
        value["text"] = text
    return value


@cache
def hl7(map_id: str) -> dict[str, str]:
    """Thai code to HL7 code by a concept map of the terminology package."""
    return {code: target for code, (_, target) in to_hl7(map_id).items()}


def hl7_coding(map_id: str, code: str) -> Coding | None:
    """The Coding that a concept map gives for a code."""
    found = to_hl7(map_id).get(code)
    return coding(*found) if found else None
