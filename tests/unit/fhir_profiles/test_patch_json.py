"""JSON Patch and JSON Merge Patch.   https://www.rfc-editor.org/rfc/rfc6902 https://www.rfc-editor.org/rfc/rfc7396"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.json_reading import copy_json, read_json, write_json
from fhir_profiles.patch import PatchError, json_patch, merge_patch

PATIENT = read_json(
    b"""{"resourceType": "Patient", "id": "1", "active": true, "name": [{"family": "a"}, {"family": "b"}],
         "maritalStatus": {"text": "x"}, "a/b": {"m~n": 1}, "decimal": 1.50}"""
)


def patched(*operations: Any) -> dict[str, Any]:
    before = write_json(PATIENT)
    result = json_patch(PATIENT, operations)
    assert write_json(PATIENT) == before
    return result


def test_operations_are_applied_in_order_and_the_input_stays() -> None:
    result = patched(
        {"op": "test", "path": "/name/0/family", "value": "a"},
        {"op": "add", "path": "/name/-", "value": {"family": "c"}},
        {"op": "move", "from": "/name/2", "path": "/name/0"},
        {"op": "copy", "from": "/name/0/family", "path": "/name/1/text"},
        {"op": "replace", "path": "/active", "value": False},
        {"op": "remove", "path": "/name/2"},
        {"op": "replace", "path": "/a~1b/m~0n", "value": 2},
    )
    assert result["name"] == [{"family": "c"}, {"family": "a", "text": "c"}]
    assert result["active"] is False
    assert result["a/b"] == {"m~n": 2}


def test_numbers_keep_their_text_and_are_tested_by_value() -> None:
    value = read_json(b'{"v": 1.5}')["v"]
    result = patched(
        {"op": "test", "path": "/decimal", "value": value},
        {"op": "copy", "from": "/decimal", "path": "/other"},
    )
    assert b'"other":1.50' in write_json(result)
    with pytest.raises(PatchError):
        patched({"op": "test", "path": "/decimal", "value": "1.50"})


def test_a_copied_value_is_no_longer_the_original() -> None:
    result = patched(
        {"op": "copy", "from": "/name/0", "path": "/contact"},
        {"op": "replace", "path": "/contact/family", "value": "z"},
    )
    assert (result["name"][0], result["contact"]) == ({"family": "a"}, {"family": "z"})


def test_the_values_of_the_patch_stay_as_they_are() -> None:
    value = {"family": "c"}
    result = patched(
        {"op": "add", "path": "/name/0", "value": value}, {"op": "add", "path": "/name/0/given", "value": ["d"]}
    )
    assert value == {"family": "c"}
    assert result["name"][0] == {"family": "c", "given": ["d"]}


def test_what_loses_its_last_member_disappears() -> None:
    result = patched({"op": "remove", "path": "/maritalStatus/text"}, {"op": "remove", "path": "/name/1/family"})
    assert "maritalStatus" not in result
    assert result["name"] == [{"family": "a"}]
    result = patched({"op": "remove", "path": "/name/0"}, {"op": "remove", "path": "/name/0"})
    assert "name" not in result
    refilled = patched(
        {"op": "remove", "path": "/maritalStatus/text"}, {"op": "add", "path": "/maritalStatus/id", "value": "i"}
    )
    assert refilled["maritalStatus"] == {"id": "i"}


MALFORMED: list[Any] = [
    "add",
    {},
    {"op": "merge", "path": "/a"},
    {"op": ["add"], "path": "/a"},
    {"op": "add", "value": 1},
    {"op": "add", "path": "/a"},
    {"op": "add", "path": "a", "value": 1},
    {"op": "add", "path": "/a~2", "value": 1},
    {"op": "add", "path": 1, "value": 1},
    {"op": "move", "path": "/a"},
]
UNPROCESSABLE: list[dict[str, Any]] = [
    {"op": "remove", "path": "/gender"},
    {"op": "remove", "path": ""},
    {"op": "replace", "path": "/gender", "value": "male"},
    {"op": "add", "path": "/contact/0/gender", "value": "male"},
    {"op": "add", "path": "/name/3", "value": {}},
    {"op": "add", "path": "/name/01", "value": {}},
    {"op": "add", "path": "/name/x", "value": {}},
    {"op": "add", "path": "/active/x", "value": {}},
    {"op": "remove", "path": "/name/-"},
    {"op": "move", "from": "/name", "path": "/name/0"},
    {"op": "copy", "from": "/gender", "path": "/x"},
    {"op": "test", "path": "/active", "value": False},
    {"op": "test", "path": "/gender", "value": None},
    {"op": "replace", "path": "/id", "value": "2"},
    {"op": "remove", "path": "/id"},
    {"op": "replace", "path": "/resourceType", "value": "Person"},
    {"op": "replace", "path": "", "value": {"resourceType": "Patient", "id": "2"}},
    {"op": "replace", "path": "", "value": []},
]


@pytest.mark.parametrize("operation", MALFORMED, ids=str)
def test_a_malformed_operation_is_named(operation: Any) -> None:
    with pytest.raises(PatchError) as caught:
        patched({"op": "test", "path": "/active", "value": True}, operation)
    assert caught.value.kind == "malformed"
    assert caught.value.operation == 1
    assert caught.value.issues[0].diagnostics.startswith("operation 1: ")


@pytest.mark.parametrize("operation", UNPROCESSABLE, ids=str)
def test_an_operation_that_does_not_fit_is_unprocessable(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError) as caught:
        patched(operation)
    assert caught.value.kind == "unprocessable"


def test_growth_by_copies_and_depth_are_bounded() -> None:
    doubling = [{"op": "copy", "from": "/name", "path": "/name/-"} for _ in range(60)]
    with pytest.raises(PatchError, match="copies"):
        patched(*doubling)
    deep: Any = "x"
    for _ in range(150):
        deep = [deep]
    with pytest.raises(PatchError, match="levels deep"):
        patched(
            {"op": "add", "path": "/x", "value": deep},
            {"op": "add", "path": "/x" + "/0" * 150, "value": copy_json(deep)},
        )


# --- JSON Merge Patch -----------------------------------------------------------------------------------------------

RFC_7396_CASES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"a": "foo"}, {"a": {"b": "c"}}, {"a": {"b": "c"}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396_CASES)
def test_the_cases_of_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    before = copy_json(target)
    assert merge_patch(target, patch) == result
    assert target == before


def test_merging_keeps_the_rest_and_takes_emptied_objects_away() -> None:
    result = merge_patch(PATIENT, {"maritalStatus": {"text": None}, "name": [{"family": "z"}], "gender": "male"})
    assert "maritalStatus" not in result
    assert result["name"] == [{"family": "z"}]
    assert result["gender"] == "male"
    assert b'"decimal":1.50' in write_json(result)


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ([], "malformed"),
        (None, "malformed"),
        ("x", "malformed"),
        ({"id": "2"}, "unprocessable"),
        ({"id": None}, "unprocessable"),
        ({"resourceType": "Person"}, "unprocessable"),
    ],
)
def test_merge_patches_that_are_refused(patch: Any, kind: str) -> None:
    with pytest.raises(PatchError) as caught:
        merge_patch(PATIENT, patch)
    assert caught.value.kind == kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]) | JSON,
        "path": st.sampled_from(["", "/name", "/name/0", "/name/-", "/name/0/family", "/x/y", "/id"]) | JSON,
    },
    optional={"from": st.sampled_from(["/name", "/name/0", "/active", ""]) | JSON, "value": JSON},
)


@given(st.lists(OPERATIONS | JSON, max_size=5))
def test_any_json_patch_gives_a_resource_or_a_patch_error(operations: list[Any]) -> None:
    try:
        result = patched(*operations)
    except PatchError:
        return
    assert (result["resourceType"], result["id"]) == ("Patient", "1")


@given(JSON)
def test_any_merge_patch_gives_a_resource_or_a_patch_error(patch: Any) -> None:
    try:
        result = merge_patch(PATIENT, patch)
    except PatchError:
        return
    assert (result["resourceType"], result["id"]) == ("Patient", "1")
