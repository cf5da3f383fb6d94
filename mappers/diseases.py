"""Diagnosis and procedure codes: the files leave out the dot, FHIR's code systems have it.

https://hl7.org/fhir/R4/icd.html
"""

from __future__ import annotations

import re
from typing import Any

from mappers.codes import ICD9CM, ICD10, ICD10TM, coding
from mappers.lens import Lens, look, path, place
from mappers.links import Resource, Row, local

_ICD10 = re.compile(r"[A-Z][0-9]{2}[0-9X]?\Z")
_ICD10_LONG = re.compile(r"[A-Z][0-9]{2}[0-9A-Z]{2,4}\Z")
_ICD9CM = re.compile(r"[0-9]{2,4}\Z")
_ICD10TM_PROCEDURE = re.compile(r"[0-9]{7}\Z")
_FILE_SYSTEMS = (ICD10, ICD10TM, ICD9CM)


def _dotted(code: str, digits: int) -> str:
    return f"{code[:digits]}.{code[digits:]}" if len(code) > digits else code


def plain(code: str) -> str:
    """A diagnosis as the files are to write it, whatever its letter case and with a dot or without; "" for what has
    not the form of an ICD-10(-TM) code."""
    text = code.upper()
    text = text[:3] + text[4:] if text[3:4] == "." else text
    return text if _ICD10.match(text) or _ICD10_LONG.match(text) else ""


def disease_coding(code: str) -> dict[str, Any] | None:
    """The Coding of a diagnosis: ICD-10 up to four characters, ICD-10-TM beyond; None for neither."""
    text = plain(code)
    return coding(ICD10 if _ICD10.match(text) else ICD10TM, _dotted(text, 3)) if text else None


def disease(code: str) -> dict[str, Any]:
    """The CodeableConcept of a diagnosis; a code of another shape stands as text."""
    found = disease_coding(code)
    return {"coding": [found]} if found else {"text": code}


def procedure(code: str, hcode: str) -> dict[str, Any]:
    """The CodeableConcept of a procedure: ICD-9-CM of up to four digits, ICD-10-TM of seven, else a local code."""
    if _ICD9CM.match(code):
        return {"coding": [coding(ICD9CM, _dotted(code, 2))]}
    if _ICD10TM_PROCEDURE.match(code):
        return {"coding": [coding(ICD10TM, code)]}
    return {"coding": [coding(local(hcode, "Procedure"), code)]}


def undotted(concept: Any) -> str:
    """The code of a diagnosis or procedure as the files write it; "" where none of their systems is there."""
    for entry in look(concept, ("coding",)) or ():
        if entry.get("system") in _FILE_SYSTEMS or str(entry.get("system", "")).endswith("/Procedure"):
            return str(entry.get("code", "")).replace(".", "")
    return str(look(concept, ("text",)) or "")


def diagnosis(where: str) -> Lens:
    """A diagnosis as CodeableConcept at the path."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        place(resource, steps, disease(value))

    return Lens(put, lambda resource: undotted(look(resource, steps)), lambda value: plain(value) or value)
