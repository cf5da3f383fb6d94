"""The Thai rules of the profiles: what each asks, in English, in Thai and in FHIRPath for every validator.

Rules that stand on hot paths have a native check that decides the same; the validator uses it instead of the expression
(`validation/invariants.py` is the one place that asks `native`), and the tests hold both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import write_json
from fhir_profiles.thai.citizen_id import WEIGHTS, is_valid
from fhir_profiles.thai.systems import CID, HCODE, HOUSE, LOCAL, VILLAGE, VILLAGE_OLDER, local_systems

Location = tuple[str | int, ...]
Native = Callable[[Any, Definitions], Sequence[Location]]
"""Where below a value the rule is broken: `()` is the value itself, nothing at all means that it holds."""


class Rule(NamedTuple):
    severity: str
    english: str
    thai: str
    expression: str
    native: Native | None = None


_HERE: tuple[Location, ...] = ((),)
_HOLDS: tuple[Location, ...] = ()


# --- identifiers ------------------------------------------------------------------------------------------------------

_HOSPITAL = r"[0-9]{5}|[0-9A-Z]{9}"
_LOCAL_SYSTEM = re.compile(re.escape(LOCAL) + r"(5/[0-9]{5}|9/[0-9A-Z]{9})/[A-Za-z]+\Z")
_SHAPES: Mapping[str, Callable[[str], Any]] = {
    CID: is_valid,
    HCODE: re.compile(f"({_HOSPITAL})\\Z").match,
    HOUSE: re.compile(r"[0-9]{11}\Z").match,
    VILLAGE: re.compile(r"[0-9]{8}\Z").match,
    VILLAGE_OLDER: re.compile(r"[0-9]{8}\Z").match,
}


def _shaped(system: str) -> Native:
    """The value of an Identifier of that system has the system's shape; other Identifiers may be what they like."""
    fits = _SHAPES[system]

    def check(identifier: Any, definitions: Definitions) -> Sequence[Location]:
        if identifier.get("system") != system:
            return _HOLDS
        value = identifier.get("value")
        return _HOLDS if not isinstance(value, str) or fits(value) else (("value",),)

    return check


def _village(identifier: Any, definitions: Definitions) -> Sequence[Location]:
    system = identifier.get("system")
    return _shaped(system)(identifier, definitions) if system in (VILLAGE, VILLAGE_OLDER) else _HOLDS


def _local(identifier: Any, definitions: Definitions) -> Sequence[Location]:
    system = identifier.get("system")
    if not isinstance(system, str) or not system.startswith(LOCAL) or _LOCAL_SYSTEM.match(system):
        return _HOLDS
    return (("system",),)


def _ends(suffix: str) -> Native:
    def check(identifier: Any, definitions: Definitions) -> Sequence[Location]:
        system = identifier.get("system")
        return (("system",),) if isinstance(system, str) and not system.endswith(suffix) else _HOLDS

    return check


def _cid_expression() -> str:
    terms = " + ".join(f"value.substring({place}, 1).toInteger() * {weight}" for place, weight in enumerate(WEIGHTS))
    digits = "value.matches('^[0-9]{13}$')"
    check = f"((11 - (({terms}) mod 11)) mod 10) = value.substring(12, 1).toInteger()"
    return f"system = '{CID}' and value.exists() implies {digits} and {check}"


# --- dates ------------------------------------------------------------------------------------------------------------

_BUDDHIST = re.compile(r"(2[4-6][0-9]{2}|2700)(-|\Z)")
_SUSPECT = re.compile(rb'"2[4-7][0-9]{2}["-]')
"""A string that begins like a year of the Buddhist era, anywhere in the JSON."""
_DATES = frozenset(["date", "dateTime", "instant"])


def _buddhist_dates(resource: Any, definitions: Definitions) -> Sequence[Location]:
    """The serialised resource is searched first: hardly any has such a string at all."""
    if _SUSPECT.search(write_json(resource)) is None:
        return _HOLDS
    return list(_dates_below(resource, resource["resourceType"], (), definitions))


def _dates_below(value: Mapping[str, Any], node: str, place: Location, definitions: Definitions) -> Iterator[Location]:
    known = definitions.properties("Element" if definitions.is_primitive(node) else node)
    for name, member in value.items():
        found = known.get(name.removeprefix("_"))
        if found is None:
            continue
        is_list = isinstance(member, list)
        for index, each in enumerate(member if is_list else (member,)):
            there = (*place, name, index) if is_list else (*place, name)
            if isinstance(each, dict):
                inner = each.get("resourceType", "Resource") if found.type == "Resource" else found.type
                yield from _dates_below(each, inner, there, definitions)
            elif found.type in _DATES and isinstance(each, str) and _BUDDHIST.match(each):
                yield there


