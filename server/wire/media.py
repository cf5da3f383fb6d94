"""Media types: what a body may be, what an answer shall be.   https://hl7.org/fhir/R4/http.html#mime-type

XML has its rows already: a body or answer in XML is refused clearly until it is on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from server.errors import BadRequest, NotAcceptable, UnsupportedMedia

FHIR_JSON = "application/fhir+json"
FHIR_VERSIONS = ("4.0", "4.0.1")

JSON = "json"
HTML = "html"

# Media type an Accept header or `_format` may name -> format; None: known, not offered.
FORMATS: dict[str, str | None] = {
    FHIR_JSON: JSON,
    "application/json": JSON,
    "text/json": JSON,
    "application/json+fhir": JSON,  # DSTU2's name, still sent by old clients
    "text/html": HTML,
    "application/xhtml+xml": HTML,
    "application/fhir+xml": None,
    "application/xml": None,
    "text/xml": None,
    "application/fhir+turtle": None,
    "text/turtle": None,
    "application/x-turtle": None,
}

# Short names of `_format`.   https://hl7.org/fhir/R4/http.html#parameters
SHORT_NAMES = {"json": FHIR_JSON, "html": "text/html", "xml": "application/fhir+xml", "ttl": "text/turtle"}

# Bodies of writes. A browser cannot send these to a foreign server without asking first, so they also guard open mode.
RESOURCE_TYPES = frozenset({FHIR_JSON, "application/json", "text/json", "application/json+fhir"})
PATCH_TYPES = frozenset({"application/json-patch+json", "application/merge-patch+json", *RESOURCE_TYPES})
FORM = "application/x-www-form-urlencoded"
XML_TYPES = frozenset({"application/fhir+xml", "application/xml", "text/xml", "application/xml+fhir"})

OFFERED = "application/fhir+json"


class Answer(NamedTuple):
    """Format of an answer."""

    format: str | None
    """JSON, HTML, or None when nothing offered is acceptable (a Binary may still be, as what it is)."""
    media_type: str
    """Content-Type of a FHIR answer."""


DEFAULT = Answer(JSON, FHIR_JSON + ";charset=utf-8")


class Range(NamedTuple):
    """One element of an Accept header."""

    quality: float
    media_type: str
    version: str


@lru_cache(maxsize=256)
def negotiate(accept: str, format_parameter: str | None) -> Answer:
    """What to answer; `_format` wins over Accept.   https://hl7.org/fhir/R4/http.html#mime-type

    Raises: NotAcceptable for a `_format` that is not offered (an Accept header gives Answer.format None instead).
    """
    if format_parameter is not None:
        # An unescaped + of application/fhir+json arrives as a space.
        wanted = format_parameter.strip().replace(" ", "+").lower()
        answer = _best(SHORT_NAMES.get(wanted, wanted))
        if answer.format is None:
            raise not_acceptable()
        return answer
    return _best(accept) if accept else DEFAULT


def not_acceptable() -> NotAcceptable:
    return NotAcceptable(f"Answers are given as {OFFERED} (FHIR R4, UTF-8); XML and Turtle are not offered yet.")


def _best(accept: str) -> Answer:
    for wanted in sorted(_ranges(accept), key=lambda each: -each.quality):
        if wanted.quality == 0:
            continue
        if wanted.media_type in ("*/*", "application/*"):
            return DEFAULT
        if wanted.media_type == "text/*":
            return Answer(JSON, "text/json;charset=utf-8")
        format = FORMATS.get(wanted.media_type)
        if format == HTML:
            return Answer(HTML, DEFAULT.media_type)
        if format == JSON and wanted.version in ("", *FHIR_VERSIONS):
            version = f";fhirVersion={wanted.version}" if wanted.version else ""
            return Answer(JSON, f"{wanted.media_type}{version};charset=utf-8")
    return Answer(None, DEFAULT.media_type)


def _ranges(accept: str) -> Iterator[Range]:
    for element in accept.lower().split(","):
        media_type, parameters = split(element)
        if media_type:
            try:
                quality = float(parameters.get("q", "1"))
            except ValueError:
                quality = 0
            yield Range(quality, media_type, parameters.get("fhirversion", ""))


def split(text: str) -> tuple[str, dict[str, str]]:
    """("application/fhir+json", {"charset": "utf-8"}), in lower case."""
    media_type, *rest = text.lower().split(";")
    pairs = (part.partition("=") for part in rest)
    return media_type.strip(), {name.strip(): value.strip().strip('"') for name, _, value in pairs}


@lru_cache(maxsize=256)
def body_type(content_type: str) -> str:
    """Media type of a body in lower case, its parameters checked.

    Raises: UnsupportedMedia for another character set than UTF-8 or another FHIR version than R4.
    """
    media_type, parameters = split(content_type)
    if media_type in PATCH_TYPES or media_type in XML_TYPES:
        if parameters.get("charset", "utf-8") not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMedia("FHIR is always UTF-8; the Content-Type names another character set.")
        if parameters.get("fhirversion", "4.0") not in FHIR_VERSIONS:
            raise UnsupportedMedia("This server speaks FHIR 4.0; the Content-Type names another fhirVersion.")
    return media_type


def check_body(method: str, path: tuple[str, ...], media_type: str) -> None:
    """Refuses a body that is no resource, no patch and no search form; a Binary may be anything.

    Raises: UnsupportedMedia, BadRequest.
    """
    if method in ("GET", "HEAD"):
        raise BadRequest(f"A {method} request has no body.")
    if path[:1] == ("Binary",) and path[-1] != "_search":
        return
    if method == "POST" and path[-1:] == ("_search",):
        if media_type != FORM:
            raise UnsupportedMedia(f"The parameters of a search are posted as {FORM}.")
        return
    allowed = PATCH_TYPES if method == "PATCH" else RESOURCE_TYPES
    if media_type not in allowed:
        hint = " XML is not offered yet." if media_type in XML_TYPES else ""
        raise UnsupportedMedia(f"A body of {' or '.join(sorted(allowed))} is expected here.{hint}")
