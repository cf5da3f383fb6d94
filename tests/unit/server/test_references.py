"""References read off the JSON are those that a walk over the resource finds."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.interactions.references import local_targets, reference_elements, references_in
from server.interactions.storing import body_of

TYPES = frozenset({"Patient", "Encounter"})

_texts = st.text(alphabet='ab"\\:,{}\n\u0e01/', max_size=8) | st.sampled_from(
    ["Patient/1", '"reference":"Patient/9"', 'x","reference":"Patient/9', "reference", "\\", "#contained"]
)
_names = st.sampled_from(["reference", "_reference", "display", "references", "x reference", "value"])
_values = st.recursive(
    _texts | st.integers() | st.booleans(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_names, below, max_size=4),
    max_leaves=12,
)


def no_list_in_list(value) -> bool:
    if isinstance(value, dict):
        return all(map(no_list_in_list, value.values()))
    if isinstance(value, list):
        return not any(isinstance(each, list) for each in value) and all(map(no_list_in_list, value))
    return True


@settings(max_examples=300)
@given(st.dictionaries(_names | st.just("meta"), _values, max_size=5).filter(no_list_in_list))
@example({"reference": 'a\\"reference":"b', "meta": {"extension": [{"valueReference": {"reference": "Patient/1"}}]}})
def test_references_in_a_body_are_those_of_the_resource(resource):
    resource = {"resourceType": "Basic", "id": "a", **resource}
    if not isinstance(resource.get("meta", {}), dict):
        del resource["meta"]
    expected = sorted(element["reference"] for element in reference_elements(resource))
    assert sorted(references_in(body_of(resource, "a"))) == expected


def test_only_references_to_resources_of_this_server_are_local_targets():
    base = "https://here.example/fhir"
    references = [
        "Patient/1",
        "Encounter/2/_history/3",
        f"{base}/Patient/4",
        "https://elsewhere.example/fhir/Patient/5",
        "Robot/6",
        "Patient/not an id",
        "Patient",
        "#contained",
        "urn:uuid:7",
    ]
    assert local_targets(references, base, TYPES) == {("Patient", "1"), ("Encounter", "2"), ("Patient", "4")}
