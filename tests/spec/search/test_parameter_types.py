"""Search parameter types, their modifiers and prefixes.

https://hl7.org/fhir/R4/search.html#ptypes https://hl7.org/fhir/R4/search.html#modifiers
https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

import pytest

from tests.spec.people import HN, LOINC, ids_of, observation, organization, patient, reference


@pytest.fixture
def search(fhir):
    """Ids that a search finds, sorted."""

    async def search(query):
        answer = await fhir.get(query)
        assert answer.status == 200, answer.text
        return sorted(ids_of(answer.json))

    return search


# ---------------------------------------------------------------- string: https://hl7.org/fhir/R4/search.html#string


@pytest.fixture
async def names(given):
    await given(
        patient("eve", name=[{"family": "Eve", "given": ["Anna Maria"]}]),
        patient("even", name=[{"family": "Evenson"}]),
        patient("severine", name=[{"family": "Severine", "text": "Dr. Sev"}]),
        patient("muller", name=[{"family": "Müller"}]),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("family=eve", ["eve", "even"]),
        ("family=EVE", ["eve", "even"]),
        ("family:contains=eve", ["eve", "even", "severine"]),
        ("family:exact=Eve", ["eve"]),
        ("family:exact=eve", []),
        ("family=muller", ["muller"]),
        ("family=Müll", ["muller"]),
        ("family:exact=Müller", ["muller"]),
        ("name=anna", ["eve"]),
        ("name=Dr", ["severine"]),
        ("given=anna%20maria", ["eve"]),
        ("family=eve,sev", ["eve", "even", "severine"]),
        ("family=eve&given=anna", ["eve"]),
        ("family:missing=true", []),
        ("given:missing=true", ["even", "muller", "severine"]),
        ("given:missing=false", ["eve"]),
    ],
)
@pytest.mark.usefixtures("names")
async def test_strings_match_at_the_start_without_case_or_accents(search, query, found):
    assert await search(f"Patient?{query}") == found


async def test_a_word_of_a_family_name_finds_it_but_is_not_exactly_the_name(search, given):
    await given(patient("two", name=[{"family": "Smith-Jones"}]), patient("one", name=[{"family": "Jones"}]))
    for code in ("family", "name"):
        assert await search(f"Patient?{code}=jones") == ["one", "two"]
        assert await search(f"Patient?{code}:exact=Jones") == ["one"]
        assert await search(f"Patient?{code}:exact=Smith-Jones") == ["two"]


async def test_commas_dollars_bars_and_backslashes_are_escaped_by_a_backslash(search, given):
    await given(organization("1", name="Ban, Suan"), organization("2", name="Suan"), organization("3", name="A|B"))
    assert await search("Organization?name=Ban\\,%20Suan") == ["1"]
    assert await search("Organization?name=Ban\\,%20Suan,Suan") == ["1", "2"]
    assert await search("Organization?name=A\\|B") == ["3"]


# ---------------------------------------------------------------- token: https://hl7.org/fhir/R4/search.html#token


@pytest.fixture
async def tokens(given):
    await given(
        patient(
            "a", identifier=[{"system": HN, "value": "1", "type": {"coding": [{"system": "urn:t", "code": "MR"}]}}]
        ),
        patient("b", identifier=[{"system": "urn:other", "value": "1"}], gender="female", active=True),
        patient("c", identifier=[{"value": "1"}], gender="male", active=False),
        patient("d", identifier=[{"system": HN, "value": "2"}], telecom=[{"system": "email", "value": "D@x.example"}]),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("identifier=1", ["a", "b", "c"]),
        (f"identifier={HN}|1", ["a"]),
        ("identifier=|1", ["c"]),
        (f"identifier={HN}|", ["a", "d"]),
        (f"identifier={HN}|1,{HN}|2", ["a", "d"]),
        (f"identifier=1&identifier={HN}|", ["a"]),
        (f"identifier:not={HN}|1", ["b", "c", "d"]),
        ("identifier:of-type=urn:t|MR|1", ["a"]),
        ("identifier:of-type=urn:t|MR|2", []),
        ("gender=female", ["b"]),
        ("gender=http://hl7.org/fhir/administrative-gender|female", ["b"]),
        ("gender:not=female", ["a", "c", "d"]),
        ("gender:missing=true", ["a", "d"]),
        ("active=true", ["b"]),
        ("active:not=true", ["a", "c", "d"]),
        ("email=d@x.example", ["d"]),
        ("telecom=D@X.example", ["d"]),
        ("gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", ["b", "c"]),
        ("gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", ["a", "d"]),
    ],
)
@pytest.mark.usefixtures("tokens")
async def test_tokens_match_by_system_and_code(search, query, found):
    assert await search(f"Patient?{query}") == found


BOILING = {"system": "urn:states", "code": "boiling"}
FROZEN = {"system": "urn:states", "code": "frozen"}
STATES = {
    "resourceType": "CodeSystem", "id": "states", "url": "urn:states", "status": "active", "content": "complete",
    "concept": [{"code": "boiling"}, {"code": "frozen"}],
}  # fmt: skip


def states(name, *codes, **more):
    """A ValueSet of some of the codes."""
    include = {"system": "urn:states", "concept": [{"code": code} for code in codes]}
    return {"resourceType": "ValueSet", "id": name, "status": "active", "compose": {"include": [include]}, **more}


async def test_a_value_set_is_named_by_canonical_url_with_or_without_version_or_by_literal_reference(
    fhir, search, given
):
    await given(
        STATES,
        states("v1", "boiling", url="urn:vs", version="1"),
        states("v2", "boiling", "frozen", url="urn:vs", version="2"),
        states("bare", "frozen"),
        observation("b", code={"coding": [BOILING]}),
        observation("f", code={"coding": [FROZEN]}),
        observation("t", code={"text": "neither"}),
    )
    for value_set, found in (
        ("urn:vs", ["b", "f"]),
        ("urn:vs|1", ["b"]),
        ("urn:vs|2", ["b", "f"]),
        ("ValueSet/v1", ["b"]),
        ("ValueSet/bare", ["f"]),
        (f"{fhir.base}/ValueSet/bare", ["f"]),
        ("ValueSet/v1,ValueSet/bare", ["b", "f"]),
    ):
        assert await search(f"Observation?code:in={value_set}") == found, value_set
        others = sorted({"b", "f", "t"} - set(found))
        assert await search(f"Observation?code:not-in={value_set}") == others, value_set
    for unknown in ("urn:vs|3", "ValueSet/none", "http://elsewhere.example/fhir/ValueSet/bare", "CodeSystem/states"):
        answer = await fhir.get(f"Observation?code:in={unknown}")
        assert answer.status == 400, unknown
        assert "not known here" in answer.diagnostics


async def test_a_literal_reference_follows_what_is_stored(fhir, search, given):
    await given(STATES, states("v", "boiling"), observation("b", code={"coding": [BOILING]}))
    assert await search("Observation?code:in=ValueSet/v") == ["b"]
    await given(states("v", "frozen"))
    assert await search("Observation?code:in=ValueSet/v") == []
    await fhir.delete("ValueSet/v")
    assert (await fhir.get("Observation?code:in=ValueSet/v")).status == 400


async def test_text_finds_tokens_by_display_or_text(search, given):
    await given(
        observation("1", code={"coding": [{"system": LOINC, "code": "8480-6", "display": "Systolic pressure"}]}),
        observation("2", code={"text": "systolic"}),
        observation("3", code={"text": "weight"}),
    )
    assert await search("Observation?code:text=systolic") == ["1", "2"]
    assert await search("Observation?code=8480-6") == ["1"]


# ---------------------------------------------------------------- date: https://hl7.org/fhir/R4/search.html#date


@pytest.fixture
async def dates(given):
    for name, value in {
        "y": {"effectiveDateTime": "2013"},
        "m": {"effectiveDateTime": "2013-01"},
        "d": {"effectiveDateTime": "2013-01-14"},
        "t": {"effectiveDateTime": "2013-01-14T10:00:00Z"},
        "p": {"effectivePeriod": {"start": "2013-01-10", "end": "2013-01-20"}},
        "o": {"effectivePeriod": {"start": "2013-02-01"}},
    }.items():
        await given(observation(name, **value))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("date=2013-01-14", ["d", "t"]),
        ("date=eq2013-01", ["d", "m", "p", "t"]),
        ("date=2013", ["d", "m", "p", "t", "y"]),
        ("date=ne2013-01-14", ["m", "o", "p", "y"]),
        ("date=gt2013-01-14", ["m", "o", "p", "y"]),
        ("date=ge2013-01-14", ["d", "m", "o", "p", "t", "y"]),
        ("date=lt2013-01-14", ["m", "p", "y"]),
        ("date=le2013-01-14", ["d", "m", "p", "t", "y"]),
        ("date=sa2013-01-14", ["o"]),
        ("date=eb2013-02-01", ["d", "m", "p", "t"]),
        ("date=lt2013-01-12,sa2013-01-31", ["m", "o", "p", "y"]),
        ("date=ge2013-01-13&date=lt2013-01-15", ["d", "m", "p", "t", "y"]),
        ("date=2013-01-14T10:00:00Z", ["t"]),
        ("date=2013-01-14T17:00:00%2B07:00", ["t"]),
        ("date=2013-01-14T17:00", ["t"]),
    ],
)
@pytest.mark.usefixtures("dates")
async def test_dates_are_intervals_and_prefixes_compare_them(search, query, found):
    assert await search(f"Observation?{query}") == found


async def test_birth_dates_and_open_ends(search, given):
    await given(patient("1", birthDate="1970"), patient("2", birthDate="1980-05-01"))
    assert await search("Patient?birthdate=lt1975,ge1980-05") == ["1", "2"]
    assert await search("Patient?birthdate=1970") == ["1"]
    assert await search("Patient?birthdate=1970-01") == []


# ---------------------------------------------------------------- number and quantity


@pytest.fixture
async def weights(given):
    for name, value, code in (("kg", 54, "kg"), ("g", 54000, "g"), ("lb", 119, "[lb_av]"), ("kg2", 54.4, "kg")):
        quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": code, "unit": code}
        await given(observation(name, valueQuantity=quantity))
    await given(observation("low", valueQuantity={"value": 54, "comparator": "<", "unit": "kg"}))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("value-quantity=54|http://unitsofmeasure.org|kg", ["g", "kg", "kg2", "lb"]),
        ("value-quantity=54.0|http://unitsofmeasure.org|kg", ["g", "kg", "lb"]),
        ("value-quantity=54000|http://unitsofmeasure.org|g", ["g", "kg"]),
        ("value-quantity=gt54|http://unitsofmeasure.org|kg", ["kg2"]),
        ("value-quantity=119", ["lb"]),
        ("value-quantity=119||[lb_av]", ["lb"]),
        ("value-quantity=ap50|http://unitsofmeasure.org|kg", ["g", "kg", "kg2", "lb"]),
        ("value-quantity=ne54.0|http://unitsofmeasure.org|kg", ["kg2"]),
    ],
)
@pytest.mark.usefixtures("weights")
async def test_quantities_compare_in_ucum_units_with_the_precision_that_is_written(search, query, found):
    assert await search(f"Observation?{query}") == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("50", ["a", "b"]),
        ("50.00", ["a"]),
        ("5e1", ["a", "b"]),
        ("lt50", ["c"]),
        ("le50", ["a", "c"]),
        ("gt50", ["b"]),
        ("ge50", ["a", "b"]),
        ("ne50", ["c"]),
        ("ap52", ["a", "b", "c"]),
    ],
)
async def test_numbers_compare_with_the_precision_that_is_written(search, given, query, found):
    for name, probability in (("a", 50), ("b", 50.4), ("c", 49)):
        prediction = [{"outcome": {"text": "x"}, "probabilityDecimal": probability}]
        await given(
            {
                "resourceType": "RiskAssessment",
                "id": name,
                "status": "final",
                "subject": {"display": "somebody"},
                "prediction": prediction,
            }
        )
    assert await search(f"RiskAssessment?probability={query}") == found


# ---------------------------------------------------------------- uri, reference, composite, special


async def test_uris_match_exactly_and_above_and_below_by_path_segments(search, given):
    for name, url in (("a", "http://x.example/fhir/"), ("b", "http://x.example/fhir/ValueSet/1"), ("c", "urn:x:1")):
        await given({"resourceType": "ValueSet", "id": name, "status": "draft", "url": url})
    assert await search("ValueSet?url=urn:x:1") == ["c"]
    assert await search("ValueSet?url=http://x.example/fhir") == []
    assert await search("ValueSet?url:below=http://x.example/fhir/") == ["a", "b"]
    assert await search("ValueSet?url:above=http://x.example/fhir/ValueSet/1/history/5") == ["a", "b"]


async def test_references_match_by_type_and_id_by_id_alone_and_by_absolute_url(search, fhir, given):
    await given(patient("1"), patient("2"), observation("o", subject=reference("Patient/1")))
    for value in ("Patient/1", "1", f"{fhir.base}/Patient/1"):
        assert await search(f"Observation?subject={value}") == ["o"], value
    assert await search("Observation?subject=Patient/2") == []
    assert await search("Observation?subject:Patient=1") == ["o"]
    assert await search("Observation?subject:Group=1") == []
    assert await search("Observation?patient=1") == ["o"]


async def test_a_reference_is_found_by_its_identifier(search, given):
    await given(observation("o", subject={"identifier": {"system": HN, "value": "7"}, "display": "x"}))
    assert await search(f"Observation?subject:identifier={HN}|7") == ["o"]
    assert await search(f"Observation?subject:identifier={HN}|8") == []


async def test_composites_match_within_one_element(search, given):
    def component(code, value):
        return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": {"value": value, "unit": "mm"}}

    await given(observation("bp", component=[component("8480-6", 150), component("8462-4", 80)]))
    assert await search(f"Observation?component-code-value-quantity={LOINC}|8480-6$150") == ["bp"]
    assert await search(f"Observation?component-code-value-quantity={LOINC}|8480-6$gt140") == ["bp"]
    assert await search(f"Observation?component-code-value-quantity={LOINC}|8480-6$80") == []


async def test_near_finds_locations_within_a_distance(search, given):
    for name, latitude, longitude in (("bkk", 13.7563, 100.5018), ("cnx", 18.7883, 98.9853)):
        await given(
            {"resourceType": "Location", "id": name, "position": {"latitude": latitude, "longitude": longitude}}
        )
    assert await search("Location?near=13.75|100.5|10|km") == ["bkk"]
    assert await search("Location?near=13.75|100.5|1000|km") == ["bkk", "cnx"]


async def test_hierarchical_codes_match_by_above_and_below(search, given):
    await given(
        {
            "resourceType": "CodeSystem",
            "id": "tree",
            "url": "urn:tree",
            "status": "active",
            "content": "complete",
            "hierarchyMeaning": "is-a",
            "concept": [{"code": "root", "concept": [{"code": "leaf"}]}],
        },
        observation("r", code={"coding": [{"system": "urn:tree", "code": "root"}]}),
        observation("l", code={"coding": [{"system": "urn:tree", "code": "leaf"}]}),
    )
    assert await search("Observation?code:below=urn:tree|root") == ["l", "r"]
    assert await search("Observation?code:above=urn:tree|leaf") == ["l", "r"]
    assert await search("Observation?code=urn:tree|root") == ["r"]


# ---------------------------------------------------------------- Thai


@pytest.fixture
async def thai(given):
    await given(
        patient("somchai", name=[{"family": "ใจดี", "given": ["สมชาย"]}]),
        patient("namfon", name=[{"family": "น้ำใจ", "given": ["น้ำฝน"]}]),
        patient("kanya", name=[{"family": "เก่งงาน", "given": ["กัญญา"]}]),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("given=สม", ["somchai"]),
        ("family=น้ำ", ["namfon"]),
        ("family=น้ํา", ["namfon"]),  # SARA AM written as two letters
        ("name:contains=ใจ", ["namfon", "somchai"]),
        ("family:contains=งาน", ["kanya"]),
        ("family:exact=ใจดี", ["somchai"]),
        ("family=ใจดี,เก่ง", ["kanya", "somchai"]),
    ],
)
@pytest.mark.usefixtures("thai")
async def test_thai_names_are_found_by_prefix_and_by_parts_without_spaces(search, query, found):
    assert await search(f"Patient?{query}") == found


@pytest.mark.usefixtures("thai")
async def test_thai_names_sort_in_dictionary_order(fhir):
    # Dictionary order puts a leading vowel behind its consonant: เก่งงาน (ก), ใจดี (จ), น้ำใจ (น).
    assert ids_of((await fhir.get("Patient?_sort=family")).json) == ["kanya", "somchai", "namfon"]


# ---------------------------------------------------------------- what cannot be understood


@pytest.mark.parametrize(
    "query",
    [
        "nonsense=1",
        "name:sounds=x",
        "birthdate=yesterday",
        "birthdate=2013-13-01",
        "birthdate:contains=2013",
        "gender:above=x&gender:below",
        "active=perhaps&_id:missing",
        "general-practitioner:Patient=1",
        "name=",
        "identifier:of-type=x",
        "_count=-1",
        "_sort=nonsense",
        "_include=Patient:nonsense",
        "_summary=all",
        "_total=all",
        "_has:Observation:nonsense:code=1",
        "organization.nonsense=1",
    ],
)
async def test_what_cannot_be_understood_is_400_and_the_parameter_is_named(fhir, query):
    answer = await fhir.get(f"Patient?{query}")
    assert answer.status == 400
    assert answer.json["issue"][0]["severity"] == "error"


async def test_the_nearest_known_parameter_is_suggested(fhir):
    assert "birthdate" in (await fhir.get("Patient?birthdat=2013")).diagnostics


async def test_lenient_handling_drops_unknown_parameters_and_says_so_in_an_outcome_entry(fhir, given):
    await given(patient("1"))
    answer = await fhir.get("Patient?nonsense=1&_id=1", headers={"Prefer": "handling=lenient"})
    assert ids_of(answer.json) == ["1"]
    [outcome] = [each for each in answer.json["entry"] if each["search"]["mode"] == "outcome"]
    assert "nonsense" in outcome["resource"]["issue"][0]["diagnostics"]
    assert "nonsense" not in answer.json["link"][0]["url"]


async def test_strict_handling_refuses_them(fhir):
    assert (await fhir.get("Patient?nonsense=1", headers={"Prefer": "handling=strict"})).status == 400
