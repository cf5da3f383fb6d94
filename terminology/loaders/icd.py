"""ICD-10 and ICD-10-TM: WHO's ClaML, or a table as the Ministry of Public Health hands it out.

ClaML (`icd102019en.xml`, ClaML 2.0.0): https://icd.who.int/browse10 > download; classes are chapters, blocks and
categories, names are rubrics of kind `preferred`. Tables: CSV with a header; **the column names are from memory,
unverified**: they are the table COLUMNS, easy to correct. Codes are written with the dot (A00.0) whichever way they
come, and a code is under the longest shorter code that is in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from terminology.concept import Concept, Designation, Property
from terminology.loaders.tables import Columns, LoadError, Release, Report

COLUMNS = Columns(
    {
        "code": ("code", "icd10", "icd10tm", "diagcode", "icd10 code", "icd10tm code", "รหัส", "รหัสโรค"),
        "english": (
            "desc_en",
            "english",
            "name_en",
            "description",
            "diagename",
            "icd10 name",
            "name",
            "term",
            "ชื่อภาษาอังกฤษ",
        ),
        "thai": ("desc_th", "thai", "name_th", "diagtname", "thai name", "tname", "ชื่อภาษาไทย", "ชื่อโรค"),
        "parent": ("parent", "block", "parent code"),
        "valid": ("valid", "billable", "can_use", "use"),
    },
    ("code",),
)
"""From memory, unverified."""
NOT_VALID = frozenset({"0", "n", "no", "false", "x"})
CLAML_KINDS = {"preferred": "display", "preferredlong": "long", "definition": "definition"}


def read_icd(release: Release, report: Report) -> Iterator[Concept]:
    """The concepts of a ClaML file, or of a table."""
    claml = release.names(r".*\.(xml|claml)")
    if claml:
        return read_claml(release, claml[0], report)
    tables = release.names(r".*\.(csv|txt|tsv)")
    if len(tables) != 1:
        raise LoadError(
            f"{release.source.name}: one ClaML file (.xml) or one table (.csv) is expected, not {len(tables)}"
        )
    return read_table(release, tables[0], report)


def dotted(code: str) -> str:
    """A code with its dot after the third character: A000 is A00.0."""
    code = code.strip().upper().rstrip("*+†")
    return f"{code[:3]}.{code[3:]}" if re.fullmatch(r"[A-Z][0-9][0-9A-Z][0-9A-Z]+", code) else code


def parent_by_shape(code: str, known: frozenset[str]) -> str | None:
    """The longest code that begins this one: A00.01 is under A00.0, or else under A00."""
    for length in range(len(code) - 1, 2, -1):
        shorter = code[:length].rstrip(".")
        if shorter in known and shorter != code:
            return shorter
    return None


def read_table(release: Release, name: str, report: Report) -> Iterator[Concept]:
    known = frozenset(dotted(row["code"]) for row in release.table(name, COLUMNS, Report()))
    for row in release.table(name, COLUMNS, report):
        code = dotted(row["code"])
        parent = row.get("parent") or parent_by_shape(code, known)
        english, thai = row.get("english") or None, row.get("thai") or None
        abstract = row.get("valid", "").lower() in NOT_VALID
        yield Concept(
            code,
            english or thai,
            designations=(Designation(thai, "th"),) if thai and english else (),
            properties=(Property("notSelectable", "valueBoolean", True),) if abstract else (),
            parents=(dotted(parent),) if parent else (),
        )


class ClamlReader:
    """Collects classes from the events of expat; a class is complete at its end tag."""

    def __init__(self) -> None:
        self.finished: list[Concept] = []
        self.title = ""
        self.version = ""
        self._code: str | None = None
        self._kind = ""
        self._parents: list[str] = []
        self._names: dict[str, dict[str, str]] = {}
        self._rubric = self._language = ""
        self._text: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Class":
            self._code, self._kind = attributes.get("code"), attributes.get("kind", "")
            self._parents, self._names = [], {}
        elif tag == "SuperClass":
            self._parents.append(attributes.get("code", ""))
        elif tag == "Rubric":
            self._rubric = attributes.get("kind", "").lower()
        elif tag == "Label" and self._code is not None:
            self._language = attributes.get("xml:lang", "en")
            self._text = []
        elif tag == "Title":
            self.title, self.version = attributes.get("name", ""), attributes.get("version", "")

    def characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end(self, tag: str) -> None:
        if tag == "Label" and self._text is not None:
            kind = CLAML_KINDS.get(self._rubric)
            if kind:
                self._names.setdefault(kind, {}).setdefault(self._language, " ".join("".join(self._text).split()))
            self._text = None
        elif tag == "Class" and self._code:
            self.finished.append(self._concept(self._code))
            self._code = None

    def _concept(self, code: str) -> Concept:
        displays = self._names.get("display", {})
        preferred = "en" if "en" in displays else next(iter(displays), "")
        others = [Designation(text, language) for language, text in displays.items() if language != preferred]
        others += [Designation(text, language, LONG) for language, text in self._names.get("long", {}).items()]
        definitions = self._names.get("definition", {})
        return Concept(
            code,
            displays.get(preferred),
            next(iter(definitions.values()), None),
            tuple(others),
            (Property("kind", "valueCode", self._kind),) if self._kind else (),
            tuple(parent for parent in self._parents if parent),
        )


LONG = {"system": "http://terminology.hl7.org/CodeSystem/designation-usage", "code": "display"}


def read_claml(release: Release, name: str, report: Report) -> Iterator[Concept]:
    """The classes of a ClaML file as they come; the file is never whole in memory."""
    reader = ClamlReader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.EntityDeclHandler = refuse_entities
    with release.binary(name) as file:
        while True:
            block = file.read(1 << 16)
            try:
                parser.Parse(block, not block)
            except expat.ExpatError as error:
                raise LoadError(f"{name}: not well-formed XML in line {error.lineno}") from None
            yield from reader.finished
            reader.finished.clear()
            if not block:
                return


def refuse_entities(*_: object) -> None:
    raise LoadError("the XML declares entities, which ClaML does not need")
