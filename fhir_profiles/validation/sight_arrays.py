"""Parts of `sight.py` that look at several values: arrays, the slices that profiles cut them into, and extensions.

https://hl7.org/fhir/R4/profiling.html#slicing
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fhir_profiles.validation.problems import Run
from fhir_profiles.validation.sight_values import LONGEST, Test, content_of, never, speaks_for_itself

KNOWN = 1000
"""Values of a discriminator, or contents, that one array keeps; then it begins anew."""

Quick = Callable[[Any], bool]
Taken = tuple[int, ...]
"""Of every slicing of an array the index of an item's slice, -1 for none."""


class Slices(NamedTuple):
    """How one profile slices an element."""

    tests: tuple[tuple[Quick, ...], ...]
    """By slice: what an item must fulfil to be in it; nothing for a slice that no item is in."""
    member: str
    """Where all tests look at one plain member alone: its name; "" for none."""
    is_closed: bool
    limits: tuple[tuple[int, int, int | None], ...]
    """(index, least, most) of slices that limit their number."""

    def slice_of(self, item: Any) -> int:
        for index, tests in enumerate(self.tests):
            if tests and all(test(item) for test in tests):
                return index
        return -1

    def counted(self, taken: Sequence[int]) -> bool:
        """Whether the numbers of items in the slices are allowed."""
        if self.is_closed and -1 in taken:
            return False
        for index, least, most in self.limits:
            found = taken.count(index)
            if found < least or (most is not None and found > most):
                return False
        return True


class Bounds(NamedTuple):
    """Of an array: what the base and all profiles allow."""

    least: int
    most: int | None

    def allow(self, values: Any) -> bool:
        number = len(values)
        return number >= self.least and (self.most is None or number <= self.most)


TestOf = Callable[[Taken], Test]
"""The test of an item in these slices."""


def array_test(bounds: Bounds, slicings: Sequence[Slices], test_of: TestOf, is_repeated: bool) -> Test:
    """The test of an array. is_repeated: contents come again, and an item's rightness is in its content alone."""
    if not slicings:
        return _plain_array(bounds, test_of(()))
    taken_of = _taking(slicings)
    tests: dict[Taken, Test] = {}
    right: dict[bytes, Taken] = {}

    def taken_if_right(item: Any, run: Run) -> Taken | None:
        content = content_of(item) if is_repeated else None
        if content is not None and (known := right.get(content)) is not None:
            return known
        if item.__class__ is not dict:
            return None
        taken = taken_of(item)
        test = tests.get(taken)
        if test is None:
            test = tests[taken] = test_of(taken)
        if not test(item, run):
            return None
        if content is not None and len(content) <= LONGEST and speaks_for_itself(content):
            if len(right) >= KNOWN:
                right.clear()
            right[content] = taken
        return taken

    def check(values: Any, run: Run) -> bool:
        if values.__class__ is not list or not bounds.allow(values):
            return False
        found = []
        for item in values:
            taken = taken_if_right(item, run)
            if taken is None:
                return False
            found.append(taken)
        return _counted(slicings, found)

    return check


def _plain_array(bounds: Bounds, test: Test) -> Test:
    if test is never:
        return never
    least, most = bounds

    def check(values: Any, run: Run) -> bool:
        if values.__class__ is not list or len(values) < least or (most is not None and len(values) > most):
            return False
        for item in values:  # noqa: SIM110  a generator would cost as much as the test
            if not test(item, run):
                return False
        return True

    return check


def _taking(slicings: Sequence[Slices]) -> Callable[[Mapping[str, Any]], Taken]:
    """The slices of an item; by the plain value of its discriminator, where there is one."""
    [member, *others] = {each.member for each in slicings}
    if others or not member:
        return lambda item: tuple([each.slice_of(item) for each in slicings])
    known: dict[str, Taken] = {}

    def taken_of(item: Mapping[str, Any]) -> Taken:
        value = item.get(member)
        if value.__class__ is not str:
            return tuple([each.slice_of(item) for each in slicings])
        taken = known.get(value)
        if taken is None:
            if len(known) >= KNOWN:
                known.clear()
            taken = known[value] = tuple([each.slice_of(item) for each in slicings])
        return taken

    return taken_of


def _counted(slicings: Sequence[Slices], found: Sequence[Taken]) -> bool:
    for number, each in enumerate(slicings):
        if (each.limits or each.is_closed) and not each.counted([taken[number] for taken in found]):
            return False
    return True


def choice_test(slicings: Sequence[Slices], test_of: TestOf) -> Test:
    """The test of a single value that is sliced, as choices are by their types."""

    def check(value: Any, run: Run) -> bool:
        taken = tuple([each.slice_of(value) for each in slicings])
        return _counted(slicings, [taken]) and test_of(taken)(value, run)

    return check


def extensions_test(bounds: Bounds, slicings: Sequence[Slices], test_of: Callable[[str, Taken], Test]) -> Test:
    """The test of an array of extensions, each judged by its url; all slicings are by url."""
    known: dict[str, tuple[Test, Taken]] = {}

    def check(values: Any, run: Run) -> bool:
        if values.__class__ is not list or not bounds.allow(values):
            return False
        found = []
        for item in values:
            url = item.get("url") if item.__class__ is dict else None
            if url.__class__ is not str:
                return False
            row = known.get(url)
            if row is None:
                if len(known) >= KNOWN:
                    known.clear()
                taken = tuple([each.slice_of(item) for each in slicings])
                row = known[url] = (test_of(url, taken), taken)
            if not row[0](item, run):
                return False
            found.append(row[1])
        return not slicings or _counted(slicings, found)

    return check
