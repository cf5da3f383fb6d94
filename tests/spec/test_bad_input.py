"""Hostile and broken requests: a 4xx with an OperationOutcome, nothing stored, never a 5xx.

https://hl7.org/fhir/R4/http.html#Status-Codes https://hl7.org/fhir/R4/operationoutcome.html
Bytes on the wire (request lines, chunks, slow clients) are tested in tests/unit/server/test_raw_http.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving import Clock, Ids, run_server
from tests.spec.people import bundle, entry, observation, patient


def refused(answer, *statuses):
    assert answer.status in (statuses or range(400, 500)), (answer.status, answer.body[:300])
    assert answer.json["resourceType"] == "OperationOutcome"
    assert answer.json["issue"][0]["severity"] in ("error", "fatal")


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b'"Patient"',
        b"{}",
        b'{"resourceType":"Patient"',
        b'{"resourceType":"Patient"}x',
        b'{"resourceType":"Patient","active":true,"active":false}',
        b'{"resourceType":"Patient","active":tru}',
        b'{"resourceType":"Patient","id":"\xff"}',
        b'{"resourceType":"Patient","language":"\\u0000"}',
        b'{"resourceType":"Patient","language":"a\x00"}',
        b'{"resourceType":"Patient","multipleBirthInteger":01}',
        b'{"resourceType":"Patient","multipleBirthInteger":NaN}',
        b'{"resourceType":"Patient","multipleBirthInteger":1e999}',
        b'{"resourceType":"Patient","name":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"resourceType":"Patient","extension":' + b'[{"extension":' * 70 + b"[]" + b"}]" * 70 + b"}",
        b'{"resourceType":null}',
        b'{"resourceType":["Patient"]}',
        b'{"resourceType":{"a":1}}',
        b'{"resourceType":"patient"}',
        b'{"resourceType":"DomainResource"}',
        b"\xef\xbb\xbf",
        b"<Patient/>",
    ],
)
async def test_a_body_that_is_no_resource_is_a_4xx_and_nothing_is_stored(fhir, body):
    headers = {"Content-Type": "application/fhir+json"}
    for answer in (
        await fhir.post("Patient", body, headers=headers),
        await fhir.put("Patient/1", body, headers=headers),
        await fhir.post("", body, headers=headers),
        await fhir.post("$validate", body, headers=headers),
    ):
        if answer.status != 200:  # $validate may find the resource wrong, which is its answer
            refused(answer)
    assert (await fhir.get("_history")).json["total"] == 0


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/fhir+xml", "image/png", "x", "application/json; charset=latin1"]
)
async def test_another_media_type_is_415(fhir, media_type):
    refused(await fhir.post("Patient", b"{}", headers={"Content-Type": media_type}), 415)


async def test_a_body_that_is_too_large_is_413(start):
    fhir = (await start(max_body_bytes=2000, max_resource_bytes=2000)).client
    refused(await fhir.post("Patient", patient(name=[{"family": "x" * 3000}])), 413)


async def test_a_resource_that_is_too_large_is_413_also_within_a_bundle(start):
    fhir = (await start(max_resource_bytes=2000)).client
    large = patient(name=[{"family": "x" * 3000}])
    refused(await fhir.post("Patient", large), 413)
    refused(await fhir.put("Patient/1", {**large, "id": "1"}), 413)
    refused(await fhir.post("", bundle("transaction", entry("POST", "Patient", large))), 413)
    assert (await fhir.get("_history")).json["total"] == 0


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = st.sampled_from(
    [
        "id", "meta", "text", "contained", "extension", "name", "identifier", "code", "subject", "status", "base",
        "valueQuantity", "effectiveDateTime", "link", "active", "gender", "birthDate", "component", "category",
        "entry", "type", "request", "_birthDate", "url", "expression",
    ]
)  # fmt: skip
RESOURCES = st.fixed_dictionaries(
    {"resourceType": st.sampled_from(["Patient", "Observation", "Bundle", "SearchParameter", "ValueSet", "Binary"])}
)


Check = Callable[..., None]


@pytest.fixture
def check_all(store_url, tmp_path) -> Check:
    """`check_all(strategy, ask, examples)`: every drawn value is asked of one server, which must never answer with a
    5xx. `ask(client, value)` gives the answers."""

    def check(strategy, ask, examples: int = 120) -> None:
        drawn: list[Any] = []

        @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
        @given(strategy)
        def draw(value: Any) -> None:
            drawn.append(value)

        draw()

        async def asked() -> None:
            running = await run_server(clock=Clock(), ids=Ids(), store=store_url, data_folder=tmp_path, open=True)
            try:
                for value in drawn:
                    for answer in await ask(running.client, value):
                        assert answer.status < 500, (answer.status, value, answer.body[:500])
                        if answer.status >= 400 and answer.body:
                            assert answer.json["resourceType"] == "OperationOutcome", value
            finally:
                await running.stop()

        asyncio.run(asked())

    return check


def test_any_json_in_any_element_is_answered_without_a_5xx(check_all):
    resource = st.builds(
        lambda head, members: {**members, **head}, RESOURCES, st.dictionaries(ELEMENTS, JSON_VALUES, max_size=4)
    )

    async def ask(client, value):
        kind = value["resourceType"]
        body = json.dumps(value).encode()
        return [
            await client.post(kind, body),
            await client.put(f"{kind}/1", body),
            await client.post("$validate", body),
            await client.post("", body),
        ]

    check_all(resource, ask)


def test_any_bytes_as_a_body_are_answered_without_a_5xx(check_all):
    async def ask(client, value):
        headers = {"Content-Type": "application/fhir+json"}
        return [
            await client.post("Patient", value, headers=headers),
            await client.post("", value, headers=headers),
            await client.patch("Patient/1", value, headers={"Content-Type": "application/json-patch+json"}),
        ]

    check_all(st.binary(max_size=60) | st.text(max_size=40).map(str.encode), ask)


def test_bundles_bent_in_any_place_are_answered_without_a_5xx(check_all):
    sound = bundle(
        "transaction",
        entry("POST", "Patient", patient(active=True), full_url="urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        entry("PUT", "Observation/1", observation("1", subject={"reference": "Patient?identifier=1"})),
        entry("PATCH", "Patient/1", {"resourceType": "Parameters", "parameter": []}),
        entry("DELETE", "Patient?identifier=2", ifMatch='W/"1"'),
        entry("GET", "Patient?name=a", ifNoneMatch="x", ifModifiedSince="y"),
    )

    async def ask(client, drawn):
        path, value, kind = drawn
        bent = json.loads(json.dumps(sound))
        bent["type"] = kind
        places = list(_places(bent))
        holder, key = places[path % len(places)]
        holder[key] = value
        return [await client.post("", json.dumps(bent).encode())]

    check_all(st.tuples(st.integers(0, 10_000), JSON_VALUES, st.sampled_from(["transaction", "batch"])), ask, 250)


def _places(value):
    """Every (container, key) of a JSON value."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(rows):
        yield value, key
        yield from _places(inner)


