"""Terminology operations over HTTP; what they answer in detail is tested with the terminology package.

https://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

import pytest

from server.operations import terminology
from terminology import operations
from tests.others import counted_turns

GENDER = "http://hl7.org/fhir/administrative-gender"
GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"

TREE = {
    "resourceType": "CodeSystem",
    "id": "tree",
    "url": "urn:tree",
    "status": "active",
    "content": "complete",
    "hierarchyMeaning": "is-a",
    "concept": [{"code": "root", "display": "Root", "concept": [{"code": "leaf", "display": "Leaf"}]}],
}


def value(answer, name):
    """Value of an output parameter."""
    [row] = [each for each in answer.json["parameter"] if each["name"] == name]
    return next(row[key] for key in row if key.startswith("value"))


async def test_expand_by_url_by_get_and_by_post(fhir):
    answer = await fhir.get(f"ValueSet/$expand?url={GENDERS}")
    codes = [each["code"] for each in answer.json["expansion"]["contains"]]
    assert (answer.status, codes) == (200, ["male", "female", "other", "unknown"])
    body = {"resourceType": "Parameters", "parameter": [{"name": "url", "valueUri": GENDERS}]}
    assert (await fhir.post("ValueSet/$expand", body)).json["expansion"]["contains"][0]["code"] == "male"


async def test_expand_with_filter_and_count(fhir):
    answer = await fhir.get(f"ValueSet/$expand?url={GENDERS}&filter=male&count=1")
    assert [each["code"] for each in answer.json["expansion"]["contains"]] == ["male"]


async def test_expand_of_a_stored_value_set(fhir, given):
    await given(
        TREE,
        {
            "resourceType": "ValueSet",
            "id": "v",
            "url": "urn:v",
            "status": "active",
            "compose": {"include": [{"system": "urn:tree"}]},
        },
    )
    for url in ("ValueSet/v/$expand", "ValueSet/$expand?url=urn:v"):
        contains = (await fhir.get(url)).json["expansion"]["contains"]
        assert contains[0]["code"] == "root", url


async def test_validate_code_in_a_value_set_and_in_a_code_system(fhir, given):
    assert value(await fhir.get(f"ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code=male"), "result") is True
    assert value(await fhir.get(f"ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code=m"), "result") is False
    assert value(await fhir.get(f"CodeSystem/$validate-code?url={GENDER}&code=male"), "result") is True
    await given(TREE)
    assert value(await fhir.get("CodeSystem/tree/$validate-code?code=leaf"), "result") is True


async def test_lookup_and_subsumes(fhir, given):
    assert value(await fhir.get(f"CodeSystem/$lookup?system={GENDER}&code=female"), "display") == "Female"
    await given(TREE)
    answer = await fhir.get("CodeSystem/$subsumes?system=urn:tree&codeA=root&codeB=leaf")
    assert value(answer, "outcome") == "subsumes"
    answer = await fhir.get("CodeSystem/tree/$subsumes?codeA=leaf&codeB=root")
    assert value(answer, "outcome") == "subsumed-by"


async def test_translate_by_a_stored_concept_map(fhir, given):
    targets = [{"code": "M", "equivalence": "equal"}]
    await given(
        {
            "resourceType": "ConceptMap",
            "id": "m",
            "url": "urn:m",
            "status": "active",
            "group": [{"source": GENDER, "target": "urn:sex", "element": [{"code": "male", "target": targets}]}],
        }
    )
    answer = await fhir.get(f"ConceptMap/$translate?url=urn:m&system={GENDER}&code=male")
    assert value(answer, "result") is True


async def test_what_is_stored_is_replaced_by_an_update_and_forgotten_by_a_delete(fhir, given):
    await given(TREE)
    changed = {**TREE, "concept": [{"code": "root", "display": "Changed"}]}
    await fhir.put("CodeSystem/tree", changed)
    assert value(await fhir.get("CodeSystem/$lookup?system=urn:tree&code=root"), "display") == "Changed"
    await fhir.delete("CodeSystem/tree")
    assert (await fhir.get("CodeSystem/$lookup?system=urn:tree&code=root")).status == 404


async def test_what_is_stored_is_there_after_a_restart(start):
    first = await start()
    await first.client.put("CodeSystem/tree", TREE)
    again = await start()
    answer = await again.client.get("CodeSystem/$lookup?system=urn:tree&code=root")
    assert value(answer, "display") == "Root"


async def test_closure_keeps_a_table_under_its_name(fhir, given):
    await given(TREE)

    def call(*codes):
        rows = [{"name": "concept", "valueCoding": {"system": "urn:tree", "code": code}} for code in codes]
        return {"resourceType": "Parameters", "parameter": [{"name": "name", "valueString": "mine"}, *rows]}

    assert value(await fhir.post("$closure", call()), "result") is True
    answer = await fhir.post("$closure", call("root", "leaf"))
    [group] = answer.json["group"]
    assert group["element"] == [{"code": "leaf", "target": [{"code": "root", "equivalence": "subsumes"}]}]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("ValueSet/$expand?url=urn:nothing", 404),
        ("ValueSet/$expand", 400),
        ("ValueSet/$expand?nonsense=1", 400),
        (f"CodeSystem/$lookup?system={GENDER}&code=zz", 404),
        ("CodeSystem/$lookup?code=zz", 400),
        ("ValueSet/nobody/$expand", 404),
        (f"ValueSet/$expand?url={GENDERS}&count=x", 400),
    ],
)
async def test_a_wrong_question_is_a_4xx_with_an_operation_outcome(fhir, url, status):
    answer = await fhir.get(url)
    assert (answer.status, answer.json["resourceType"]) == (status, "OperationOutcome")


async def test_others_have_their_turn_while_a_long_list_is_expanded(fhir, given, server):
    codes = [{"code": f"c{number}", "display": f"Concept {number}"} for number in range(8000)]
    await given({**TREE, "id": "long", "url": "urn:long", "concept": codes})
    asked = operations.from_query([("url", "urn:long?fhir_vs")])
    async with counted_turns() as turns:
        body = await terminology.answered(lambda: operations.expand(server.ctx.terminology, asked, now=""))
    assert body.body.count(b'"code":"c') == 8000
    assert turns[0] > 1


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [
        # "context" is an optional input that this server does not do: no failure of the server, so no 5xx
        ("ValueSet/$expand?context=Patient.gender", 422, "not-supported"),
        ("ValueSet/$expand?url=urn:none", 404, "not-found"),
        (f"ValueSet/$expand?url={GENDERS}&count=x", 400, "invalid"),
        (f"ValueSet/$expand?url={GENDERS}&colour=red", 400, "invalid"),
        ("ValueSet/$expand", 400, "invalid"),
        (f"ValueSet/$validate-code?url={GENDERS}&context=Patient.gender", 422, "not-supported"),
        (f"CodeSystem/$lookup?system={GENDER}&code=none", 404, "not-found"),
        ("CodeSystem/$lookup", 400, "invalid"),
        ("CodeSystem/$subsumes?codeA=a&codeB=b", 400, "invalid"),
        ("ConceptMap/$translate?system=urn:x", 400, "invalid"),
        ("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/all-languages", 422, "processing"),
    ],
)
async def test_what_cannot_be_answered_is_a_4xx_that_says_why(fhir, question, status, code):
    answer = await fhir.get(question)
    assert (answer.status, answer.json["issue"][0]["code"]) == (status, code), answer.text


ODD = (None, 5, True, [], {}, [[]], "x", {"code": 5}, {"coding": 5}, {"coding": [None]}, {"system": {}})


@pytest.mark.parametrize("operation", ["ValueSet/$expand", "ValueSet/$validate-code", "CodeSystem/$validate-code",
    "CodeSystem/$lookup", "CodeSystem/$subsumes", "ConceptMap/$translate", "$closure"])  # fmt: skip
async def test_odd_inputs_are_never_a_failure_of_the_server(fhir, operation):
    names = ("url", "system", "code", "coding", "codeableConcept", "valueSet", "codeSystem", "conceptMap", "concept",
        "name", "filter", "count", "version", "property", "target", "dependency", "codingA")  # fmt: skip
    for name in names:
        for odd in ODD:
            rows = ({"name": name, kind: odd} for kind in ("valueString", "valueCoding", "resource", "part"))
            concept = {"name": "concept", "valueCodeableConcept": odd}
            dependency = {"name": "dependency", "part": [{"name": "element", "valueUri": "urn:x"}, concept]}
            for row in (*rows, {"name": odd, "valueString": name}, odd, dependency):
                answer = await fhir.post(operation, {"resourceType": "Parameters", "parameter": [row]})
                assert answer.status < 500, (row, answer.text)
