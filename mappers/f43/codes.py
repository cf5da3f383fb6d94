"""Code lists of the 43 files and what their codes mean in HL7's.

Lists named `cs-...` are SIL-TH's, from the terminology package; lists named `@...` are small ones that SIL-TH does not
publish. Marked "from memory" is what no public source confirms: correct the row here if it is wrong.
"""

from __future__ import annotations

from functools import cache
from typing import Any

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
    "@sex": {"1": "ชาย", "2": "หญิง"},
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
    """Canonical URL of a SIL-TH list."""
    return f"{CORE}CodeSystem/{list_id}"


def coding(system_url: str, code: str, display: str = "") -> Coding:
    return {"system": system_url, "code": code, "display": display} if display else {"system": system_url, "code": code}


def concept(system_url: str, code: str, display: str = "", text: str = "") -> dict[str, Any]:
    """A CodeableConcept of one Coding."""
    value: dict[str, Any] = {"coding": [coding(system_url, code, display)]}
    if text:
        value["text"] = text
    return value


GENDER = {"1": "male", "2": "female"}

VERIFICATION = {"1": "confirmed", "2": "unconfirmed", "3": "unconfirmed", "4": "unconfirmed", "5": "unconfirmed"}
"""TYPEDX to AllergyIntolerance.verificationStatus."""

CRITICALITY = {"1": "low", "2": "high", "3": "high", "4": "high", "5": "high", "6": "high", "7": "high", "8": "high"}
"""ALEVEL to AllergyIntolerance.criticality: every serious class is high."""

CLINICAL = {
    "01": "resolved",
    "02": "inactive",
    "03": "active",
    "04": "active",
    "05": "remission",
    "06": "active",
    "07": "resolved",
    "08": "remission",
    "09": "active",
    "10": "active",
    "11": "recurrence",
}
"""TYPEDISCH of CHRONIC to Condition.clinicalStatus."""

DISPOSITION = {
    "1": "home",
    "2": "oth",
    "3": "other-hcf",
    "4": "exp",
    "5": "exp",
    "6": "exp",
    "7": "aadvice",
    "8": "oth",
}
"""TYPEOUT to discharge-disposition."""

STAY_DISPOSITION = {"1": "home", "2": "aadvice", "3": "oth", "4": "other-hcf", "5": "oth", "8": "exp", "9": "exp"}
"""DISCHTYPE to discharge-disposition."""

ADMIT_SOURCE = {"1": "outp", "2": "outp", "3": "hosp-trans", "4": "emd"}
"""TYPEIN of ADMISSION to admit-source."""

DIAGNOSIS_USE = {"1": "DD", "2": "CM", "3": "post-op"}
"""DIAGTYPE to diagnosis-role; the rest has no equivalent."""

PRIORITY = {"1": "stat", "2": "asap", "3": "urgent", "4": "routine", "5": "routine"}
"""EMERGENCY of REFER_HISTORY to request priority."""

SMOKING = {"1": ("266919005", "Never smoked tobacco"), "4": ("449868002", "Smokes tobacco daily"),
           "2": ("428041000124106", "Occasional tobacco smoker"), "3": ("428041000124106", "Occasional tobacco smoker"),
           "9": ("266927001", "Tobacco smoking consumption unknown")}  # fmt: skip
"""SMOKE to SNOMED CT, as in HL7's smoking status value set."""
