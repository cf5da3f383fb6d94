"""Managing returned resources: paging, sorting, totals, summaries, common parameters.

https://hl7.org/fhir/R4/search.html#return https://hl7.org/fhir/R4/search.html#all
https://hl7.org/fhir/R4/http.html#paging https://hl7.org/fhir/R4/search.html#contained
"""

from __future__ import annotations

import asyncio

import pytest

from tests.spec.people import HN, VALUE_TAG, identifier, ids_of, links_of, observation, organization, patient, reference


async def walk(fhir, url):
    """Ids of all pages, following next links."""
    page = (await fhir.get(url)).json
    found = ids_of(page)
    while "next" in links_of(page):
        page = (await fhir.get(links_of(page)["next"])).json
        found += ids_of(page)
    return found


@pytest.fixture
async def ten(given):
    await given(*(patient(f"p{number}", birthDate=f"19{90 - number}-01-01") for number in range(10)))


# ---------------------------------------------------------------- Bundle


async def test_a_search_is_a_searchset_with_a_full_url_and_mode_for_each_entry(fhir, given):
    await given(patient("1", active=True))
    answer = await fhir.get("Patient")
    assert (answer.status, answer.json["type"]) == (200, "searchset")
    [entry] = answer.json["entry"]
    assert entry["fullUrl"] == f"{fhir.base}/Patient/1"
    assert entry["search"] == {"mode": "match"}
    assert entry["resource"] == (await fhir.get("Patient/1")).json


async def test_nothing_found_is_200_without_entries(fhir):
    answer = await fhir.get("Patient?name=nobody")
    assert (answer.status, answer.json["total"], "entry" in answer.json) == (200, 0, False)


async def test_the_self_link_has_the_parameters_that_were_used(fhir):
    answer = await fhir.get("Patient?gender=male&_count=5&_format=json")
    assert links_of(answer.json)["self"] == f"{fhir.base}/Patient?gender=male&_count=5"


async def test_after_a_post_the_self_link_names_no_values(fhir, given):
    await given(patient("1", identifier=identifier("1101700203451")))
    answer = await fhir.search("Patient", {"identifier": f"{HN}|1101700203451"})
    assert ids_of(answer.json) == ["1"]
    assert "1101700203451" not in links_of(answer.json)["self"]


async def test_parameters_of_the_url_and_of_the_form_are_joined_in_a_post(fhir, given):
    await given(patient("1", gender="male"), patient("2", gender="male", active=True))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await fhir.post("Patient/_search?gender=male", b"active=true", headers=headers)
    assert ids_of(answer.json) == ["2"]


# ---------------------------------------------------------------- paging


@pytest.mark.usefixtures("ten")
async def test_next_links_lead_through_all_matches_once(fhir):
    assert await walk(fhir, "Patient?_count=3") == [f"p{number}" for number in range(10)]


@pytest.mark.usefixtures("ten")
async def test_previous_first_and_last_links_lead_back_and_forth(fhir):
    first = (await fhir.get("Patient?_count=4")).json
    assert "previous" not in links_of(first)
    second = (await fhir.get(links_of(first)["next"])).json
    assert ids_of(second) == ["p4", "p5", "p6", "p7"]
    assert ids_of((await fhir.get(links_of(second)["previous"])).json) == ["p0", "p1", "p2", "p3"]
    assert ids_of((await fhir.get(links_of(second)["first"])).json) == ["p0", "p1", "p2", "p3"]
    last = (await fhir.get(links_of(second)["last"])).json
    assert ids_of(last) == ["p6", "p7", "p8", "p9"]
    assert "next" not in links_of(last)
    assert ids_of((await fhir.get(links_of(last)["previous"])).json) == ["p2", "p3", "p4", "p5"]


@pytest.mark.usefixtures("ten")
async def test_page_links_name_no_parameters_but_the_cursor(fhir):
    links = links_of((await fhir.get("Patient?birthdate=ge1900-01-01&_count=2")).json)
    for relation in ("first", "next", "last"):
        assert links[relation].startswith(f"{fhir.base}/Patient?_cursor=")
        assert "1900" not in links[relation]


