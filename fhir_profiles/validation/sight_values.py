"""Parts of `sight.py` that look at one value: primitives, references, rules, and what was found right before.

A test answers True where a value is certainly right and False where it is not, or where it cannot tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from fhir_profiles.validation.checks import Invariant
from fhir_profiles.validation.problems import Problem, Run
from fhir_profiles.validation.references import ReferenceCheck

Test = Callable[[Any, Run], bool]

REMEMBERED_BYTES = 8 * 1024 * 1024
"""Text that is remembered to be right, of all places together; then everything is forgotten."""
REFERENCES_BYTES = 256 * 1024
"""The same of references: they come again soon or never, and would crowd out what comes again for ever."""
LONGEST = 1000
"""Bytes of one remembered text."""
MODEST = 10**15
"""Whole numbers up to it are decimals that need no further look."""
_OVERHEAD = 100
"""Bytes that a set spends on a short text."""

_LOGICAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z").match
_WORD = re.compile(r"[A-Za-z_]\w*")
_FAR_SIGHTED = frozenset(["resolve", "trace", "now", "today", "timeOfDay", "memberOf", "conformsTo"])
_BUDDHIST_CENTURY = frozenset("4567")


def never(value: Any, run: Run) -> bool:
    """Of what only the whole validation can judge."""
    return False


def literally(expected: str) -> Test:
    """`resourceType`."""
    return lambda value, run: value.__class__ is str and value == expected


class Memory:
    """Texts that were found right, by place, in bounded space."""

    def __init__(self, limit: int = REMEMBERED_BYTES) -> None:
        self._limit = limit
        self._sets: list[set[Any]] = []
        self._used = 0

    def place(self) -> set[Any]:
        """A new empty set, to be added to by `keep` alone."""
        made: set[Any] = set()
        self._sets.append(made)
        return made

    def keep(self, seen: set[Any], text: str | bytes) -> None:
        if len(text) > LONGEST:
            return
        if self._used > self._limit:
            for each in self._sets:
                each.clear()
            self._used = 0
        self._used += len(text) + _OVERHEAD
        seen.add(text)


# --- primitives -------------------------------------------------------------------------------------------------------


def remembered(exact: Test, memory: Memory) -> Test:
    """The test of a string whose answer depends on nothing else."""
    seen = memory.place()

    def test(value: Any, run: Run) -> bool:
        if value.__class__ is not str:
            return False
        if value in seen:
            return True
        if not exact(value, run):
            return False
        memory.keep(seen, value)
        return True

    return test


def printable(exact: Test) -> Test:
    """The test of a string of which nothing is asked but its characters."""

    def test(value: Any, run: Run) -> bool:
        return _is_printable(value) or exact(value, run)

    return test


def _is_printable(value: Any) -> bool:
    return value.__class__ is str and 0 < len(value) < LONGEST and value.isprintable()


def whole_number(exact: Test, lowest: int | None, highest: int | None) -> Test:
    """The test of a number that is mostly a whole one; without limits, a decimal."""
    if lowest is None or highest is None:
        return lambda value, run: (value.__class__ is int and -MODEST < value < MODEST) or exact(value, run)
    return lambda value, run: value.__class__ is int and lowest <= value <= highest


def christian(exact: Test) -> Test:
    """The test of a date that is not of a year from 2400 to 2799: the rule `th-era` holds for all that are right at
    sight, profiled or not, and is not asked again."""

    def test(value: Any, run: Run) -> bool:
        if value.__class__ is str and value[:1] == "2" and value[1:2] in _BUDDHIST_CENTURY:
            return False
        return exact(value, run)

    return test


# --- objects ----------------------------------------------------------------------------------------------------------


def known_content(exact: Test, memory: Memory) -> Test:
    """The test of an object that comes again and again (a Coding, a `meta`), and looks at nothing beyond itself."""
    seen = memory.place()

    def test(value: Any, run: Run) -> bool:
        content = content_of(value)
        if content in seen:
            return True
        if not exact(value, run):
            return False
        if content is not None and speaks_for_itself(content):
            memory.keep(seen, content)
        return True

    return test


def speaks_for_itself(content: bytes) -> bool:
    """Whether what was right once is right wherever it stands, and may come again: an extension is judged by where it
    stands, a reference to what is contained by what is, and a version is seldom referred to twice."""
    return b"xtension" not in content and b'"reference":"#' not in content and b"/_history/" not in content


def content_of(value: Any) -> bytes | None:
    """What tells the value from all others; None if that cannot be said quickly."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return None


def reference_test(checks: Sequence[ReferenceCheck], allowed: frozenset[str], is_followed: bool) -> Test:
    """The test of a Reference object. checks: the base's and the profiles'; allowed: types that all of them allow.
    is_followed: a profile asks something of what it points to, which can only be here if it is contained."""

    def test(value: Any, run: Run) -> bool:
        reference = value.get("reference")
        if reference.__class__ is str:
            kind, _, number = reference.partition("/")
            if kind in allowed and _LOGICAL_ID(number):
                named = value.get("type")
                if named is None or named in allowed:
                    return True
            elif is_followed and reference[:1] == "#":
                return False
        return all(check(value, run) is None for check in checks)

    return test


def plain_reference(exact: Test, allowed: frozenset[str]) -> Test:
    """The test of a Reference of which only the base speaks; mostly `Type/id` or a `urn:uuid:`, and a display."""

    def test(value: Any, run: Run) -> bool:
        if value.__class__ is dict:
            reference = value.get("reference")
            if reference.__class__ is str and (
                len(value) == 1 or (len(value) == 2 and _is_printable(value.get("display")))
            ):
                kind, _, number = reference.partition("/")
                if kind in allowed and _LOGICAL_ID(number):
                    return True
                if kind[:9] == "urn:uuid:" and _is_printable(reference):
                    return True
        return exact(value, run)

    return test


def bound(checks: Iterable[Callable[[Any], Problem | None]]) -> list[Test]:
    return [_free_of_problems(check) for check in checks]


def _free_of_problems(check: Callable[[Any], Problem | None]) -> Test:
    return lambda value, run: check(value) is None


# --- rules ------------------------------------------------------------------------------------------------------------


def is_near_sighted(expression: str | None) -> bool:
    """Whether the truth of an expression depends on the value alone."""
    return "%" not in (expression or "") and _FAR_SIGHTED.isdisjoint(_WORD.findall(expression or ""))


def rule_test(invariant: Invariant) -> Test:
    """A compiled rule as a test; a value it cannot decide is right, as everywhere."""
    places = invariant.places
    if places is not None:
        return lambda value, run: not places(value)
    return invariant.holds
