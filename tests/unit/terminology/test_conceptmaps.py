"""The committed maps between Thai codes and HL7's: every code exists, every Thai code is covered, and comes back."""

import pytest

from terminology.conceptmaps.maps import MapHead, Row, from_hl7, heads, list_url, place, rows, thai_concept_maps, to_hl7
from terminology.operations import translate
from terminology.service import TerminologyService
from tests.unit.terminology.operations.reading import parameters, value

EQUIVALENCES = {"equal", "equivalent", "wider", "narrower", "inexact", "unmatched"}
NOT_HERE = {"http://loinc.org", "http://hl7.org/fhir/sid/icd-10"}
"""Targets whose codes can only be checked where these are loaded."""
IDS = [head.id for head in heads()]


def test_there_are_maps_for_what_the_files_need() -> None:
    needed = {"sex", "marital-status", "visit-class", "diagnosis-role", "discharge-opd", "discharge-ipd"}
    needed |= {"allergy-certainty", "allergy-criticality", "allergy-severity", "coverage-type", "coverage-fund"}
    assert needed <= set(IDS)
    assert len(thai_concept_maps()) == 2 * len(IDS)


@pytest.mark.parametrize("head", heads(), ids=IDS)
class TestEveryMap:
    def test_every_row_is_well_formed(self, head: MapHead) -> None:
        for row in rows(head.id):
            assert isinstance(row, Row)
            assert row.equivalence in EQUIVALENCES
            assert row.direction in ("", "to", "back")
            assert bool(row.target) == (row.equivalence != "unmatched")

    def test_every_code_exists(self, official: TerminologyService, head: MapHead) -> None:
        for row in rows(head.id):
            assert official.find(list_url(head.source), row.source) is not None, row
            if row.target:
                system, code = place(head, row.target)
                concept = official.find(system, code)
                assert concept is not None or system in NOT_HERE or "cs-th-" in system, row

    def test_every_thai_code_is_covered_once(self, official: TerminologyService, head: MapHead) -> None:
        system = official.library.code_system(list_url(head.source))
        assert system is not None
        forward = [row.source for row in rows(head.id) if row.direction != "back"]
        assert sorted(forward) == sorted(concept.code for concept in system.all())

    def test_a_target_is_written_back_as_one_code(self, head: MapHead) -> None:
        back = [row.target for row in rows(head.id) if row.target and row.direction != "to"]
        assert len(back) == len(set(back))

    def test_both_ways_give_the_same_code_but_for_those_that_say_so(self, head: MapHead) -> None:
        there, here = to_hl7(head.id), from_hl7(head.id)
        lossy = {row.source for row in rows(head.id) if row.direction == "to"}
        for source, target in there.items():
            assert (here.get(target) == source) == (source not in lossy)


def test_the_maps_answer_as_an_operation(official: TerminologyService) -> None:
    base = list_url("f43-sex").rpartition("/CodeSystem/")[0]
    there = translate(official, parameters(url=f"{base}/ConceptMap/sex", system=list_url("f43-sex"), code="2"))
    assert value(there, "result") is True
    coding = there["parameter"][1]["part"][1]["valueCoding"]
    assert coding == {"system": "http://hl7.org/fhir/administrative-gender", "code": "female"}
    asked = parameters(url=f"{base}/ConceptMap/sex-back", system=coding["system"], code="female")
    assert translate(official, asked)["parameter"][1]["part"][1]["valueCoding"]["code"] == "2"


def test_a_thai_code_is_translated_by_its_older_url_too(official: TerminologyService) -> None:
    asked = parameters(
        system="https://terms.sil-th.org/CodeSystem/cs-thcc-marital",
        code="3",
        targetsystem="http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
    )
    answer = translate(official, asked)
    assert value(answer, "result") is True
    assert answer["parameter"][1]["part"][1]["valueCoding"]["code"] == "W"


def test_every_value_set_of_a_map_is_here(official: TerminologyService) -> None:
    for resource in thai_concept_maps().values():
        for side in ("sourceCanonical", "targetCanonical"):
            assert side not in resource or official.library.value_set(resource[side]) is not None


def test_where_the_answer_is_certain() -> None:
    """A few rows written a second time, so that a slip of a table is seen."""
    assert to_hl7("sex")["1"] == ("http://hl7.org/fhir/administrative-gender", "male")
    assert to_hl7("marital-status")["9"] == ("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK")
    assert to_hl7("coverage-fund")["0100"][1] == "UCS"
    assert to_hl7("coverage-fund")["4200"][1] == "SSS"
    assert from_hl7("discharge-ipd")["http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp"] == "9"
    assert "5" not in to_hl7("diagnosis-role")