@pytest.mark.usefixtures("ten")
async def test_pages_are_stable_while_others_write(fhir):
    page = (await fhir.get("Patient?_count=3")).json
    found = ids_of(page)
    number = 0
    while "next" in links_of(page):
        await fhir.put(f"Patient/p{number}", patient(f"p{number}", birthDate="2000-01-01"))
        await fhir.delete(f"Patient/p{9 - number}")
        await fhir.put(f"Patient/new{number}", patient(f"new{number}"))
        number += 1
        page = (await fhir.get(links_of(page)["next"])).json
        found += ids_of(page)
    assert len(found) == len(set(found))
    assert found[:7] == [f"p{number}" for number in range(7)]


@pytest.mark.usefixtures("ten")
async def test_sorted_pages_repeat_nothing_while_others_write(fhir):
    page = (await fhir.get("Patient?_sort=birthdate&_count=3")).json
    found = ids_of(page)
    while "next" in links_of(page):
        await asyncio.gather(*(fhir.put(f"Patient/x{n}", patient(f"x{n}", birthDate="1901-01-01")) for n in range(3)))
        page = (await fhir.get(links_of(page)["next"])).json
        found += ids_of(page)
    assert found == [f"p{number}" for number in range(9, -1, -1)]


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize("sort", ["birthdate", "-birthdate", "family,birthdate", "_lastUpdated"])
async def test_what_moves_along_the_order_between_two_pages_is_not_repeated(fhir, clock, sort):
    """And what does not change is there exactly once, on the way back, too."""
    page = (await fhir.get(f"Patient?_sort={sort}&_count=3")).json
    found = ids_of(page)
    moved = found[0]
    other = next(f"p{number}" for number in range(10) if f"p{number}" not in found)
    clock.advance(60_000)
    date = "1800-01-01" if sort.startswith("-") else "2999-01-01"
    for name in (moved, other):
        await fhir.put(f"Patient/{name}", patient(name, birthDate=date, name=[{"family": "zz"}]))
    links = links_of(page)
    while "next" in links:
        page = (await fhir.get(links["next"])).json
        found += ids_of(page)
        links = links_of(page)
    assert sorted(found) == sorted({f"p{number}" for number in range(10)} - {other})
    last = (await fhir.get(links["last"])).json
    assert moved not in ids_of(last)


@pytest.mark.usefixtures("ten")
async def test_count_limits_a_page_and_zero_asks_for_the_number_only(fhir):
    assert len(ids_of((await fhir.get("Patient?_count=4")).json)) == 4
    zero = (await fhir.get("Patient?_count=0")).json
    assert (zero["total"], "entry" in zero) == (10, False)


async def test_a_count_above_the_limit_is_cut_to_it(start):
    fhir = (await start(page_size=2, max_page_size=3)).client
    for number in range(5):
        await fhir.put(f"Patient/{number}", patient(str(number)))
    assert len(ids_of((await fhir.get("Patient?_count=100")).json)) == 3
    assert len(ids_of((await fhir.get("Patient")).json)) == 2


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "a" * 9_000, "%00", "ไทย"])
async def test_a_broken_cursor_is_400(fhir, cursor):
    assert (await fhir.get(f"Patient?_cursor={cursor}")).status == 400


async def test_a_page_link_belongs_to_the_address_it_was_given_for(fhir, ten):
    link = links_of((await fhir.get("Patient?_count=2")).json)["next"]
    assert (await fhir.get(link.replace("/Patient?", "/Observation?"))).status == 400


# ---------------------------------------------------------------- totals


@pytest.mark.usefixtures("ten")
async def test_total_is_given_when_asked_for_and_when_it_costs_nothing(fhir):
    assert "total" not in (await fhir.get("Patient?_count=2")).json
    assert "total" not in (await fhir.get("Patient?_count=2&_total=none")).json
    assert (await fhir.get("Patient?_count=2&_total=accurate")).json["total"] == 10
    assert "total" in (await fhir.get("Patient?_count=2&_total=estimate")).json
    assert (await fhir.get("Patient")).json["total"] == 10


@pytest.mark.usefixtures("ten")
async def test_the_total_is_told_on_every_page(fhir):
    page = (await fhir.get("Patient?_count=4&_total=accurate")).json
    assert (await fhir.get(links_of(page)["next"])).json["total"] == 10


