"""Elements of a Patient from the columns of PERSON, ADDRESS, DISABILITY and DEATH rows.

Each function takes one row and gives the element, or None where the row does not say. https://hl7.org/fhir/R4/patient.html
The shape is SIL-TH's Patient in R4: identifiers by type, names by language, addresses with area codes.
"""

from __future__ import annotations

import re
from typing import Any

from mappers.address import address
from mappers.citizen_id import is_valid
from mappers.codes import coding, concept, displays, hl7, hl7_coding, system
from mappers.lens import EXTENSIONS, canonical_code, iso_date
from mappers.links import CID, PASSPORT, Row, identifier, local

HL7 = "http://hl7.org/fhir/StructureDefinition/"
PREFIXES = "cs-dopa-nameprefix"
REGISTERED, PRESENT = "1", "2"
"""ADDRESSTYPE (from memory)."""
UNKNOWN_DAY = "00000000"
"""DDEATH of somebody who died, nobody knows when."""

_PARTIAL = re.compile(r"([12][0-9]{3})(00|0[1-9]|1[0-2])([0-9]{2})\Z")


def identifiers(row: Row) -> list[dict[str, Any]]:
    """HN and PID of the facility, and what is the same everywhere: citizen id (if its check digit fits) and
    passport."""
    hcode = row["HOSPCODE"]
    found = []
    if "PID" in row:
        found.append(identifier(local(hcode, "PID"), row["PID"], "localPid"))
    if "HN" in row:
        found.append(identifier(local(hcode, "HN"), row["HN"], "localHn"))
    if is_valid(row.get("CID", "")):
        found.append({**identifier(CID, row["CID"], "cid"), **_validity(row)})
    if "PASSPORT" in row:
        passport = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PPN"}]}
        found.append({"type": passport, "system": PASSPORT, "value": row["PASSPORT"]})
    return found


def _validity(row: Row) -> dict[str, Any]:
    """Issue and expiry of the card that shows the citizen id, where it was read."""
    dates = {"start": iso_date(row.get("CARDISSUE", "")), "end": iso_date(row.get("CARDEXPIRE", ""))}
    period = {name: value for name, value in dates.items() if value}
    return {"period": period} if period else {}


def english_name(row: Row) -> dict[str, Any] | None:
    """The name in Latin letters (PRENAMEENG, FNAMEENG, LNAMEENG: of a card, or of JHCIS)."""
    prefix, given, family = (row.get(column, "") for column in ("PRENAMEENG", "FNAMEENG", "LNAMEENG"))
    if not given and not family:
        return None
    parts = {"family": family, "given": [given] if given else [], "prefix": [prefix] if prefix else []}
    return {
        "extension": [{"url": HL7 + "language", "valueCode": "en"}],
        "use": "official",
        "text": " ".join(filter(None, (prefix, given, family))),
        **{element: value for element, value in parts.items() if value},
    }


def thai_name(row: Row) -> dict[str, Any] | None:
    """The official name; the code of its prefix stands in SIL-TH's extension of the prefix."""
    given, family, code = row.get("NAME", ""), row.get("LNAME", ""), row.get("PRENAME", "")
    if not given and not family:
        return None
    prefix = displays(PREFIXES).get(code, "")
    name: dict[str, Any] = {
        "extension": [{"url": HL7 + "language", "valueCode": "th"}],
        "use": "official",
        "text": f"{prefix}{given} {family}".strip(),
    }
    if family:
        name["family"] = family
    if given:
        name["given"] = [given]
    if prefix:
        label = concept(system(PREFIXES), code, prefix)
        name["prefix"] = [prefix]
        name["_prefix"] = [
            {"extension": [{"url": EXTENSIONS + "ex-humanname-name-prefix", "valueCodeableConcept": label}]}
        ]
    return name


def gender(row: Row) -> str | None:
    return hl7("sex").get(row.get("SEX", ""))


def birth_date(row: Row) -> str | None:
    """The date of birth to the precision that is written."""
    return _partial_date(row.get("BIRTH", ""))


def _partial_date(text: str) -> str | None:
    """Of YYYYMMDD in which day or month 00 are not known."""
    found = _PARTIAL.match(text)
    if not found:
        return None
    year, month, day = found.groups()
    if month == "00":
        return year
    if day == "00":
        return f"{year}-{month}"
    return iso_date(found[0]) or None


def marital_status(row: Row) -> dict[str, Any] | None:
    return _coded("cs-thcc-marital", row.get("MSTATUS"), "marital-status")


def telecom(row: Row) -> list[dict[str, Any]] | None:
    """TELEPHONE and MOBILE of PERSON or ADDRESS."""
    found = []
    for column, use in (("MOBILE", "mobile"), ("TELEPHONE", "home")):
        if column in row:
            found.append({"system": "phone", "value": row[column], "use": use})
    return found or None


def home_address(row: Row) -> dict[str, Any] | None:
    """One ADDRESS row; the registered one is postal, the present one where the person is."""
    value = address(row)
    if value is not None:
        value["type"] = "postal" if row.get("ADDRESSTYPE") == REGISTERED else "physical"
    return value


def deceased(row: Row) -> dict[str, Any] | None:
    """`deceased[x]` of DDEATH, which a DEATH row has to the day and the card office to what it knows."""
    text = row.get("DDEATH", "")
    if text == UNKNOWN_DAY:
        return {"deceasedBoolean": True}
    date = _partial_date(text)
    return {"deceasedDateTime": date} if date else None


_EXTENSIONS = (
    ("RACE", EXTENSIONS + "ex-patient-race", "cs-thcc-nationality"),
    ("RELIGION", HL7 + "patient-religion", "cs-thcc-religion"),
    ("EDUCATION", EXTENSIONS + "ex-patient-education-level", "cs-thcc-education-level"),
    ("TYPEAREA", EXTENSIONS + "ex-patient-person-status", "cs-thcc-person-status"),
    ("LABOR", EXTENSIONS + "ex-patient-foreigner-type", "cs-thcc-foreigner-type"),
    ("DISCHARGE", EXTENSIONS + "ex-patient-pid-remove-reason", "cs-43file-pid-remove-reason"),
    ("DISABTYPE", HL7 + "patient-disability", "cs-thcc-disability-type"),
)
"""Column of PERSON or DISABILITY, its extension, its list."""

_TRANSLATED = {"RELIGION": "religion"}


def extension(column: str, row: Row) -> dict[str, Any] | None:
    """The extension of one column of `EXTENSION_COLUMNS`."""
    text = row.get(column)
    if column == "NATION":
        code = _coded("cs-thcc-nationality", text)
        return (
            {"url": HL7 + "patient-nationality", "extension": [{"url": "code", "valueCodeableConcept": code}]}
            if code
            else None
        )
    url, list_id = next((url, list_id) for name, url, list_id in _EXTENSIONS if name == column)
    value = _coded(list_id, text, _TRANSLATED.get(column, ""))
    return {"url": url, "valueCodeableConcept": value} if value else None


EXTENSION_COLUMNS = ("NATION", *(name for name, _, _ in _EXTENSIONS))


def _coded(list_id: str, code: str | None, map_id: str = "") -> dict[str, Any] | None:
    """The code of a Thai list, with HL7's beside it where a concept map has one."""
    if not code or not canonical_code(code):
        return None
    codings = [coding(system(list_id), code, displays(list_id).get(code, ""))]
    if map_id and (translated := hl7_coding(map_id, code)):
        codings.append(translated)
    return {"coding": codings}
