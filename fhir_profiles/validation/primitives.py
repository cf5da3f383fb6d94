"""Schemas of the primitive types: JSON type, format and range.   https://hl7.org/fhir/R4/datatypes.html#primitive

The patterns run in pydantic-core's linear-time engine, so no input can make them slow. They are stricter than the
published ones where the prose is: a date must exist in the calendar, years are 0001 to 9999.
"""

from __future__ import annotations

from typing import Any

import jiter
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_STRING = 1024 * 1024
MAX_INTEGER = 2**31 - 1
MAX_EXPONENT = 308
"""Beyond it a decimal is no finite double, and nobody can calculate with it."""

_YEAR = r"(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])"
_LEAP_YEAR = r"(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    rf"|{_LEAP_YEAR}-02-29)"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_MONTH = rf"{_YEAR}-(?:0[1-9]|1[0-2])"
_BASE64_DIGIT = r"[0-9A-Za-z+/]\s*"

PATTERNS: dict[str, str] = {
    "string": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]+$",
    "markdown": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]+$",
    "code": r"^[^\s\x00-\x1f]+(?: [^\s\x00-\x1f]+)*$",
    "id": r"^[A-Za-z0-9\-.]{1,64}$",
    "uri": r"^[^\s\x00-\x1f]+$",
    "url": r"^[^\s\x00-\x1f]+$",
    "canonical": r"^[^\s\x00-\x1f]+$",
    "oid": r"^urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+$",
    "uuid": r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "base64Binary": (
        rf"^\s*(?:(?:{_BASE64_DIGIT}){{4}})*(?:(?:{_BASE64_DIGIT}){{4}}"
        rf"|(?:{_BASE64_DIGIT}){{3}}=\s*|(?:{_BASE64_DIGIT}){{2}}=\s*=\s*)$"
    ),
    "date": rf"^(?:{_DAY}|{_MONTH}|{_YEAR})$",
    "dateTime": rf"^(?:{_DAY}T{_TIME}{_ZONE}|{_DAY}|{_MONTH}|{_YEAR})$",
    "instant": rf"^{_DAY}T{_TIME}{_ZONE}$",
    "time": rf"^{_TIME}$",
}

INTEGER_RANGES: dict[str, tuple[int, int]] = {
    "integer": (-MAX_INTEGER - 1, MAX_INTEGER),
    "unsignedInt": (0, MAX_INTEGER),
    "positiveInt": (1, MAX_INTEGER),
}

EXPECTED: dict[str, str] = {
    "boolean": "true or false",
    "integer": "a whole number from -2147483648 to 2147483647",
    "unsignedInt": "a whole number from 0 to 2147483647",
    "positiveInt": "a whole number from 1 to 2147483647",
    "decimal": f"a JSON number, its exponent from -{MAX_EXPONENT} to {MAX_EXPONENT}",
    "string": "a string that is not empty, without control characters, of at most 1 MB",
    "markdown": "a string that is not empty, without control characters, of at most 1 MB",
    "xhtml": "a string with XHTML",
    "code": "a code: no leading, trailing or double spaces",
    "id": "1 to 64 of the characters A-Z a-z 0-9 - .",
    "uri": "a URI without spaces",
    "url": "a URL without spaces",
    "canonical": "a canonical URL without spaces",
    "oid": "an OID such as urn:oid:1.2.3.4",
    "uuid": "a UUID such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520, in lower case",
    "base64Binary": "base64 text",
    "date": "a date that exists: YYYY, YYYY-MM or YYYY-MM-DD, in years of the Common Era",
    "dateTime": "a date that exists: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone (+07:00 or Z)",
    "instant": "YYYY-MM-DDThh:mm:ss with a zone (+07:00 or Z), a date that exists",
    "time": "hh:mm:ss, without a zone",
}


def _finite(value: Any) -> Any:
    text = str(value).lower()
    exponent = text.partition("e")[2]
    if len(exponent) > 5 or (exponent and abs(int(exponent)) > MAX_EXPONENT) or "n" in text:
        raise PydanticCustomError("decimal", "exponent out of range")
    return value


def _decimal() -> CoreSchema:
    numbers = core_schema.is_instance_schema((jiter.LosslessFloat, float))
    return core_schema.union_schema(
        [core_schema.int_schema(strict=True), core_schema.no_info_after_validator_function(_finite, numbers)],
        custom_error_type="decimal",
        custom_error_message="a number",
        mode="left_to_right",
    )


def primitive_schema(type_code: str) -> CoreSchema:
    """Schema of a primitive's JSON value, `System.String` and its like included. Raises: KeyError."""
    if type_code == "boolean" or type_code == "System.Boolean":
        return core_schema.bool_schema(strict=True)
    if type_code == "decimal":
        return _decimal()
    if type_code in INTEGER_RANGES:
        lowest, highest = INTEGER_RANGES[type_code]
        return core_schema.int_schema(strict=True, ge=lowest, le=highest)
    if type_code == "xhtml":
        return core_schema.str_schema(strict=True, min_length=1, max_length=MAX_STRING)
    limit = MAX_STRING if type_code in ("string", "markdown") else None
    return core_schema.str_schema(strict=True, pattern=PATTERNS[type_code], max_length=limit)
