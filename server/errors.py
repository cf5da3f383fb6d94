"""What can go wrong with a request: one leaf per answer, with its HTTP status and IssueType code.

FhirError
+-- BadRequest 400          invalid / structure / value ...
+-- Unauthorized 401        login
+-- Forbidden 403           forbidden
+-- NotFound 404            not-found
+-- MethodNotAllowed 405    not-supported
+-- NotAcceptable 406       not-supported
+-- Conflict 409            conflict (version conflict, referential integrity)
+-- Gone 410                deleted
+-- PreconditionFailed 412  conflict / multiple-matches
+-- TooLarge 413            too-long
+-- UnsupportedMedia 415    not-supported
+-- Unprocessable 422       processing: one issue per broken rule
+-- TooManyRequests 429     throttled (Retry-After)
+-- TooCostly 403           too-costly, with advice
+-- Unavailable 503         transient (Retry-After)
+-- StorageFull 507         no-store

Raise the leaf with diagnostics (and the FHIRPath expression); `outcome.py` alone makes an OperationOutcome of it.
https://hl7.org/fhir/R4/http.html#Status-Codes https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from fhir_profiles.issue import Issue


class FhirError(Exception):
    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"

    def __init__(
        self,
        diagnostics: str,
        *,
        expression: str | None = None,
        code: str | None = None,
        issues: Sequence[Issue] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(diagnostics)
        own = Issue("error", code or self.code, diagnostics, expression)
        self.issues: tuple[Issue, ...] = tuple(issues) or (own,)
        self.headers: Mapping[str, str] = headers or {}


class BadRequest(FhirError):
    status, code = 400, "invalid"


class Unauthorized(FhirError):
    status, code = 401, "login"


class Forbidden(FhirError):
    status, code = 403, "forbidden"


class TooCostly(Forbidden):
    code = "too-costly"


class NotFound(FhirError):
    status, code = 404, "not-found"


class MethodNotAllowed(FhirError):
    status, code = 405, "not-supported"


class NotAcceptable(FhirError):
    status, code = 406, "not-supported"


class Conflict(FhirError):
    status, code = 409, "conflict"


class Gone(FhirError):
    status, code = 410, "deleted"


class PreconditionFailed(FhirError):
    status, code = 412, "conflict"


class TooLarge(FhirError):
    status, code = 413, "too-long"


class UnsupportedMedia(FhirError):
    status, code = 415, "not-supported"


class Unprocessable(FhirError):
    status, code = 422, "processing"


class TooManyRequests(FhirError):
    status, code = 429, "throttled"


class Unavailable(FhirError):
    status, code = 503, "transient"


class StorageFull(FhirError):
    status, code = 507, "no-store"
