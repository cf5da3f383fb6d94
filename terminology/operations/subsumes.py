"""CodeSystem/$subsumes.   https://hl7.org/fhir/R4/codesystem-operation-subsumes.html"""

from __future__ import annotations

from terminology.concept import Json
from terminology.errors import TerminologyError
from terminology.library import system_url
from terminology.operations.lookup import system_of
from terminology.operations.parameters import Coded, Parameters, answer, row
from terminology.service import TerminologyService
from terminology.system import CodeSystem

ALLOWED = frozenset({"codeA", "codeB", "system", "version", "codingA", "codingB"})


def subsumes(service: TerminologyService, parameters: Json) -> Json:
    """Parameters outcome: equivalent, subsumes (A is above B), subsumed-by or not-subsumed.

    Raises: TerminologyError (not-found) for an unknown system or code."""
    given = Parameters(parameters, ALLOWED)
    first, second = side(given, "A"), side(given, "B")
    if system_url(first.system or "") != system_url(second.system or ""):
        raise TerminologyError("invalid", "both codes must be of the same code system")
    system = system_of(service, first)
    above, below = code_of(system, first.code), code_of(system, second.code)
    return answer(row("outcome", "Code", relation(system, above, below)))


def side(given: Parameters, letter: str) -> Coded:
    coding, code = given.coding(f"coding{letter}"), given.text(f"code{letter}")
    if coding is not None and code is None:
        return coding
    if code is not None and coding is None:
        return Coded(given.text("system"), code, None, given.text("version"))
    raise TerminologyError("invalid", f"give either code{letter} with system, or coding{letter}")


def code_of(system: CodeSystem, code: str) -> str:
    concept = system.find(code)
    if concept is None:
        raise TerminologyError("not-found", f"the code system {system.url} has no code {code[:40]}")
    return concept.code


def relation(system: CodeSystem, first: str, second: str) -> str:
    if first == second:
        return "equivalent"
    if system.is_below(second, first):
        return "subsumes"
    return "subsumed-by" if system.is_below(first, second) else "not-subsumed"
