"""The 13 digits of a Thai citizen and their check digit.

Check digit: (11 - sum of digit x weight 13..2 over the first twelve, modulo 11) modulo 10.
"""

from __future__ import annotations

from operator import mul

WEIGHTS = range(13, 1, -1)


def check_digit(body: str) -> str:
    """The 13th digit for the first twelve."""
    total = sum(map(mul, map(int, body), WEIGHTS))
    return str((11 - total % 11) % 10)


def is_valid(cid: str) -> bool:
    """Thirteen ASCII digits, the last of which fits."""
    return len(cid) == 13 and cid.isascii() and cid.isdigit() and check_digit(cid[:12]) == cid[12]
