"""Requests to queries.   https://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest
from server.search.engine import Search
from server.search.parse import Limits
from server.search.query import (
    And,
    Chain,
    FullText,
    Has,
    Ids,
    InCompartment,
    IsType,
    LastUpdated,
    Match,
    Missing,
    Not,
    Or,
    Parameter,
    Query,
    RangeOperand,
    ReferenceOperand,
    SortKey,
    TextOperand,
    TokenOperand,
)
from server.search.refusal import UnknownParameter
from server.search.request import Ignored, SearchRequest
from terminology.service import TerminologyService

Ask = Callable[..., SearchRequest]
Criterion = Callable[[str, str], Any]
LOINC = "http://loinc.org"


def refusal(ask: Ask, kind: str | None, query: str, **more: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        ask(kind, query, **more)
    return str(caught.value)


# --- criteria -------------------------------------------------------------------------------------------------------


def test_parameters_are_anded_and_values_ored(ask: Ask) -> None:
    query = ask("Patient", "language=FR,NL&language=EN&gender=female").query
    assert query.types == ("Patient",)
    assert [[each.code for each in one.operands] for one in query.where] == [["FR", "NL"], ["EN"], ["female"]]


def test_each_value_of_an_or_list_has_its_own_prefix(criterion: Criterion) -> None:
    found = criterion("Patient", "birthdate=lt1975,ge2005")
    assert [each.prefix for each in found.operands] == ["lt", "ge"]


def test_equal_values_count_once(criterion: Criterion) -> None:
    assert len(criterion("Patient", "gender=male,male").operands) == 1


@pytest.mark.parametrize(
    ("kind", "query", "modifier"),
    [
        ("Patient", "name=eve", ""),
        ("Patient", "name:exact=Eve", "exact"),
        ("Patient", "name:contains=eve", "contains"),
        ("Patient", "name:text=eve", "contains"),
        ("Condition", "code:text=headache", "text"),
        ("Patient", "identifier:of-type=http://t|MR|1", "of-type"),
        ("Observation", "subject:identifier=http://s|1", "identifier"),
        ("ValueSet", "url:below=http://acme.org/", "below"),
        ("ValueSet", "url:above=http://acme.org/a/b", "above"),
        ("Observation", "subject:Patient=23", ""),
        ("QuestionnaireResponse", "questionnaire:below=http://x|1", "below"),
    ],
)
def test_modifiers_of_matches(kind: str, query: str, modifier: str, criterion: Criterion) -> None:
    found = criterion(kind, query)
    assert isinstance(found, Match)
    assert found.modifier == modifier


def test_not_is_the_whole_match_denied(criterion: Criterion) -> None:
    found = criterion("Patient", "gender:not=male,female")
    assert isinstance(found, Not)
    assert isinstance(found.criterion, Match)
    assert len(found.criterion.operands) == 2


def test_missing(criterion: Criterion) -> None:
    assert criterion("Patient", "gender:missing=true") == Missing(Parameter("gender", "token"), True)
    assert criterion("Patient", "gender:missing=false") == Missing(Parameter("gender", "token"), False)


def test_a_type_as_modifier_goes_into_the_operand(criterion: Criterion) -> None:
    (operand,) = criterion("Observation", "subject:Patient=23").operands
    assert operand == ReferenceOperand("Patient", "23", None, None)
    assert criterion("Observation", "subject:Patient=23") == criterion("Observation", "subject=Patient/23")


def test_codes_of_a_value_set(criterion: Criterion) -> None:
    system = "http://hl7.org/fhir/observation-status"
    found = criterion("Observation", "status:in=http://hl7.org/fhir/ValueSet/observation-status")
    assert TokenOperand(system, "final", False) in found.operands
    denied = criterion("Observation", "status:not-in=http://hl7.org/fhir/ValueSet/observation-status")
    assert denied == Not(found)


def test_codes_below_and_above_one(criterion: Criterion) -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    below = {each.code for each in criterion("Encounter", f"class:below={system}|_ActEncounterCode").operands}
    assert {"_ActEncounterCode", "AMB", "IMP", "ACUTE"} <= below
    above = {each.code for each in criterion("Encounter", f"class:above={system}|ACUTE").operands}
    assert {"ACUTE", "IMP", "_ActEncounterCode"} <= above
    assert "AMB" not in above


def test_a_code_without_a_system_is_below_in_the_implied_one(criterion: Criterion) -> None:
    (operand,) = criterion("Patient", "gender:below=male").operands
    assert operand == TokenOperand("http://hl7.org/fhir/administrative-gender", "male", False)


def test_an_expansion_that_is_too_large_is_refused(search: Search, terminology: TerminologyService) -> None:
    small = Search(search.parameters.definitions, terminology, limits=Limits(expansion=3))
    with pytest.raises(BadRequest, match="more than 3"):
        small.compile("Observation", [("status:in", "http://hl7.org/fhir/ValueSet/observation-status")])


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("Patient", "gender:exact=male"),
        ("Patient", "gender:of-type=a|b|c"),
        ("Patient", "gender:text=male"),
        ("Patient", "active:in=http://x"),
        ("Patient", "birthdate:exact=2000"),
        ("Patient", "birthdate:not=2000"),
        ("Patient", "name:not=eve"),
        ("Patient", "name:Patient=eve"),
        ("Observation", "subject:Practitioner=1"),
        ("Observation", "subject:Nonsense=1"),
        ("Observation", "value-quantity:contains=1"),
        ("Observation", "code-value-quantity:missing=true"),
        ("Observation", "code-value-quantity:exact=a$1"),
        ("Location", "near:missing=true"),
        ("QuestionnaireResponse", "questionnaire:identifier=a"),
        ("Patient", "_id:exact=1"),
        ("Patient", "_lastUpdated:exact=2020"),
        ("Patient", "_text:exact=a"),
        ("Patient", "_list:not=1"),
    ],
)
def test_a_modifier_that_does_not_fit_is_refused_with_those_that_do(kind: str, query: str, ask: Ask) -> None:
    text = refusal(ask, kind, query)
    assert query.partition("=")[0] in text


def test_the_canonical_version_of_a_url_is_that_of_the_resource(criterion: Criterion) -> None:
    found = criterion("ValueSet", "url=http://a|2.0")
    assert isinstance(found, And)
    assert [each.parameter.code for each in found.criteria] == ["url", "version"]
    assert isinstance(criterion("ValueSet", "url=http://a|2.0,http://b"), Or)


def test_absolute_references_below_the_base_of_the_request_are_local(search: Search) -> None:
    query = search.compile(
        "Observation", [("subject", "https://his.example/fhir/Patient/1")], base="https://his.example/fhir"
    )
    assert query.query.where[0].operands == (ReferenceOperand("Patient", "1", None, None),)
    other = search.compile("Observation", [("subject", "https://his.example/fhir/Patient/1")])
    assert other.query.where[0].operands[0].url == "https://his.example/fhir/Patient/1"


# --- chains ---------------------------------------------------------------------------------------------------------


def chains(criterion: Any) -> list[Chain]:
    parts = criterion.criteria if isinstance(criterion, Or) else (criterion,)
    return [part for part in parts if isinstance(part, Chain)]


def test_a_chain_goes_through_every_type_that_has_the_parameter(criterion: Criterion) -> None:
    found = chains(criterion("DiagnosticReport", "subject.name=peter"))
    assert {each.target for each in found} == {"Patient", "Location"}
    assert all(each.criterion.operands == (TextOperand("peter", "peter"),) for each in found)


def test_a_chain_with_a_type_goes_through_that(criterion: Criterion) -> None:
    (chain,) = chains(criterion("DiagnosticReport", "subject:Patient.name=peter"))
    assert (chain.parameter.code, chain.target, chain.criterion.parameter.code) == ("subject", "Patient", "name")


def test_chains_of_any_depth(criterion: Criterion) -> None:
    (outer,) = chains(criterion("Observation", "encounter.service-provider.partof.name:exact=X"))
    assert outer.target == "Encounter"
    (middle,) = chains(outer.criterion)
    assert middle.target == "Organization"
    (inner,) = chains(middle.criterion)
    assert inner.parameter.code == "partof"
    assert inner.criterion.modifier == "exact"


def test_a_chain_looks_into_contained_resources_too(criterion: Criterion) -> None:
    found = criterion("MedicationRequest", "medication.ingredient-code=abc")
    contained = [part for part in found.criteria if isinstance(part, And)]
    refers, inner = contained[0].criteria
    assert refers.operands == (ReferenceOperand(None, None, None, "#Medication"),)
    assert inner.parameter.code == "#Medication.ingredient-code"


def test_parameters_of_all_types_chain(criterion: Criterion) -> None:
    (by_id,) = chains(criterion("Observation", "patient._id=1"))
    assert by_id.criterion == Ids(((None, "1"),))
    (by_text,) = chains(criterion("Observation", "patient._content=x"))
    assert by_text.criterion == FullText("_content", (("x",),))


def test_a_chain_through_too_many_types_asks_for_one(ask: Ask) -> None:
    text = refusal(ask, "Observation", "focus.code=1")
    assert "say which" in text
    assert "focus:" in text


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("Patient", "gender.name=x"),
        ("QuestionnaireResponse", "questionnaire.title=x"),
        ("Observation", "subject:Practitioner.name=x"),
        ("Observation", "subject:Nonsense.name=x"),
        ("Observation", "patient.nonsense=x"),
        ("Observation", "subject.nonsense=x"),
        ("Observation", "nonsense.name=x"),
        ("Observation", "patient.birthdate=yesterday"),
        ("Observation", "subject:Patient.birthdate=yesterday"),
        ("Observation", "patient.name:nonsense=x"),
    ],
)
def test_a_chain_that_leads_nowhere_is_refused(kind: str, query: str, ask: Ask) -> None:
    refusal(ask, kind, query)


def test_a_chain_advises_the_nearest_name(ask: Ask) -> None:
    assert "did you mean birthdate" in refusal(ask, "Observation", "patient.birthDate=2000")


def test_reverse_chains(criterion: Criterion) -> None:
    found = criterion("Patient", "_has:Observation:patient:code=1234-5,6")
    assert isinstance(found, Has)
    assert (found.source, found.parameter.code) == ("Observation", "patient")
    assert [each.code for each in found.criterion.operands] == ["1234-5", "6"]


def test_reverse_chains_nest_and_mix_with_chains(criterion: Criterion) -> None:
    found = criterion("Patient", "_has:Observation:patient:_has:AuditEvent:entity:agent-name=x")
    assert isinstance(found.criterion, Has)
    mixed = criterion("Patient", "_has:Observation:patient:encounter.status=finished")
    assert chains(mixed.criterion)[0].target == "Encounter"
    (chain,) = chains(criterion("Encounter", "patient._has:Group:member:_id=g1"))
    assert isinstance(chain.criterion, Has)


@pytest.mark.parametrize(
    "query",
    [
        "_has:Nonsense:patient:code=1",
        "_has:Observation:nonsense:code=1",
        "_has:Observation:code:code=1",
        "_has:Observation:encounter:code=1",
        "_has:Observation:patient:nonsense=1",
        "_has:Observation:patient=1",
        "_has=1",
    ],
)
def test_a_reverse_chain_that_leads_nowhere_is_refused(query: str, ask: Ask) -> None:
    refusal(ask, "Patient", query)


def test_hierarchies_are_followed_up_and_down(criterion: Criterion) -> None:
    below = criterion("Procedure", "location:below=42")
    assert below.criteria[0] == Match(
        below.criteria[0].parameter, "", (ReferenceOperand("Location", "42", None, None),)
    )
    assert below.criteria[1].criterion.parameter.code == "partof"
    above = criterion("MedicationAdministration", "context:above=Encounter/21")
    assert isinstance(above.criteria[1].criterion, Has)
    assert above.criteria[1].criterion.criterion == Ids((("Encounter", "21"),))


# --- parameters of all resources ------------------------------------------------------------------------------------


def test_common_parameters(criterion: Criterion) -> None:
    assert criterion("Patient", "_id=a,b") == Ids(((None, "a"), (None, "b")))
    assert criterion("Patient", "_id:not=a") == Not(Ids(((None, "a"),)))
    updated = criterion("Patient", "_lastUpdated=gt2020-01-01,lt2019")
    assert isinstance(updated, LastUpdated)
    assert [each.prefix for each in updated.operands] == ["gt", "lt"]
    assert criterion("Condition", "_text=(bone OR liver) and metastases") == FullText(
        "_text", (("bone", "metastases"), ("liver", "metastases"))
    )
    in_list = criterion("Patient", "_list=42")
    assert isinstance(in_list, Has)
    assert (in_list.source, in_list.parameter.code, in_list.criterion) == ("List", "item", Ids(((None, "42"),)))


def test_text_search_may_be_switched_off(search: Search, terminology: TerminologyService) -> None:
    off = Search(search.parameters.definitions, terminology, limits=Limits(text=False))
    with pytest.raises(BadRequest, match="switched off"):
        off.compile("Patient", [("_content", "x")])


def test_missing_on_what_every_resource_has(criterion: Criterion) -> None:
    assert criterion("Patient", "_id:missing=true") == criterion("Patient", "_lastUpdated:missing=true") == Or(())


@pytest.mark.parametrize(
    "query",
    ["_id=../../etc", "_id=a b", "_list=$current-problems", "_lastUpdated=x", "_text=...", "_query=x", "_id:missing=1"],
)
def test_values_of_common_parameters_that_cannot_be_read(query: str, ask: Ask) -> None:
    refusal(ask, "Patient", query)


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
     "_sort=_has:A:b:c"],
)  # fmt: skip
def test_what_cannot_be_sorted_by_is_refused(query: str, ask: Ask) -> None:
    refusal(ask, "Observation", query)


def test_count(ask: Ask) -> None:
    assert ask("Patient", "").query.limit == 50
    assert ask("Patient", "_count=7").query.limit == 7
    assert ask("Patient", "_count=999999").query.limit == 1000
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
