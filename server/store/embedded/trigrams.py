"""Three-letter pieces of text for FTS5: substring search that needs no spaces, as Thai has none.

Matches of all pieces are candidates; whoever asks decides on the text itself. https://sqlite.org/fts5.html
"""

from __future__ import annotations

_MOST = 32
"""Trigrams that are asked for. Of each SQLite holds a place in the index, and its query is as long."""


def trigrams(text: str) -> list[str]:
    """Each once; none for texts of one or two letters."""
    return list(dict.fromkeys(text[start : start + 3] for start in range(len(text) - 2)))


def expression(text: str, column: str = "") -> str:
    """FTS5 query for rows that have the trigrams of the text (in the column); empty if there are none. Of a long text
    some are asked for, which lead to hardly more than all of them."""
    prefix = f"{column} : " if column else ""
    every = trigrams(text)
    some = every[:: len(every) // _MOST + 1]
    return " AND ".join(f'{prefix}"{gram.replace(chr(34), chr(34) * 2)}"' for gram in some)
