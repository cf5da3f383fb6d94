"""Parameters to criteria: values, modifiers, chains, and what every resource has.   https://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

from typing import Any

import pytest

from server.errors import BadRequest
from server.search.engine import Search
from server.search.parse import Limits
from server.search.query import (
    And,
    Chain,
    FullText,
    Has,
    Ids,
    LastUpdated,
    Match,
    Missing,
    Not,
    Or,
    Parameter,
    ReferenceOperand,
    TextOperand,
    TokenOperand,
)
from terminology.service import TerminologyService
from tests.unit.search.asking import Ask, Criterion, refusal

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
