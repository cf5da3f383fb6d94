"""FHIR XML to the same plain dicts as FHIR JSON.   https://hl7.org/fhir/R4/xml.html

The definitions say what XML does not: arrays, booleans, numbers (text kept). Narrative stays a string of XHTML.
Document types, and with them entities, are refused; comments and processing instructions are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import jiter

from fhir_profiles.definitions import Definitions, Property
from fhir_profiles.json_reading import MAX_DEPTH, read_error

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
XML_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"

INTEGERS = frozenset(["integer", "unsignedInt", "positiveInt"])
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,4000})\Z")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_WINDOWS_874 = re.compile(rb"""<\?xml [^>]{0,40}encoding=["']windows-874["']""", re.IGNORECASE)
"""The Thai code page under the one name that Python does not know."""
_OWN_NAMESPACE = re.compile(rb'<div\s[^<>]*xmlns="http://www.w3.org/1999/xhtml"[^<>]*>')


def read_xml(data: bytes, definitions: Definitions, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The resource as `read_json` would give it: dict, list, str, int, bool, None and LosslessFloat.
    Raises: ReadError (not well-formed, no FHIR, an unknown element)."""
    parser = expat.ParserCreate("cp874" if _WINDOWS_874.match(data) else None, " ")
    reader = _Reader(definitions, max_depth, lambda: parser.CurrentByteIndex, data)
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.XmlDeclHandler = reader.declaration
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        place = f"line {error.lineno} column {error.offset + 1}"
        raise read_error(f"Not well-formed XML: {expat.ErrorString(error.code)} ({place})") from None
    except (LookupError, UnicodeError, ValueError):
        raise read_error("Not well-formed XML: it is not in the encoding it declares") from None
    if reader.resource is None:
        raise read_error("the XML holds no resource")
    return reader.resource


def _refuse_doctype(*_: object) -> None:
    raise read_error("a document type (DTD) is not allowed in FHIR", "invalid")


class _Frame:
    """One open element: an object under construction, or the wrapper around an inner resource."""

    __slots__ = ("known", "members", "name", "node", "value")

    def __init__(self, node: str, known: Property | None, name: str, value: str | None = None) -> None:
        self.node = node
        """Type whose members are expected; `Resource` for a wrapper."""
        self.known = known
        """The property this element is of its parent; None for the root of a resource."""
        self.name = name
        self.members: dict[str, Any] = {}
        self.value = value
        """The value attribute of a primitive."""


class _Reader:
    """Follows the parser's events; `resource` is set when the root is closed."""

    def __init__(self, definitions: Definitions, max_depth: int, position: Callable[[], int], source: bytes) -> None:
        self._definitions = definitions
        self._max_depth = max_depth
        self._position = position
        self._source = source
        self._narrative_start = 0
        self._stack: list[_Frame] = []
        self._narrative: _Narrative | None = None
        self.resource: dict[str, Any] | None = None
        self.is_utf8 = True

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.is_utf8 = encoding is None or encoding.lower() in ("utf-8", "us-ascii")

    def start(self, name: str, attributes: list[str]) -> None:
        if len(self._stack) + (self._narrative.depth if self._narrative else 0) >= self._max_depth:
            raise read_error(f"it is nested more than {self._max_depth} levels deep", "invalid")
        if self._narrative is not None:
            self._narrative.start(name, attributes)
            return
        space, _, local = name.rpartition(" ")
        if not self._stack or self._stack[-1].node == "Resource":
            self._stack.append(self._resource(space, local))
            self._attributes(self._stack[-1], attributes)
            return
        parent = self._stack[-1]
        known = self._definitions.properties(parent.node).get(local)
        if known is None or "xmlAttr" in known.element.representation:
            raise read_error(f"{parent.node} has no element <{local[:40]}>")
        if known.type == "xhtml":
            self._stack.append(_Frame("xhtml", known, local))
            self._narrative = _Narrative()
            self._narrative_start = self._position()
            self._narrative.start(name, attributes)
            return
        if space != FHIR:
            raise read_error(f"the element <{local[:40]}> is not in the namespace {FHIR}")
        node = "Element" if self._definitions.is_primitive(known.type) else known.type
        frame = _Frame(node, known, local)
        self._attributes(frame, attributes)
        self._stack.append(frame)

    def _resource(self, space: str, local: str) -> _Frame:
        if space != FHIR or local not in self._definitions.resource_types:
            raise read_error(f"<{local[:40]}> was found, expected a resource type of FHIR R4 in the namespace {FHIR}")
        if self._stack and self._stack[-1].members:
            raise read_error(f"<{self._stack[-1].name}> holds more than one resource")
        frame = _Frame(local, None, local)
        frame.members["resourceType"] = local
        return frame

    def _attributes(self, frame: _Frame, attributes: list[str]) -> None:
        primitive = frame.known is not None and self._definitions.is_primitive(frame.known.type)
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            if name.startswith((XML_SCHEMA_INSTANCE + " ", XML + " ")):
                continue
            if name == "value" and primitive:
                frame.value = value
                continue
            known = self._definitions.properties(frame.node).get(name) if frame.node != "Resource" else None
            if known is None or "xmlAttr" not in known.element.representation:
                raise read_error(f"<{frame.name}> has no attribute {name[:40]}")
            frame.members[name] = value

    def end(self, name: str) -> None:
        if self._narrative is not None:
            self._narrative.end(name)
            if self._narrative.depth:
                return
            frame = self._stack.pop()
            self._put(frame, self._as_written() or self._narrative.text_of(), None)
            self._narrative = None
            return
        frame = self._stack.pop()
        if frame.known is None:
            self._close_resource(frame)
        elif self._definitions.is_primitive(frame.known.type):
            value = None if frame.value is None else _primitive(frame.value, frame.known.type)
            self._put(frame, value, frame.members or (None if frame.value is not None else {}))
        else:
            self._put(frame, frame.members, None)

    def _as_written(self) -> str | None:
        """The narrative's very text, if it is XHTML in itself: it leans on no namespace declared further out."""
        raw = self._source[self._narrative_start : self._source.find(b">", self._position()) + 1]
        if not self.is_utf8 or b"xmlns:" in raw or _OWN_NAMESPACE.match(raw) is None:
            return None
        return raw.decode().replace("\r\n", "\n")

    def _close_resource(self, frame: _Frame) -> None:
        if self._stack:
            self._stack[-1].members = frame.members
        else:
            self.resource = frame.members

    def _put(self, frame: _Frame, value: Any, sibling: dict[str, Any] | None) -> None:
        """Set the member of the parent: the value, and the id and extensions of a primitive beside it."""
        assert frame.known is not None
        parent, name = self._stack[-1].members, frame.known.name
        if not frame.known.element.is_array:
            if name in parent or "_" + name in parent:
                raise read_error(f"<{name}> repeats, expected at most one")
            if value is not None:
                parent[name] = value
            if sibling is not None:
                parent["_" + name] = sibling
            return
        values = parent.setdefault(name, [])
        values.append(value)
        siblings = parent.get("_" + name)
        if sibling is not None and siblings is None:
            siblings = parent["_" + name] = [None] * (len(values) - 1)
        if siblings is not None:
            siblings.append(sibling)

    def text(self, data: str) -> None:
        if self._narrative is not None:
            self._narrative.text(data)
        elif not data.isspace():
            raise read_error("text was found between elements, expected it in value attributes")


class _Narrative:
    """Writes the events inside a narrative as XHTML in the default namespace."""

    def __init__(self) -> None:
        self.depth = 0
        self._parts: list[str] = []
        self._open = False
        """The last start tag still lacks its `>`."""

    def start(self, name: str, attributes: list[str]) -> None:
        space, _, local = name.rpartition(" ")
        if space != XHTML:
            raise read_error("an element of a narrative is not in the XHTML namespace")
        self._close_tag()
        self._parts.append(f"<{local}")
        if self.depth == 0:
            self._parts.append(f' xmlns="{XHTML}"')
        for key, value in zip(attributes[::2], attributes[1::2], strict=True):
            space, _, local = key.rpartition(" ")
            shown = f"xml:{local}" if space == XML else local
            self._parts.append(f" {shown}={quoteattr(value)}")
        self._open = True
        self.depth += 1

    def _close_tag(self) -> None:
        if self._open:
            self._parts.append(">")
            self._open = False

    def end(self, name: str) -> None:
        self._parts.append("/>" if self._open else f"</{name.rpartition(' ')[2]}>")
        self._open = False
        self.depth -= 1

    def text(self, data: str) -> None:
        self._close_tag()
        self._parts.append(escape(data))

    def text_of(self) -> str:
        return "".join(self._parts)


def _primitive(text: str, type_code: str) -> Any:
    """The JSON value of a value attribute; text that is none of its type stays text, which validation refuses."""
    if type_code == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if type_code in INTEGERS:
        return int(text) if _INTEGER.match(text) else text
    if type_code == "decimal":
        if _INTEGER.match(text):
            return int(text)
        return jiter.LosslessFloat(text.encode()) if _DECIMAL.match(text) else text
    return text