# --- addresses --------------------------------------------------------------------------------------------------------

_LEVELS = (("province", 2), ("district", 4), ("subdistrict", 6))
_LOCATION = "cs-dopa-location"


def _area(extension: Any, definitions: Definitions) -> Sequence[Location]:
    """Digits of each level, and each level within the one above."""
    found: dict[str, str] = {}
    for part in extension.get("extension", ()):
        for coding in part.get("valueCodeableConcept", {}).get("coding", ()):
            if str(coding.get("system", "")).endswith(_LOCATION) and isinstance(coding.get("code"), str):
                found[part.get("url", "")] = coding["code"]
    above = ""
    for level, length in _LEVELS:
        code = found.get(level)
        if code is None:
            continue
        if len(code) != length or not (code.isascii() and code.isdigit()) or not code.startswith(above):
            return _HERE
        above = code
    return _HOLDS


def _level_expression() -> str:
    def code(level: str) -> str:
        return (
            f"extension.where(url = '{level}').value.ofType(CodeableConcept).coding"
            f".where(system.endsWith('{_LOCATION}')).code"
        )

    shapes = [f"{code(level)}.all(matches('^[0-9]{{{length}}}$'))" for level, length in _LEVELS]
    nested = [
        f"{code(lower)}.all($this.startsWith(%context.{code(upper)}.first())) or {code(upper)}.empty()"
        for upper, lower in (("province", "district"), ("district", "subdistrict"), ("province", "subdistrict"))
    ]
    return " and ".join(shapes + [f"({each})" for each in nested])


# --- rows of files ----------------------------------------------------------------------------------------------------

_COLUMN = r"[A-Z][A-Z0-9_]*"
_COLUMN_NAME = re.compile(_COLUMN + r"\Z")


def _row(extension: Any, definitions: Definitions) -> Sequence[Location]:
    """The name of the file once, and the columns that are kept: each under its name, as text."""
    files = 0
    for part in extension.get("extension", ()):
        url = part.get("url")
        if url == "file" and "valueCode" in part:
            files += 1
        elif "valueString" not in part or not isinstance(url, str) or not _COLUMN_NAME.match(url):
            return _HERE
    return _HOLDS if files == 1 else _HERE


# --- the table --------------------------------------------------------------------------------------------------------

_SYSTOLIC = "component.where(code.coding.where(code = '8480-6').exists()).value.ofType(Quantity).value"
_DIASTOLIC = "component.where(code.coding.where(code = '8462-4').exists()).value.ofType(Quantity).value"