OPERATIONS = {
    "Patient/1/$meta-add": ["meta"],
    "Patient/1/$meta-delete": ["meta"],
    "Patient/1/$everything": ["start", "end", "_since", "_type", "_count"],
    "Observation/$lastn": ["max", "patient"],
    "Patient/$validate": ["resource", "mode", "profile"],
    "ValueSet/$expand": ["url", "valueSet", "filter", "count", "offset"],
    "ValueSet/$validate-code": ["url", "code", "system", "coding", "codeableConcept"],
    "CodeSystem/$lookup": ["system", "code", "coding", "property"],
    "CodeSystem/$subsumes": ["system", "codeA", "codeB", "codingA"],
    "ConceptMap/$translate": ["url", "system", "code", "conceptMap"],
    "$closure": ["name", "concept", "version"],
}


def test_any_inputs_of_operations_are_answered_without_a_5xx(check_all):
    names = sorted({name for each in OPERATIONS.values() for name in each})
    keys = ["valueString", "valueInteger", "valueMeta", "valueCoding", "valueUri", "valueDate", "resource", "part", "x"]
    row = st.dictionaries(st.sampled_from(keys), JSON_VALUES | st.just(TAGS), max_size=2).flatmap(
        lambda members: st.sampled_from(names).map(lambda name: {"name": name, **members})
    )

    async def ask(client, drawn):
        where, rows = drawn
        await client.put("Patient/1", patient("1", meta=TAGS))
        return [await client.post(where, {"resourceType": "Parameters", "parameter": rows})]

    check_all(st.tuples(st.sampled_from(sorted(OPERATIONS)), st.lists(row | JSON_VALUES, max_size=3)), ask, 250)


