"""https://hl7.org/fhir/R4/http.html#mime-type"""

from __future__ import annotations

import pytest

from server.errors import BadRequest, NotAcceptable, UnsupportedMedia
from server.wire.media import HTML, JSON, body_type, check_body, negotiate

FHIR = "application/fhir+json;charset=utf-8"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "format", "media_type"),
    [
        ("", JSON, FHIR),
        ("*/*", JSON, FHIR),
        ("application/*", JSON, FHIR),
        ("application/fhir+json", JSON, FHIR),
        ("Application/FHIR+JSON", JSON, FHIR),
        ("application/json", JSON, "application/json;charset=utf-8"),
        ("text/json", JSON, "text/json;charset=utf-8"),
        ("application/fhir+json;fhirVersion=4.0", JSON, "application/fhir+json;fhirVersion=4.0;charset=utf-8".lower()),
        ("application/fhir+xml, application/fhir+json;q=0.5", JSON, FHIR),
        ("text/html", HTML, FHIR),
        (BROWSER, HTML, FHIR),
        ("application/fhir+json;q=0.9, text/html;q=0.1", JSON, FHIR),
        ("application/fhir+xml", None, FHIR),
        ("image/png", None, FHIR),
        ("application/fhir+json;fhirVersion=5.0", None, FHIR),
        ("application/fhir+json;q=0", None, FHIR),
        ("application/fhir+json;q=nonsense", None, FHIR),
        (",;,", None, FHIR),
    ],
)
def test_accept_decides_the_format(accept: str, format: str | None, media_type: str) -> None:
    answer = negotiate(accept, None)
    assert (answer.format, answer.media_type.lower()) == (format, media_type)


@pytest.mark.parametrize("wanted", ["json", "application/json", "application/fhir+json", "application/fhir json"])
def test_the_format_parameter_wins_over_accept(wanted: str) -> None:
    assert negotiate("application/fhir+xml", wanted).format == JSON


@pytest.mark.parametrize("wanted", ["xml", "ttl", "application/fhir+xml", "pdf", "", "json5"])
def test_a_format_that_is_not_offered_is_406(wanted: str) -> None:
    with pytest.raises(NotAcceptable, match=r"application/fhir\+json"):
        negotiate("*/*", wanted)
    assert negotiate("*/*", "html").format == HTML


def test_a_body_in_another_character_set_or_version_is_415() -> None:
    assert body_type("application/fhir+json; charset=UTF-8; fhirVersion=4.0") == "application/fhir+json"
    assert body_type("image/png") == "image/png"
    for refused in ("application/json; charset=tis-620", "application/fhir+json; fhirVersion=3.0"):
        with pytest.raises(UnsupportedMedia):
            body_type(refused)


@pytest.mark.parametrize(
    ("method", "path", "media_type", "allowed"),
    [
        ("POST", "Patient", "application/fhir+json", True),
        ("POST", "Patient", "application/json", True),
        ("POST", "Patient", "text/plain", False),
        ("POST", "Patient", "", False),
        ("POST", "Patient", "application/x-www-form-urlencoded", False),
        ("POST", "Patient", "multipart/form-data", False),
        ("POST", "Patient", "application/fhir+xml", False),
        ("PUT", "Patient/1", "application/json-patch+json", False),
        ("PATCH", "Patient/1", "application/json-patch+json", True),
        ("PATCH", "Patient/1", "application/merge-patch+json", True),
        ("PATCH", "Patient/1", "application/fhir+json", True),
        ("PATCH", "Patient/1", "text/plain", False),
        ("POST", "Patient/_search", "application/x-www-form-urlencoded", True),
        ("POST", "Patient/_search", "application/json", False),
        ("POST", "Binary/_search", "image/png", False),
        ("POST", "Binary", "image/png", True),
        ("PUT", "Binary/1", "text/html", True),
    ],
)
def test_a_write_needs_a_fhir_or_patch_media_type(method: str, path: str, media_type: str, allowed: bool) -> None:
    if allowed:
        check_body(method, tuple(path.split("/")), media_type)
    else:
        with pytest.raises(UnsupportedMedia):
            check_body(method, tuple(path.split("/")), media_type)


def test_a_get_has_no_body() -> None:
    with pytest.raises(BadRequest):
        check_body("GET", ("Patient",), "application/json")
