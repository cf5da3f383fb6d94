"""Three-letter pieces of text for FTS5: substring search that needs no spaces, as Thai has none.

Matches of all pieces are candidates; whoever asks decides on the text itself. https://sqlite.org/fts5.html
"""

from __future__ import annotations


def trigrams(text: str) -> list[str]:
    """Each once; none for texts of one or two letters."""
    return list(dict.fromkeys(text[start : start + 3] for start in range(len(text) - 2)))


def expression(text: str, column: str = "") -> str:
    """FTS5 query for rows that have all trigrams of the text (in the column); empty if there are none."""
    prefix = f"{column} : " if column else ""
    return " AND ".join(f'{prefix}"{gram.replace(chr(34), chr(34) * 2)}"' for gram in trigrams(text))
