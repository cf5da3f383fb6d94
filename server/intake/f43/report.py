"""What became of an import of rows: the summary, and what the data-quality report is written from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from server.intake.f43.jobs import Counts, Refusal, Review

REPORTED = 1000
"""Refused rows that the summary names; the quarantine and the report have all of them."""


@dataclass(slots=True)
class Phase:
    """Files that were loaded together, since none of them refers to another."""

    files: list[str]
    rows: int = 0
    resources: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "rows": self.rows,
            "resources": self.resources,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows / max(self.seconds, 0.001)),
            "resources_per_second": round(self.resources / max(self.seconds, 0.001)),
        }


@dataclass(slots=True)
class Report:
    """One import, for the summary and the data-quality report."""

    import_id: str
    source: str
    files: dict[str, Counts] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    """The first `REPORTED`."""
    rules: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(file, field, rule) -> how often, refusals and warnings."""
    warnings: int = 0
    """Values that are odd and were kept as they came."""
    reviews: list[Review] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Files that could not be read to their end."""
    ignored: tuple[str, ...] = ()
    phases: list[Phase] = field(default_factory=list)
    resumed: bool = False
    seconds: float = 0.0
    quarantine: str | None = None
    html: str | None = None
    csv: str | None = None

    @property
    def refused(self) -> int:
        return sum(counts.refused for counts in self.files.values()) + len(self.errors)

    @property
    def resources(self) -> int:
        return sum(counts.resources for counts in self.files.values())

    def of(self, file: str) -> Counts:
        return self.files.setdefault(file, Counts())

    def as_json(self) -> dict[str, Any]:
        shown = ("file", "row", "field", "value", "rule", "english", "thai")
        return {
            "import": self.import_id,
            "source": self.source,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 3),
            "resources": self.resources,
            "files": {file: counts.as_json() for file, counts in self.files.items()},
            "phases": [phase.as_json() for phase in self.phases],
            "refused": self.refused,
            "warnings": self.warnings,
            "rows": [{name: getattr(each, name) for name in shown} for each in self.refusals if each.grave],
            "review": [each._asdict() for each in self.reviews],
            "errors": self.errors,
            "ignored": list(self.ignored),
            "quarantine": self.quarantine,
            "report": self.html,
            "table": self.csv,
        }
