"""Rewriting of links, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from server.interactions.links import Links, restful_root

DEFINITIONS = Definitions()
URN = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"


def rewritten(resource: dict[str, Any], full_url: str | None = None, **identities: str) -> dict[str, Any]:
    Links(DEFINITIONS, identities or {URN: "Patient/new"}, {"Patient/new": 4}).rewrite(resource, full_url)
    return resource


def test_the_version_of_a_versioned_link_becomes_the_one_that_the_commit_makes() -> None:
    found = rewritten({"resourceType": "Observation", "subject": {"reference": URN + "/_history/9"}})
    assert found["subject"]["reference"] == "Patient/new/_history/4"


def test_lists_of_uris_are_rewritten_and_lists_of_canonicals_are_not() -> None:
    found = rewritten({"resourceType": "PlanDefinition", "library": [URN]})
    assert found["library"] == [URN]
    found = rewritten({"resourceType": "Goal", "implicitRules": URN})
    assert found["implicitRules"] == "Patient/new"


OID = "urn:oid:1.2.3.4"


@pytest.mark.parametrize("link", [URN, OID, "https://his.example/fhir/Patient/7"])
@pytest.mark.parametrize(
    ("place", "replaced"),
    [
        ({"subject": {"reference": "LINK"}}, True),
        ({"performer": [{"reference": "LINK"}]}, True),
        ({"implicitRules": "LINK"}, True),  # uri
        ({"meta": {"source": "LINK"}}, True),
        ({"code": {"coding": [{"system": "LINK"}]}}, True),
        ({"extension": [{"url": "urn:x", "valueUri": "LINK"}]}, True),
        ({"extension": [{"url": "urn:x", "valueUrl": "LINK"}]}, True),
        ({"extension": [{"url": "urn:x", "valueOid": "LINK"}]}, True),
        ({"extension": [{"url": "urn:x", "valueUuid": "LINK"}]}, True),
        ({"extension": [{"url": "urn:x", "valueReference": {"reference": "LINK"}}]}, True),
        ({"extension": [{"url": "urn:x", "valueAttachment": {"url": "LINK"}}]}, True),
        ({"extension": [{"url": "urn:x", "extension": [{"url": "y", "valueUri": "LINK"}]}]}, True),
        ({"modifierExtension": [{"url": "urn:x", "valueUri": "LINK"}]}, True),
        ({"subject": {"display": "x", "extension": [{"url": "urn:x", "valueUri": "LINK"}]}}, True),
        ({"status": "final", "_status": {"extension": [{"url": "urn:x", "valueUri": "LINK"}]}}, True),
        ({"_status": {"extension": [{"url": "urn:x", "valueReference": {"reference": "LINK"}}]}}, True),
        ({"contained": [{"resourceType": "Patient", "photo": [{"url": "LINK"}]}]}, True),
        ({"contained": [{"resourceType": "Specimen", "subject": {"reference": "LINK"}}]}, True),
        ({"contained": [{"resourceType": "Patient", "name": [{"_given": [None, {"extension": [
            {"url": "urn:x", "valueUri": "LINK"}]}]}]}]}, True),
        # https://hl7.org/fhir/R4/http.html#trules: "Elements of type canonical are not replaced"
        ({"meta": {"profile": ["LINK"]}}, False),
        ({"extension": [{"url": "urn:x", "valueCanonical": "LINK"}]}, False),
        ({"extension": [{"url": "urn:x", "valueString": "LINK"}]}, False),
        ({"extension": [{"url": "urn:x", "valueMarkdown": "LINK"}]}, False),
        ({"identifier": [{"system": "urn:ietf:rfc:3986", "value": "LINK"}]}, False),
    ],
)  # fmt: skip
def test_links_are_replaced_by_the_type_of_the_element_that_holds_them(
    link: str, place: dict[str, Any], replaced: bool
) -> None:
    text = json.dumps({"resourceType": "Observation", **place})
    for suffix in ("", "#part"):
        found = rewritten(json.loads(text.replace("LINK", link + suffix)), **{link: "Patient/new"})
        expected = text.replace("LINK", ("Patient/new" if replaced else link) + suffix)
        assert found == json.loads(expected)


def test_links_are_replaced_in_every_narrative() -> None:
    div = "<div><a href='LINK'>x</a><img alt='' src = \"LINK#a\"/>LINK</div>"
    new = div.replace("'LINK'", "'Patient/new'").replace('"LINK#a"', '"Patient/new#a"')
    div, new = div.replace("LINK", URN), new.replace("LINK", URN)
    found = rewritten({"resourceType": "Composition", "text": {"div": div}, "section": [{"text": {"div": div}}]})
    assert (found["text"]["div"], found["section"][0]["text"]["div"]) == (new, new)


def test_links_are_replaced_in_what_parameters_and_bundles_hold() -> None:
    inner = {"resourceType": "Observation", "subject": {"reference": URN}, "implicitRules": URN}
    new = {"resourceType": "Observation", "subject": {"reference": "Patient/new"}, "implicitRules": "Patient/new"}
    parameters = [{"name": "a", "resource": {**inner}}, {"name": "b", "part": [{"name": "c", "valueUri": URN}]}]
    found = rewritten({"resourceType": "Parameters", "parameter": parameters})
    assert found["parameter"][0]["resource"] == new
    assert found["parameter"][1]["part"][0]["valueUri"] == "Patient/new"
    found = rewritten({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": inner}]})
    assert found["entry"][0]["resource"] == new


def test_a_bundle_within_the_transaction_keeps_the_links_between_its_own_entries() -> None:
    """https://hl7.org/fhir/R4/bundle.html#references"""
    inner = {"resourceType": "Observation", "subject": {"reference": URN}, "performer": [{"reference": OID}]}
    document = {
        "resourceType": "Bundle",
        "type": "document",
        "entry": [
            {"fullUrl": "urn:uuid:x", "resource": inner},
            {"fullUrl": URN, "resource": {"resourceType": "Patient"}},
        ],
    }
    found = rewritten(document, **{URN: "Patient/new", OID: "Practitioner/new"})
    assert found["entry"][1]["fullUrl"] == URN
    assert found["entry"][0]["resource"]["subject"] == {"reference": URN}
    assert found["entry"][0]["resource"]["performer"] == [{"reference": "Practitioner/new"}]


def test_conditional_references_are_collected_with_the_elements_that_hold_them() -> None:
    links = Links(DEFINITIONS, {})
    resource = {"resourceType": "Observation", "subject": {"reference": "Patient?identifier=1"}}
    links.rewrite(resource, None)
    assert links.searches == {"Patient?identifier=1": [resource["subject"]]}


def test_only_restful_full_urls_have_a_root() -> None:
    assert restful_root("https://x.example/fhir/Patient/1") == "https://x.example/fhir"
    assert restful_root("https://x.example/fhir/Patient/1/_history/2") == "https://x.example/fhir"
    assert restful_root(URN) is None
    assert restful_root("https://x.example/fhir/patient/1") is None
    assert restful_root(None) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just(URN),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["reference", "div", "subject", "contained", "resourceType", "url", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["subject", "text", "contained", "extension", "x"]), JSON))
def test_any_json_is_walked_and_without_identities_stays_as_it_is(members: dict[str, Any]) -> None:
    resource = {**members, "resourceType": "Observation"}
    before = json.dumps(resource)
    Links(DEFINITIONS, {}).rewrite(resource, None)
    assert json.dumps(resource) == before
    Links(DEFINITIONS, {URN: "Patient/new"}).rewrite(resource, None)
