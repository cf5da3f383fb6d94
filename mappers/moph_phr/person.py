"""The `Patient` of a PHR payload.

Differs from FHIR: `identifier.type` is a word, `name.languageCode`, `nationality`, an integer `address_code`, whole
dates. Thai sources disagree on what `city` and `district` are (SIL-TH: city is the subdistrict; the PHR's test payload:
city is the district), so that is a setting.
"""

from __future__ import annotations

from typing import Any

from mappers.address import area_code
from mappers.codes import displays, system
from mappers.lens import code_of, look
from mappers.links import Resource
from mappers.patient import HL7

DOPA = "https://www.dopa.go.th"
NATIONALITIES = "https://phr1.moph.go.th/api/CodingSystem?System=nationality"
_LANGUAGE = HL7 + "language"


def person(patient: Resource, cid: str, *, swap: bool) -> dict[str, Any]:
    """The Patient object; `swap`: write the district as `city` and the subdistrict as `district`."""
    born = str(patient.get("birthDate", ""))
    found: dict[str, Any] = {
        "identifier": [{"use": "official", "system": DOPA, "type": "CID", "value": cid}],
        "active": True,
        "name": [_name(name) for name in patient.get("name", ())],
        "gender": patient.get("gender"),
        # A year alone is written as its first day, as in the 43 files.
        "birthDate": f"{born}-01-01"[:10] if born else None,
        "deceasedBoolean": "deceasedDateTime" in patient or patient.get("deceasedBoolean") is True,
        "maritalStatus": _marital(patient),
        "nationality": _nationality(patient),
        "telecom": [dict(each) for each in patient.get("telecom", ())],
        "address": [_address(each, swap=swap) for each in patient.get("address", ())],
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _name(name: dict[str, Any]) -> dict[str, Any]:
    language = next((e.get("valueCode") for e in name.get("extension", ()) if e.get("url") == _LANGUAGE), "th")
    kept: dict[str, Any] = {key: name[key] for key in ("use", "text", "prefix", "given", "family") if key in name}
    return {**kept, "languageCode": str(language).upper()}


def _marital(patient: Resource) -> dict[str, Any] | None:
    code = code_of(patient.get("maritalStatus"), _HL7_MARITAL)
    thai = displays("cs-thcc-marital").get(code_of(patient.get("maritalStatus"), system("cs-thcc-marital")), "")
    if not code:
        return None
    return {"coding": [{"system": _HL7_MARITAL, "code": code}], **({"text": thai} if thai else {})}


_HL7_MARITAL = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"


def _nationality(patient: Resource) -> dict[str, Any] | None:
    for extension in patient.get("extension", ()):
        if extension.get("url") == HL7 + "patient-nationality":
            value = look(extension, ("extension", 0, "valueCodeableConcept"))
            if code := code_of(value, system("cs-thcc-nationality")):
                word = displays("cs-thcc-nationality").get(code, "")
                return {"coding": [{"system": NATIONALITIES, "code": code, "display": word}], "text": word}
    return None


def _address(address: dict[str, Any], *, swap: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {
        key: address[key] for key in ("use", "text", "line", "state", "postalCode") if key in address
    }
    city, district = ("district", "city") if swap else ("city", "district")
    found = {**kept, "type": "both", "city": address.get(city), "district": address.get(district), "country": "TH"}
    if len(code := area_code(address)) == 6:
        found["address_code"] = int(code)
    return {name: value for name, value in found.items() if value is not None}
