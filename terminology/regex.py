"""Regular expressions of value set filters, matched in time linear in the length of the code.

A filter comes from whoever posts a ValueSet; a backtracking matcher could be kept busy for hours by one of them.
Understood: literals, `.`, `[...]` with ranges and `^`, `\\d \\w \\s \\D \\W \\S`, escaped characters, `( )`,
`(?: )`, `|`, `* + ? {n} {n,} {n,m}`, and `^`, `$` at the two ends. A code matches as a whole.
https://hl7.org/fhir/R4/valueset-filter-operator.html#valueset-filter-operator-regex
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from terminology.errors import TerminologyError

MOST_STATES = 4000
"""Counted repetitions are written out; this bounds how far."""
MOST_STEPS = 2000
"""Steps kept for the next text: from which states, by which character, to which states."""
MOST_LENGTH = 500
MOST_DEPTH = 50

CharTest = Callable[[str], bool]
CLASSES: dict[str, CharTest] = {
    "d": str.isdecimal,
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
    "D": lambda c: not c.isdecimal(),
    "W": lambda c: not (c.isalnum() or c == "_"),
    "S": lambda c: not c.isspace(),
}
CONTROL = {"t": "\t", "n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Char:
    test: CharTest


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Node
    least: int
    most: int | None


Node = Char | Sequence | Either | Repeat


class Regex:
    """A nondeterministic automaton: for each state either a test with the next state, or free moves to others."""

    def __init__(self, pattern: str) -> None:
        self._tests: list[CharTest | None] = []
        self._moves: list[list[int]] = []
        source = Source(pattern)
        tree = source.alternatives(0)
        if source.peek():
            raise source.error("unbalanced )")
        self._start, self._end = self._state(), self._state()
        self._build(tree, self._start, self._end)
        self._begin = self._closure([self._start])
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def _state(self) -> int:
        if len(self._tests) >= MOST_STATES:
            raise TerminologyError(
                "too-costly", "the regular expression is too large when its repetitions are written out"
            )
        self._tests.append(None)
        self._moves.append([])
        return len(self._tests) - 1

    def _build(self, node: Node, start: int, end: int) -> None:
        match node:
            case Char(test):
                state = self._state()
                self._tests[state] = test
                self._moves[state].append(end)
                self._moves[start].append(state)
            case Either(branches):
                for branch in branches:
                    self._build(branch, start, end)
            case Sequence(parts):
                self._moves[self._chain(parts, start)].append(end)
            case Repeat(part, least, most):
                self._repeat(part, least, most, start, end)

    def _chain(self, parts: tuple[Node, ...], start: int) -> int:
        for part in parts:
            following = self._state()
            self._build(part, start, following)
            start = following
        return start

    def _repeat(self, part: Node, least: int, most: int | None, start: int, end: int) -> None:
        start = self._chain((part,) * least, start)
        if most is None:
            loop = self._state()
            self._moves[start].append(loop)
            self._build(part, loop, loop)
            self._moves[loop].append(end)
            return
        self._moves[start].append(end)
        for _ in range(most - least):
            start = self._chain((part,), start)
            self._moves[start].append(end)

    def _closure(self, states: Iterable[int]) -> frozenset[int]:
        """The states reached without reading; those with a test stay as they are."""
        reached = set(states)
        waiting = list(reached)
        while waiting:
            state = waiting.pop()
            if self._tests[state] is None:
                for other in self._moves[state]:
                    if other not in reached:
                        reached.add(other)
                        waiting.append(other)
        return frozenset(reached)

    def _step(self, current: frozenset[int], char: str) -> frozenset[int]:
        return self._closure(
            other
            for state in current
            if (test := self._tests[state]) is not None and test(char)
            for other in self._moves[state]
        )

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        current = self._begin
        for char in text:
            key = current, char
            following = self._steps.get(key)
            if following is None:
                following = self._step(current, char)
                if len(self._steps) < MOST_STEPS:
                    self._steps[key] = following
            if not following:
                return False
            current = following
        return self._end in current


class Source:
    """Reads a pattern by recursive descent."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_LENGTH:
            raise TerminologyError("too-costly", f"a regular expression has at most {MOST_LENGTH} characters here")
        text = text.removeprefix("^")
        unescaped_end = text.endswith("$") and (len(text) - len(text[:-1].rstrip("\\"))) % 2 == 1
        self.text = text[:-1] if unescaped_end else text
        self.at = 0

    def error(self, what: str) -> TerminologyError:
        return TerminologyError(
            "processing", f"the regular expression is not understood at character {self.at}: {what}"
        )

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise self.error("unexpected end")
        self.at += 1
        return char

    def alternatives(self, depth: int) -> Node:
        if depth > MOST_DEPTH:
            raise self.error("nested too deeply")
        branches = [self.sequence(depth)]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence(depth))
        return branches[0] if len(branches) == 1 else Either(tuple(branches))

    def sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom(depth)))
        return Sequence(tuple(parts))

    def repeated(self, part: Node) -> Node:
        char = self.peek()
        if char not in ("*", "+", "?", "{"):
            return part
        self.at += 1
        least, most = QUANTIFIERS[char] if char in QUANTIFIERS else self.counts()
        if self.peek() in ("*", "+", "?", "{"):
            raise self.error("a quantifier after a quantifier")
        return Repeat(part, least, most)

    def counts(self) -> tuple[int, int | None]:
        """`n}`, `n,}` or `n,m}`."""
        inside, closed, _ = self.text[self.at :].partition("}")
        least, comma, most = inside.partition(",")
        numbers = [part for part in (least, most) if part or part is least]
        if not closed or not all(n.isascii() and n.isdecimal() and len(n) <= 4 for n in numbers):
            raise self.error("{n}, {n,} or {n,m} expected")
        self.at += len(inside) + 1
        upper = int(most) if most else None if comma else int(least)
        if upper is not None and upper < int(least):
            raise self.error("{n,m} with m less than n")
        return int(least), upper

    def atom(self, depth: int) -> Node:
        char = self.take()
        if char == "(":
            if self.peek() == "?":
                if self.text[self.at : self.at + 2] != "?:":
                    raise self.error("only (?: ) is known of the groups with ?")
                self.at += 2
            inner = self.alternatives(depth + 1)
            if self.take() != ")":
                raise self.error(") expected")
            return inner
        if char == "[":
            return Char(self.char_class())
        if char == ".":
            return Char(lambda _: True)
        if char == "\\":
            return Char(self.escaped())
        if char in "*+?{)^$":
            raise self.error(f"{char} has no meaning here; write \\{char} for the character")
        return Char(char.__eq__)

    def escaped(self) -> CharTest:
        char = self.take()
        if char in CLASSES:
            return CLASSES[char]
        if char in CONTROL:
            return CONTROL[char].__eq__
        if char.isalnum():
            raise self.error(f"\\{char} is not known")
        return char.__eq__

    def char_class(self) -> CharTest:
        negated = self.peek() == "^"
        self.at += negated
        ranges: list[tuple[str, str]] = []
        tests: list[CharTest] = []
        while (not ranges and not tests) or self.peek() != "]":
            char = self.take()
            if char == "\\":
                name = self.take()
                if name in CLASSES:
                    tests.append(CLASSES[name])
                    continue
                char = CONTROL.get(name, name)
            last = char
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last = self.take()
                last = self.take() if last == "\\" else last
                if last < char:
                    raise self.error("a range from high to low")
            ranges.append((char, last))
        self.at += 1
        found = tuple(ranges), tuple(tests)

        def test(char: str) -> bool:
            return negated != (any(a <= char <= b for a, b in found[0]) or any(t(char) for t in found[1]))

        return test


QUANTIFIERS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@lru_cache(maxsize=128)
def compiled(pattern: str) -> Regex:
    """Raises: TerminologyError for a pattern that is not understood or too large."""
    return Regex(pattern)
