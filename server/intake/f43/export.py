"""`onecard export f43`: what a facility sent leaves as the same rows, with every correction that was made since.

Rows are read back from the resources (`docs/decisions/f43-round-trip.md`), persons from the facility's own
registrations, so that no other facility's words are in its files.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fhir_profiles.json_reading import read_json
from mappers.f43.files import write_rows
from mappers.f43.layout import LAYOUTS
from mappers.layout import V24
from mappers.links import Resource, Row
from mappers.part import FIRST, key_columns, row_identifier
from mappers.rows import LAYOUTS as ALL
from mappers.rows import MAPS
from server.context import Context
from server.intake.cases import refuse_unknown
from server.intake.f43.keys import IDS_KEY, Ids, part_types
from server.intake.pages_of_store import pages
from server.store.contract import Hits


async def export_f43(
    ctx: Context,
    hcode: str,
    out: Path,
    *,
    version: str = V24,
    encoding: str = "utf-8",
    header: bool = True,
    advance: Callable[[int], object] = lambda rows: None,
) -> dict[str, int]:
    """Rows by file, written into a new zip; a file without rows is left out.

    Raises: SourceError (no such facility), UnicodeEncodeError (a text that Windows-874 has no letters for), OSError,
    StoreError.
    """
    unfinished = out.with_name(out.name + ".part")
    counts: dict[str, int] = {}
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with (
            os.fdopen(descriptor, "wb") as raw,
            zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for file in LAYOUTS:
                number = 0
                first = True
                # Opened with the first row: a file without rows is left out.
                target = None
                async for rows in rows_of(ctx, file, hcode):
                    target = target or archive.open(f"F43_{hcode}/{file}.txt", "w", force_zip64=True)
                    for line in write_rows(file, rows, version=version, header=header and first, encoding=encoding):
                        target.write(line)
                    first = False
                    number += len(rows)
                    advance(len(rows))
                if target is not None:
                    target.close()
                    counts[file] = number
        if not counts:
            await refuse_unknown(ctx, hcode)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return counts


async def rows_of(ctx: Context, file: str, hcode: str) -> AsyncIterator[list[Row]]:
    """Rows of one file and facility in the order they came in, a page at a time."""
    secret = await ctx.store.get_setting(IDS_KEY)
    if secret is None:
        return
    ids = Ids(secret)
    criteria = [("identifier", MAPS[file].system + "|")]
    query = ctx.search.criteria(part_types(file)[FIRST], criteria, ctx.settings.fhir_base)
    async for hits in pages(ctx.store, query):
        rows = await _rows(ctx, ids, file, hcode, hits)
        if rows:
            yield rows


async def _rows(ctx: Context, ids: Ids, file: str, hcode: str, hits: Hits) -> list[Row]:
    """Rows whose first resources are among the hits."""
    depth = ctx.settings.max_depth
    found: list[tuple[str, dict[str, Resource]]] = []
    for hit in hits.hits:
        resource = read_json(hit.version.body or b"{}", max_depth=depth)
        value = row_identifier(resource, MAPS[file].system)
        # Found by its id: a copy that somebody made under another id is no row of ours.
        mine = key_columns(ALL[file], value).get("HOSPCODE") == hcode and hit.version.id == ids.of(file, value)
        if mine and "#" not in value:
            found.append((value, {FIRST: resource}))
    names = [name for name in part_types(file) if name]
    asked = [(part_types(file)[name], ids.of(file, f"{key}#{name}")) for key, _ in found for name in names]
    versions = iter(await ctx.store.read_many(asked) if asked else ())
    for _, parts in found:
        for name in names:
            version = next(versions)
            if version is not None and version.body is not None:
                parts[name] = read_json(version.body, max_depth=depth)
    return [MAPS[file].from_fhir(parts) for _, parts in found]
