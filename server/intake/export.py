"""`onecard export fhir`: current resources as NDJSON.   https://hl7.org/fhir/R4/nd-json.html"""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, cast

from server.context import Context
from server.intake.pages_of_store import pages
from server.search.query import Query


async def export_fhir(
    ctx: Context, out: Path, types: Sequence[str] = (), *, advance: Callable[[int], object] = lambda resources: None
) -> dict[str, int]:
    """Resources by type, one a line, oldest first within a type; packed if the name ends in .gz. Mode 0600.

    types: empty for all. Raises: OSError, StoreError.
    """
    held = (await ctx.store.info()).counts
    unfinished = out.with_name(out.name + ".part")
    counts: dict[str, int] = {}
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            packed = gzip.GzipFile(fileobj=raw, mode="wb") if out.name.endswith(".gz") else contextlib.nullcontext(raw)
            with cast("contextlib.AbstractContextManager[IO[bytes]]", packed) as target:
                for kind in sorted(types or held):
                    async for found in pages(ctx.store, Query((kind,))):
                        target.writelines((hit.version.body or b"") + b"\n" for hit in found.hits)
                        counts[kind] = counts.get(kind, 0) + len(found.hits)
                        advance(len(found.hits))
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return counts
