"""Laboratory tests of the files: their codes with LOINC beside them, and results as numbers where they are.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from typing import Any

from mappers.codes import UCUM, coding, displays, hl7_coding, system
from mappers.lens import Lens, canonical_number, look, number, number_text
from mappers.links import Resource, Row, local

UNITS = {
    "01": "mg/dL", "02": "mg/dL", "03": "mg/dL", "04": "mg/dL", "05": "%", "06": "mg/dL", "07": "mg/dL", "08": "mg/dL",
    "09": "mg/dL", "10": "mg/dL", "11": "mg/dL", "13": "mg/dL", "15": "mL/min/{1.73_m2}", "16": "g/dL", "18": "mmol/L",
    "19": "mmol/L", "20": "mg/dL", "21": "pg/mL",
}  # fmt: skip
"""Two-digit LABTEST to the unit in which Thai laboratories report; not for tests where they differ. From memory."""

SEVEN_DIGITS = {
    "0531001": "02",
    "0531002": "01",
    "0531101": "03",
    "0531601": "05",
    "0541602": "07",
    "0541202": "08",
    "0541402": "09",
    "0546602": "06",
    "0581902": "11",
}
"""Seven-digit LABTEST to the two-digit code of the same test, for LOINC (from memory)."""


def laboratory_code(hcode: str, test: str) -> dict[str, Any]:
    """LOINC where the table knows it, and always the code of the file."""
    codings = []
    if loinc_code := hl7_coding("lab-2digit-loinc", SEVEN_DIGITS.get(test, test)):
        codings.append(loinc_code)
    list_id = "cs-thcc-2digit-lab" if len(test) == 2 else "cs-th-icd10tm-lab"
    if display := displays(list_id).get(test):
        codings.append(coding(system(list_id), test, display))
    else:
        codings.append(coding(local(hcode, "LabItem"), test))
    return {"coding": codings}


def result() -> Lens:
    """LABRESULT as Quantity where it is a number (with the unit of the test where that is known), else as text."""

    def put(resource: Resource, value: str, row: Row) -> None:
        digits = canonical_number(value)
        if not digits:
            resource["valueString"] = value
            return
        unit = UNITS.get(SEVEN_DIGITS.get(row["LABTEST"], row["LABTEST"]))
        measured = {"unit": unit, "system": UCUM, "code": unit} if unit else {}
        resource["valueQuantity"] = {"value": number(digits), **measured}

    def get(resource: Resource) -> str:
        return number_text(look(resource, ("valueQuantity", "value"))) or str(resource.get("valueString", ""))

    return Lens(put, get, lambda value: canonical_number(value) or value)
