"""The progress bars of all commands, on standard error: standard output holds what was done and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def bar(what: str, unit: str, total: int | None = None) -> Any:
    """A bar of tqdm, to be closed or used as a context; without a total it counts."""
    from tqdm import tqdm

    return tqdm(desc=what, unit=f" {unit}", total=total, unit_scale=True, file=sys.stderr, dynamic_ncols=True)


@contextmanager
def import_bar(size: int | None) -> Iterator[Callable[[int, int], None]]:
    """A bar of the bytes that were read; advance(resources, bytes) tells the resources a second beside it."""
    written = 0
    with bar("import", "B", size) as shown:

        def advance(resources: int, read: int) -> None:
            nonlocal written
            written += resources
            shown.update(read)
            elapsed = shown.format_dict["elapsed"] or 1e-9
            shown.set_postfix_str(f"{written:,} resources, {written / elapsed:,.0f}/s", refresh=False)

        yield advance
