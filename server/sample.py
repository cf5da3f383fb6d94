"""A small synthetic sample in an empty store, by the very write path that REST takes."""

from __future__ import annotations

import sys

from server import boundary
from server.access.principal import Principal
from server.context import Context
from server.messages import FhirRequest

PEOPLE = 20
SEED = 2569
SETTING = "sample"
"""In the store: the sample was loaded once, and is not loaded again after it was deleted."""

LOADER = Principal("sample")


class SampleRefused(Exception):
    """The server's own sample was not taken: a bug."""


async def load_sample(ctx: Context, people: int = PEOPLE) -> int:
    """Number of Bundles that were stored; 0 if the store holds anything already."""
    if await ctx.store.get_setting(SETTING) is not None or (await ctx.store.info()).counts:
        return 0
    # Imported here: the generator and its tables are needed on the first start only.
    from mappers.population import bundles

    count = 0
    for bundle in bundles(people, SEED):
        request = FhirRequest(
            "POST",
            (),
            [],
            {"prefer": "return=minimal"},
            ctx.settings.fhir_base,
            LOADER,
            media_type="application/fhir+json",
            resource=dict(bundle),
            request_id=f"sample-{count}",
        )
        response = await boundary.handle(ctx, request)
        if response.status >= 300:
            raise SampleRefused(f"bundle {count} of the sample was answered {response.status}")
        count += 1
    await ctx.store.put_setting(SETTING, b"1")
    sys.stdout.write(f"The sample is in: {count} bundles of people who do not exist / ข้อมูลตัวอย่างพร้อมแล้ว\n")
    sys.stdout.flush()
    return count
