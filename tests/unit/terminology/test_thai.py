"""The 154 Thai lists, their value sets, and the two generations of their URLs."""

import pytest

from terminology.folding import words
from terminology.service import TerminologyService
from terminology.thai import CORE, ThaiLists, newer, own_lists

EMPTY = {"cs-th-local-drug-code", "cs-th-local-procedure-code"}
LISTS = [url.rpartition("/")[2] for url in ThaiLists().code_system_urls() if url.startswith(CORE)]


def test_all_154_lists_are_there() -> None:
    assert len(LISTS) == len(set(LISTS)) == 154


def test_all_codes_of_the_lists_are_there(official: TerminologyService) -> None:
    total = 0
    for name in LISTS:
        system = official.library.code_system(f"{CORE}CodeSystem/{name}")
        assert (system is None) == (name in EMPTY)
        total += system.count() if system else 0
    assert total == 14698


@pytest.mark.parametrize("name", LISTS)
def test_every_list_expands(official: TerminologyService, name: str) -> None:
    codes = official.expand(f"{CORE}ValueSet/vs-{name.removeprefix('cs-')}", limit=20_000)
    if name in EMPTY:
        assert codes is None
        return
    system = official.library.code_system(f"{CORE}CodeSystem/{name}")
    assert codes is not None
    assert system is not None
    assert len(codes) == system.count() > 0
    assert {code.system for code in codes} == {f"{CORE}CodeSystem/{name}"}


def test_the_resources_are_r4_code_systems(official: TerminologyService) -> None:
    resource = official.library.resource("CodeSystem", CORE + "CodeSystem/cs-thcc-marital")
    assert resource is not None
    assert resource["concept"][0] == {"code": "1", "display": "โสด"}
    assert resource["valueSet"] == CORE + "ValueSet/vs-thcc-marital"
    assert (resource["content"], resource["count"], resource["language"]) == ("complete", 7, "th")


def test_both_generations_of_urls_are_understood(official: TerminologyService) -> None:
    older, core = "https://terms.sil-th.org/", CORE
    assert newer(older + "CodeSystem/cs-thcc-marital") == core + "CodeSystem/cs-thcc-marital"
    assert newer(core + "CodeSystem/cs-thcc-marital") == core + "CodeSystem/cs-thcc-marital"
    assert newer(older + "id/th-cid") == older + "id/th-cid"
    for value_set in (older, core):
        for system in (older, core):
            check = official.validate_code(
                value_set + "ValueSet/vs-thcc-marital", system + "CodeSystem/cs-thcc-marital", "1"
            )
            assert (check.verdict, check.display) == ("yes", "โสด")


@pytest.mark.parametrize("name", LISTS)
def test_every_list_answers_under_both_urls_and_is_written_under_the_newer(
    official: TerminologyService, name: str
) -> None:
    older = "https://terms.sil-th.org/"
    value_set = "vs-" + name.removeprefix("cs-")
    for kind, identity in (("CodeSystem", name), ("ValueSet", value_set)):
        by_older = official.library.resource(kind, f"{older}{kind}/{identity}")
        assert by_older is not None
        assert by_older == official.library.resource(kind, f"{CORE}{kind}/{identity}")
        assert by_older["url"] == f"{CORE}{kind}/{identity}"
    if name not in EMPTY:
        code = next(iter(official.library.code_system(CORE + "CodeSystem/" + name).all())).code  # type: ignore[union-attr]
        check = official.validate_code(f"{older}ValueSet/{value_set}", f"{older}CodeSystem/{name}", code)
        assert check.verdict == "yes"


def test_value_sets_with_names_of_their_own(official: TerminologyService) -> None:
    codes = official.codes_of(CORE + "ValueSet/vs-eclaim-refer-reason")
    assert codes is not None
    assert {code.system for code in codes} == {CORE + "CodeSystem/cs-eclaim-refer-reason-eclaim"}
    for name, count in (("city", 77), ("district", 928), ("subdistrict", 7438)):
        found = official.expand(f"{CORE}ValueSet/vs-dopa-location-{name}", limit=20_000)
        assert found is not None
        assert len(found) == count


def test_places_are_in_a_hierarchy(official: TerminologyService) -> None:
    places = CORE + "CodeSystem/cs-dopa-location"
    assert official.subsumes(places, "10", "100101") is True
    assert official.subsumes(places, "1001", "100101") is True
    assert official.subsumes(places, "11", "100101") is False


def test_a_substring_of_a_thai_name_finds_it(official: TerminologyService) -> None:
    system = official.library.code_system(CORE + "CodeSystem/cs-dopa-location")
    assert system is not None
    found = [concept.display or "" for concept in system.matching(words("บางกระ"))]
    assert found
    assert all("บางกระ" in display for display in found)
    assert len(found) == sum("บางกระ" in (concept.display or "") for concept in system.all())
    assert list(system.matching(words("บางกระ xyz"))) == []


def test_lists_of_our_own(official: TerminologyService) -> None:
    own = {url.rpartition("/")[2]: url for url in ThaiLists().code_system_urls()}
    assert own.keys() >= own_lists().keys()
    concept = official.find(own["f43-sex"], "1")
    assert concept is not None
    assert (concept.display, concept.display_in("en")) == ("ชาย", "Male")
    for name, row in own_lists().items():
        codes = official.expand(own[name].replace("/CodeSystem/", "/ValueSet/vs-"), limit=2_000)
        assert (codes is None) == (row.get("content") == "not-present")
        assert codes is None or [code.code for code in codes] == [code for code, *_ in row["codes"]]
    assert official.subsumes(own["f43-column"], "SERVICE", "SERVICE.BTEMP") is True
