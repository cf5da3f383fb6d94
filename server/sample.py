"""A sample village in an empty store: people who do not exist, imported through the path of the 43 files, and the
definitions that their resources claim and are coded by, to be read over REST."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from server.context import Context

PEOPLE = 300
YEARS = 1
"""Of their care. Fewer rows a person, so that a few hundred people are in within a minute."""
SEED = 2569
SETTING = "sample"
"""In the store: the sample was begun, or is in, and is not loaded again after it was deleted."""
BEGUN, IN = b"0", b"1"


class SampleRefused(Exception):
    """The server's own sample was not taken: a bug."""


async def load_sample(ctx: Context, people: int = PEOPLE) -> int:
    """Number of resources that were stored; 0 if the store holds anything else already.

    One that was broken off goes on at the next start: the same people come out, and what is stored is left as it is.
    """
    state = await ctx.store.get_setting(SETTING)
    if state == IN or (state is None and (await ctx.store.info()).counts):
        return 0
    await ctx.store.put_setting(SETTING, BEGUN)
    # Imported here: the generator, its tables and the mappers are needed on the first start only.
    from server.cli.sample import write_f43
    from server.intake.f43.importing import import_f43
    from server.intake.f43.sources import open_source
    from server.own_definitions import own_package
    from server.packages import add

    with tempfile.TemporaryDirectory(prefix="onecard-sample-") as folder:
        path = Path(folder) / "sample.zip"
        await asyncio.to_thread(write_f43, path, people, SEED, YEARS)
        report = await import_f43(
            ctx.settings, ctx, open_source(path), processes=0, advance=lambda resources, read: None
        )
    if report.refused:
        raise SampleRefused(f"{report.refused} rows of the sample were refused: {report.quarantine}")
    await add(ctx, await asyncio.to_thread(own_package))
    await ctx.store.put_setting(SETTING, IN)
    sys.stdout.write(f"The sample is in: {people} people who do not exist / ข้อมูลตัวอย่างพร้อมแล้ว\n")
    sys.stdout.flush()
    return report.resources
