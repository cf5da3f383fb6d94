"""A concept of a code system, and what is known of it.   https://hl7.org/fhir/R4/codesystem.html#4.8.7"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

Json = dict[str, Any]


class Designation(NamedTuple):
    """The concept in another language or for another use."""

    value: str
    language: str | None = None
    use: Json | None = None
    """A Coding, or None."""

    def to_fhir(self) -> Json:
        parts = {"language": self.language, "use": self.use, "value": self.value}
        return {key: value for key, value in parts.items() if value is not None}


class Property(NamedTuple):
    """`value` is the JSON value of `type`, one of valueCode Coding String Integer Boolean DateTime Decimal."""

    code: str
    type: str
    value: Any

    def text(self) -> str:
        """The value as filters compare it: the code of a Coding, `true`/`false`, the number as written."""
        if isinstance(self.value, dict):
            return str(self.value.get("code", ""))
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Concept:
    code: str
    display: str | None = None
    definition: str | None = None
    designations: tuple[Designation, ...] = ()
    properties: tuple[Property, ...] = ()
    parents: tuple[str, ...] = ()
    """Direct parents only."""

    @property
    def inactive(self) -> bool:
        """`inactive` = true or `status` = retired.   https://hl7.org/fhir/R4/codesystem-concept-properties.html"""
        return any(
            (p.code == "inactive" and p.value is True) or (p.code == "status" and p.value in RETIRED)
            for p in self.properties
        )

    @property
    def abstract(self) -> bool:
        """`notSelectable` = true: groups other codes, never used in data."""
        return any(p.code in ("notSelectable", "abstract") and p.value is True for p in self.properties)

    def display_in(self, language: str | None) -> str | None:
        """The display in `language` (BCP 47, a more general tag also matches), else the preferred display."""
        if language:
            wanted = language.lower()
            for designation in self.designations:
                if designation.language and same_language(designation.language.lower(), wanted):
                    return designation.value
        return self.display

    def texts(self) -> tuple[str, ...]:
        """All that a text filter looks at: code, display, designations."""
        return (self.code, self.display or "", *(d.value for d in self.designations))


RETIRED = frozenset({"retired", "inactive"})
"""Values of the property `status` that mean "no longer in use"; `deprecated` codes are still usable."""


def same_language(one: str, other: str) -> bool:
    """`th` meets `th-TH` in either direction; both in lower case."""
    return one == other or one.startswith(other + "-") or other.startswith(one + "-")
