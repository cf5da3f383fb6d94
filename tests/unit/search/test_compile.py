"""Requests to queries: types, sorts, includes, strictness.   https://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest
from server.search.engine import Search
from server.search.query import (
    InCompartment,
    IsType,
    LastUpdated,
    Match,
    Missing,
    Or,
    Parameter,
    Query,
    RangeOperand,
    SortKey,
)
from server.search.refusal import UnknownParameter
from server.search.request import Ignored
from tests.unit.search.asking import Ask, refusal

# --- several types --------------------------------------------------------------------------------------------------


def test_a_search_of_all_types_takes_common_parameters_only(ask: Ask) -> None:
    query = ask(None, "_tag=a&_lastUpdated=gt2020").query
    assert len(query.types) == 146
    assert isinstance(query.where[0], Match)
    assert "not all types" in refusal(ask, None, "gender=male")


def test_types_that_share_a_parameter_are_searched_together(ask: Ask) -> None:
    query = ask(None, "_type=Observation,Condition&code=x&subject=Patient/1").query
    assert query.types == ("Observation", "Condition")
    shared, apart = query.where
    assert isinstance(shared, Match)
    assert isinstance(apart, Or)
    assert [branch.criteria[0] for branch in apart.criteria] == [IsType(("Observation",)), IsType(("Condition",))]
    refusal(ask, None, "_type=Observation,Condition&value-quantity=1")


def test_types_that_are_none(ask: Ask) -> None:
    refusal(ask, None, "_type=Nonsense")
    refusal(ask, "Patient", "_type=Observation")
    refusal(ask, None, "_type:not=Patient")
    assert ask("Patient", "_type=Patient,Observation").query == ask("Patient", "").query


def test_a_compartment_is_searched_by_the_parameters_that_its_definition_names(ask: Ask) -> None:
    query = ask("Observation", "code=x", compartment=("Patient", "1")).query
    within = query.where[0]
    assert isinstance(within, InCompartment)
    assert (within.type, within.id, within.itself) == ("Patient", "1", False)
    ((kind, parameters),) = within.parameters
    assert kind == "Observation"
    assert [each.code for each in parameters] == ["subject", "performer"]


def test_all_types_of_a_compartment_and_its_owner(ask: Ask) -> None:
    query = ask(None, "", compartment=("Patient", "1")).query
    (within,) = query.where
    assert "Patient" in query.types
    assert "Medication" not in query.types
    assert within.itself
    assert set(dict(within.parameters)) <= set(query.types)
    some = ask(None, "_type=Condition,Medication", compartment=("Patient", "1")).query
    assert some.types == ("Condition",)


@pytest.mark.parametrize("keys", ["-", "birthdate,", ",birthdate"])
def test_an_empty_sort_key_is_refused_as_one(keys: str, ask: Ask) -> None:
    assert refusal(ask, "Patient", f"_sort={keys}").startswith("_sort: a sort key is")


def test_what_is_no_compartment_or_not_in_it_is_refused(ask: Ask) -> None:
    assert "compartment" in refusal(ask, "Medication", "", compartment=("Patient", "1"))
    assert "compartment" in refusal(ask, "Observation", "", compartment=("Organization", "1"))


# --- the answer -----------------------------------------------------------------------------------------------------


def test_sort_keys(ask: Ask) -> None:
    keys = ask("Observation", "_sort=status,-date&_sort=_id,-_lastUpdated").query.sort
    assert ask("Patient", "_sort=deceased").query.sort[0].parameter.code == "deceased"
    assert [(key.parameter.code, key.descending) for key in keys] == [
        ("status", False),
        ("date", True),
        ("_id", False),
        ("_lastUpdated", True),
    ]


def test_a_sort_through_a_reference(ask: Ask) -> None:
    (key,) = ask("Observation", "_sort=-subject:Patient.name").query.sort
    assert isinstance(key, SortKey)
    assert key.descending
    assert [(hop.code, target) for hop, target in key.chain] == [("subject", "Patient")]
    assert key.parameter.code == "name"
    (only,) = ask("Observation", "_sort=patient.birthdate").query.sort
    assert only.chain[0][1] == "Patient"


@pytest.mark.parametrize(
    "query",
    ["_sort=nonsense", "_sort=code-value-quantity", "_sort=subject.name", "_sort=status.name", "_sort=-", "_sort=a,,b",
     "_sort=_text", "_sort:exact=status", "_sort=name:exact", "_sort=" + ",".join(["status"] * 9),
     "_sort=_has:A:b:c", "_sort=instantiates-canonical:ActivityDefinition.title"],
)  # fmt: skip
def test_what_cannot_be_sorted_by_is_refused(query: str, ask: Ask) -> None:
    refusal(ask, "Observation", query)


def test_count(ask: Ask) -> None:
    assert ask("Patient", "").query.limit == 50
    assert ask("Patient", "_count=7").query.limit == 7
    assert ask("Patient", "_count=999999").query.limit == 1000
    assert ask("Patient", f"_count={2**31 - 1}").query.limit == 1000
    assert ask("Patient", f"_count={2**64}").query.limit == 1000
    nothing = ask("Patient", "_count=0")
    assert nothing.summary == "count"
    assert nothing.query.limit >= 1


def test_what_is_returned(ask: Ask) -> None:
    found = ask("Patient", "_summary=true&_elements=id,name&_elements=gender&_total=accurate")
    assert (found.summary, found.elements, found.total) == ("true", ("id", "name", "gender"), "accurate")


@pytest.mark.parametrize(
    "query",
    ["_count=-1", "_count=x", "_count=1.5", "_count=๕", "_summary=yes", "_total=many", "_elements=nonsense",
     "_contained=maybe", "_containedType=x", "_summary=text&_include=Patient:organization", "_count:exact=1",
     "_total:x=none"],
)  # fmt: skip
def test_result_parameters_that_cannot_be_read_are_refused(query: str, ask: Ask) -> None:
    refusal(ask, "Patient", query)


def test_includes(ask: Ask) -> None:
    found = ask(
        "MedicationRequest",
        "_include=MedicationRequest:patient&_include:iterate=Patient:organization:Organization&_revinclude=Provenance:target",
    )
    first, second = found.includes
    assert (first.source, [each.code for each in first.parameters], first.iterate) == (
        "MedicationRequest",
        ["patient"],
        False,
    )
    assert (second.target, second.iterate) == ("Organization", True)
    (back,) = found.revincludes
    assert (back.source, back.parameters[0].code) == ("Provenance", "target")


def test_includes_of_every_reference(ask: Ask) -> None:
    (every,) = ask("Observation", "_include=Observation:*").includes
    assert {"subject", "encounter", "performer", "device"} <= {each.code for each in every.parameters}
    assert ask("Observation", "_include=*").includes == (every,)
    backwards = ask("Patient", "_revinclude=*").revincludes
    observation = next(each for each in backwards if each.source == "Observation")
    assert "subject" in {each.code for each in observation.parameters}
    assert "encounter" not in {each.code for each in observation.parameters}
    assert len(ask("Observation", "_include:iterate=*").includes) > 50


@pytest.mark.parametrize(
    "query",
    ["_include=Nonsense:patient", "_include=Observation", "_include=Observation:nonsense", "_include=Observation:code",
     "_include=Observation:subject:Practitioner", "_include=Observation:subject:Nonsense",
     "_include:exact=Observation:subject", "_revinclude=:", "_include=*:subject"],
)  # fmt: skip
def test_what_cannot_be_included_is_refused(query: str, ask: Ask) -> None:
    refusal(ask, "Observation", query)


def test_contained_resources_are_searched_in_their_containers(ask: Ask) -> None:
    found = ask("Medication", "ingredient-code=abc&_contained=true&_containedType=contained")
    assert len(found.query.types) == 146
    (branch,) = found.query.where[0].criteria
    there, match = branch.criteria
    assert there == Missing(Parameter("#Medication._id", "token", identifying=True), False)
    assert match.parameter.code == "#Medication.ingredient-code"
    assert found.within_types == ("Medication",)
    both = ask("Medication", "ingredient-code=abc&_contained=both")
    assert both.query.where[0].criteria[1].criteria[0] == IsType(("Medication",))
    refusal(ask, "Medication", "_contained=true&_sort=code")
    refusal(ask, "Medication", "_contained=true&_lastUpdated=2020")


def test_parameters_of_every_interaction_are_none_of_the_search(ask: Ask) -> None:
    found = ask("Patient", "_format=json&_pretty=true&gender=male")
    assert found.used == (("gender", "male"),)
    assert len(found.query.where) == 1


# --- strict, lenient, and what is quoted ----------------------------------------------------------------------------


def test_an_unknown_parameter_is_refused_with_the_nearest_known_name(ask: Ask) -> None:
    text = refusal(ask, "Patient", "brithdate=2000")
    assert "did you mean birthdate?" in text


def test_a_lenient_client_is_told_what_was_dropped(ask: Ask) -> None:
    found = ask("Patient", "nonsense=1&gender=male&family=", lenient=True)
    assert [each.name for each in found.ignored] == ["nonsense", "family"]
    assert all(isinstance(each, Ignored) and each.reason for each in found.ignored)
    assert found.used == (("gender", "male"),)
    assert len(found.query.where) == 1


@pytest.mark.parametrize("query", ["gender:nonsense=1", "birthdate=x", "_sort=birthdate:exact", "_count=x"])
def test_lenience_does_not_extend_to_modifiers_and_values(query: str, ask: Ask) -> None:
    refusal(ask, "Patient", query, lenient=True)


@pytest.mark.parametrize("query", ["gender=", "name=", "_count=", "_sort=", "_include=", "_id="])
def test_a_parameter_without_a_value_is_refused(query: str, ask: Ask) -> None:
    with pytest.raises(UnknownParameter, match="no value"):
        ask("Patient", query)


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("Patient", "identifier=secret|a|b"),
        ("Patient", "birthdate=secret"),
        ("Patient", r"name=secret\x"),
        ("Patient", r"family:exact=secret\x"),
        ("Patient", r"telecom=secret\x"),
        ("Patient", r"address-city=secret\x"),
        ("Observation", "patient.identifier=secret|a|b"),
        ("Observation", "subject:Patient.birthdate=secret"),
        ("Patient", r"_content=secret\x"),
        ("Patient", "_has:RelatedPerson:patient:birthdate=secret"),
    ],
)
def test_values_that_name_a_person_are_never_quoted(kind: str, query: str, ask: Ask) -> None:
    text = refusal(ask, kind, query)
    assert "secret" not in text


def test_at_most_forty_characters_of_a_value_are_quoted(ask: Ask) -> None:
    text = refusal(ask, "Observation", "value-quantity=" + "9" * 41 + "x" * 100)
    assert "9" * 40 in text
    assert "9" * 41 not in text
    name = refusal(ask, "Observation", "y" * 60 + "=1")
    assert "y" * 40 in name
    assert "y" * 41 not in name


@pytest.mark.parametrize(
    ("query", "personal"),
    [
        ("gender=male", False),
        ("name=eve", True),
        ("identifier=1", True),
        ("organization.name=x", True),
        ("general-practitioner:Practitioner.identifier=1", True),
        ("general-practitioner:Practitioner.active=true", False),
        ("_has:Observation:patient:code=x", False),
        ("_has:Observation:patient:performer.name=x", True),
        ("_filter=name co x", True),
        ("general-practitioner:identifier=1", True),
        ("_tag=x", False),
    ],
)
def test_a_search_knows_whether_it_names_a_person(query: str, personal: bool, ask: Ask) -> None:
    assert ask("Patient", query).personal is personal


# --- conditional interactions ---------------------------------------------------------------------------------------


def test_criteria_of_conditional_interactions(search: Search) -> None:
    query = search.criteria("Patient", [("identifier", "http://x|1")], "http://x/fhir")
    assert isinstance(query, Query)
    for pairs in ([], [("_sort", "_id"), ("gender", "male")], [("_count", "1")]):
        with pytest.raises(BadRequest):
            search.criteria("Patient", pairs)


# --- anything -------------------------------------------------------------------------------------------------------

CODES = st.sampled_from(
    ["code", "subject", "patient.name", "date", "value-quantity", "code-value-quantity", "_id", "_lastUpdated", "_sort",
     "_filter", "_include", "_revinclude", "_count", "_text", "_has:Provenance:target:agent", "status:in", "code:below",
     "code:text", "subject:identifier", "_list", "_elements", "_contained", "value-string:contains", "_tag", "_profile",
     "value-date", "combo-value-concept", "encounter.location.near", "_type", "derived-from:below", "category:not"]
)  # fmt: skip


@given(st.lists(st.tuples(CODES | st.text(max_size=20), st.text(max_size=40)), max_size=4), st.booleans())
def test_any_request_is_compiled_or_a_bad_request(search: Search, pairs: list[tuple[str, str]], lenient: bool) -> None:
    try:
        request = search.compile("Observation", pairs, lenient=lenient)
    except BadRequest:
        return
    assert request.query.types
    hash(request.query)


@given(st.sampled_from(["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap", ""]), st.text(max_size=20))
def test_hostile_values_of_ordered_parameters(search: Search, prefix: str, text: str) -> None:
    for code in ("date", "value-quantity", "value-date", "_lastUpdated"):
        try:
            request = search.compile("Observation", [(code, prefix + text)])
        except BadRequest:
            continue
        for criterion in request.query.where:
            assert isinstance(criterion, Match | LastUpdated)
            for operand in criterion.operands:
                assert isinstance(operand, RangeOperand) or operand.range.lower < operand.range.upper
