"""Thai addresses as FHIR Address, in SIL-TH's reading: city is the subdistrict, state the province.

https://hl7.org/fhir/R4/datatypes.html#Address
"""

from __future__ import annotations

from typing import Any

from mappers.codes import concept, displays, system
from mappers.lens import EXTENSIONS, code_of
from mappers.links import Row

LOCATIONS = "cs-dopa-location"
_LINES = (
    ("number", ("HOUSENO", "HOUSE"), "เลขที่ "),
    ("buildingVillage", ("CONDO", "VILLANAME"), ""),
    ("villageNo", ("VILLAGE",), "หมู่ "),
    ("lane", ("SOISUB", "SOIMAIN"), "ซอย"),
    ("road", ("ROAD",), "ถนน"),
)
"""Sub-extension of ex-address-structured-line, the columns that may hold it, and how it is written on a line."""


def area_codes(row: Row) -> tuple[str, str, str]:
    """(province, district, subdistrict) as 2, 4 and 6 digits, empty where the row does not say."""
    province, amphoe, tambon = (row.get(column, "") for column in ("CHANGWAT", "AMPUR", "TAMBON"))
    province = province if _two_digits(province) else ""
    district = province + amphoe if province and _two_digits(amphoe) else ""
    return province, district, district + tambon if district and _two_digits(tambon) else ""


def _two_digits(code: str) -> bool:
    return len(code) == 2 and code.isascii() and code.isdigit()


def address(row: Row, number: str = "HOUSENO") -> dict[str, Any] | None:
    """The Address of HOME (`number="HOUSE"`) or ADDRESS columns, None where there is nothing to say."""
    parts = _parts(row, number)
    lines = " ".join(f"{word}{value}" for (_, _, word), value in zip(_LINES, parts.values(), strict=True) if value)
    codes = area_codes(row)
    names = displays(LOCATIONS)
    province, district, subdistrict = (names.get(code, "") for code in codes)
    if not lines and not codes[0]:
        return None
    written = [lines, subdistrict and f"ต.{subdistrict}", district and f"อ.{district}", province and f"จ.{province}"]
    value: dict[str, Any] = {"use": "home", "type": "physical", "text": " ".join(filter(None, written)) or codes[0]}
    if extensions := _extensions(codes, parts):
        value = {"extension": extensions, **value}
    if lines:
        value["line"] = [lines]
    for element, name in (("city", subdistrict), ("district", district), ("state", province)):
        if name:
            value[element] = name
    value["country"] = "TH"
    return value


def _parts(row: Row, number: str) -> dict[str, str]:
    """Sub-extension to text, in the order of the table."""
    found = {}
    for name, columns, _ in _LINES:
        wanted = (number,) if name == "number" else columns
        found[name] = " ".join(row[column] for column in wanted if column in row)
    if found["villageNo"].isdigit():
        # Village 0 stands for no village, in a municipality.
        found["villageNo"] = found["villageNo"].lstrip("0")
    return found


def _extensions(codes: tuple[str, str, str], parts: dict[str, str]) -> list[dict[str, Any]]:
    names = displays(LOCATIONS)
    levels = [
        {"url": level, "valueCodeableConcept": concept(system(LOCATIONS), code, names.get(code, ""))}
        for level, code in zip(("province", "district", "subdistrict"), codes, strict=True)
        if code
    ]
    lines = [{"url": name, "valueString": value} for name, value in parts.items() if value]
    result = []
    if levels:
        result.append({"url": EXTENSIONS + "ex-address-address-code", "extension": levels})
    if lines:
        result.append({"url": EXTENSIONS + "ex-address-structured-line", "extension": lines})
    return result


def area_code(value: Any) -> str:
    """The longest area code that the extension of an Address has (2, 4 or 6 digits), "" for none."""
    found = ""
    for extension in (value or {}).get("extension", ()):
        if extension.get("url") == EXTENSIONS + "ex-address-address-code":
            codes = [code_of(part.get("valueCodeableConcept"), system(LOCATIONS)) for part in extension["extension"]]
            found = max(codes, key=len, default="")
    return found
