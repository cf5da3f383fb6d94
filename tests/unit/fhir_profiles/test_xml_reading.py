"""https://hl7.org/fhir/R4/xml.html"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import ReadError, read_json, same_json
from fhir_profiles.xml_reading import read_xml

DEFINITIONS = Definitions()
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def patient(content: str, attributes: str = "") -> bytes:
    return f'<Patient xmlns="http://hl7.org/fhir"{attributes}>{content}</Patient>'.encode()


@pytest.mark.parametrize(
    ("content", "json"),
    [
        ('<id value="1"/>', '{"id":"1"}'),
        ('<active value="true"/>', '{"active":true}'),
        ('<name id="n"><family value="ใจดี"/></name>', '{"name":[{"id":"n","family":"ใจดี"}]}'),
        ('<multipleBirthInteger value="2"/>', '{"multipleBirthInteger":2}'),
        ('<deceasedDateTime value="2020"/>', '{"deceasedDateTime":"2020"}'),
        (
            '<extension url="u"><valueDecimal value="1.50"/></extension>',
            '{"extension":[{"url":"u","valueDecimal":1.50}]}',
        ),
        (
            '<birthDate id="b"><extension url="u"><valueCode value="x"/></extension></birthDate>',
            '{"_birthDate":{"id":"b","extension":[{"url":"u","valueCode":"x"}]}}',
        ),
        (
            '<name><given value="a"/><given><extension url="u"><valueCode value="x"/></extension></given>'
            '<given value="c"/></name>',
            '{"name":[{"given":["a",null,"c"],"_given":[null,{"extension":[{"url":"u","valueCode":"x"}]},null]}]}',
        ),
        (
            '<contained><Organization><id value="o"/></Organization></contained><contained><Patient/></contained>',
            '{"contained":[{"resourceType":"Organization","id":"o"},{"resourceType":"Patient"}]}',
        ),
        (
            f'<text><status value="generated"/>{DIV}a<br/>b &amp; c</div></text>',
            '{"text":{"status":"generated",'
            '"div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">a<br/>b &amp; c</div>"}}',
        ),
        ("<!-- nothing -->", "{}"),
        ('<active value="yes"/>', '{"active":"yes"}'),
    ],
)
def test_xml_reads_as_its_json(content: str, json: str) -> None:
    expected = {"resourceType": "Patient", **read_json(json.encode())}
    assert same_json(read_xml(patient(content), DEFINITIONS), expected)


def test_a_narrative_in_a_prefixed_namespace_is_written_out() -> None:
    source = patient(
        '<text><status value="generated"/><h:div><h:p title="a &quot;b&quot;">x &lt; y</h:p></h:div></text>',
        ' xmlns:h="http://www.w3.org/1999/xhtml"',
    )
    assert read_xml(source, DEFINITIONS)["text"]["div"] == f"{DIV}<p title='a \"b\"'>x &lt; y</p></div>"


def test_other_encodings_are_read() -> None:
    text = '<?xml version="1.0" encoding="windows-874"?>' + patient('<name><family value="ใจดี"/></name>').decode()
    assert read_xml(text.encode("cp874"), DEFINITIONS)["name"] == [{"family": "ใจดี"}]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"", "Not well-formed XML"),
        (b"<Patient", "Not well-formed XML"),
        (b"<Patient/>", "expected a resource type"),
        (b'<Foo xmlns="http://hl7.org/fhir"/>', "expected a resource type"),
        (patient("<foo/>"), "no element <foo>"),
        (patient('<id value="1" x="2"/>'), "no attribute x"),
        (patient("hello"), "text was found"),
        (patient('<active value="true"/><active value="true"/>'), "repeats"),
        (patient("<contained><Patient/><Patient/></contained>"), "more than one resource"),
        (patient('<x:active xmlns:x="urn:x" value="true"/>'), "namespace"),
        (patient(f"<text>{DIV}<b xmlns='urn:x'/></div></text>"), "XHTML namespace"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + patient('<id value="&a;"/>'), "DTD"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + patient(""), "DTD"),
        (patient('<id value="&a;"/>'), "Not well-formed XML"),
        (b'<?xml version="1.0" encoding="klingon"?>' + patient(""), "encoding"),
        (patient("<contained>" + "<Bundle><entry><resource>" * 80), "levels deep"),
    ],
)
def test_what_is_no_fhir_xml_is_refused_with_a_reason(source: bytes, says: str) -> None:
    with pytest.raises(ReadError) as error:
        read_xml(source, DEFINITIONS)
    assert says in error.value.issues[0].diagnostics


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash_the_reader(body: bytes) -> None:
    with contextlib.suppress(ReadError):
        read_xml(body, DEFINITIONS)


names = st.sampled_from(
    ["name", "given", "text", "div", "contained", "Patient", "extension", "active", "id", "birthDate"]
)
elements = st.recursive(
    st.builds(lambda name, value: f'<{name} value="{value}"/>', names, st.sampled_from(["", "1", "true", "x"])),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", names, st.lists(inner, max_size=3)
    ),
    max_leaves=12,
)


@given(elements)
def test_shuffled_elements_never_crash_the_reader(content: str) -> None:
    with contextlib.suppress(ReadError):
        read_xml(patient(content), DEFINITIONS)
