"""ValueSet/$expand.   https://hl7.org/fhir/R4/valueset-operation-expand.html"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminology.concept import Json
from terminology.errors import TerminologyError
from terminology.operations import expand, from_query, with_resource
from terminology.operations.expand import MOST_CODES
from terminology.service import TerminologyService
from terminology.thai import CORE
from tests.unit.terminology.operations.reading import NOW, parameters

MARITAL = "http://hl7.org/fhir/ValueSet/marital-status"
PLACES = CORE + "ValueSet/vs-dopa-location"
ACT_MOOD = "http://hl7.org/fhir/ValueSet/inactive"


def expansion(service: TerminologyService, *rows: Json, **texts: str) -> Json:
    answer = expand(service, parameters(*rows, **texts), now=NOW, identifier="urn:uuid:1")
    assert answer["resourceType"] == "ValueSet"
    return answer["expansion"]


def codes(found: Json) -> list[str]:
    return [row["code"] for row in found.get("contains", ())]


def flag(name: str, on: bool = True) -> Json:
    return {"name": name, "valueBoolean": on}


def test_the_answer_is_the_value_set_with_its_expansion(official: TerminologyService) -> None:
    answer = expand(
        official, parameters(url="http://hl7.org/fhir/ValueSet/administrative-gender"), now=NOW, identifier="urn:uuid:1"
    )
    system = {"system": "http://hl7.org/fhir/administrative-gender", "version": "4.0.1"}
    names = [("male", "Male"), ("female", "Female"), ("other", "Other"), ("unknown", "Unknown")]
    assert answer["url"] == "http://hl7.org/fhir/ValueSet/administrative-gender"
    assert answer["status"] == "active"
    assert "compose" not in answer
    assert answer["expansion"] == {
        "identifier": "urn:uuid:1",
        "timestamp": NOW,
        "total": 4,
        "parameter": [{"name": "version", "valueUri": "http://hl7.org/fhir/administrative-gender|4.0.1"}],
        "contains": [{**system, "code": code, "display": display} for code, display in names],
    }


def test_the_definition_comes_with_it_when_asked(official: TerminologyService) -> None:
    answer = expand(official, parameters(flag("includeDefinition"), url=MARITAL), now=NOW)
    assert answer["compose"]["include"]


def test_every_expansion_has_an_identifier_of_its_own(official: TerminologyService) -> None:
    one, other = (expand(official, parameters(url=MARITAL), now=NOW)["expansion"]["identifier"] for _ in "ab")
    assert one != other
    assert one.startswith("urn:uuid:")


def test_pages_are_the_whole_in_order(official: TerminologyService) -> None:
    whole = codes(expansion(official, flag("excludeNested"), url=ACT_MOOD))
    paged: list[str] = []
    for offset in range(0, len(whole), 4):
        found = expansion(official, url=ACT_MOOD, offset=str(offset), count="4")
        assert (found["offset"], found["total"]) == (offset, len(whole))
        paged += codes(found)
    assert paged == whole


def test_a_count_of_zero_asks_for_the_total(official: TerminologyService) -> None:
    found = expansion(official, url=PLACES, count="0")
    assert (found["total"], "contains" in found) == (8443, False)


def test_beyond_the_end_there_is_nothing(official: TerminologyService) -> None:
    assert codes(expansion(official, url=MARITAL, offset="500", count="10")) == []


@pytest.mark.parametrize(
    ("url", "text", "expected"),
    [
        (MARITAL, "marr", ["M", "S", "U"]),
        (MARITAL, "NEVER married", ["S"]),
        (CORE + "ValueSet/vs-thcc-marital", "หม้าย", []),
        (CORE + "ValueSet/vs-thcc-marital", "ม่าย", ["3"]),
        (CORE + "ValueSet/vs-thcc-religion", "อิสลาม", ["02"]),
        (CORE + "ValueSet/vs-thcc-religion", "พุทธ 01", ["01"]),
        (CORE + "ValueSet/vs-43plus-encounter-diagnosis-role", "complication", ["3"]),
        (CORE + "ValueSet/vs-43plus-encounter-diagnosis-role", "โรคร่วม", ["2"]),
    ],
)
def test_the_filter_works_in_thai_and_english(
    official: TerminologyService, url: str, text: str, expected: list[str]
) -> None:
    found = expansion(official, url=url, filter=text)
    assert codes(found) == expected
    assert found["total"] == len(expected)
    assert {"name": "filter", "valueString": text} in found["parameter"]


def test_codes_are_nested_under_their_parents(official: TerminologyService) -> None:
    found = expansion(official, url=PLACES)
    assert found["total"] == 8443
    assert len(found["contains"]) == 77
    bangkok = found["contains"][0]
    assert (bangkok["code"], bangkok["display"]) == ("10", "กรุงเทพมหานคร")
    assert bangkok["contains"][0]["contains"][0]["code"] == "100101"


@pytest.mark.parametrize("more", [{"excludeNested": "true"}, {"count": "100"}, {"filter": "บาง"}])
def test_pages_and_filters_are_flat(official: TerminologyService, more: dict[str, str]) -> None:
    found = expansion(official, url=PLACES, **more)
    assert found["contains"]
    assert all("contains" not in row for row in found["contains"])


def test_a_code_is_under_its_nearest_ancestor_in_the_value_set(official: TerminologyService) -> None:
    places = CORE + "CodeSystem/cs-dopa-location"
    listed = [{"code": code} for code in ("10", "100101", "110101")]  # the districts are left out
    resource = {"resourceType": "ValueSet", "compose": {"include": [{"system": places, "concept": listed}]}}
    found = expansion(official, {"name": "valueSet", "resource": resource})
    assert [row["code"] for row in found["contains"]] == ["10", "110101"]
    assert [row["code"] for row in found["contains"][0]["contains"]] == ["100101"]


def test_inactive_codes_are_marked_and_left_out_when_asked(official: TerminologyService) -> None:
    every = expansion(official, flag("excludeNested"), url=ACT_MOOD)
    retired = {row["code"] for row in every["contains"] if row.get("inactive")}
    assert "GOL.CRT" in retired
    active = expansion(official, flag("excludeNested"), flag("activeOnly"), url=ACT_MOOD)
    assert set(codes(active)) == set(codes(every)) - retired
    assert active["total"] == len(codes(active))


def test_abstract_codes_are_marked_and_left_out_when_asked(official: TerminologyService) -> None:
    url = "http://terminology.hl7.org/ValueSet/v3-ActMood"
    rows = {row["code"]: row for row in expansion(official, flag("excludeNested"), url=url)["contains"]}
    assert rows["_ActMoodPredicate"]["abstract"] is True
    assert "abstract" not in rows["EVN"]
    ui = expansion(official, flag("excludeNested"), flag("excludeNotForUI"), url=url)
    assert "_ActMoodPredicate" not in codes(ui)


class TestLanguages:
    @pytest.fixture
    def service(self) -> TerminologyService:
        service = TerminologyService()
        use = {"system": "http://example.org/uses", "code": "short"}
        designations = [
            {"language": "th", "value": "ไข้"},
            {"language": "ja-JP", "value": "熱"},
            {"use": use, "value": "F"},
        ]
        service.add(
            {
                "resourceType": "CodeSystem",
                "url": "http://example.org/cs",
                "valueSet": "http://example.org/vs",
                "content": "complete",
                "concept": [
                    {"code": "f", "display": "Fever", "designation": designations},
                    {"code": "c", "display": "Cough"},
                ],
            }
        )
        return service

    def test_the_display_is_in_the_language_asked_for(self, service: TerminologyService) -> None:
        for language, display in (("th", "ไข้"), ("th-TH", "ไข้"), ("ja", "熱"), ("fr", "Fever")):
            found = expansion(service, url="http://example.org/vs", displayLanguage=language)
            assert [row["display"] for row in found["contains"]] == [display, "Cough"]
            assert "designation" not in found["contains"][0]

    def test_designations_come_when_asked(self, service: TerminologyService) -> None:
        found = expansion(service, flag("includeDesignations"), url="http://example.org/vs", displayLanguage="th")
        values = [d["value"] for d in found["contains"][0]["designation"]]
        assert values == ["Fever", "ไข้", "熱", "F"]

    @pytest.mark.parametrize(
        ("token", "expected"),
        [("urn:ietf:bcp:47|th", ["ไข้"]), ("ja", ["熱"]), ("http://example.org/uses|short", ["F"]), ("fr", [])],
    )
    def test_only_the_designations_asked_for(
        self, service: TerminologyService, token: str, expected: list[str]
    ) -> None:
        found = expansion(service, url="http://example.org/vs", designation=token)
        assert [d["value"] for d in found["contains"][0].get("designation", ())] == expected

    def test_the_filter_finds_a_name_in_any_language(self, service: TerminologyService) -> None:
        assert codes(expansion(service, url="http://example.org/vs", filter="ไข้")) == ["f"]


class TestVersions:
    @pytest.fixture
    def service(self) -> TerminologyService:
        service = TerminologyService()
        for version, listed in (("1.0", ["a"]), ("2.0", ["a", "b"])):
            service.add(
                {
                    "resourceType": "CodeSystem",
                    "url": "http://example.org/cs",
                    "version": version,
                    "content": "complete",
                    "concept": [{"code": code} for code in listed],
                }
            )
        include = [{"system": "http://example.org/cs"}]
        service.add({"resourceType": "ValueSet", "url": "http://example.org/vs", "compose": {"include": include}})
        return service

    @pytest.mark.parametrize(
        ("name", "version", "expected"),
        [("system-version", "1.0", ["a"]), ("system-version", "2", ["a", "b"]), ("force-system-version", "1.0", ["a"])],
    )
    def test_versions_of_code_systems(
        self, service: TerminologyService, name: str, version: str, expected: list[str]
    ) -> None:
        rows = {"name": name, "valueUri": f"http://example.org/cs|{version}"}
        assert codes(expansion(service, rows, url="http://example.org/vs")) == expected

    def test_the_newest_version_is_used_and_stated(self, service: TerminologyService) -> None:
        found = expansion(service, url="http://example.org/vs")
        assert codes(found) == ["a", "b"]
        assert found["parameter"] == [{"name": "version", "valueUri": "http://example.org/cs|2.0"}]

    def test_a_version_that_is_checked_must_be_the_one_used(self, service: TerminologyService) -> None:
        rows = (
            {"name": "force-system-version", "valueUri": "http://example.org/cs|1.0"},
            {"name": "check-system-version", "valueUri": "http://example.org/cs|2.0"},
        )
        with pytest.raises(TerminologyError, match="would be used"):
            expansion(service, *rows, url="http://example.org/vs")

    def test_a_system_can_be_left_out(self, service: TerminologyService) -> None:
        rows = {"name": "exclude-system", "valueUri": "http://example.org/cs"}
        found = expansion(service, rows, url="http://example.org/vs")
        assert (codes(found), found["total"]) == ([], 0)


def test_too_many_codes_are_too_costly_and_the_error_says_what_to_do() -> None:
    service = TerminologyService()
    many = [{"code": str(number)} for number in range(MOST_CODES + 1)]
    service.add({"resourceType": "CodeSystem", "url": "http://example.org/many", "concept": many})
    with pytest.raises(TerminologyError, match="count and offset, or a filter") as error:
        expansion(service, url="http://example.org/many?fhir_vs")
    assert (error.value.kind, error.value.issues[0].code) == ("too-costly", "too-costly")
    assert len(codes(expansion(service, url="http://example.org/many?fhir_vs", count="20000"))) == MOST_CODES


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ({}, "invalid"),
        ({"url": "http://example.org/none"}, "not-found"),
        ({"url": MARITAL, "valueSetVersion": "1.2.3"}, "not-found"),
        ({"url": MARITAL, "count": "-1"}, "invalid"),
        ({"url": MARITAL, "count": "many"}, "invalid"),
        ({"url": MARITAL, "activeOnly": "perhaps"}, "invalid"),
        ({"url": MARITAL, "fliter": "x"}, "invalid"),
        ({"url": MARITAL, "system-version": "http://example.org"}, "invalid"),
        ({"context": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender"}, "not-supported"),
        ({"url": "http://hl7.org/fhir/ValueSet/condition-code"}, "processing"),
        ({"url": "http://hl7.org/fhir/ValueSet/mimetypes"}, "processing"),
    ],
)
def test_what_cannot_be_answered_is_an_error(official: TerminologyService, texts: dict[str, str], kind: str) -> None:
    with pytest.raises(TerminologyError) as error:
        expand(official, parameters(**texts), now=NOW)
    assert error.value.kind == kind


def test_a_wrong_name_of_a_parameter_is_answered_with_the_right_one(official: TerminologyService) -> None:
    with pytest.raises(TerminologyError, match="is filter meant"):
        expand(official, parameters(url=MARITAL, fliter="x"), now=NOW)


def test_the_operation_on_an_instance_has_the_resource_put_in(official: TerminologyService) -> None:
    include = [{"system": "http://hl7.org/fhir/administrative-gender"}]
    resource = {"resourceType": "ValueSet", "compose": {"include": include}}
    query = with_resource(from_query([("filter", "ma")]), "valueSet", resource)
    assert codes(expand(official, query, now=NOW)["expansion"]) == ["male", "female"]


def test_a_stored_value_set_with_several_systems(service: TerminologyService) -> None:
    """The extensional example of the specification, with systems that are here."""
    include: list[dict[str, Any]] = [
        {"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "male", "display": "Gentleman"}]},
        {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "concept": [{"code": "UNK"}]},
    ]
    service.add(
        {"resourceType": "ValueSet", "url": "http://example.org/vs", "version": "1", "compose": {"include": include}}
    )
    found = expansion(service, url="http://example.org/vs|1")
    assert [(row["code"], row["display"]) for row in found["contains"]] == [("male", "Gentleman"), ("UNK", "unknown")]


@given(
    offset=st.integers(0, 20),
    count=st.integers(0, 20),
    text=st.sampled_from(["", "e", "ma", "no"]),
    active=st.booleans(),
)
def test_any_page_is_a_slice_of_the_whole(
    official: TerminologyService, offset: int, count: int, text: str, active: bool
) -> None:
    common = {"url": ACT_MOOD, "filter": text, "excludeNested": "true", "activeOnly": "true" if active else "false"}
    whole = expansion(official, **common)
    page = expansion(official, **common, offset=str(offset), count=str(count))
    assert codes(page) == codes(whole)[offset : offset + count]
    assert page.get("total") in (None, len(codes(whole)))
