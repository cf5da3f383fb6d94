"""Value set filters and composition, the same on a system in memory and on one in a file.

https://hl7.org/fhir/R4/valueset-filter-operator.html https://hl7.org/fhir/R4/valueset.html#compositions
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.compose import read_value_set
from terminology.errors import TerminologyError, Undecided
from terminology.filters import OPERATORS
from terminology.folding import words
from terminology.service import TerminologyService
from terminology.storage import Header, StoredSystem, write_system
from terminology.system import ResourceSystem

Json = dict[str, Any]
URL = "http://example.org/animals"


def concept(code: str, display: str, *children: Json, thai: str = "", **properties: Any) -> Json:
    made: Json = {"code": code, "display": display}
    if thai:
        made["designation"] = [{"language": "th", "value": thai}]
    if properties:
        kinds = {bool: "valueBoolean", int: "valueInteger", str: "valueCode"}
        made["property"] = [{"code": name, kinds[type(value)]: value} for name, value in properties.items()]
    if children:
        made["concept"] = list(children)
    return made


ANIMALS: Json = {
    "resourceType": "CodeSystem",
    "url": URL,
    "version": "1",
    "status": "active",
    "content": "complete",
    "property": [{"code": "legs", "type": "integer"}, {"code": "home", "type": "code"}],
    "concept": [
        concept(
            "animal",
            "Animal",
            concept(
                "mammal",
                "Mammal",
                concept("dog", "Dog", thai="สุนัข", legs=4, home="land"),
                concept("whale", "Whale", thai="วาฬ", legs=0, home="sea"),
                concept("bat", "Bat", thai="ค้างคาว", legs=2, home="air"),
            ),
            concept(
                "bird",
                "Bird",
                concept("hen", "Hen", thai="ไก่", legs=2, home="land"),
                concept("dodo", "Dodo", legs=2, home="land", inactive=True),
            ),
            # a child of two
            concept("flyer", "Flying animal", concept("owl", "Owl", legs=2, parent="bird")),
            notSelectable=True,
        )
    ],
}
ALL = ["animal", "mammal", "dog", "whale", "bat", "bird", "hen", "dodo", "flyer", "owl"]


@pytest.fixture(scope="module", params=["memory", "file"])
def animals(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TerminologyService]:
    if request.param == "memory":
        service = TerminologyService()
        service.add(ANIMALS)
        yield service
        return
    path = tmp_path_factory.mktemp("concepts") / "animals.concepts"
    write_system(path, Header(URL, "1", "Animals"), ResourceSystem(ANIMALS).all())
    stored = StoredSystem(path)
    yield TerminologyService([stored])
    stored.close()


def value_set(*includes: Json, exclude: tuple[Json, ...] = (), **more: Any) -> Json:
    compose: Json = {"include": list(includes), **more}
    if exclude:
        compose["exclude"] = list(exclude)
    return {"resourceType": "ValueSet", "status": "active", "compose": compose}


def where(*filters: tuple[str, str, str]) -> Json:
    return {"system": URL, "filter": [{"property": p, "op": op, "value": v} for p, op, v in filters]}


def codes(service: TerminologyService, resource: Json, text: str = "") -> list[str]:
    """The codes of the value set; checks that membership and enumeration agree."""
    view = read_value_set(resource, service.library)
    listed = [entry.concept.code for entry in view.entries(words(text))]
    if not text:
        assert {code for code in ALL if view.find(URL, code)} == set(listed)
        assert {code for code in ALL if view.find(None, code)} == set(listed)
    assert len(listed) == len(set(listed))
    return listed


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("concept", "is-a", "bird")], ["bird", "hen", "dodo", "owl"]),
        ([("concept", "descendent-of", "bird")], ["hen", "dodo", "owl"]),
        ([("concept", "is-not-a", "mammal")], ["animal", "bird", "hen", "dodo", "flyer", "owl"]),
        ([("concept", "generalizes", "owl")], ["animal", "bird", "flyer", "owl"]),
        ([("concept", "is-a", "unicorn")], []),
        ([("concept", "is-not-a", "unicorn")], ALL),
        ([("concept", "in", "dog, owl,unicorn")], ["dog", "owl"]),
        ([("code", "=", "dog")], ["dog"]),
        ([("concept", "not-in", "animal,mammal,bird,flyer")], ["dog", "whale", "bat", "hen", "dodo", "owl"]),
        ([("code", "regex", "[a-d].*")], ["animal", "dog", "bat", "bird", "dodo"]),
        ([("display", "regex", ".*animal|Dog")], ["dog", "flyer"]),
        ([("legs", "=", "2")], ["bat", "hen", "dodo", "owl"]),
        ([("legs", "in", "0,4")], ["dog", "whale"]),
        ([("home", "not-in", "land")], ["animal", "mammal", "whale", "bat", "bird", "flyer", "owl"]),
        ([("home", "exists", "true")], ["dog", "whale", "bat", "hen", "dodo"]),
        ([("home", "exists", "false")], ["animal", "mammal", "bird", "flyer", "owl"]),
        ([("home", "regex", "(land|sea)")], ["dog", "whale", "hen", "dodo"]),
        ([("parent", "=", "bird")], ["hen", "dodo", "owl"]),
        ([("parent", "exists", "false")], ["animal"]),
        ([("child", "=", "owl")], ["bird", "flyer"]),
        ([("child", "exists", "true")], ["animal", "mammal", "bird", "flyer"]),
        ([("inactive", "=", "true")], ["dodo"]),
        ([("notSelectable", "=", "true")], ["animal"]),
        ([("concept", "is-a", "bird"), ("legs", "=", "2"), ("home", "=", "land")], ["hen", "dodo"]),
    ],
)
def test_operators(animals: TerminologyService, filters: list[tuple[str, str, str]], expected: list[str]) -> None:
    assert sorted(codes(animals, value_set(where(*filters)))) == sorted(expected)


def test_codes_come_in_the_order_of_the_system(animals: TerminologyService) -> None:
    assert codes(animals, value_set({"system": URL})) == ALL
    assert codes(animals, value_set(where(("concept", "descendent-of", "animal")))) == ALL[1:]


def test_listed_codes_come_in_the_order_of_the_list_and_unknown_ones_not(animals: TerminologyService) -> None:
    listed = [{"code": "hen"}, {"code": "unicorn"}, {"code": "dog", "display": "Good dog"}]
    resource = value_set({"system": URL, "concept": listed})
    assert codes(animals, resource) == ["hen", "dog"]
    entry = read_value_set(resource, animals.library).find(URL, "dog")
    assert entry is not None
    assert entry.concept.display == "Good dog"


def test_includes_are_a_union_and_excludes_go(animals: TerminologyService) -> None:
    resource = value_set(
        where(("concept", "is-a", "bird")),
        where(("legs", "=", "2")),
        exclude=({"system": URL, "concept": [{"code": "hen"}]},),
    )
    assert codes(animals, resource) == ["bird", "dodo", "owl", "bat"]


def test_inactive_codes_are_left_out_where_the_value_set_says_so(animals: TerminologyService) -> None:
    assert codes(animals, value_set(where(("concept", "is-a", "bird")), inactive=False)) == ["bird", "hen", "owl"]
    assert "dodo" in codes(animals, value_set(where(("concept", "is-a", "bird")), inactive=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dog", ["dog"]), ("สุนัข", ["dog"]), ("นัข", ["dog"]), ("ไก่", ["hen"]), ("w", ["whale", "owl"]), ("OWL", ["owl"])],
)
def test_a_text_filter_looks_at_all_names(animals: TerminologyService, text: str, expected: list[str]) -> None:
    assert codes(animals, value_set(where(("concept", "descendent-of", "animal"))), text) == [
        code for code in expected if code != "flyer"
    ]


class TestNested:
    """https://hl7.org/fhir/R4/valueset.html#compositions"""

    @pytest.fixture
    def service(self) -> TerminologyService:
        service = TerminologyService()
        service.add(ANIMALS)
        self.add(service, "birds", where(("concept", "is-a", "bird")))
        self.add(service, "two-legs", where(("legs", "=", "2")))
        return service

    def add(self, service: TerminologyService, name: str, *includes: Json) -> None:
        service.add({**value_set(*includes), "url": f"http://example.org/vs/{name}"})

    def test_value_sets_of_one_include_are_met(self, service: TerminologyService) -> None:
        both = {"valueSet": ["http://example.org/vs/birds", "http://example.org/vs/two-legs"]}
        assert codes(service, value_set(both)) == ["hen", "dodo", "owl"]

    def test_a_system_and_a_value_set_are_met(self, service: TerminologyService) -> None:
        part = {**where(("home", "=", "land")), "valueSet": ["http://example.org/vs/two-legs"]}
        assert codes(service, value_set(part)) == ["hen", "dodo"]

    def test_value_sets_of_several_includes_are_joined(self, service: TerminologyService) -> None:
        two = ({"valueSet": ["http://example.org/vs/birds"]}, {"valueSet": ["http://example.org/vs/two-legs"]})
        assert codes(service, value_set(*two)) == ["bird", "hen", "dodo", "owl", "bat"]

    def test_a_value_set_can_be_excluded(self, service: TerminologyService) -> None:
        resource = value_set(where(("legs", "=", "2")), exclude=({"valueSet": ["http://example.org/vs/birds"]},))
        assert codes(service, resource) == ["bat"]

    def test_a_cycle_is_an_error_that_names_it(self, service: TerminologyService) -> None:
        self.add(service, "a", {"valueSet": ["http://example.org/vs/b"]})
        self.add(service, "b", {"valueSet": ["http://example.org/vs/a"]})
        with pytest.raises(TerminologyError, match="includes itself") as error:
            service.view("http://example.org/vs/a")
        assert error.value.kind == "processing"
        assert service.validate_code("http://example.org/vs/a", URL, "dog").verdict == "unknown"

    def test_a_missing_value_set_decides_nothing(self, service: TerminologyService) -> None:
        self.add(service, "c", {"valueSet": ["http://example.org/vs/gone"]}, where(("concept", "is-a", "bird")))
        assert service.validate_code("http://example.org/vs/c", URL, "hen").verdict == "yes"
        check = service.validate_code("http://example.org/vs/c", URL, "dog")
        assert (check.verdict, "vs/gone is not here" in check.message) == ("unknown", True)
        assert service.codes_of("http://example.org/vs/c") is None


