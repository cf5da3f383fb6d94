"""The pages in a real browser: they render, their links work, and what attacks put into data does nothing.

Screenshots are kept in build/screenshots.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Client, Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian package chromium"),
]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1000",
)
SCREENSHOTS = Path("build/screenshots")
OWNED = "document.documentElement.setAttribute('data-owned','1')"
IDS = re.compile(r'href="[^"]*/fhir/([A-Za-z]+/[^"?]+)"')


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """Pages do not know of engines: one is enough for a browser."""
    return f"sqlite:///{tmp_path}/onecard.db"


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., Awaitable[str]]:
    """The DOM of a page after everything has run; its picture in build/screenshots if that is given a name."""

    async def run(*arguments: str) -> bytes:
        profile = f"--user-data-dir={tmp_path}/chromium"
        process = await asyncio.create_subprocess_exec(
            str(CHROMIUM),
            *FLAGS,
            profile,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return out

    async def browse(url: str, picture: str | None = None) -> str:
        if picture is not None:
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            image = (SCREENSHOTS / f"{picture}.png").absolute()
            image.unlink(missing_ok=True)
            await run(f"--screenshot={image}", url)
            assert image.stat().st_size > 5_000, "the browser drew nothing"
        return (await run("--dump-dom", url)).decode()

    return browse


Browse = Callable[..., Awaitable[str]]
Given = Callable[..., Awaitable[None]]


def patient(number: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": number, "name": [{"family": "ทดสอบ", "given": ["สมมุติ"]}], **more}


async def test_the_start_page_shows_what_is_stored(server: Running, given: Given, browse: Browse) -> None:
    await given(patient("1"), patient("2"))
    dom = await browse(server.url, "start")
    assert "ผู้ป่วย" in dom
    assert re.search(r'<td class="number">2</td>', dom)


async def test_a_resource_is_readable_and_its_references_are_links(
    server: Running, given: Given, browse: Browse
) -> None:
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"text": "ชีพจร"},
        "subject": {"reference": "Patient/1"},
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">ชีพจร 72</div>'},
    }
    await given(patient("1"), observation)
    dom = await browse(f"{server.url}/fhir/Observation/o", "observation")
    assert f'href="{server.url}/fhir/Patient/1"' in dom
    assert "<iframe" in dom
    assert "ผลการตรวจ" in dom


async def test_a_page_of_a_patient_leads_to_what_belongs_to_the_patient(
    server: Running, given: Given, browse: Browse
) -> None:
    visit = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/1"},
    }
    await given(patient("1"), visit)
    dom = await browse(f"{server.url}/fhir/Patient/1", "patient")
    [navigation] = re.findall(r"<nav>.*?</nav>", dom, re.DOTALL)
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', navigation)]
    assert len(links) == 8
    for link in links:
        found = await browse(link)
        assert "HTTP 200" in found
        assert (f"{server.url}/fhir/Encounter/e" in found) == ("Encounter" in link or "$everything" in link)


async def test_a_search_page_leads_to_the_next(server: Running, given: Given, browse: Browse) -> None:
    await given(*(patient(str(i)) for i in range(5)))
    seen: list[str] = []
    url = f"{server.url}/fhir/Patient?_count=2"
    for page in range(3):
        dom = await browse(url, f"search-{page + 1}")
        seen += [found for found in IDS.findall(dom) if found.startswith("Patient/")]
        following = re.search(r'<a rel="next" href="([^"]+)"', dom)
        url = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"Patient/{i}" for i in range(5)]
    assert not url


async def test_an_error_is_readable(server: Running, browse: Browse) -> None:
    dom = await browse(f"{server.url}/fhir/Patient/none", "error")
    assert "not-found" in dom
    assert "HTTP 404" in dom


ATTACKS = {
    "script": f"<script>{OWNED}</script>",
    "event": f'<img src="x" onerror="{OWNED}">',
    "attribute": f'" autofocus onfocus="{OWNED}',
    "link": f"javascript:{OWNED}",
    "frame": f'"></iframe><script>{OWNED}</script>',
    "srcdoc": f'<iframe srcdoc="<script>parent.{OWNED}</script>"></iframe>',
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_data_cannot_act_in_the_page(server: Running, fhir: Client, browse: Browse, attack: str) -> None:
    text = ATTACKS[attack]
    hostile = patient(
        "1",
        name=[{"family": text, "given": [text]}],
        photo=[{"title": text}],
        link=[{"other": {"display": text}, "type": "seealso"}],
        extension=[{"url": "https://example.org/x", "valueString": text}],
    )
    assert (await fhir.put("Patient/1", hostile)).status in (200, 201)
    for path in ("Patient/1", "Patient", "Patient/1/_history"):
        dom = await browse(f"{server.url}/fhir/{path}")
        assert "data-owned=" not in dom.split("<body", 1)[0]


async def test_the_harness_sees_a_page_that_is_owned(browse: Browse, tmp_path: Path) -> None:
    page = tmp_path / "owned.html"
    page.write_text(f"<html><body>{'x' * 2000}<script>{OWNED}</script></body></html>")
    assert "data-owned=" in (await browse(page.as_uri())).split("<body", 1)[0]
