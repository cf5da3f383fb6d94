"""The envelope of a transaction: a wrong entry is found, though those right at sight are not all validated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.validation import Validator
from server.context import Context
from server.errors import FhirError
from server.interactions.entry import entries_of
from terminology.service import TerminologyService

VALIDATOR = Validator(Definitions(), TerminologyService())
CTX = cast(Context, SimpleNamespace(validator=VALIDATOR, settings=SimpleNamespace(max_entries=9)))


def entry(**changed: Any) -> dict[str, Any]:
    """Changed: members of the entry, None to leave one out."""
    whole = {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}, **changed}
    return {name: value for name, value in whole.items() if value is not None}


def bundle(*entries: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def test_entries_are_given_as_they_were_sent() -> None:
    sent = [entry(), entry(fullUrl="urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0")]
    assert entries_of(CTX, bundle(*sent)) == sent


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (entry(request={"method": "GRAB", "url": "Patient"}), "Bundle.entry[1].request.method"),
        (entry(request={"method": "POST", "url": "Pat ient"}), "Bundle.entry[1].request.url"),
        (entry(request={"method": "POST", "url": 5}), "Bundle.entry[1].request.url"),
        (entry(request={"method": "POST"}), "Bundle.entry[1].request.url"),
        (entry(request={"method": "POST", "url": "Patient", "verb": "x"}), "Bundle.entry[1].request.verb"),
        (entry(request="POST"), "Bundle.entry[1].request"),
        (entry(fullUrl=""), "Bundle.entry[1].fullUrl"),
        (entry(fullUrl="http://x/fhir/Patient/1/_history/2"), "Bundle.entry[1]"),
        (entry(fullURL="http://x/fhir/Patient/1"), "Bundle.entry[1].fullURL"),
        ("entry", "Bundle.entry[1]"),
        (None, "Bundle.entry[1]"),
    ],
)
def test_what_is_wrong_with_an_entry_among_others_is_found(wrong: Any, place: str) -> None:
    with pytest.raises(FhirError) as raised:
        entries_of(CTX, bundle(entry(), wrong, entry()))
    assert place in [issue.expression for issue in raised.value.issues]


def test_a_full_url_belongs_to_one_entry() -> None:
    same = entry(fullUrl="http://x/fhir/Patient/1")
    with pytest.raises(FhirError, match="breaks rules") as raised:
        entries_of(CTX, bundle(same, entry(), same))
    assert [issue.expression for issue in raised.value.issues] == ["Bundle.entry[2].fullUrl"]


def test_an_entry_without_a_request_is_refused() -> None:
    with pytest.raises(FhirError, match="request is missing") as raised:
        entries_of(CTX, bundle(entry(), entry(request=None)))
    assert [issue.expression for issue in raised.value.issues] == ["Bundle.entry[1].request"]