async def test_a_resource_in_the_place_of_a_plain_input_is_400(fhir):
    """Found by `make fuzz`: a date that is a resource."""
    await fhir.put("Patient/1", patient("1"))
    for name in ("start", "end", "_since", "_type", "_count"):
        rows = [{"name": name, "resource": patient("2")}]
        refused(await fhir.post("Patient/1/$everything", {"resourceType": "Parameters", "parameter": rows}), 400)


TAGS = {"tag": [{"system": "urn:t", "code": "a"}]}


@pytest.mark.parametrize(
    "meta", [{"tag": [{"system": {}, "code": []}]}, {"tag": 1}, {"tag": [1]}, {"security": {}}, 5, []]
)
async def test_labels_of_any_shape_are_a_4xx_on_a_tagged_resource(fhir, meta):
    await fhir.put("Patient/1", patient("1", meta=TAGS))
    refused(await fhir.put("Patient/1", patient("1", meta=meta)))
    refused(await fhir.put("Patient?_id=1", patient("1", meta=meta)))
    refused(await fhir.post("", bundle("transaction", entry("PUT", "Patient/1", patient("1", meta=meta)))))
    body = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}
    refused(await fhir.post("Patient/1/$meta-add", body))


# ---------------------------------------------------------------- addresses and searches

