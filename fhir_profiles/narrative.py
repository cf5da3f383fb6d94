"""Whether a narrative is the harmless XHTML that FHIR allows.   https://hl7.org/fhir/R4/narrative.html

Validation asks it for every `Narrative.div` (txt-1, txt-2); pages ask it before they show one.
The named entities of HTML 4 are allowed besides those of XML; a document type is not.
"""

from __future__ import annotations

import re
from html.entities import name2codepoint
from xml.parsers import expat

XHTML = "http://www.w3.org/1999/xhtml"
MAX_NESTING = 200

# Chapters 7 to 11 (without 9.4) and 15 of HTML 4.0, links and images.
ELEMENTS = frozenset(
    [
        *("a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "cite", "code"),
        *("col", "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i"),
        *("img", "kbd", "li", "map", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub", "sup", "table"),
        *("tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var"),
    ]
)
ANY_ELEMENT = frozenset(["class", "dir", "id", "lang", "style", "title", "xml:lang", "xml:space", "xmlns"])
CELL = ["abbr", "align", "axis", "char", "charoff", "colspan", "headers", "rowspan", "scope", "valign"]
ALIGNED = frozenset(["align", "char", "charoff", "valign"])
ATTRIBUTES: dict[str, frozenset[str]] = {
    "a": frozenset(["accesskey", "charset", "coords", "href", "hreflang", "name", "rel", "rev", "shape", "tabindex"]),
    "area": frozenset(["accesskey", "alt", "coords", "href", "nohref", "shape", "tabindex"]),
    "blockquote": frozenset(["cite"]),
    "col": ALIGNED | {"span", "width"},
    "colgroup": ALIGNED | {"span", "width"},
    "img": frozenset(["alt", "border", "height", "longdesc", "src", "usemap", "width"]),
    "map": frozenset(["name"]),
    "ol": frozenset(["start", "type"]),
    "li": frozenset(["value", "type"]),
    "q": frozenset(["cite"]),
    "table": frozenset(["border", "cellpadding", "cellspacing", "frame", "rules", "summary", "width"]),
    "tbody": ALIGNED,
    "td": frozenset([*CELL, "width", "height", "nowrap", "bgcolor"]),
    "tfoot": ALIGNED,
    "th": frozenset([*CELL, "width", "height", "nowrap", "bgcolor"]),
    "thead": ALIGNED,
    "tr": ALIGNED,
}
LINKS = frozenset(["cite", "href", "longdesc", "src", "usemap"])

_SPACES = re.compile(r"[\x00-\x20\x7f-\xa0]+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*):")
LINK_SCHEMES = frozenset(["ftp", "http", "https", "mailto", "tel", "urn", "cid"])
_EMBEDDED_IMAGE = re.compile(r"data:image/(?:png|gif|jpe?g|webp|bmp)[;,]")
_ACTIVE_STYLE = re.compile(r"url\s*\(|expression\s*\(|@|javascript:|behavio[u]?r\s*:|binding\s*:|\\|/\*|image-set|<")


class _Refused(Exception):
    """Why the narrative is not allowed."""


class _Reader:
    """Follows the parser's events; raises _Refused at the first thing that is not allowed."""

    def __init__(self) -> None:
        self.depth = 0
        self.has_content = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.depth == 0 and (name != "div" or attributes.get("xmlns") != XHTML):
            raise _Refused(f'the narrative must be one <div xmlns="{XHTML}"> (txt-1)')
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise _Refused("the narrative is nested too deep")
        if name not in ELEMENTS:
            raise _Refused(f"the element <{name[:20]}> is not allowed in a narrative (txt-1)")
        if name == "img":
            self.has_content = True
        for attribute, value in attributes.items():
            self.attribute(name, attribute, value)

    def attribute(self, element: str, name: str, value: str) -> None:
        if name not in ANY_ELEMENT and name not in ATTRIBUTES.get(element, ()):
            raise _Refused(f"the attribute {name[:20]} of <{element}> is not allowed in a narrative (txt-1)")
        if name == "xmlns" and value != XHTML:
            raise _Refused("only the XHTML namespace is allowed in a narrative (txt-1)")
        if name == "style" and _ACTIVE_STYLE.search(value.lower()):
            raise _Refused("a style must not load or run anything (txt-1)")
        if name in LINKS and not harmless_link(value, image=name == "src"):
            raise _Refused(f"the {name} of <{element}> has a scheme that is not allowed (txt-1)")

    def end(self, _name: str) -> None:
        self.depth -= 1

    def text(self, data: str) -> None:
        if not self.has_content and not data.isspace():
            self.has_content = True

    def entity(self, name: str, _is_parameter: bool) -> None:
        if name not in name2codepoint:
            raise _Refused("an entity is not one of HTML 4 (txt-1)")
        if name != "nbsp":
            self.has_content = True

    def doctype(self, *_: object) -> None:
        raise _Refused("a document type is not allowed in a narrative (txt-1)")

    def instruction(self, *_: object) -> None:
        raise _Refused("a processing instruction is not allowed in a narrative (txt-1)")


def harmless_link(link: str, *, image: bool = False) -> bool:
    """Whether a link leads to a place and runs nothing; embedded pictures only where they are shown."""
    text = _SPACES.sub("", link).lower()
    scheme = _SCHEME.match(text)
    if scheme is None:
        return ":" not in text.partition("/")[0].partition("?")[0].partition("#")[0]
    if scheme[1] == "data":
        return image and _EMBEDDED_IMAGE.match(text) is not None
    return scheme[1] in LINK_SCHEMES


def narrative_fault(div: str) -> str | None:
    """Why the text is no allowed `<div>`, or None. Quotes nothing of its text."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)  # so that entities without a declaration are reported and not refused
    parser.ExternalEntityRefHandler = lambda *_: 1
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.SkippedEntityHandler = reader.entity
    parser.ProcessingInstructionHandler = reader.instruction
    try:
        parser.Parse(div, True)
    except expat.ExpatError as error:
        place = f"line {error.lineno} column {error.offset + 1}"
        return f"the narrative is not well-formed XHTML: {expat.ErrorString(error.code)} at {place}"
    except _Refused as refused:
        return str(refused)
    except UnicodeError:
        return "the narrative is not valid Unicode"
    if not reader.has_content:
        return "the narrative must have some text or an image (txt-2)"
    return None
