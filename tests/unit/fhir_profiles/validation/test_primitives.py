"""https://hl7.org/fhir/R4/datatypes.html#primitive"""

from __future__ import annotations

from typing import Any

import jiter
import pytest
from pydantic_core import SchemaValidator, ValidationError

from fhir_profiles.definitions import Definitions
from fhir_profiles.validation.primitives import primitive_schema

GOOD: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -(2**31), 2**31 - 1],
    "unsignedInt": [0, 2**31 - 1],
    "positiveInt": [1, 2**31 - 1],
    "decimal": [0, -1, 2**80, 1.5, *(jiter.LosslessFloat(text) for text in (b"1.00", b"1e-5", b"-0.0", b"1E308"))],
    "string": ["a", " ", "สวัสดี", "a\tb\r\nc", "x" * 1024 * 1024, "\u00a0"],
    "markdown": ["# a\n\nb"],
    "code": ["a", "a b", "vital-signs", "mm[Hg]"],
    "id": ["a", "A-1.b", "x" * 64],
    "uri": ["urn:x", "http://hl7.org/fhir?a=b#c", "สวัสดี"],
    "url": ["http://example.org"],
    "canonical": ["http://hl7.org/fhir/ValueSet/x|4.0.1"],
    "oid": ["urn:oid:1.2.840.113619"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "base64Binary": ["QQ==", "QUI=", "QUJD", "QUJD\nQUJD", "QUJD QQ==\n"],
    "date": ["0001", "2023", "9999-12", "2023-02-28", "2024-02-29", "2000-02-29"],
    "dateTime": ["2023", "2023-01", "2023-01-31", "2023-01-01T10:00:00Z", "2023-01-01T23:59:60.123+07:00"],
    "instant": ["2023-01-01T10:00:00.5-14:00"],
    "time": ["00:00:00", "23:59:59.999"],
}
BAD: dict[str, list[Any]] = {
    "boolean": ["true", 1, 0, None],
    "integer": [2**31, -(2**31) - 1, 1.0, "1", True, None],
    "unsignedInt": [-1, True],
    "positiveInt": [0, -1, 2**31],
    "decimal": ["1", True, None, float("nan"), float("inf"), *map(jiter.LosslessFloat, (b"1e309", b"1e-99999999"))],
    "string": ["", "a\0b", "a\x0bb", "\x1b", "x" * (1024 * 1024 + 1), 1, None, ["a"]],
    "markdown": ["", "\0"],
    "code": ["", " a", "a ", "a  b", "a\tb", "a\nb"],
    "id": ["", "a_b", "a/b", "../a", "x" * 65, "ก"],
    "uri": ["", "a b", "a\n"],
    "url": ["", "http://exa mple"],
    "canonical": [""],
    "oid": ["1.2.3", "urn:oid:1.02", "urn:oid:3.1"],
    "uuid": ["c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:C757873D-ec9a-4326-a141-556f43239520", "urn:uuid:x"],
    "base64Binary": ["", " ", "Q", "QQ=", "QQ==QQ==", "====", "Q$=="],
    "date": [
        "0000",
        "23",
        "2023-1",
        "2023-13",
        "2023-02-29",
        "1900-02-29",
        "2023-04-31",
        "2023-00-01",
        "2023\n",
        "๒๐๒๓",
    ],
    "dateTime": [
        "2023-02-30T10:00:00Z",
        "2023-01-01T10:00:00",
        "2023-01-01T10:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01T10:00:00Z",
        "2023-01-01T10:00:00+15:00",
        "2023-01-01 10:00:00Z",
    ],
    "instant": ["2023", "2023-01-01", "2023-01-01T10:00:00"],
    "time": ["10:00", "24:00:00", "10:00:00Z", "1:00:00"],
}


def accepts(type_code: str, value: Any) -> bool:
    try:
        SchemaValidator(primitive_schema(type_code)).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("type_code", "value"), [(code, value) for code, values in GOOD.items() for value in values])
def test_values_of_the_type_are_accepted(type_code: str, value: Any) -> None:
    assert accepts(type_code, value)


@pytest.mark.parametrize(("type_code", "value"), [(code, value) for code, values in BAD.items() for value in values])
def test_other_values_are_refused(type_code: str, value: Any) -> None:
    assert not accepts(type_code, value)


def test_every_primitive_type_of_r4_is_tested() -> None:
    kinds = Definitions().type_kinds
    assert {name for name, kind in kinds.items() if kind == "primitive-type"} - {"xhtml"} == GOOD.keys() == BAD.keys()
