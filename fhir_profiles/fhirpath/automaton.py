"""Matching in linear time: a pattern as a finite automaton, made deterministic while it runs (Thompson, lazily).

The states of the nondeterministic automaton are numbers; a state of the running one is a set of them. What a set
becomes by a character is remembered, so a character of the text mostly costs one look-up.
https://swtch.com/~rsc/regexp/regexp1.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from re import _constants as opcode  # type: ignore[attr-defined]
from re import _parser as sre  # type: ignore[attr-defined]
from typing import Any

from fhir_profiles.fhirpath.errors import FhirPathError

MAX_STATES = 5_000
MAX_WORK = 5_000_000
"""State visits of one match: what is not yet remembered is worked out state by state."""
MAX_REMEMBERED = 20_000

Accepts = Callable[[str], bool]
States = frozenset[int]


class NotRegular(Exception):
    """The pattern has back references, look-around or word boundaries, or is too large."""


_CATEGORIES: dict[Any, Accepts] = {
    opcode.CATEGORY_DIGIT: str.isdecimal,
    opcode.CATEGORY_NOT_DIGIT: lambda char: not char.isdecimal(),
    opcode.CATEGORY_SPACE: str.isspace,
    opcode.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    opcode.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    opcode.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}
_STARTS = (opcode.AT_BEGINNING, opcode.AT_BEGINNING_STRING)


def is_repeat(operation: Any) -> bool:
    return operation in (opcode.MAX_REPEAT, opcode.MIN_REPEAT, opcode.POSSESSIVE_REPEAT)


def _literal(code: int) -> Accepts:
    wanted = chr(code)
    return lambda char: char == wanted


def _member(items: list[tuple[Any, Any]]) -> Accepts:
    """A character class."""
    negated = bool(items) and items[0][0] is opcode.NEGATE
    tests: list[Accepts] = []
    for operation, argument in items[negated:]:
        if operation is opcode.LITERAL:
            tests.append(_literal(argument))
        elif operation is opcode.RANGE:
            tests.append(_between(*argument))
        elif operation is opcode.CATEGORY and argument in _CATEGORIES:
            tests.append(_CATEGORIES[argument])
        else:
            raise NotRegular
    return lambda char: any(test(char) for test in tests) is not negated


def _between(low: int, high: int) -> Accepts:
    first, last = chr(low), chr(high)
    return lambda char: first <= char <= last


def _character(operation: Any, argument: Any) -> Accepts | None:
    """The test of an operation that takes one character; None for any other operation."""
    if operation is opcode.LITERAL:
        return _literal(argument)
    if operation is opcode.NOT_LITERAL:
        equals = _literal(argument)
        return lambda char: not equals(char)
    if operation is opcode.ANY:
        return lambda char: True
    return _member(argument) if operation is opcode.IN else None


class Automaton:
    """One pattern, as `re`'s own parser read it (with DOTALL and without other flags)."""

    def __init__(self, tree: Any) -> None:
        if tree.state.flags & (sre.SRE_FLAG_IGNORECASE | sre.SRE_FLAG_MULTILINE | sre.SRE_FLAG_ASCII):
            raise NotRegular
        self._characters: dict[int, tuple[Accepts, int]] = {}
        self._free: dict[int, list[int]] = {}
        """Moves without a character."""
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        """Moves that are open at the start, or the end, of the text only."""
        self._line_ends: set[int] = set()
        """Those of `_ends` that are open before a last line end too: `$`."""
        self._count = 0
        self._first = self._state()
        self._last = self._sequence(tree, self._first)
        self._remembered: dict[tuple[States, str, bool], States] = {}

    # --- making -----------------------------------------------------------------------------------------------------

    def _state(self) -> int:
        self._count += 1
        if self._count > MAX_STATES:
            raise NotRegular
        return self._count - 1

    def _link(self, source: int, target: int) -> None:
        self._free.setdefault(source, []).append(target)

    def _sequence(self, tree: Iterable[tuple[Any, Any]], at: int) -> int:
        for operation, argument in tree:
            at = self._operation(operation, argument, at)
        return at

    def _operation(self, operation: Any, argument: Any, at: int) -> int:
        accepts = _character(operation, argument)
        if accepts is not None:
            target = self._state()
            self._characters[at] = (accepts, target)
            # One character per state: the next operation starts from the fresh target.
            return target
        if operation is opcode.SUBPATTERN:
            if argument[1] or argument[2]:
                raise NotRegular  # flags for a part
            return self._sequence(argument[3], at)
        if operation is opcode.BRANCH:
            return self._branch(argument[1], at)
        if operation in (opcode.MAX_REPEAT, opcode.MIN_REPEAT):
            return self._repeat(argument, at)
        if operation is opcode.AT:
            return self._anchor(argument, at)
        raise NotRegular

    def _branch(self, branches: Iterable[Any], at: int) -> int:
        target = self._state()
        for branch in branches:
            start = self._state()
            self._link(at, start)
            self._link(self._sequence(branch, start), target)
        return target

    def _repeat(self, argument: tuple[int, Any, Any], at: int) -> int:
        least, most, part = argument
        for _ in range(least):
            at = self._sequence(part, self._fresh(at))
        if most is sre.MAXREPEAT:
            loop = self._fresh(at)
            self._link(self._sequence(part, self._fresh(loop)), loop)
            return self._fresh(loop)
        target = self._state()
        self._link(at, target)
        for _ in range(most - least):
            at = self._sequence(part, self._fresh(at))
            self._link(at, target)
        return target

    def _fresh(self, at: int) -> int:
        following = self._state()
        self._link(at, following)
        return following

    def _anchor(self, where: Any, at: int) -> int:
        target = self._state()
        source = self._fresh(at)
        if where in _STARTS:
            self._starts[source] = target
        elif where in (opcode.AT_END, opcode.AT_END_STRING):
            self._ends[source] = target
            if where is opcode.AT_END:
                self._line_ends.add(source)
        else:
            raise NotRegular
        return target

    # --- running ----------------------------------------------------------------------------------------------------

    def _closure(self, states: Iterable[int], *, start: bool, end: bool, line_end: bool) -> set[int]:
        """The states and all that are reached without a character."""
        reached = set(states)
        waiting = list(reached)
        while waiting:
            state = waiting.pop()
            following = list(self._free.get(state, ()))
            if start and state in self._starts:
                following.append(self._starts[state])
            if (end and state in self._ends) or (line_end and state in self._line_ends):
                following.append(self._ends[state])
            for each in following:
                if each not in reached:
                    reached.add(each)
                    waiting.append(each)
        return reached

    def _step(self, states: States, char: str, searching: bool) -> States:
        """The set after a character in the middle of the text, worked out and remembered."""
        moved = self._moved(states, char, searching)
        known = frozenset(self._closure(moved, start=False, end=False, line_end=False))
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[states, char, searching] = known
        return known

    def _moved(self, states: Iterable[int], char: str, searching: bool) -> list[int]:
        moved = [self._first] if searching else []
        for state in states:
            edge = self._characters.get(state)
            if edge is not None and edge[0](char):
                moved.append(edge[1])
        return moved

    def matches(self, text: str, *, whole: bool) -> bool:
        """Whether the text (`whole`), or some part of it, matches.   Raises: FhirPathError if that takes too long."""
        last, searching, work = self._last, not whole, 0
        middle = len(text) - 1 - text.endswith("\n")
        states = self._at_start(text)
        for index, char in enumerate(text):
            if searching and last in states:
                return True
            if index >= middle:
                end = index == len(text) - 1
                moved = self._moved(states, char, searching)
                states = frozenset(self._closure(moved, start=False, end=end, line_end=True))
                continue
            known = self._remembered.get((states, char, searching))
            if known is None:
                known = self._step(states, char, searching)
                work += len(states) + len(known) + 1
                if work > MAX_WORK:
                    raise FhirPathError("execution", "the text takes too long to match")
            if not known:
                return False
            states = known
        return last in states

    def _at_start(self, text: str) -> States:
        return frozenset(self._closure([self._first], start=True, end=not text, line_end=text in ("", "\n")))