RULES: dict[str, Rule] = {
    "th-era": Rule(
        "error",
        "Dates are of the Christian era: a year from 2400 to 2700 is one of the Buddhist era, 543 ahead",
        "วันที่ต้องเป็นปีคริสต์ศักราช พบปี พ.ศ. (2400-2700) กรุณาลบ 543 ที่ต้นทาง",
        "descendants().where(($this is date) or ($this is dateTime) or ($this is instant))"
        ".where($this.toString().matches('^(2[4-6][0-9]{2}|2700)')).empty()",
        _buddhist_dates,
    ),
    "th-cid": Rule(
        "error",
        "A citizen ID has 13 digits, the last of which is the check digit of the others (modulo 11)",
        "เลขประจำตัวประชาชนต้องมี 13 หลัก และหลักสุดท้ายต้องตรงกับหลักตรวจสอบ (mod 11)",
        _cid_expression(),
        _shaped(CID),
    ),
    "th-hcode": Rule(
        "error",
        "A hospital code has 5 digits, or 9 characters (digits and capital letters) in its newer form",
        "รหัสสถานพยาบาลต้องเป็นตัวเลข 5 หลัก หรือรหัสใหม่ 9 ตัวอักษร (ตัวเลขและตัวพิมพ์ใหญ่)",
        f"system = '{HCODE}' and value.exists() implies value.matches('^({_HOSPITAL})$')",
        _shaped(HCODE),
    ),
    "th-house": Rule(
        "error",
        "A house code of the civil registration has 11 digits",
        "รหัสประจำบ้านต้องเป็นตัวเลข 11 หลัก",
        f"system = '{HOUSE}' and value.exists() implies value.matches('^[0-9]{{11}}$')",
        _shaped(HOUSE),
    ),
    "th-village": Rule(
        "error",
        "A village code has 8 digits: province, district, subdistrict and village, two each",
        "รหัสหมู่บ้านต้องเป็นตัวเลข 8 หลัก (จังหวัด อำเภอ ตำบล หมู่ที่ อย่างละ 2 หลัก)",
        f"(system = '{VILLAGE}' or system = '{VILLAGE_OLDER}') and value.exists()"
        " implies value.matches('^[0-9]{8}$')",
        _village,
    ),
    "th-local": Rule(
        "error",
        f"A facility's own numbers have a system with its hospital code: {LOCAL}5/99999/HN or {LOCAL}9/AA0000015/HN",
        f"เลขของหน่วยบริการต้องมี system ที่ระบุรหัสสถานพยาบาล เช่น {LOCAL}5/99999/HN",
        f"system.startsWith('{LOCAL}') implies system.matches('^{LOCAL}(5/[0-9]{{5}}|9/[0-9A-Z]{{9}})/[A-Za-z]+$')",
        _local,
    ),
    "th-area": Rule(
        "error",
        "Area codes have 2 digits for the province, 4 for the district, 6 for the subdistrict, each within the other",
        "รหัสจังหวัดต้องมี 2 หลัก อำเภอ 4 หลัก ตำบล 6 หลัก และต้องอยู่ในพื้นที่เดียวกัน",
        _level_expression(),
        _area,
    ),
    "th-row": Rule(
        "error",
        "A row has the name of its file once, and the columns kept of it under their names in capital letters, as text",
        "ต้องมีชื่อแฟ้มหนึ่งค่า และคอลัมน์ที่เก็บไว้ต้องใช้ชื่อคอลัมน์ตัวพิมพ์ใหญ่ และเป็นข้อความ",
        "extension.where(url = 'file').count() = 1 and extension.where(url = 'file' and value is code).exists()"
        f" and extension.where(url != 'file').all(url.matches('^{_COLUMN}$') and value is string"
        " and (value is code or value is id or value is markdown).not())",
        _row,
    ),
    "th-bp": Rule(
        "warning",
        "The systolic pressure is above the diastolic: the two may have been swapped",
        "ความดันตัวบนต้องมากกว่าตัวล่าง อาจบันทึกสลับกัน",
        f"({_SYSTOLIC}.exists() and {_DIASTOLIC}.exists()) implies ({_SYSTOLIC}.first() > {_DIASTOLIC}.first())",
    ),
    "th-alcohol": Rule(
        "error",
        "The code is LOINC 74013-4 (drinks a day) or 11331-6 (history of alcohol use)",
        "รหัสการตรวจต้องเป็น LOINC 74013-4 หรือ 11331-6",
        "code.coding.where(system = 'http://loinc.org' and (code = '74013-4' or code = '11331-6')).exists()",
    ),
}
"""Key to rule; those of local systems (`th-system-hn`) are added below."""

RULES.update(
    (
        f"th-system-{name.lower()}",
        Rule(
            "error",
            f"The system of this number ends in /{suffix}",
            f"system ของเลขนี้ต้องลงท้ายด้วย /{suffix}",
            f"system.exists() implies system.endsWith('/{suffix}')",
            _ends("/" + suffix),
        ),
    )
    for name, suffix in local_systems().items()
)

IDENTIFIER_RULES = ("th-cid", "th-hcode", "th-house", "th-village", "th-local")
"""Asked of every Identifier of a profiled resource, typed or not."""


def native(key: str, expression: str | None) -> Native | None:
    """The check that decides a rule of ours in Python. The expression is asked too: another's rule may bear the key."""
    rule = RULES.get(key)
    return rule.native if rule is not None and rule.expression == expression else None


def is_era_rule(key: str, expression: str | None) -> bool:
    """Whether it is the rule of ours that asks every date for the Christian era."""
    return native(key, expression) is _buddhist_dates


def constraint(key: str) -> dict[str, Any]:
    """ElementDefinition.constraint of a rule, its text in both languages.   Raises: KeyError."""
    rule = RULES[key]
    return {
        "key": key,
        "severity": rule.severity,
        "human": rule.english,
        "_human": translation(rule.thai),
        "expression": rule.expression,
    }


def translation(thai: str) -> dict[str, Any]:
    """The `_name` object that carries a text in Thai.   https://hl7.org/fhir/R4/extension-translation.html"""
    parts = [{"url": "lang", "valueCode": "th"}, {"url": "content", "valueString": thai}]
    return {"extension": [{"url": TRANSLATION, "extension": parts}]}


TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
