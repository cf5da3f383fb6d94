"""`_text` and `_content`: words that must all occur, phrases in quotes, `AND`, `OR` and parentheses.
https://hl7.org/fhir/R4/search.html#text

    alternatives("(bone OR liver) and metastases")  -> (("bone", "metastases"), ("liver", "metastases"))

A word is found anywhere in the folded text, for Thai has no spaces around words.
"""

from __future__ import annotations

import re
from itertools import product

from server.search.fold import fold
from server.search.types.written import Unreadable

MOST = 64
"""Alternatives that one expression may come to."""

_TOKEN = re.compile(r'\s*(?:(?P<quoted>"[^"]*"?)|(?P<bracket>[()])|(?P<word>[^\s()"]+))')

Alternatives = tuple[tuple[str, ...], ...]


def alternatives(text: str) -> Alternatives:
    """Raises: Unreadable."""
    tokens = [(found.lastgroup or "", found[found.lastgroup or 0]) for found in _TOKEN.finditer(text)]
    reader = _Reader(tokens)
    found = reader.either(0)
    if reader.at != len(tokens):
        raise Unreadable("a parenthesis is closed that was not opened")
    kept = tuple(dict.fromkeys(tuple(dict.fromkeys(phrases)) for phrases in found if phrases))
    if not kept:
        raise Unreadable("there is no letter or digit to search for")
    return kept


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self.at = 0

    def _next(self) -> tuple[str, str]:
        return self._tokens[self.at] if self.at < len(self._tokens) else ("end", "")

    def _operator(self) -> str:
        kind, text = self._next()
        return text.lower() if kind == "word" and text.lower() in ("and", "or") else ""

    def either(self, depth: int) -> list[tuple[str, ...]]:
        found = self._all(depth)
        while self._operator() == "or":
            self.at += 1
            found += self._all(depth)
            if len(found) > MOST:
                raise Unreadable("the expression has too many alternatives")
        return found

    def _all(self, depth: int) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = [()]
        while True:
            if self._operator() == "and":
                self.at += 1
            kind, text = self._next()
            if kind == "end" or text == ")" or self._operator() == "or":
                return found
            found = [left + right for left, right in product(found, self._one(kind, text, depth))]
            if len(found) > MOST:
                raise Unreadable("the expression has too many alternatives")

    def _one(self, kind: str, text: str, depth: int) -> list[tuple[str, ...]]:
        self.at += 1
        if kind != "bracket":
            folded = fold(text)
            return [(folded,)] if folded else [()]
        if depth > 8:
            raise Unreadable("parentheses are nested too deeply")
        inner = self.either(depth + 1)
        if self._next()[1] != ")":
            raise Unreadable("a parenthesis is not closed")
        self.at += 1
        return inner
