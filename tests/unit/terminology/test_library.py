"""Resources stored by users: they go before the official ones, and are forgotten again."""

import pytest

from terminology.concept import Json
from terminology.library import pick, split_canonical
from terminology.service import TerminologyService

GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"


def code_system(version: str | None, *codes: str, **more: object) -> Json:
    made: Json = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/cs",
        "concept": [{"code": c} for c in codes],
        **more,
    }
    return made if version is None else {**made, "version": version}


def test_a_stored_value_set_is_known_until_it_is_removed(service: TerminologyService) -> None:
    include = [{"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "male"}]}]
    resource = {"resourceType": "ValueSet", "url": "http://example.org/vs", "compose": {"include": include}}
    assert service.validate_code("http://example.org/vs", None, "male").verdict == "unknown"
    service.add(resource)
    assert service.validate_code("http://example.org/vs", None, "male").verdict == "yes"
    assert service.validate_code("http://example.org/vs", None, "female").verdict == "no"
    assert service.remove("ValueSet", "http://example.org/vs") is True
    assert service.validate_code("http://example.org/vs", None, "male").verdict == "unknown"
    assert service.remove("ValueSet", "http://example.org/vs") is False


def test_a_stored_resource_goes_before_the_official_one(service: TerminologyService) -> None:
    assert service.validate_code(GENDER, None, "other").verdict == "yes"
    include = [{"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "male"}]}]
    service.add({"resourceType": "ValueSet", "url": GENDER, "compose": {"include": include}})
    assert service.validate_code(GENDER, None, "other").verdict == "no"
    service.remove("ValueSet", GENDER)
    assert service.validate_code(GENDER, None, "other").verdict == "yes"


def test_a_new_code_is_seen_at_once(service: TerminologyService) -> None:
    service.add(code_system("1", "a", valueSet="http://example.org/vs"))
    assert service.validate_code("http://example.org/vs", "http://example.org/cs", "b").verdict == "no"
    service.add(code_system("1", "a", "b", valueSet="http://example.org/vs"))
    assert service.validate_code("http://example.org/vs", "http://example.org/cs", "b").verdict == "yes"


def test_versions_stand_side_by_side(service: TerminologyService) -> None:
    for version, code in (("2.9", "nine"), ("2.10", "ten"), (None, "none")):
        service.add(code_system(version, code))
    known = service.library
    for canonical, code in (("", "ten"), ("|2.9", "nine"), ("|2.10", "ten"), ("|2", "ten")):
        system = known.code_system("http://example.org/cs" + canonical)
        assert system is not None
        assert [c.code for c in system.all()] == [code]
    assert known.code_system("http://example.org/cs", "3") is None
    service.remove("CodeSystem", "http://example.org/cs", "2.10")
    assert service.find("http://example.org/cs", "nine") is not None


def test_a_supplement_adds_names(service: TerminologyService) -> None:
    """https://hl7.org/fhir/R4/codesystem.html#supplements"""
    marital = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
    service.add(
        {
            "resourceType": "CodeSystem",
            "url": "http://example.org/thai-names",
            "content": "supplement",
            "supplements": marital,
            "concept": [{"code": "M", "designation": [{"language": "th", "value": "สมรส"}]}],
        }
    )
    concept = service.find(marital, "M")
    assert concept is not None
    assert (concept.display, concept.display_in("th")) == ("Married", "สมรส")
    assert service.library.code_system("http://example.org/thai-names") is None
    service.remove("CodeSystem", "http://example.org/thai-names")
    concept = service.find(marital, "M")
    assert concept is not None
    assert concept.display_in("th") == "Married"


def test_a_code_system_without_content_decides_nothing(service: TerminologyService) -> None:
    service.add(code_system("1", content="not-present", valueSet="http://example.org/vs"))
    assert service.library.code_system("http://example.org/cs") is None
    assert service.validate_code("http://example.org/vs", "http://example.org/cs", "a").verdict == "unknown"


@pytest.mark.parametrize("content", ["fragment", "example"])
def test_a_part_of_a_code_system_decides_only_what_it_has(service: TerminologyService, content: str) -> None:
    service.add(code_system("1", "a", content=content, valueSet="http://example.org/vs"))
    assert service.validate_code("http://example.org/vs", "http://example.org/cs", "a").verdict == "yes"
    assert service.validate_code("http://example.org/vs", "http://example.org/cs", "b").verdict == "unknown"
    assert service.codes_of("http://example.org/vs") is None


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("http://example.org/cs?fhir_vs", {"a", "b", "c"}),
        ("http://example.org/cs?fhir_vs=isa/a", {"a", "b"}),
        ("http://example.org/whole", {"a", "b", "c"}),
    ],
)
def test_implicit_value_sets(service: TerminologyService, url: str, codes: set[str]) -> None:
    rows = [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}]
    service.add(code_system("1", valueSet="http://example.org/whole", concept=rows))
    found = service.codes_of(url)
    assert found is not None
    assert {code.code for code in found} == codes
    assert service.codes_of("http://example.org/none?fhir_vs") is None


def test_systems_under_other_names(service: TerminologyService) -> None:
    service.add({**code_system("1", "00.01"), "url": "http://terminology.hl7.org/CodeSystem/icd9cm"})
    assert service.find("http://hl7.org/fhir/sid/icd-9-cm", "00.01") is not None


@pytest.mark.parametrize(
    ("versions", "wanted", "expected"),
    [
        (["1.0", "1.10", "1.9"], None, ("1.10",)),
        (["1.0", "1.10", "1.9"], "1.9", ("1.9",)),
        (["1.0", "1.10", "1.9"], "1", ("1.10",)),
        (["1.0"], "1.00", None),
        ([None], None, (None,)),
        ([None, "1"], None, ("1",)),
        (["2018-08-12", "2019-01-01"], None, ("2019-01-01",)),
        ([], None, None),
    ],
)
def test_which_version_is_meant(
    versions: list[str | None], wanted: str | None, expected: tuple[str | None] | None
) -> None:
    assert pick(versions, wanted) == expected


def test_canonicals() -> None:
    assert split_canonical("http://example.org/x|1.2") == ("http://example.org/x", "1.2")
    assert split_canonical("http://example.org/x#part") == ("http://example.org/x", None)
    assert split_canonical("http://example.org/x|") == ("http://example.org/x", None)
