"""`onecard validate`: FHIR files against structure and profiles, by the very checks of a write; nothing is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_profiles.issue import Issue
from fhir_profiles.json_reading import ReadError, read_json
from fhir_profiles.validation import Validator
from server.intake.documents import Source, SourceError, documents

REPORTED = 1000
"""Issues that the summary names."""


@dataclass(slots=True)
class CheckReport:
    resources: int = 0
    invalid: int = 0
    """Resources with at least one error."""
    issues: list[dict[str, Any]] = field(default_factory=list)
    """The first `REPORTED`: source, document, resource, severity, code, expression, diagnostics."""
    reasons: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    """Files that could not be read."""

    def as_json(self) -> dict[str, Any]:
        return {
            "resources": self.resources,
            "invalid": self.invalid,
            "issues": self.issues,
            "reasons": dict(self.reasons.most_common(50)),
            "errors": self.errors,
        }


def check_files(
    validator: Validator,
    sources: Iterable[Source],
    *,
    largest: int,
    max_depth: int,
    profiles: Sequence[str] = (),
    advance: Callable[[int], object] = lambda resources: None,
) -> CheckReport:
    """Every resource of the files; those in a Bundle are checked with it, as parts of it.

    profiles: canonical URLs that every resource has to meet beside what it claims itself.
    """
    report = CheckReport()
    for source in sources:
        try:
            for document in documents(source, largest=largest):
                _check(validator, report, source.name, document.number, document.data, max_depth, profiles)
                advance(1)
        except SourceError as error:
            report.errors.append(f"{source.name}: {error}")
    return report


def _check(
    validator: Validator,
    report: CheckReport,
    source: str,
    number: int,
    data: bytes,
    max_depth: int,
    profiles: Sequence[str],
) -> None:
    report.resources += 1
    resource: dict[str, Any] = {}
    try:
        resource = read_json(data, max_depth=max_depth)
        issues: Sequence[Issue] = validator.validate(resource, profiles=profiles)
    except ReadError as error:
        issues = error.issues
    report.invalid += any(True for _ in _errors(issues))
    for issue in issues:
        report.reasons[f"{issue.severity}: {issue.diagnostics}"] += 1
        if len(report.issues) < REPORTED:
            name = f"{resource.get('resourceType', '?')}/{resource.get('id', '-')}"
            report.issues.append(
                {
                    "source": source,
                    "document": number,
                    "resource": name,
                    "severity": issue.severity,
                    "code": issue.code,
                    "expression": issue.expression,
                    "diagnostics": issue.diagnostics,
                }
            )


def _errors(issues: Iterable[Issue]) -> Iterator[Issue]:
    return (issue for issue in issues if issue.severity in ("error", "fatal"))
