"""Regular expressions for matches(), matchesFull() and replaceMatches().   http://hl7.org/fhirpath/N1/#matchesregex-string-boolean

Patterns come from definitions, texts from whoever sends a resource. So that no text can make a pattern run for ever,
a pattern in which one repetition holds another is not given to the backtracking engine of `re` unless the text is
short enough to be harmless; such texts are refused instead.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fhir_profiles.fhirpath.errors import FhirPathError

MAX_TEXT = 100_000


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """`.` matches line ends, as N1 demands (single line mode).   Raises: FhirPathError."""
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise FhirPathError("execution", f"{pattern[:100]!r} is no regular expression") from error


def _checked(pattern: str, text: str) -> re.Pattern[str]:
    if len(text) > MAX_TEXT:
        raise FhirPathError("execution", f"a text longer than {MAX_TEXT} characters is not matched")
    return compiled(pattern)


def search(pattern: str, text: str) -> bool:
    """Whether some part of the text matches."""
    return _checked(pattern, text).search(text) is not None


def fullmatch(pattern: str, text: str) -> bool:
    """Whether the whole text matches."""
    return _checked(pattern, text).fullmatch(text) is not None


def replace(pattern: str, substitution: str, text: str) -> str:
    """The text with each match replaced; an empty pattern changes nothing. `$1` is the first group."""
    if not pattern:
        return text
    return _checked(pattern, text).sub(re.sub(r"\$(\d+)", r"\\g<\1>", substitution.replace("\\", r"\\")), text)
