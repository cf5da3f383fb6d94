"""Readings that are remembered give what reading anew gives, in bounded space, whatever the text."""

from datetime import UTC

from server.search.types import quantity, reference, remembered, token
from server.search.types.remembered import Remembered
from server.search.types.written import Setting
from server.search.values import Reference, Token

SETTING = Setting(UTC, ("https://here.example/fhir",))


def test_it_forgets_all_when_it_is_full(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 3)
    known = Remembered()
    for number in range(4):
        known.keep((str(number),), [number])
    assert known == {("3",): [3]}


def test_long_text_is_not_kept():
    known = Remembered()
    assert known.keep(("a" * (remembered.LONGEST - 1), "bc", None), ["value"]) == ["value"]
    assert known == {}


def test_codings_with_and_without_what_tells_them_apart_stay_apart():
    codings = [
        {"system": "s", "code": "c"},
        {"system": "s", "code": "c", "display": "d"},
        {"code": "c"},
        {"system": "s"},
        {"system": "s", "code": 1},
        {"system": "s", "code": True},
        {"system": "s", "code": ["c"]},
        {"system": "s", "code": ""},
    ]
    expected = [
        Token("s", "c"),
        Token("s", "c", "d"),
        Token(None, "c"),
        *[Token("s", None)] * 5,
    ]
    for _ in range(2):
        assert [token.values(each, "Coding") for each in codings] == [[each] for each in expected]
        assert token.values({"coding": codings}, "CodeableConcept") == expected
    assert token.values({}, "Coding") == token.values({"code": {}}, "Coding") == []


def test_quantities_of_one_number_and_other_units_stay_apart():
    written = [
        {"value": 5, "unit": "mg"},
        {"value": 5, "unit": "mg", "comparator": "<"},
        {"value": 5, "code": "mg"},
        {"value": 5, "unit": ["mg"]},
        {"value": 5.5, "unit": "mg"},
    ]
    first = [quantity.values(each, "Quantity") for each in written]
    assert first == [quantity.values(each, "Quantity") for each in written]
    assert len({str(each) for each in first}) == len(written)
    assert quantity.values({"value": 5, "currency": "THB"}, "Money")[0].system == quantity.CURRENCIES
    assert quantity.values({"value": 5, "currency": ["THB"]}, "Money")[0].code is None


def test_references_are_told_apart_by_what_they_say_and_their_identifier():
    read = reference.reader("Reference", SETTING)
    identifier = {"system": "s", "value": "1"}
    written = [
        ({"reference": "Patient/1"}, [Reference("Patient", "1", None, None)]),
        ({"reference": "https://here.example/fhir/Patient/1"}, [Reference("Patient", "1", None, None)]),
        (
            {"reference": "Patient/1", "identifier": identifier},
            [Reference("Patient", "1", None, None, Token("s", "1"))],
        ),
        ({"identifier": identifier}, [Reference(None, None, None, None, Token("s", "1"))]),
        ({"reference": "Patient/1/_history/2"}, [Reference("Patient", "1", "2", None)]),
        ({"reference": ["Patient/1"]}, []),
        ({"reference": ["Patient/1"], "identifier": identifier}, [Reference(None, None, None, None, Token("s", "1"))]),
        ({"display": "somebody"}, []),
        ("Patient/1", [Reference("Patient", "1", None, None)]),
    ]
    for _ in range(2):
        for element, expected in written:
            assert read(element) == expected
