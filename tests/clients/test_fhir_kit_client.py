"""The npm client fhir-kit-client does its ordinary work."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.serving import Running

HERE = Path(__file__).parent
NODE = shutil.which("node")
pytestmark = [
    pytest.mark.npm,
    pytest.mark.skipif(
        NODE is None or not (HERE / "node_modules").is_dir(),
        reason="needs Debian packages nodejs and npm, then `npm ci` in tests/clients",
    ),
]


async def test_fhir_kit_client_does_its_ordinary_work(server: Running) -> None:
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(HERE / "ordinary_work.mjs"),
        f"{server.url}/fhir",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    assert json.loads(out) == {
        "fhirVersion": "4.0.1",
        "createdVersion": "1",
        "family": "ทดสอบ",
        "updatedVersion": "2",
        "oldGender": "female",
        "newGender": "other",
        "observations": ["o1", "o2", "o3"],
        "byName": 1,
        "history": ["PATCH", "PUT", "POST"],
        "included": 0,
        "resolved": True,
        "gone": 410,
        "outcome": "OperationOutcome",
    }