@pytest.mark.usefixtures("ten")
async def test_summary_count_gives_the_total_only(fhir):
    found = (await fhir.get("Patient?birthdate=ge1985&_summary=count")).json
    assert (found["total"], "entry" in found) == (6, False)


# ---------------------------------------------------------------- sort


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("family", ["b", "a", "c", "none"]),
        ("-family", ["c", "a", "b", "none"]),
        ("gender,-family", ["c", "b", "a", "none"]),
        ("-gender,family", ["a", "b", "c", "none"]),
        ("_id", ["a", "b", "c", "none"]),
        ("-_id", ["none", "c", "b", "a"]),
        ("-_lastUpdated", ["none", "c", "b", "a"]),
        ("birthdate", ["c", "b", "a", "none"]),
        ("organization.name", ["c", "a", "b", "none"]),
    ],
)
async def test_sort_orders_by_several_keys_with_what_has_no_value_last(fhir, given, clock, sort, order):
    await given(organization("x", name="X"), organization("y", name="Y"))
    for name, family, gender, birth, works in (
        ("a", "Berg", "male", "2003", "y"),
        ("b", "Aal", "female", "2002", "y"),
        ("c", "Czerny", "female", "2001-05", "x"),
    ):
        clock.advance(1000)
        more = {"managingOrganization": reference(f"Organization/{works}")}
        await given(patient(name, name=[{"family": family}], gender=gender, birthDate=birth, **more))
    clock.advance(1000)
    await given(patient("none"))
    assert ids_of((await fhir.get(f"Patient?_sort={sort}")).json) == order


async def test_descending_takes_the_highest_value_of_a_resource_ascending_the_lowest(fhir, given):
    await given(
        patient("wide", name=[{"family": "Aal"}, {"family": "Zett"}]),
        patient("mid", name=[{"family": "Mitte"}]),
    )
    assert ids_of((await fhir.get("Patient?_sort=family")).json) == ["wide", "mid"]
    assert ids_of((await fhir.get("Patient?_sort=-family")).json) == ["wide", "mid"]


async def test_a_family_name_of_several_words_is_sorted_as_a_whole(fhir, given):
    await given(patient("1", name=[{"family": "Smith-Jones"}]), patient("2", name=[{"family": "Kim"}]))
    for code in ("family", "name"):
        assert ids_of((await fhir.get(f"Patient?_sort={code}")).json) == ["2", "1"]
        assert ids_of((await fhir.get(f"Patient?_sort=-{code}")).json) == ["1", "2"]


# ---------------------------------------------------------------- subsets


TEXT = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("_summary=true", {"active", "name"}),
        ("_summary=text", {"text"}),
        ("_summary=data", {"active", "name", "maritalStatus"}),
        ("_elements=active,text", {"active", "text"}),
        ("_summary=false", {"active", "name", "maritalStatus", "text"}),
    ],
)
async def test_summary_and_elements_cut_every_resource_and_tag_it(fhir, given, query, names):
    await given(patient("1", active=True, name=[{"family": "A"}], maritalStatus={"text": "S"}, text=TEXT))
    [entry] = (await fhir.get(f"Patient?{query}")).json["entry"]
    assert set(entry["resource"]) == {"resourceType", "id", "meta", *names}
    tags = entry["resource"]["meta"].get("tag", [])
    assert ([tag["system"] for tag in tags] == [VALUE_TAG]) is (query != "_summary=false")


async def test_summary_text_is_not_combined_with_includes(fhir):
    assert (await fhir.get("Observation?_summary=text&_include=Observation:subject")).status == 400


# ---------------------------------------------------------------- parameters of all resources


