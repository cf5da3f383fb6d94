"""https://hl7.org/fhir/R4/narrative.html (txt-1, txt-2)"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.narrative import harmless_link, narrative_fault


def div(content: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{content}</div>'


@pytest.mark.parametrize(
    "content",
    [
        "text",
        "สวัสดี",
        "<p><b>a</b><br/></p>",
        '<table border="1"><tr><td colspan="2" style="color: red">a</td></tr></table>',
        '<a href="http://hl7.org">a</a>',
        '<a href="#x" title="y">a</a>',
        '<a href="Patient/1">a</a>',
        '<a href="mailto:a@example.org">a</a>',
        '<img src="data:image/png;base64,AA==" alt="a"/>',
        '<img src="#pic"/>',
        "a&nbsp;b &eacute; &amp; &#3585;",
        "<!-- comment -->a",
        '<ul id="a" class="b" lang="th" xml:lang="th"><li>c</li></ul>',
    ],
)
def test_basic_formatting_links_and_images_are_allowed(content: str) -> None:
    assert narrative_fault(div(content)) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "txt-2"),
        (" \n\t&nbsp;\u00a0", "txt-2"),
        ("<p> </p>", "txt-2"),
        ("<script>alert(1)</script>", "<script>"),
        ("<style>p {}</style>", "<style>"),
        ("<iframe src='x'/>", "<iframe>"),
        ("<object/>", "<object>"),
        ("<form><input/></form>", "<form>"),
        ("<SCRIPT>1</SCRIPT>", "<SCRIPT>"),
        ("<font>1</font>", "<font>"),
        ('<b onclick="alert(1)">a</b>', "onclick"),
        ('<img src="x" onerror="alert(1)"/>', "onerror"),
        ('<a href="javascript:alert(1)">a</a>', "scheme"),
        ('<a href=" JaVa&#10;Script:alert(1)">a</a>', "scheme"),
        ('<a href="&#106;avascript:alert(1)">a</a>', "scheme"),
        ('<a href="vbscript:x">a</a>', "scheme"),
        ('<a href="data:text/html,x">a</a>', "scheme"),
        ('<img src="data:image/svg+xml,x"/>', "scheme"),
        ('<img src="javascript:x"/>', "scheme"),
        ('<q cite="javascript:x">a</q>', "scheme"),
        ('<p style="background: url(http://x)">a</p>', "style"),
        ('<p style="width: expression(1)">a</p>', "style"),
        ('<p style="background:u\\rl(x)">a</p>', "style"),
        ('<svg:svg xmlns:svg="http://www.w3.org/2000/svg">a</svg:svg>', "not allowed"),
        ('<p xmlns="http://www.w3.org/2000/svg">a</p>', "namespace"),
        ("<?php x ?>a", "processing instruction"),
        ("&bogus;", "entity"),
        ("<b>a", "not well-formed"),
        ("a & b", "not well-formed"),
        ("\ud800", "Unicode"),
    ],
)
def test_everything_else_is_refused(content: str, says: str) -> None:
    fault = narrative_fault(div(content))
    assert fault is not None
    assert says in fault


@pytest.mark.parametrize(
    "text",
    [
        "plain text",
        "",
        "<p>a</p>",
        "<div>a</div>",
        f"{div('a')}{div('b')}",
        f"<!DOCTYPE div>{div('a')}",
        f'<!DOCTYPE div [<!ENTITY a "b">]>{div("&a;")}',
        f'<!DOCTYPE div SYSTEM "file:///etc/passwd">{div("a")}',
        "<div xmlns='http://www.w3.org/1999/xhtml'>" + "<p>" * 300 + "a" + "</p>" * 300 + "</div>",
    ],
)
def test_it_is_one_div_without_a_document_type(text: str) -> None:
    assert narrative_fault(text) is not None


def test_a_fault_quotes_nothing_of_the_text() -> None:
    fault = narrative_fault(div("Somchai <script>Jaidee</script>"))
    assert fault is not None
    assert "Somchai" not in fault
    assert "Jaidee" not in fault


@pytest.mark.parametrize(
    ("link", "harmless"),
    [("https://a", True), ("a:b", False), ("/a:b", True), ("?a:b", True), ("//x/y", True), ("java\tscript:x", False)],
)
def test_a_link_leads_to_a_place(link: str, harmless: bool) -> None:
    assert harmless_link(link) is harmless


@given(st.text(max_size=100))
def test_arbitrary_text_never_crashes(text: str) -> None:
    narrative_fault(text)
    narrative_fault(div(text))
