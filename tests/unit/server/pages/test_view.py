"""What pages show: everything is text; links go to own resources and http(s) addresses only."""

from __future__ import annotations

import jiter
import pytest

from server.messages import FhirResponse
from server.pages import CONTENT_SECURITY_POLICY, STYLESHEET_PATH, readable, sign_in_page, start_page
from server.pages.view import rows, summary, target, tree
from server.site import STYLESHEET_PATH as SITE_STYLESHEET_PATH

BASE = "http://127.0.0.1:8080/fhir"
SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("reference", "link"),
    [
        ("Patient/1", f"{BASE}/Patient/1"),
        ("Patient/1/_history/2", f"{BASE}/Patient/1/_history/2"),
        ("https://example.org/fhir/Patient/1", "https://example.org/fhir/Patient/1"),
        ("Patient/a b", f"{BASE}/Patient/a%20b"),
        ('Patient/"onclick=x', f"{BASE}/Patient/%22onclick%3Dx"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("data:text/html,x", None),
        ("//evil.example/x", None),
        ("#contained", None),
        ("urn:uuid:5123b879-144b-4000-8000-000000000000", None),
        ("Patient", None),
        ("Patient/", None),
        ("patient/1", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_only_own_resources_and_web_addresses_become_links(reference: object, link: str | None) -> None:
    assert target(reference, BASE) == link


def test_a_tree_shows_numbers_as_they_were_written() -> None:
    value = jiter.from_json(b'{"value":1.00}', float_mode="lossless-float")
    assert tree(value, BASE)[0].text == "1.00"


def test_repeated_elements_are_numbered_and_single_ones_not() -> None:
    nodes = tree({"name": [{"family": "a"}], "line": ["b", "c"]}, BASE)
    assert [node.name for node in nodes] == ["name", "line[0]", "line[1]"]


def test_a_bundle_row_links_to_the_version_in_a_history() -> None:
    entry = {
        "resource": {"resourceType": "Patient", "id": "1", "meta": {"versionId": "3"}},
        "request": {"method": "PUT", "url": "Patient/1"},
    }
    assert rows({"entry": [entry]}, BASE)[0].link == f"{BASE}/Patient/1/_history/3"


def test_a_deletion_in_a_history_is_a_row() -> None:
    row = rows({"entry": [{"request": {"method": "DELETE", "url": "Patient/1"}}]}, BASE)[0]
    assert (row.title, row.mode, row.link) == ("Patient/1", "DELETE", f"{BASE}/Patient/1")


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        ({"name": [{"prefix": ["นาย"], "given": ["ก"], "family": "ข"}]}, "นาย ก ข"),
        ({"code": {"coding": [{"code": "8867-4"}]}, "status": "final"}, "8867-4 · final"),
        ({"name": "โรงพยาบาลสมมุติ"}, "โรงพยาบาลสมมุติ"),
        ({"name": [], "code": [], "valueQuantity": {}}, "–"),
    ],
)
def test_a_summary_tells_resources_apart(resource: dict[str, object], text: str) -> None:
    assert summary(resource) == text


def page(resource: dict[str, object], status: int = 200) -> str:
    return readable(FhirResponse(status, resource=resource), BASE, signed_in=False).decode()


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": SCRIPT},
        {"resourceType": "Patient", "id": SCRIPT, "meta": {"versionId": SCRIPT, "lastUpdated": SCRIPT}},
        {"resourceType": "Patient", "name": [{"family": SCRIPT}], SCRIPT: SCRIPT},
        {"resourceType": "Bundle", "type": "searchset", "total": SCRIPT, "link": [{"relation": "next", "url": SCRIPT}]},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": SCRIPT, "id": SCRIPT, "title": SCRIPT}}]},
        {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": SCRIPT, "code": SCRIPT, "diagnostics": SCRIPT, "expression": [SCRIPT]}],
        },
        {"resourceType": "Patient", "text": {"status": "generated", "div": f"<div>{SCRIPT}</div>"}},
    ],
)
def test_markup_in_data_is_shown_as_text(resource: dict[str, object]) -> None:
    assert "<script" not in page(resource)


def test_attribute_values_cannot_be_broken_out_of() -> None:
    shown = page({"resourceType": "Patient", "x": {"reference": 'https://a.example/"onmouseover="alert(1)'}})
    assert '"onmouseover="' not in shown


def test_a_harmless_narrative_is_shown_in_a_sandboxed_frame() -> None:
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p>ความดัน</p></div>'
    shown = page({"resourceType": "Patient", "text": {"status": "generated", "div": div}})
    assert '<iframe class="narrative" sandbox title' in shown
    assert "ความดัน" in shown


@pytest.mark.parametrize("div", ["<div onclick='x()'>a</div>", "<div><object/></div>", "not xml", "<div>"])
def test_a_narrative_that_breaks_the_rules_is_not_shown(div: str) -> None:
    shown = page({"resourceType": "Patient", "text": {"status": "generated", "div": div}})
    assert "<iframe" not in shown
    assert "The narrative is not shown" in shown


def test_raw_content_is_named_and_not_shown() -> None:
    shown = readable(FhirResponse(200, body=b"\x00<script>", media_type="image/png"), BASE, signed_in=False).decode()
    assert "image/png" in shown
    assert "<script>" not in shown


def test_the_start_page_lists_what_is_stored_and_offers_queries() -> None:
    shown = start_page({"Patient": 1200, "Observation": 3, "Basic": 0}, BASE, signed_in=True).decode()
    assert "1,200" in shown
    assert "ผู้ป่วย" in shown
    assert "Basic" not in shown
    assert f'action="{BASE}/Patient/_search"' in shown
    assert "Sign out" in shown


def test_an_empty_store_says_what_to_do() -> None:
    assert "transaction Bundle" in start_page({}, BASE, signed_in=False).decode()


def test_the_sign_in_page_escapes_where_to_go_next() -> None:
    assert '"><b>' not in sign_in_page(failed=True, next_path='/"><b>').decode()


def test_no_page_may_run_a_script() -> None:
    assert "script-src" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")


def test_site_and_pages_agree_on_the_stylesheet() -> None:
    assert STYLESHEET_PATH == SITE_STYLESHEET_PATH
