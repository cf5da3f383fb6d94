"""$closure.   https://hl7.org/fhir/R4/terminology-service.html#closure"""

from typing import Any

import pytest

from terminology.concept import Json
from terminology.errors import TerminologyError
from terminology.operations import ClosureTable, closure
from terminology.operations.closure import MOST_CONCEPTS
from terminology.service import TerminologyService
from tests.unit.terminology.operations.reading import NOW, parameters

SNOMED = "http://snomed.info/sct"


@pytest.fixture
def snomed(service: TerminologyService) -> TerminologyService:
    """The concepts of the specification's example, and those around them."""
    chain = ["404684003", "64572001", "128599005", "22298006"]  # finding > disease > heart structure > infarction
    concept: Json = {"code": chain[-1]}
    for code in reversed(chain[:-1]):
        concept = {"code": code, "concept": [concept]}
    service.add(
        {"resourceType": "CodeSystem", "url": SNOMED, "content": "fragment", "concept": [concept, {"code": "71388002"}]}
    )
    return service


def coding(code: str, system: str = SNOMED) -> Json:
    return {"name": "concept", "valueCoding": {"system": system, "code": code}}


def pairs(concept_map: Json) -> set[tuple[str, str]]:
    """(below, above) of every entry."""
    found = set()
    for group in concept_map.get("group", ()):
        assert group["source"] == group["target"] == SNOMED
        for element in group["element"]:
            for target in element["target"]:
                assert target["equivalence"] == "subsumes"
                found.add((element["code"], target["code"]))
    return found


def begun(service: TerminologyService) -> ClosureTable:
    answer, table = closure(service, parameters(name="patient-problems"), None, now=NOW)
    assert answer == {"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": True}]}
    return table


def test_the_example_of_the_specification(snomed: TerminologyService) -> None:
    table = begun(snomed)
    answer, table = closure(
        snomed, parameters(coding("22298006"), coding("128599005"), name="patient-problems"), table, now=NOW
    )
    assert answer == {
        "resourceType": "ConceptMap",
        "version": "1",
        "name": "Updates for Closure Table patient-problems",
        "status": "active",
        "experimental": True,
        "date": NOW,
        "group": [
            {
                "source": SNOMED,
                "target": SNOMED,
                "element": [{"code": "22298006", "target": [{"code": "128599005", "equivalence": "subsumes"}]}],
            }
        ],
    }


def test_each_call_gives_what_is_new(snomed: TerminologyService) -> None:
    table = begun(snomed)
    steps: list[tuple[list[str], set[tuple[str, str]], int]] = [
        (["22298006"], set(), 1),
        (["64572001"], {("22298006", "64572001")}, 2),
        (["71388002"], set(), 3),
        (["128599005", "22298006"], {("22298006", "128599005"), ("128599005", "64572001")}, 4),
        (["128599005"], set(), 4),
    ]
    for codes, expected, version in steps:
        answer, table = closure(snomed, parameters(*map(coding, codes), name="patient-problems"), table, now=NOW)
        assert (pairs(answer), answer["version"]) == (expected, str(version))


def test_a_client_that_lost_a_call_asks_again_from_its_version(snomed: TerminologyService) -> None:
    table = begun(snomed)
    for code in ("22298006", "64572001", "128599005"):
        _, table = closure(snomed, parameters(coding(code), name="n"), table, now=NOW)
    replayed, same = closure(snomed, parameters(name="n", version="2"), table, now=NOW)
    assert pairs(replayed) == {("22298006", "128599005"), ("128599005", "64572001")}
    assert same == table
    everything, _ = closure(snomed, parameters(name="n", version="0"), table, now=NOW)
    assert len(pairs(everything)) == 3


def test_beginning_again_empties_the_table(snomed: TerminologyService) -> None:
    _, table = closure(snomed, parameters(coding("22298006"), name="n"), begun(snomed), now=NOW)
    _, table = closure(snomed, parameters(name="n"), table, now=NOW)
    assert (table.version, table.concepts) == (0, ())


def test_the_table_survives_the_store(snomed: TerminologyService) -> None:
    table = begun(snomed)
    for code in ("22298006", "64572001"):
        _, table = closure(snomed, parameters(coding(code), name="n"), table, now=NOW)
    assert ClosureTable.from_json(table.to_json()) == table


@pytest.mark.parametrize(
    ("rows", "texts", "kind"),
    [
        ([], {}, "invalid"),
        ([], {"name": ""}, "invalid"),
        ([coding("nope")], {"name": "n"}, "not-found"),
        ([coding("x", "http://example.org/none")], {"name": "n"}, "not-found"),
        ([], {"name": "n", "version": "7"}, "invalid"),
        ([], {"name": "n", "version": "one"}, "invalid"),
        ([coding("22298006")], {"name": "n", "version": "0"}, "invalid"),
    ],
)
def test_what_cannot_be_done(snomed: TerminologyService, rows: list[Json], texts: dict[str, str], kind: str) -> None:
    with pytest.raises(TerminologyError) as error:
        closure(snomed, parameters(*rows, **texts), ClosureTable("n"), now=NOW)
    assert error.value.kind == kind


def test_a_table_that_was_not_begun_is_not_found(snomed: TerminologyService) -> None:
    with pytest.raises(TerminologyError) as error:
        closure(snomed, parameters(coding("22298006"), name="n"), None, now=NOW)
    assert error.value.kind == "not-found"


def test_a_table_has_a_limit(service: TerminologyService) -> None:
    codes: list[Any] = [{"code": str(number)} for number in range(MOST_CONCEPTS + 1)]
    service.add({"resourceType": "CodeSystem", "url": SNOMED, "concept": codes})
    asked = parameters(*(coding(c["code"]) for c in codes), name="n")
    with pytest.raises(TerminologyError) as error:
        closure(service, asked, ClosureTable("n"), now=NOW)
    assert error.value.kind == "too-costly"