@pytest.fixture
async def labelled(given, clock):
    await given(patient("a", meta={"tag": [{"system": "urn:t", "code": "x"}], "source": "urn:his:1"}))
    clock.advance(3_600_000)
    profile = "http://hl7.org/fhir/StructureDefinition/Patient"
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    await given(patient("b", meta={"profile": [profile], "security": [label]}))
    await given(organization("o"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Patient?_id=a", ["a"]),
        ("Patient?_id=a,b,zz", ["a", "b"]),
        ("Patient?_tag=urn:t|x", ["a"]),
        ("Patient?_tag:not=urn:t|x", ["b"]),
        ("Patient?_profile=http://hl7.org/fhir/StructureDefinition/Patient", ["b"]),
        ("Patient?_security=R", ["b"]),
        ("Patient?_source=urn:his:1", ["a"]),
        ("Patient?_lastUpdated=ge2025-11-24T01:30:00Z", ["b"]),
        ("Patient?_lastUpdated=lt2025-11-24T08:30:00", ["a"]),
        ("Patient?_lastUpdated=2025-11-24", ["a", "b"]),
        ("?_type=Patient,Organization", ["a", "b", "o"]),
        ("?_type=Organization", ["o"]),
        ("?_id=a", ["a"]),
        ("?_lastUpdated=ge2025-11-24T01:30:00Z", ["b", "o"]),
    ],
)
@pytest.mark.usefixtures("labelled")
async def test_parameters_of_all_resources(fhir, query, found):
    answer = await fhir.get(query)
    assert answer.status == 200, answer.text
    assert sorted(ids_of(answer.json)) == found


async def test_list_gives_the_members_of_a_list(fhir, given):
    await given(patient("a"), patient("b"), patient("c"))
    entries = [{"item": reference("Patient/a")}, {"item": reference("Patient/c")}]
    await given({"resourceType": "List", "id": "l", "status": "current", "mode": "working", "entry": entries})
    assert sorted(ids_of((await fhir.get("Patient?_list=l")).json)) == ["a", "c"]
    assert sorted(ids_of((await fhir.get("Patient?_list=l&_id=c")).json)) == ["c"]


async def test_text_and_content_are_refused_while_the_setting_is_off(fhir):
    for name in ("_text", "_content"):
        answer = await fhir.get(f"Patient?{name}=fever")
        assert answer.status == 400
        assert "text-search" in answer.json["issue"][0]["diagnostics"]


async def test_text_and_content_search_the_narrative_and_the_whole_resource(start):
    fhir = (await start(text_search=True)).client
    div = '<div xmlns="http://www.w3.org/1999/xhtml">ผู้ป่วยปวดหัวมาก with fever</div>'
    await fhir.put("Patient/1", patient("1", text={"status": "generated", "div": div}))
    await fhir.put("Patient/2", patient("2", name=[{"text": "Fever McFeverson"}]))
    assert ids_of((await fhir.get("Patient?_text=fever")).json) == ["1"]
    assert sorted(ids_of((await fhir.get("Patient?_content=fever")).json)) == ["1", "2"]
    assert ids_of((await fhir.get("Patient?_text=ปวดหัว")).json) == ["1"]
    assert ids_of((await fhir.get("Patient?_content=fever%20mcfeverson")).json) == ["2"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('name eq "Berg"', ["a"]),
        ('name eq "Be"', []),
        ('name ne "Be"', ["a"]),
        ('name ew "rg"', ["a"]),
        ('name ew "Be"', []),
        ("gender ne male", ["b"]),
        ("organization ne Organization/x", ["b"]),
        ("gender eq male", ["a"]),
        ("gender eq male or gender eq female", ["a", "b"]),
        ("not (gender eq male)", ["b", "c"]),
        ('gender eq male and name sw "Be"', ["a"]),
        ("birthdate ge 2000-01-01", ["b"]),
        ("gender pr false", ["c"]),
    ],
)
async def test_filter_expressions(fhir, given, expression, found):
    await given(
        organization("x"),
        organization("y"),
        patient("a", name=[{"family": "Berg"}], gender="male", managingOrganization=reference("Organization/x")),
        patient("b", gender="female", birthDate="2001-01-01", managingOrganization=reference("Organization/y")),
        patient("c"),
    )
    answer = await fhir.search("Patient", {"_filter": expression})
    assert answer.status == 200, answer.text
    assert sorted(ids_of(answer.json)) == found