HOSTILE = [
    "'", '"', "' OR 1=1 --", "%", "_", "\\", "$where", "{$gt: ''}", "(a+)+$", "[", "*", ".*", "||", "|", ",", ",,,",
    "$", "$$$", "a|b|c|d", "../../etc/passwd", "\x01", "\u202e", "🦄", "ก" * 500, "x" * 5000, "-", "--", "NaN",
    "Infinity", "1e400", "-1e-400", "0x1", "9" * 400, "99999-99-99", "0000-00-00", "2013-01-01T25:61:61Z", "T", "true",
    "null", "undefined", "Patient/1/_history/1", "urn:uuid:", "http://[", "http://a:b:c/", "<script>", "\\,", "a\\",
    ":", "::", "lt", "ge", "ap", "ap0", "sa", "gtlt5",
]  # fmt: skip
PARAMETERS = [
    "family", "name", "birthdate", "identifier", "gender", "general-practitioner", "_id", "_lastUpdated", "_tag",
    "_list", "_filter", "_sort", "_count", "_include", "_revinclude", "_elements", "_summary", "_total",
    "_has:Observation:patient:code", "organization.name", "identifier:of-type", "gender:in", "gender:not",
    "name:contains", "name:exact", "birthdate:missing", "_text", "_content", "_profile", "_security", "_source",
    "_type", "_contained", "_containedType", "_cursor", "_query", "_has", "organization:above", "telecom", "address",
    "death-date", "link:Patient.name", ":", "a.b.c.d.e.f.g.h.i.j", "_format", "_pretty",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
async def test_hostile_search_values_find_nothing_or_are_a_4xx(fhir, value):
    for name in PARAMETERS:
        answer = await fhir.get(f"Patient?{quote(name)}={quote(value)}")
        assert answer.status < 500, (name, value, answer.text)
        if answer.status >= 400:
            assert answer.json["resourceType"] == "OperationOutcome"


def test_any_query_is_answered_without_a_5xx(check_all):
    names = st.sampled_from(PARAMETERS) | st.text(max_size=12)
    values = st.sampled_from(HOSTILE) | st.text(max_size=30)
    types = st.sampled_from(
        ["Patient", "Observation", "", "ValueSet", "Patient/1/Observation", "Patient/1/*", "Location"]
    )

    async def ask(client, drawn):
        where, pairs = drawn
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return [
            await client.get(f"{where}?{query}"),
            await client.post(f"{where}/_search".lstrip("/"), query.encode(), headers=form),
        ]

    check_all(st.tuples(types, st.lists(st.tuples(names, values), min_size=1, max_size=4)), ask, 250)


def test_any_path_is_answered_without_a_5xx(check_all):
    segment = st.sampled_from(
        ["Patient", "1", "_history", "_search", "$validate", "$everything", "metadata", "*", "..", ".", "Observation"]
    ) | st.text(max_size=10)  # fmt: skip

    async def ask(client, segments):
        path = "/".join(quote(each, safe="") for each in segments)
        return [
            await client.get(path),
            await client.delete(path),
            await client.post(path, b"{}"),
            await client.head(path),
        ]

    check_all(st.lists(segment, min_size=1, max_size=6), ask)


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "a%2fb", "a%5cb", "%00", "%ff", "%", "1;drop"])
async def test_an_id_that_is_a_path_is_refused(fhir, name):
    refused(await fhir.get(f"Patient/{name}"), 400, 404)


@pytest.mark.parametrize(
    "header",
    [
        {"If-Match": "x y"},
        {"If-None-Match": '"'},
        {"If-None-Exist": "nonsense=1"},
        {"If-None-Exist": "%zz"},
        {"Prefer": "return=everything; handling=,,,"},
        {"If-Modified-Since": "\u00e9"},
        {"Accept": "a/b;q=x, */*"},
        {"Accept": ";;;,,,"},
        {"Prefer": "=;=,"},
    ],
)
async def test_odd_headers_are_ignored_or_a_4xx(fhir, header):
    for answer in (
        await fhir.post("Patient", patient(), headers=header),
        await fhir.put("Patient/1", patient("1"), headers=header),
        await fhir.get("Patient/1", headers=header),
        await fhir.delete("Patient/1", headers=header),
    ):
        assert answer.status < 500, answer.text


async def test_more_parameters_than_the_limit_are_400(start):
    fhir = (await start(max_parameters=10)).client
    refused(await fhir.get("Patient?" + "&".join(f"name=a{number}" for number in range(11))), 400)


async def test_more_values_than_the_limit_are_400(start):
    fhir = (await start(max_values=10)).client
    refused(await fhir.get("Patient?name=" + ",".join("a" for _ in range(11))), 400)


async def test_an_outcome_never_quotes_what_may_name_a_person(fhir):
    secret = "1101700203451"  # a number in the form of a citizen id
    answers = [
        await fhir.post("Patient", patient(identifier=[{"value": secret, "surplus": 1, "use": secret}])),
        await fhir.post("Patient", patient(birthDate=secret)),
        await fhir.get(f"Patient?birthdate={secret}"),
        await fhir.get(f"Patient?identifier={secret}|1|2|3&nonsense=1"),
    ]
    for answer in answers:
        refused(answer)
        assert secret not in answer.text


def test_the_harness_can_fail(check_all):
    """A server error would be noticed."""

    class Broken:
        status, body, json = 500, b"x", {"resourceType": "OperationOutcome"}

    async def ask(client, value):
        return [Broken()]

    with pytest.raises(AssertionError):
        check_all(st.just(1), ask, 1)
