"""Regular expressions for matches(), matchesFull() and replaceMatches().
http://hl7.org/fhirpath/N1/#matchesregex-string-boolean

Patterns come from definitions, texts from whoever sends a resource, and Python's `re` backtracks: a text can be made
for which `(a+)+b` takes years. So `re` is used only where pattern and length bound its work; all other matching runs
through an automaton (`automaton.py`) whose work grows with the length of the text, whatever the text says. Only
back references and look-around need `re`; with them, and for replaceMatches(), a text that is too long is refused.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as opcode  # type: ignore[attr-defined]
from re import _parser as sre  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from fhir_profiles.fhirpath.automaton import Automaton, NotRegular, is_repeat
from fhir_profiles.fhirpath.errors import FhirPathError

MAX_TEXT = 1_000_000
MAX_BACKTRACKING = 1_000_000
"""Steps that `re` may take at worst: length to the power of the repetitions (and one for where a match starts)."""


class Compiled(NamedTuple):
    pattern: re.Pattern[str]
    repetitions: int
    """Open or long repetitions after each other; None of them in another one, else a number that forbids `re`."""
    automaton: Automaton | None
    """None where the pattern is no regular language."""


_FORBIDDEN = 100


def _repetitions(tree: Any, inside: bool = False) -> int:
    """Repetitions of a parsed pattern. What is repeated must have one length: a choice or another repetition within
    it can be read in exponentially many ways, so that is `_FORBIDDEN`."""
    count = 0
    for operation, argument in tree:
        if inside and (is_repeat(operation) or operation is opcode.BRANCH):
            return _FORBIDDEN
        repeated = is_repeat(operation) and (argument[1] is sre.MAXREPEAT or argument[1] > 1)
        count += repeated + sum(_repetitions(part, inside or repeated) for part in _parts(operation, argument))
    return count


def _parts(operation: Any, argument: Any) -> list[Any]:
    """Sub-patterns."""
    if is_repeat(operation):
        return [argument[2]]
    if operation is opcode.SUBPATTERN:
        return [argument[3]]
    if operation is opcode.BRANCH:
        return list(argument[1])
    if operation is opcode.ATOMIC_GROUP:
        return [argument]
    if operation in (opcode.ASSERT, opcode.ASSERT_NOT):
        return [argument[1]]
    if operation is opcode.GROUPREF_EXISTS:
        return [each for each in argument[1:] if each is not None]
    return []


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Compiled:
    """`.` matches line ends, as N1 demands (single line mode).   Raises: FhirPathError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set" and the like: it is another dialect
            ready = re.compile(pattern, re.DOTALL)
            tree = sre.parse(pattern, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise FhirPathError("execution", "the pattern is no regular expression") from error
    try:
        automaton = Automaton(tree)
    except NotRegular:
        automaton = None
    return Compiled(ready, _repetitions(tree), automaton)


def _affordable(found: Compiled, text: str, extra: int) -> bool:
    return float(len(text) + 1) ** min(found.repetitions + extra, 30) <= MAX_BACKTRACKING


def _refused() -> FhirPathError:
    return FhirPathError("execution", "the text is too long for this regular expression")


def _matches(pattern: str, text: str, *, whole: bool) -> bool:
    found = compiled(pattern)
    if _affordable(found, text, extra=0 if whole else 1):
        match = found.pattern.fullmatch(text) if whole else found.pattern.search(text)
        return match is not None
    if found.automaton is None or len(text) > MAX_TEXT:
        raise _refused()
    return found.automaton.matches(text, whole=whole)


def search(pattern: str, text: str) -> bool:
    """Whether some part of the text matches."""
    return _matches(pattern, text, whole=False)


def fullmatch(pattern: str, text: str) -> bool:
    """Whether the whole text matches."""
    return _matches(pattern, text, whole=True)


def replace(pattern: str, substitution: str, text: str) -> str:
    """The text with each match replaced; an empty pattern changes nothing. `$1` is the first group."""
    if not pattern:
        return text
    found = compiled(pattern)
    if not _affordable(found, text, extra=1):
        raise _refused()
    template = re.sub(r"\$(\d+)", r"\\g<\1>", substitution.replace("\\", r"\\"))
    try:
        return found.pattern.sub(template, text)
    except (re.error, IndexError) as error:
        raise FhirPathError("execution", "the substitution names a group that the pattern does not have") from error
