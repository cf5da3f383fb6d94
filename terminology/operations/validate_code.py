"""$validate-code on ValueSet and on CodeSystem.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
https://hl7.org/fhir/R4/codesystem-operation-validate-code.html

The answer is `result`, with `message` where something is to be said and `display` where the code is known. A display
that is none of the code's names makes the result false. A code that only groups others (abstract) is valid only with
`abstract=true`. Where a part that decides is not here, that is an error, never a false.
"""

from __future__ import annotations

from terminology.compose import ValueSetView
from terminology.concept import Concept, Json
from terminology.errors import TerminologyError, Undecided
from terminology.library import system_url
from terminology.operations.expand import value_set_of
from terminology.operations.parameters import Coded, Parameters, answer, checks_resources, row
from terminology.service import TerminologyService, is_display, same_version
from terminology.system import CodeSystem, ResourceSystem

IN_VALUE_SET = frozenset({
    "url", "context", "valueSet", "valueSetVersion", "code", "system", "systemVersion", "display", "coding",
    "codeableConcept", "date", "abstract", "displayLanguage",
})  # fmt: skip
IN_SYSTEM = frozenset({
    "url", "codeSystem", "code", "version", "display", "coding", "codeableConcept", "date", "abstract",
    "displayLanguage",
})  # fmt: skip


@checks_resources
def validate_code_in_value_set(service: TerminologyService, parameters: Json) -> Json:
    """Parameters result, message, display. Of a codeableConcept one coding must be in the value set."""
    given = Parameters(parameters, IN_VALUE_SET)
    view = value_set_of(service, given)
    messages: list[str] = []
    display: str | None = None
    undecided: Undecided | None = None
    for coded in given.coded(version="systemVersion"):
        try:
            concept, problem = check_in_view(service, view, coded, given)
        except Undecided as error:
            undecided = error
            continue
        if concept is not None:
            display = concept.display_in(given.text("displayLanguage")) or display
        if problem is None:
            return answer(row("result", "Boolean", True), row("display", "String", display))
        messages.append(problem)
    if undecided is not None:
        raise undecided
    return no("; ".join(messages), display)


def check_in_view(
    service: TerminologyService, view: ValueSetView, coded: Coded, given: Parameters
) -> tuple[Concept | None, str | None]:
    """The concept, if known, and what is wrong, if anything."""
    entry = view.find(None if coded.system is None else system_url(coded.system), coded.code)
    if entry is None:
        where = f" of {coded.system}" if coded.system else ""
        system = service.library.code_system(coded.system) if coded.system else None
        known = system.find(coded.code) if system is not None else None
        if system is not None and system.complete and known is None:
            return None, f"the code system {coded.system} has no code {coded.code[:40]}"
        return known, f"the code {coded.code[:40]}{where} is not in the value set {view.url}".rstrip()
    if coded.version and entry.version and not same_version(entry.version, coded.version):
        return entry.concept, f"the value set uses version {entry.version} of {entry.system}, not {coded.version}"
    return entry.concept, wrong_use(entry.concept, coded, given)


def wrong_use(concept: Concept, coded: Coded, given: Parameters) -> str | None:
    if concept.abstract and not given.flag("abstract"):
        return f"the code {concept.code} only groups other codes and is not used in data"
    if coded.display is not None and not is_display(concept, coded.display):
        return f'the display "{coded.display[:40]}" is incorrect'
    return None


@checks_resources
def validate_code_in_system(service: TerminologyService, parameters: Json) -> Json:
    """Parameters result, message, display. Of a codeableConcept one coding must be of the system and right."""
    given = Parameters(parameters, IN_SYSTEM)
    inline, url = given.resource("codeSystem", "CodeSystem"), given.text("url")
    messages: list[str] = []
    display: str | None = None
    for coded in given.coded():
        system = ResourceSystem(inline) if inline is not None else named_system(service, url or coded.system, coded)
        if coded.system is not None and system_url(coded.system) != system_url(system.url):
            messages.append(f"the code is of {coded.system}, not of {system.url}")
            continue
        concept = system.find(coded.code)
        if concept is None and not system.complete:
            raise Undecided(f"only a part of the code system {system.url} is here, and {coded.code[:40]} is not in it")
        if concept is None:
            messages.append(f"the code system {system.url} has no code {coded.code[:40]}")
            continue
        display = concept.display_in(given.text("displayLanguage")) or display
        problem = wrong_use(concept, coded, given)
        if problem is None:
            return answer(row("result", "Boolean", True), row("display", "String", display))
        messages.append(problem)
    return no("; ".join(messages), display)


def named_system(service: TerminologyService, url: str | None, coded: Coded) -> CodeSystem:
    if url is None:
        raise TerminologyError("invalid", "the code system is missing: give url or codeSystem")
    system = service.library.code_system(url, coded.version)
    if system is None:
        version = f" version {coded.version}" if coded.version else ""
        raise TerminologyError("not-found", f"the code system {url}{version} is not here")
    return system


def no(message: str, display: str | None) -> Json:
    return answer(row("result", "Boolean", False), row("message", "String", message), row("display", "String", display))
