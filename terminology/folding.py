"""Text as the filter of `$expand` compares it: letter case, accents and invisible characters do not matter.

Thai: SARA AM is one character in either spelling (U+0E33, or NIKHAHIT U+0E4D and SARA AA U+0E32, with the tone mark
before or between); tone marks and vowels stay, because they tell words apart.
"""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
SARA_AM = re.compile("\u0e4d([\u0e48-\u0e4b]?)\u0e32")
LATIN_ACCENTS = re.compile("[\u0300-\u036f]")


def fold(text: str) -> str:
    """The text in comparable form; folding twice changes nothing."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFD", text.translate(INVISIBLE).casefold())
    return SARA_AM.sub("\\1\u0e33", LATIN_ACCENTS.sub("", text))


def words(filter_text: str) -> tuple[str, ...]:
    """The words of a filter, folded; a concept matches when each of them occurs somewhere in its code or its names."""
    return tuple(dict.fromkeys(fold(filter_text).split()))


def holds(texts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether every one of the folded words occurs in one of the (not yet folded) texts."""
    if not wanted:
        return True
    hay = "\n".join(map(fold, texts))
    return all(word in hay for word in wanted)
