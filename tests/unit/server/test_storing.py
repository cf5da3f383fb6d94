"""What all writes share: how large resources are checked beside the work of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles.json_in_steps import PIECE
from server.access.decide import OPEN
from server.app import build_context
from server.config import Settings
from server.context import Context
from server.interactions.storing import LARGE, about, beside, prepare, read_bundle
from server.messages import FhirRequest
from tests.turns import turns_beside


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[Context]:
    built = await build_context(Settings(store=f"sqlite:///{tmp_path}/onecard.db", data_folder=str(tmp_path)))
    yield built
    await built.store.close()


@pytest.mark.parametrize("size", [0, LARGE])
async def test_other_requests_have_their_turn_while_a_large_resource_is_checked(ctx: Context, size: int) -> None:
    names = [{"family": "ทดสอบ", "given": [str(number)]} for number in range(10_000)]
    resource: dict[str, Any] = {"resourceType": "Patient", "name": names}
    async with turns_beside() as turns:
        prepared = await beside(size, prepare, ctx, "http://localhost/fhir", resource, "1", "PUT")
    assert len(prepared.put.index["given"]) == 10_000
    assert (turns.count > 1) == (size >= LARGE)


async def test_other_requests_have_their_turn_while_a_large_bundle_is_read(ctx: Context) -> None:
    entry = b'{"resource":{"resourceType":"Patient","active":true}}'
    body = b'{"resourceType":"Bundle","entry":[' + b",".join([entry] * (8 * PIECE // len(entry))) + b"]}"
    request = FhirRequest("POST", (), [], {}, "", OPEN, body=body, media_type="application/fhir+json")
    async with turns_beside() as turns:
        bundle = await read_bundle(ctx, request)
    assert len(bundle["entry"]) == 8 * PIECE // len(entry)
    assert turns.count >= 6


@pytest.mark.parametrize(
    ("resource", "large"),
    [
        ({"resourceType": "Patient"}, False),
        ({"resourceType": "Patient", "name": [{"family": "x"}] * 1000}, False),
        ({"resourceType": "Patient", "name": [{"family": "x"}] * 10_000}, True),
        ({"resourceType": "Binary", "contentType": "image/png", "data": "A" * 100_000}, True),
        ({"resourceType": "ValueSet", "compose": {"include": [{"concept": [{"code": "1"}] * 6000}]}}, True),
    ],
)
def test_a_resource_is_known_to_be_large_without_being_written(resource: dict[str, Any], large: bool) -> None:
    assert (about(resource) >= LARGE) is large
