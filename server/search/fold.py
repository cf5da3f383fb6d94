"""Folded text, the form in which strings are compared, and the key that sorts it in Thai dictionary order.

Folding forgets case, accents, punctuation and repeated white space, as string search asks
(https://hl7.org/fhir/R4/search.html#string), and unifies spellings of Thai that look the same on the screen.
Thai vowels and tone marks tell words apart and stay: only Latin, Greek and Cyrillic accents go.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_TONES = "\u0e48-\u0e4b"
_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_NIKHAHIT, _SARA_AA, _SARA_AM = "\u0e4d", "\u0e32", "\u0e33"

_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_THAI = re.compile("[\u0e00-\u0e7f]")
# SARA AM may be one letter or NIKHAHIT + SARA AA, with the tone mark before, between or behind.
_AM = re.compile(f"([{_TONES}]?){_NIKHAHIT}([{_TONES}]?){_SARA_AA}([{_TONES}]?)")
_MARK_RUN = re.compile(f"[{_MARKS}]{{2,}}")
_DOUBLE_SARA_E = re.compile("\u0e40\u0e40")
# Vowels sit on the consonant first, then the tone; NIKHAHIT, THANTHAKHAT and YAMAKKAN come last.
_MARK_ORDER = {mark: place for place, mark in enumerate("\u0e31\u0e34\u0e35\u0e36\u0e37\u0e38\u0e39\u0e3a\u0e47")} | {
    mark: 20 + place for place, mark in enumerate("\u0e48\u0e49\u0e4a\u0e4b\u0e4d\u0e4c\u0e4e")
}


def _punctuation() -> dict[int, str | None]:
    """Translation of every code point that folding drops (None), makes a space or a plain digit."""
    table: dict[int, str | None] = {}
    for point in (*range(0x3000), *range(0xFE00, 0x10000), *range(0x1D7CE, 0x1D800)):
        letter = chr(point)
        category = unicodedata.category(letter)
        if category in ("Pd", "Zs", "Zl", "Zp") or letter.isspace():
            table[point] = " "
        elif category[0] == "P" or category in ("Cf", "Cc") or 0xFE00 <= point <= 0xFE0F:
            table[point] = None  # punctuation, zero-width and control characters, variation selectors
        elif category == "Nd":
            table[point] = str(unicodedata.digit(letter))
    return table


_PUNCTUATION = _punctuation()


CACHED = 64
"""Texts up to this length, such as names, are folded once for many resources."""


def fold(text: str) -> str:
    """`text` without case, accents, punctuation, repeated spaces and Thai spelling variants. Idempotent."""
    return _cached(text) if len(text) <= CACHED else fold_once(text)


def fold_once(text: str) -> str:
    """`fold` of a text that will hardly be met again."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
        text = text.translate(_PUNCTUATION)
        if _THAI.search(text):
            text = _fold_thai(text)
    else:
        text = text.lower().translate(_PUNCTUATION)
    return " ".join(text.split())


_cached = lru_cache(maxsize=16384)(fold_once)


def _fold_thai(text: str) -> str:
    text = _AM.sub(lambda found: f"{found[1] or found[2] or found[3]}{_SARA_AM}", text)
    text = _MARK_RUN.sub(_ordered_marks, text)
    return _DOUBLE_SARA_E.sub("\u0e41", text)


def _ordered_marks(run: re.Match[str]) -> str:
    """Marks of one consonant in the order of writing, each once: a repeated mark is drawn over itself."""
    return "".join(sorted(set(run[0]), key=_MARK_ORDER.__getitem__))


_LEADING = re.compile("([\u0e40-\u0e44])([\u0e01-\u0e2e])")
_SECONDARY = frozenset("\u0e47\u0e48\u0e49\u0e4a\u0e4b\u0e4c\u0e4d\u0e4e")


def thai_sort_key(text: str) -> str:
    """Key whose code point order is the dictionary order of the Royal Institute; Latin and digits come before Thai.

    Takes folded text. Leading vowels are ordered behind their consonant; tone marks, MAITAIKHU and THANTHAKHAT
    count only where all letters are equal, from the left.
    """
    if text.isascii():
        return text
    swapped = _LEADING.sub(r"\2\1", text)
    letters: list[str] = []
    marks: list[str] = []
    for letter in swapped:
        if letter in _SECONDARY:
            marks.append(chr(ord(letter) - 0x0E45))
        else:
            letters.append(letter)
            marks.append("\x01")
    secondary = "".join(marks).rstrip("\x01")
    return "".join(letters) + ("\x00" + secondary if secondary else "")
