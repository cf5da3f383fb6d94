"""`_filter`: search criteria as an expression.   https://hl7.org/fhir/R4/search_filter.html

    filter   = test {("and" | "or") test}        left to right, without precedence
    test     = "not" "(" filter ")" | "(" filter ")" | path operator value
    path     = name ["[" filter "]" "." path]    where a name may chain by dots
    value    = JSON string | anything without white space, `)` and `]`

A name is that of a search parameter; a filter in brackets holds for the same referred resource as what follows.
`eq` and `ne` on strings compare the whole value, folded; the other operators are modifiers and prefixes of search.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from server.errors import BadRequest
from server.search.contained import chained
from server.search.criteria import Criteria
from server.search.filter_operators import OPERATORS
from server.search.parse import Asked, Leaf, parse_name
from server.search.query import And, Criterion, Not, any_of
from server.search.refusal import refused

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<bracket>[()\[\]])|(?P<word>[^\s()\[\]"]+))""", re.DOTALL
)
_DEPTH = 16
_MOST = 1000
"""Tokens of one expression."""


@dataclass(frozen=True, slots=True)
class _Test:
    path: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class _Bracketed:
    code: str
    inner: _Filter
    rest: _Filter


@dataclass(frozen=True, slots=True)
class _Negated:
    inner: _Filter


@dataclass(frozen=True, slots=True)
class _Combined:
    """Tests between which the same word stands: `and` or `or`."""

    word: str
    parts: tuple[_Filter, ...]


_Filter = _Test | _Bracketed | _Negated | _Combined


def compile_filter(criteria: Criteria, types: tuple[str, ...], one: Asked) -> Criterion:
    """Criterion of one `_filter`. Raises: BadRequest."""
    if isinstance(one.name, Leaf) and one.name.modifier:
        raise refused(one.written, "_filter takes no modifier")
    return _compile(criteria, types, _Reader(one).read(), one)


def _compile(criteria: Criteria, types: tuple[str, ...], node: _Filter, one: Asked) -> Criterion:
    match node:
        case _Negated(inner):
            return Not(_compile(criteria, types, inner, one))
        case _Combined(word, parts):
            compiled = tuple(_compile(criteria, types, part, one) for part in parts)
            return And(compiled) if word == "and" else any_of(compiled)
        case _Test(path, operator, value):
            name = parse_name(path, criteria.limits)
            return criteria.of(types, Asked(f"{one.written} {path}", name, value, (value,), operator))
        case _Bracketed(code, inner, rest):
            return _compile_bracketed(criteria, types, code, (inner, rest), one)


def _compile_bracketed(
    criteria: Criteria,
    types: tuple[str, ...],
    code: str,
    parts: tuple[_Filter, ...],
    one: Asked,
) -> Criterion:
    """`subject[gender eq male].name co "x"`: both hold for one referred resource."""
    found: list[Criterion] = []
    problem: BadRequest | None = None
    for parameter, target in criteria.references(types, code, one):
        try:
            compiled = tuple(_compile(criteria, (target,), part, one) for part in parts)
        except BadRequest as error:
            problem = error
            continue
        found.append(chained(parameter, target, And(compiled)))
    if not found:
        raise problem or refused(one.written, f"{code} is no reference")
    return any_of(found)


class _Reader:
    """Recursive descent over the words of one expression."""

    def __init__(self, one: Asked) -> None:
        self._one = one
        self._tokens = list(self._scan(one.value.rstrip()))
        self._at = 0

    def _scan(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or len(tokens) >= _MOST:
                raise refused(self._one.written, "a string is not closed, or the expression is too long")
            kind = found.lastgroup or ""
            tokens.append((kind, found[kind]))
            at = found.end()
        return tokens

    def read(self) -> _Filter:
        found = self._expression(0)
        if self._at != len(self._tokens):
            raise self._wrong("expected and, or, or the end")
        return found

    def _wrong(self, reason: str) -> BadRequest:
        return refused(self._one.written, f"at word {self._at + 1}: {reason}")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, expected: str) -> None:
        if self._peek() != ("bracket", expected):
            raise self._wrong(f"expected {expected}")
        self._at += 1

    def _keyword(self, *words: str) -> str:
        kind, text = self._peek()
        return text.lower() if kind == "word" and text.lower() in words else ""

    def _expression(self, depth: int) -> _Filter:
        if depth > _DEPTH:
            raise self._wrong("the expression is nested too deeply")
        found = self._test(depth)
        while word := self._keyword("and", "or"):
            self._at += 1
            right = self._test(depth)
            if isinstance(found, _Combined) and found.word == word:
                found = _Combined(word, (*found.parts, right))
            else:
                found = _Combined(word, (found, right))
        return found

    def _test(self, depth: int) -> _Filter:
        if self._keyword("not"):
            self._at += 1
            return _Negated(self._group(depth))
        if self._peek() == ("bracket", "("):
            return self._group(depth)
        kind, path = self._peek()
        if kind != "word":
            raise self._wrong("expected the name of a search parameter")
        self._at += 1
        return self._after(path, depth)

    def _after(self, path: str, depth: int) -> _Filter:
        if self._peek() != ("bracket", "["):
            return _Test(path, *self._comparison())
        self._take("[")
        inner = self._expression(depth + 1)
        self._take("]")
        kind, rest = self._peek()
        if kind != "word" or not rest.startswith(".") or len(rest) == 1:
            raise self._wrong("expected a dot and a name behind the bracket")
        self._at += 1
        return _Bracketed(path, inner, self._after(rest[1:], depth + 1))

    def _group(self, depth: int) -> _Filter:
        self._take("(")
        found = self._expression(depth + 1)
        self._take(")")
        return found

    def _comparison(self) -> tuple[str, str]:
        operator = self._keyword(*OPERATORS)
        if not operator:
            raise self._wrong(f"expected one of {' '.join(sorted(OPERATORS))}")
        self._at += 1
        kind, text = self._peek()
        if kind not in ("string", "word"):
            raise self._wrong("expected a value")
        self._at += 1
        return operator, text if kind == "word" else self._string(text)

    def _string(self, text: str) -> str:
        try:
            value: str = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise self._wrong("this is no JSON string") from None
        return value
