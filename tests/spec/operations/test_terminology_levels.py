"""Each terminology operation at the type and at the instance, by GET and by POST.

https://hl7.org/fhir/R4/operations.html#executing https://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

SYSTEM, VALUES, MAP = "https://x.example/tree", "https://x.example/values", "https://x.example/map"
CODES = {
    "resourceType": "CodeSystem",
    "id": "tree",
    "url": SYSTEM,
    "status": "active",
    "content": "complete",
    "hierarchyMeaning": "is-a",
    "concept": [
        {
            "code": "eye",
            "display": "Eye disease",
            "designation": [{"language": "th", "value": "โรคตา"}],
            "concept": [
                {"code": "red", "display": "Red eye", "designation": [{"language": "th", "value": "ตาแดง"}]},
                {"code": "dry", "display": "Dry eye", "designation": [{"language": "th", "value": "ตาแห้ง"}]},
            ],
        }
    ],
}
ALL = {
    "resourceType": "ValueSet",
    "id": "values",
    "url": VALUES,
    "status": "active",
    "compose": {"include": [{"system": SYSTEM}]},
}
TO = {
    "resourceType": "ConceptMap",
    "id": "map",
    "url": MAP,
    "status": "active",
    "group": [
        {
            "source": SYSTEM,
            "target": "urn:other",
            "element": [{"code": "red", "target": [{"code": "R", "equivalence": "equal"}]}],
        }
    ],
}


def codes(answer):
    return [each["code"] for each in answer["expansion"].get("contains", ())]


def out(name):
    """Value of an output parameter."""

    def read(answer):
        row = next(each for each in answer["parameter"] if each["name"] == name)
        return next(value for key, value in row.items() if key.startswith("value"))

    return read


def shown(answer):
    return [each["display"] for each in answer["expansion"]["contains"]]


QUESTIONS = {
    "expand": ("ValueSet/values", "expand", {"url": VALUES}, {}, codes, ["eye"]),
    "expand nests": (
        "ValueSet/values", "expand", {"url": VALUES}, {},
        lambda each: [inner["code"] for inner in each["expansion"]["contains"][0]["contains"]], ["red", "dry"],
    ),
    "expand flat": (
        "ValueSet/values", "expand", {"url": VALUES}, {"excludeNested": "true"}, codes, ["eye", "red", "dry"],
    ),
    "expand by an English word": ("ValueSet/values", "expand", {"url": VALUES}, {"filter": "dry"}, codes, ["dry"]),
    "expand by a Thai word": ("ValueSet/values", "expand", {"url": VALUES}, {"filter": "แดง"}, codes, ["red"]),
    "expand a page": ("ValueSet/values", "expand", {"url": VALUES}, {"count": "1", "offset": "1"}, codes, ["red"]),
    "expand in Thai": (
        "ValueSet/values", "expand", {"url": VALUES}, {"displayLanguage": "th", "filter": "red"}, shown, ["ตาแดง"],
    ),
    "validate-code of a value set": (
        "ValueSet/values", "validate-code", {"url": VALUES}, {"system": SYSTEM, "code": "red"}, out("result"), True,
    ),
    "validate-code of a value set, no": (
        "ValueSet/values", "validate-code", {"url": VALUES}, {"system": SYSTEM, "code": "x"}, out("result"), False,
    ),
    "validate-code of a code system": (
        "CodeSystem/tree", "validate-code", {"url": SYSTEM}, {"code": "dry"}, out("display"), "Dry eye",
    ),
    "lookup": ("CodeSystem/tree", "lookup", {"system": SYSTEM}, {"code": "red"}, out("display"), "Red eye"),
    "lookup in Thai": (
        "CodeSystem/tree", "lookup", {"system": SYSTEM}, {"code": "red", "displayLanguage": "th"}, out("display"),
        "ตาแดง",
    ),
    "subsumes": (
        "CodeSystem/tree", "subsumes", {"system": SYSTEM}, {"codeA": "eye", "codeB": "red"}, out("outcome"), "subsumes",
    ),
    "translate": (
        "ConceptMap/map", "translate", {"url": MAP}, {"system": SYSTEM, "code": "red"}, out("result"), True,
    ),
    "translate, no": (
        "ConceptMap/map", "translate", {"url": MAP}, {"system": SYSTEM, "code": "dry"}, out("result"), False,
    ),
}  # fmt: skip
"""instance, operation, what names it at the type, the other parameters, what to read, what is expected"""
TYPES = {
    "url": "valueUri", "system": "valueUri", "code": "valueCode", "codeA": "valueCode", "codeB": "valueCode",
    "count": "valueInteger", "offset": "valueInteger", "filter": "valueString", "displayLanguage": "valueCode",
    "excludeNested": "valueBoolean",
}  # fmt: skip


def typed(name, value):
    kind = TYPES[name]
    value = int(value) if kind == "valueInteger" else value == "true" if kind == "valueBoolean" else value
    return {"name": name, kind: value}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_an_operation_answers_alike_at_the_type_and_at_the_instance(fhir, given, question):
    instance, operation, named, more, read, expected = QUESTIONS[question]
    await given(CODES, ALL, TO)
    kind = instance.partition("/")[0]
    # A system names the code itself to $translate; the code system of the instance stands for it elsewhere.
    for path, parameters in ((f"{kind}/${operation}", {**named, **more}), (f"{instance}/${operation}", more)):
        body = {"resourceType": "Parameters", "parameter": [typed(*each) for each in parameters.items()]}
        for answer in (await fhir.get(f"{path}?{urlencode(parameters)}"), await fhir.post(path, body)):
            assert answer.status == 200, answer.json
            assert read(answer.json) == expected, path
