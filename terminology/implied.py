"""Code systems of standards that no CodeSystem resource holds: what is known of each, stated exactly.

| system | known here |
|---|---|
| urn:ietf:bcp:13 (media types) | grammar of RFC 6838, registered top-level types, parameters; and xml, json, ttl |
| urn:ietf:bcp:47 (languages) | well-formed tags of RFC 5646; subtags are not looked up in the registry |
| urn:ietf:rfc:3986 (URIs) | a scheme and no character that RFC 3986 excludes |
| urn:iso:std:iso:3166 | the list: alpha-2, alpha-3 and numeric codes |
| urn:iso:std:iso:3166:-2 | `XX-` and 1 to 3 letters or digits, XX a listed alpha-2 code |
| http://unitsofmeasure.org | the whole grammar of UCUM; the property `canonical` is the code in base units |
| urn:iso:std:iso:4217 | the list of currencies, with those replaced since R4 (HRK, SLL, ZWL, ANG ...) |

https://hl7.org/fhir/R4/terminologies-systems.html
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from fhir_profiles import ucum
from terminology.concept import Concept, Property
from terminology.system import CodeSystem, ResourceSystem


class GrammarSystem:
    """A system whose codes are told by their form; there is no list of them."""

    complete = True
    enumerable = False
    version: str | None = None

    def __init__(self, url: str, name: str, accepts: Callable[[str], bool], *, case_sensitive: bool = True) -> None:
        self.url = url
        self.name = name
        self.case_sensitive = case_sensitive
        self._accepts = accepts

    def find(self, code: str) -> Concept | None:
        return Concept(code, properties=self._properties(code)) if self._accepts(code) else None

    def _properties(self, code: str) -> tuple[Property, ...]:
        return ()

    def all(self, skip: int = 0) -> Iterator[Concept]:
        return iter(())

    def count(self) -> int:
        return 0

    def matching(self, words: tuple[str, ...], skip: int = 0) -> Iterator[Concept]:
        return iter(())

    def count_matching(self, words: tuple[str, ...]) -> int | None:
        return None

    def children(self, code: str) -> Iterator[Concept]:
        return iter(())

    def descendants(self, code: str) -> Iterator[Concept]:
        return iter(())

    def ancestors(self, code: str) -> frozenset[str]:
        return frozenset()

    def is_below(self, code: str, ancestor: str) -> bool:
        return False

    def having(self, code: str, values: frozenset[str]) -> Iterator[Concept]:
        return iter(())

    def properties(self) -> frozenset[str]:
        return frozenset()

    def hierarchical(self) -> bool:
        return False

    def comparable(self, code: str, value: str) -> str:
        return value


class UnitSystem(GrammarSystem):
    """UCUM.   https://hl7.org/fhir/R4/valueset.html#ucum"""

    def __init__(self) -> None:
        super().__init__("http://unitsofmeasure.org", "UCUM", ucum.is_valid)

    def _properties(self, code: str) -> tuple[Property, ...]:
        return (Property("canonical", "valueCode", self.comparable("canonical", code)),)

    def properties(self) -> frozenset[str]:
        return frozenset({"canonical"})

    def comparable(self, code: str, value: str) -> str:
        """`a` and `min` are both `s` in base units: what is commensurable compares equal."""
        unit = ucum.canonical(value) if code == "canonical" else None
        return value if unit is None else unit.code


SUBTYPE = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
MEDIA_TYPE = re.compile(
    r"(application|audio|chemical|example|font|haptics|image|message|model|multipart|text|video|x-[a-z0-9-]+)/"
    + SUBTYPE
    + r"(\s*;\s*[A-Za-z0-9!#$&^_.+-]+=(\"[^\"\\]*\"|[^\s;\"]+))*",
    re.IGNORECASE,
)
FHIR_SHORT_FORMS = frozenset({"xml", "json", "ttl"})
"""https://hl7.org/fhir/R4/http.html#mime-type; the specification's own CapabilityStatements use them as formats."""

LANGUAGE_TAG = re.compile(
    r"([a-z]{2,3}(-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})"  # language and extended language
    r"(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?"  # script, region
    r"(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"  # variants
    r"(-[0-9a-wy-z](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?"  # extensions, private use
    r"|x(-[a-z0-9]{1,8})+"
    r"|i-[a-z0-9]{2,8}|sgn-(be-fr|be-nl|ch-de)|en-gb-oed|art-lojban|cel-gaulish|no-(bok|nyn)|zh-(guoyu|hakka|min|min-nan|xiang)",
    re.IGNORECASE,
)
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x1f]*")


def media_type(code: str) -> bool:
    return code in FHIR_SHORT_FORMS or (len(code) <= 1000 and MEDIA_TYPE.fullmatch(code) is not None)


def language(code: str) -> bool:
    return len(code) <= 100 and LANGUAGE_TAG.fullmatch(code) is not None


def uri(code: str) -> bool:
    return URI.fullmatch(code) is not None


def subdivision(code: str) -> bool:
    country, _, part = code.partition("-")
    return country in alpha2() and re.fullmatch("[A-Z0-9]{1,3}", part) is not None


@cache
def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """The lines of one of the committed lists."""
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return tuple(tuple(row) for row in csv.reader(file))


@cache
def alpha2() -> frozenset[str]:
    return frozenset(row[0] for row in rows("iso-3166.csv"))


def countries() -> CodeSystem:
    """Each country three times, as the value sets iso3166-1-2, -1-3 and -1-N of R4 expect."""
    concepts = [{"code": row[form], "display": row[3]} for form in (0, 1, 2) for row in rows("iso-3166.csv")]
    return listed("urn:iso:std:iso:3166", "ISO 3166 countries", concepts)


def currencies() -> CodeSystem:
    concepts = [{"code": code, "display": name} for code, name in rows("iso-4217.csv")]
    return listed("urn:iso:std:iso:4217", "ISO 4217 currencies", concepts)


def listed(url: str, name: str, concepts: list[dict[str, str]]) -> CodeSystem:
    return ResourceSystem(
        {"url": url, "title": name, "caseSensitive": True, "content": "complete", "concept": concepts}
    )


MAKERS: dict[str, Callable[[], CodeSystem]] = {
    "urn:ietf:bcp:13": lambda: GrammarSystem("urn:ietf:bcp:13", "Media types", media_type, case_sensitive=False),
    "urn:ietf:bcp:47": lambda: GrammarSystem("urn:ietf:bcp:47", "Language tags", language, case_sensitive=False),
    "urn:ietf:rfc:3986": lambda: GrammarSystem("urn:ietf:rfc:3986", "URIs", uri),
    "urn:iso:std:iso:3166": countries,
    "urn:iso:std:iso:3166:-2": lambda: GrammarSystem("urn:iso:std:iso:3166:-2", "ISO 3166-2 subdivisions", subdivision),
    "urn:iso:std:iso:4217": currencies,
    "http://unitsofmeasure.org": UnitSystem,
}


@cache
def implied(url: str) -> CodeSystem | None:
    """The system of that URL, or None."""
    maker = MAKERS.get(url)
    return maker() if maker else None
