"""The questions that validation, FHIRPath and search ask of terminology; `terminology/service.py` answers them.

Value sets and code systems are named by canonical urls; `url|version` is allowed everywhere.
https://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

Verdict = Literal["yes", "no", "unknown"]
"""unknown: the value set (or a code system it needs) is not here, so nothing can be said."""


class Code(NamedTuple):
    system: str
    code: str


class CodeCheck(NamedTuple):
    """Answer of `validate_code`."""

    verdict: Verdict
    message: str = ""
    """For a person: why it is not in the value set, or what is not known."""
    display: str | None = None
    """The preferred display of the code, where known."""
    display_differs: bool = False
    """A display was given and is none of those the code system has."""


class ExpandedCode(NamedTuple):
    system: str
    code: str
    display: str | None = None
    abstract: bool = False
    """Only for grouping: not to be used in data."""
    inactive: bool = False


class Terminology(Protocol):
    @property
    def generation(self) -> int:
        """Another number whenever an answer may be another one."""

    def validate_code(
        self,
        value_set: str,
        system: str | None,
        code: str,
        *,
        display: str | None = None,
        version: str | None = None,
    ) -> CodeCheck:
        """Whether the code is in the value set. `system=None` asks for a bare `code` element: any system of the value
        set will do.   https://hl7.org/fhir/R4/valueset-operation-validate-code.html"""

    def codes_of(self, value_set: str) -> frozenset[Code] | None:
        """All codes of a small, fully known value set (up to some thousands); None if it is unknown, open or large.
        Used once per binding, to build literal sets."""

    def expand(self, value_set: str, *, limit: int = 1000) -> tuple[ExpandedCode, ...] | None:
        """Codes of the value set in their order, at most `limit`; None if it is unknown or cannot be enumerated."""

    def subsumes(self, system: str, ancestor: str, code: str) -> bool | None:
        """Whether `code` is `ancestor` or below it; None if the system or one of the codes is not known."""

    def below(self, system: str, code: str, *, limit: int = 5000) -> tuple[str, ...] | None:
        """The code and all that it subsumes, at most `limit`; None if the system or the code is not known.
        What search asks for `:below`."""

    def above(self, system: str, code: str) -> tuple[str, ...] | None:
        """The code and all that subsume it; None if the system or the code is not known."""


class NoTerminology:
    """Knows no value set: validation without bindings, as for a first start or a test of structure alone."""

    generation = 0

    def validate_code(
        self,
        value_set: str,
        system: str | None,
        code: str,
        *,
        display: str | None = None,
        version: str | None = None,
    ) -> CodeCheck:
        return CodeCheck("unknown", f"the value set {value_set} is not known here")

    def codes_of(self, value_set: str) -> frozenset[Code] | None:
        return None

    def expand(self, value_set: str, *, limit: int = 1000) -> tuple[ExpandedCode, ...] | None:
        return None

    def subsumes(self, system: str, ancestor: str, code: str) -> bool | None:
        return None

    def below(self, system: str, code: str, *, limit: int = 5000) -> tuple[str, ...] | None:
        return None

    def above(self, system: str, code: str) -> tuple[str, ...] | None:
        return None