async def test_contained_resources_are_searched_when_asked_for(fhir, given):
    inner = {"resourceType": "Medication", "id": "m", "code": {"coding": [{"system": "urn:m", "code": "para"}]}}
    order = {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "subject": {"display": "x"},
        "medicationReference": reference("#m"),
        "contained": [inner],
    }
    await given(order, {"resourceType": "Medication", "id": "own", "code": inner["code"]})
    query = "Medication?code=urn:m|para"
    assert ids_of((await fhir.get(query)).json) == ["own"]
    assert ids_of((await fhir.get(f"{query}&_contained=true")).json) == ["r"]
    assert sorted(ids_of((await fhir.get(f"{query}&_contained=both")).json)) == ["own", "r"]
    [entry] = (await fhir.get(f"{query}&_contained=true&_containedType=contained")).json["entry"]
    assert entry["resource"]["id"] == "m"
    assert entry["fullUrl"] == f"{fhir.base}/MedicationRequest/r#m"
    assert ids_of((await fhir.get("MedicationRequest?medication.code=urn:m|para")).json) == ["r"]


def drugs(name, *contained):
    """A MedicationRequest with contained Medications: (id, code, status)."""
    return {
        "resourceType": "MedicationRequest", "id": name, "status": "active", "intent": "order",
        "subject": {"display": "x"}, "medicationReference": reference(f"#{contained[0][0]}"),
        "supportingInformation": [reference(f"#{each[0]}") for each in contained],
        "contained": [drug(*each) for each in contained],
    }  # fmt: skip


def drug(name, code, status):
    concept = {"coding": [{"system": "urn:m", "code": code}]}
    return {"resourceType": "Medication", "id": name, "code": concept, "status": status}


async def test_all_criteria_are_met_by_one_and_the_same_contained_resource(fhir, given):
    await given(
        drugs("mixed", ("a", "para", "inactive"), ("b", "ibu", "active")),
        drugs("right", ("a", "para", "active"), ("b", "ibu", "inactive")),
        drugs("other", ("a", "ibu", "inactive")),
        drug("own", "para", "active"),
        drug("bare", "para", "inactive"),
    )

    async def found(query):
        answer = await fhir.get(f"Medication?{query}")
        assert answer.status == 200, answer.text
        ids = sorted(ids_of(answer.json))
        total = await fhir.get(f"Medication?{query}&_summary=count")
        assert total.json["total"] == len(ids)
        return ids

    both = "code=para&status=active"
    assert await found(f"{both}&_contained=true") == ["right"]
    assert await found(f"{both}&_contained=both") == ["own", "right"]
    assert await found("_filter=code eq para and status eq active&_contained=true") == ["right"]
    assert await found("code=para&_contained=true") == ["mixed", "right"]
    assert await found("code:not=para&_contained=true") == ["mixed", "other", "right"]
    assert await found("code:not=para&status=active&_contained=true") == ["mixed"]
    assert await found("code:not=ibu&status:not=active&_contained=both") == ["bare", "mixed"]
    assert await found("status:missing=true&_contained=true") == []
    assert await found("code=para&_id=b&_contained=true") == []

    async def entries(query):
        rows = (await fhir.get(f"Medication?{query}&_containedType=contained")).json["entry"]
        return sorted(row["fullUrl"].removeprefix(f"{fhir.base}/") for row in rows)

    assert await entries(f"{both}&_contained=true") == ["MedicationRequest/right#a"]
    assert await entries(f"{both}&_contained=both") == ["Medication/own", "MedicationRequest/right#a"]
    assert await entries("status=active&_contained=true") == ["MedicationRequest/mixed#b", "MedicationRequest/right#a"]


async def test_pages_of_contained_matches_are_complete_and_counted(fhir, given):
    for number in range(12):
        pair = (("a", "para", "active"), ("b", "ibu", "inactive"))
        crossed = (("a", "para", "inactive"), ("b", "ibu", "active"))
        await given(drugs(f"r{number:02}", *(pair if number % 4 == 0 else crossed)))
    url, seen = "Medication?code=para&status=active&_contained=true&_count=2&_sort=_id&_total=accurate", []
    while url:
        page = (await fhir.get(url)).json
        assert page.get("total", 3) == 3
        seen += ids_of(page)
        links = {link["relation"]: link["url"] for link in page["link"]}
        url = links.get("next")
    assert seen == ["r00", "r04", "r08"]
    assert ids_of((await fhir.get(links["previous"])).json) == ["r00", "r04"]


async def test_a_search_of_all_types_by_their_common_parameters(fhir, given):
    await given(patient("1"), observation("2"))
    assert sorted(ids_of((await fhir.get("")).json)) == ["1", "2"]
    assert (await fhir.get("?family=x")).status == 400
