"""FHIRPath Patch.   https://hl7.org/fhir/R4/fhirpatch.html"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import copy_json
from fhir_profiles.patch import PatchError, fhirpath_patch

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "1",
    "identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}],
    "name": [{"use": "official", "family": "a", "given": ["g1", "g2"], "_given": [None, {"id": "i"}]}],
    "birthDate": "1970-03-30",
    "_birthDate": {"extension": [{"url": "urn:time", "valueDateTime": "1970-03-30T06:00:00Z"}]},
    "deceasedBoolean": False,
    "maritalStatus": {"text": "x"},
    "contact": [{"name": {"text": "c"}}],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "n"}],
}


def operation(kind: str, path: str, **parts: Any) -> dict[str, Any]:
    """`value` is a part ({"valueCode": "x"}); `name`, `index`, `source`, `destination` are plain."""
    found: list[dict[str, Any]] = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    for name, value in parts.items():
        if name == "value":
            found.append({"name": "value", **value})
        else:
            found.append({"name": name, "valueString" if isinstance(value, str) else "valueInteger": value})
    return {"name": "operation", "part": found}


def patched(definitions: Definitions, *operations: dict[str, Any]) -> dict[str, Any]:
    before = copy_json(PATIENT)
    result = fhirpath_patch(PATIENT, {"resourceType": "Parameters", "parameter": list(operations)}, definitions)
    assert before == PATIENT
    return result


def test_add_sets_a_single_element_and_appends_to_a_list(definitions: Definitions) -> None:
    result = patched(
        definitions,
        operation("add", "Patient", name="gender", value={"valueCode": "male"}),
        operation("add", "Patient", name="identifier", value={"valueIdentifier": {"value": "3"}}),
        operation("add", "Patient.name[0]", name="given", value={"valueString": "g3"}),
        operation("add", "Patient.name.where(use = 'official')", name="suffix", value={"valueString": "s"}),
        operation("add", "Patient", name="multipleBirth[x]", value={"valueInteger": 2}),
        operation("add", "Patient.contained[0]", name="active", value={"valueBoolean": True}),
    )
    assert result["gender"] == "male"
    assert [each["value"] for each in result["identifier"]] == ["1", "2", "3"]
    assert result["name"][0]["given"] == ["g1", "g2", "g3"]
    assert result["name"][0]["_given"] == [None, {"id": "i"}, None]
    assert result["name"][0]["suffix"] == ["s"]
    assert result["multipleBirthInteger"] == 2
    assert result["contained"][0]["active"] is True


def test_values_of_parts_become_backbone_elements(definitions: Definitions) -> None:
    value = {
        "part": [
            {"name": "name", "valueHumanName": {"text": "d"}},
            {"name": "telecom", "valueContactPoint": {"value": "1"}},
            {"name": "telecom", "valueContactPoint": {"value": "2"}},
            {"name": "gender", "valueCode": "female", "_valueCode": {"id": "g"}},
        ]
    }
    result = patched(definitions, operation("add", "Patient", name="contact", value=value))
    assert result["contact"][1] == {
        "name": {"text": "d"},
        "telecom": [{"value": "1"}, {"value": "2"}],
        "gender": "female",
        "_gender": {"id": "g"},
    }


def test_insert_puts_at_an_index_of_a_list_even_of_none(definitions: Definitions) -> None:
    result = patched(
        definitions,
        operation("insert", "Patient.identifier", index=0, value={"valueIdentifier": {"value": "0"}}),
        operation("insert", "Patient.identifier", index=3, value={"valueIdentifier": {"value": "3"}}),
        operation("insert", "Patient.name[0].given", index=1, value={"valueString": "new"}),
        operation("insert", "Patient.telecom", index=0, value={"valueContactPoint": {"value": "t"}}),
    )
    assert [each["value"] for each in result["identifier"]] == ["0", "1", "2", "3"]
    assert (result["name"][0]["given"], result["name"][0]["_given"]) == (["g1", "new", "g2"], [None, None, {"id": "i"}])
    assert result["telecom"] == [{"value": "t"}]


def test_delete_takes_one_element_and_emptied_parents(definitions: Definitions) -> None:
    result = patched(
        definitions,
        operation("delete", "Patient.identifier.where(system = 'urn:a')"),
        operation("delete", "Patient.maritalStatus.text"),
        operation("delete", "Patient.contact[0].name.text"),
        operation("delete", "Patient.name.given.last()"),
        operation("delete", "Patient.deceased"),
        operation("delete", "Patient.photo"),
        operation("delete", "Patient.birthDate.extension('urn:time')"),
    )
    assert result["identifier"] == [{"system": "urn:b", "value": "2"}]
    assert result["name"] == [{"use": "official", "family": "a", "given": ["g1"]}]
    assert not {"maritalStatus", "contact", "deceasedBoolean", "_birthDate"} & result.keys()
    assert result["birthDate"] == "1970-03-30"


def test_replace_exchanges_one_element_and_the_type_of_a_choice(definitions: Definitions) -> None:
    result = patched(
        definitions,
        operation("replace", "Patient.birthDate", value={"valueDate": "1971"}),
        operation("replace", "Patient.deceased", value={"valueDateTime": "2020"}),
        operation("replace", "Patient.name[0].given[1]", value={"valueString": "z"}),
        operation("replace", "Patient.identifier.skip(1).value", value={"valueString": "9"}),
        operation("replace", "Patient.contact[0]", value={"part": [{"name": "gender", "valueCode": "male"}]}),
        operation("replace", "Patient.contained.ofType(Organization).name", value={"valueString": "m"}),
    )
    assert result["birthDate"] == "1971"
    assert "_birthDate" not in result
    assert result["deceasedDateTime"] == "2020"
    assert "deceasedBoolean" not in result
    assert result["name"][0]["given"] == ["g1", "z"]
    assert "_given" not in result["name"][0]
    assert result["identifier"][1]["value"] == "9"
    assert result["contact"] == [{"gender": "male"}]
    assert result["contained"][0]["name"] == "m"


def test_move_changes_the_order(definitions: Definitions) -> None:
    result = patched(
        definitions,
        operation("move", "Patient.identifier", source=0, destination=1),
        operation("move", "Patient.name[0].given", source=1, destination=0),
    )
    assert [each["value"] for each in result["identifier"]] == ["2", "1"]
    assert (result["name"][0]["given"], result["name"][0]["_given"]) == (["g2", "g1"], [{"id": "i"}, None])


def test_extensions_of_primitives_can_be_added(definitions: Definitions) -> None:
    extension = {"part": [{"name": "url", "valueUri": "urn:x"}]}
    result = patched(definitions, operation("add", "Patient.name[0].given[0]", name="extension", value=extension))
    assert result["name"][0]["_given"] == [{"extension": [{"url": "urn:x"}]}, {"id": "i"}]


CODE = {"valueCode": "male"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "other"}, "malformed"),
    ({"name": "operation"}, "malformed"),
    (operation("merge", "Patient.name"), "malformed"),
    ({"name": "operation", "part": [{"name": "type", "valueCode": "delete"}]}, "malformed"),
    ({"name": "operation", "part": [{"name": "type", "valueCode": "delete"}] * 2}, "malformed"),
    (operation("add", "Patient", value=CODE), "malformed"),
    (operation("add", "Patient", name="gender"), "malformed"),
    (operation("add", "Patient", name="gender", value={}), "malformed"),
    (operation("add", "Patient.name[", name="gender", value=CODE), "malformed"),
    (operation("delete", "Patient.name.ofType()"), "malformed"),
    (operation("delete", "Patient.name.where(given + 1 = 2)"), "malformed"),
    (operation("delete", "Patient.name.ofType(Nothing)"), "malformed"),
    (operation("delete", "Patient.name.count()"), "malformed"),
    ({"name": "operation", "part": 5}, "malformed"),
    (operation("add", "1 + 1", name="gender", value=CODE), "malformed"),
    (operation("insert", "Patient.identifier", value=CODE), "malformed"),
    (operation("insert", "Patient.identifier", index=-1, value=CODE), "malformed"),
    (operation("insert", "Patient.identifier[0]", index=0, value=CODE), "malformed"),
    (operation("move", "Patient.identifier", source=0), "malformed"),
    (operation("add", "Patient.photo", name="title", value={"valueString": "t"}), "unprocessable"),
    (operation("add", "Patient.identifier", name="value", value={"valueString": "t"}), "unprocessable"),
    (operation("add", "Patient", name="birthDate", value={"valueDate": "2020"}), "unprocessable"),
    (operation("add", "Patient", name="deceased", value={"valueDateTime": "2020"}), "unprocessable"),
    (operation("add", "Patient", name="unknown", value=CODE), "unprocessable"),
    (operation("add", "Patient", name="multipleBirth", value={"valueString": "x"}), "unprocessable"),
    (operation("add", "Patient", name="maritalStatus", value=CODE), "unprocessable"),
    (operation("add", "Patient", name="gender", value={"valueCoding": {"code": "x"}}), "unprocessable"),
    (operation("add", "Patient.birthDate", name="use", value=CODE), "unprocessable"),
    (operation("insert", "Patient.identifier", index=3, value={"valueIdentifier": {}}), "unprocessable"),
    (operation("insert", "Patient.birthDate", index=0, value={"valueDate": "2020"}), "unprocessable"),
    (operation("delete", "Patient.identifier"), "unprocessable"),
    (operation("delete", "Patient"), "unprocessable"),
    (operation("delete", "Patient.id"), "unprocessable"),
    (operation("replace", "Patient", value=CODE), "unprocessable"),
    (operation("replace", "Patient.id", value={"valueString": "2"}), "unprocessable"),
    (operation("replace", "Patient.gender", value=CODE), "unprocessable"),
    (operation("move", "Patient.identifier", source=0, destination=2), "unprocessable"),
    (operation("move", "Patient.photo", source=0, destination=0), "unprocessable"),
]


@pytest.mark.parametrize(("wrong", "kind"), REFUSED, ids=str)
def test_operations_that_are_refused_are_named(definitions: Definitions, wrong: dict[str, Any], kind: str) -> None:
    with pytest.raises(PatchError) as caught:
        patched(definitions, operation("delete", "Patient.photo"), wrong)
    assert caught.value.kind == kind
    if "Patient.id" not in str(wrong.get("part", "")):
        assert caught.value.operation == 1


@pytest.mark.parametrize("parameters", [{"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": {}}])
def test_only_parameters_are_a_patch(definitions: Definitions, parameters: dict[str, Any]) -> None:
    with pytest.raises(PatchError) as caught:
        fhirpath_patch(PATIENT, parameters, definitions)
    assert caught.value.kind == "malformed"


def test_all_or_nothing(definitions: Definitions) -> None:
    with pytest.raises(PatchError):
        patched(definitions, operation("delete", "Patient.birthDate"), operation("delete", "Patient.identifier"))


PATHS = st.sampled_from(
    [
        *("Patient", "Patient.name", "Patient.name[0]", "Patient.name[0].given", "Patient.deceased", "Patient.id"),
        *("Patient.birthDate", "Patient.contact[0].name", "Patient.identifier.where(system = 'urn:a')", "Patient.x"),
        *("Patient.name.given.first()", "Patient.contained[0].name", "Patient.birthDate.extension[0]", "$this", "%x"),
    ]
)
VALUES = st.sampled_from(
    [
        {"valueString": "x"},
        {"valueInteger": 1},
        {"valueHumanName": {"text": "x"}},
        {"valueIdentifier": {"value": "x"}},
        {"part": [{"name": "name", "valueHumanName": {"text": "x"}}]},
        {"part": [{"name": "period", "part": [{"name": "start", "valueDateTime": "2020"}]}]},
        {"part": [1]},
        {"_valueString": {"id": "x"}},
        {},
    ]
)


@given(
    st.lists(
        st.builds(
            operation,
            st.sampled_from(["add", "insert", "delete", "replace", "move"]),
            PATHS,
            name=st.sampled_from(["name", "given", "deceased", "contact", "id", "extension", "x"]),
            value=VALUES,
            index=st.integers(-1, 3),
            source=st.integers(0, 2),
            destination=st.integers(0, 2),
        ),
        max_size=4,
    )
)
def test_any_patch_gives_a_resource_or_a_patch_error(
    definitions: Definitions, operations: list[dict[str, Any]]
) -> None:
    try:
        result = patched(definitions, *operations)
    except PatchError:
        return
    assert (result["resourceType"], result["id"]) == ("Patient", "1")