def test_a_missing_code_system_decides_nothing() -> None:
    service = TerminologyService()
    all_of = value_set({"system": "http://example.org/gone"})
    view = read_value_set(all_of, service.library)
    with pytest.raises(Undecided, match="is not here"):
        view.find("http://example.org/gone", "x")
    assert view.find("http://example.org/other", "x") is None
    filtered = value_set({"system": "http://example.org/gone", "filter": [{"property": "a", "op": "=", "value": "b"}]})
    with pytest.raises(Undecided):
        list(read_value_set(filtered, service.library).entries())


def test_listed_codes_of_a_missing_code_system_stand_for_themselves() -> None:
    service = TerminologyService()
    resource = value_set({"system": "http://example.org/gone", "concept": [{"code": "x", "display": "X"}]})
    view = read_value_set(resource, service.library)
    assert [entry.concept.display for entry in view.entries()] == ["X"]
    assert view.find("http://example.org/gone", "y") is None


def test_a_value_set_with_an_expansion_only_holds_what_that_lists() -> None:
    service = TerminologyService()
    inner = {"system": URL, "code": "b", "display": "B"}
    contains = [{"system": URL, "code": "a", "abstract": True, "contains": [inner]}]
    view = read_value_set({"resourceType": "ValueSet", "expansion": {"contains": contains}}, service.library)
    assert [entry.concept.code for entry in view.entries()] == ["b"]
    assert view.find(URL, "a") is None


