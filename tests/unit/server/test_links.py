"""Rewriting of links, without a server."""

from __future__ import annotations

import json
from typing import Any

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