@pytest.mark.parametrize(
    "include",
    [
        where(("colour", "=", "red")),
        where(("concept", "likes", "dog")),
        where(("", "=", "dog")),
        where(("home", "exists", "maybe")),
        where(("code", "regex", "(")),
        {"concept": [{"code": "dog"}]},
    ],
)
def test_a_broken_definition_is_an_error(animals: TerminologyService, include: Json) -> None:
    with pytest.raises(TerminologyError) as error:
        codes(animals, value_set(include))
    assert error.value.kind == "processing"


PROPERTIES = st.sampled_from(["concept", "code", "display", "parent", "child", "legs", "home", "inactive", "colour"])
VALUES = st.sampled_from([*ALL, "2", "land", "true", "false", "dog,owl", ".*", "", "(", "a|b"]) | st.text(max_size=8)
FILTERS = st.lists(st.tuples(PROPERTIES, st.sampled_from([*OPERATORS, "nonsense"]), VALUES), min_size=1, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(include=FILTERS, exclude=FILTERS, text=st.text(max_size=4))
def test_no_filter_crashes_and_membership_agrees(
    animals: TerminologyService,
    include: list[tuple[str, str, str]],
    exclude: list[tuple[str, str, str]],
    text: str,
) -> None:
    resource = value_set(where(*include), exclude=(where(*exclude),))
    try:
        everything = codes(animals, resource)
        found = codes(animals, resource, text)
    except TerminologyError as error:
        assert error.issues[0].diagnostics  # noqa: PT017
        return
    assert set(found) <= set(everything)
