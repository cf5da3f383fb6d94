"""docs/bundles.md: its bundle, its commands and its program work as they are written."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.serving import Served, serve

PAGE = (Path(__file__).parent.parent.parent / "docs" / "bundles.md").read_text("utf-8")


def block(language: str, number: int = 0) -> str:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found[number]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    started = serve(tmp_path_factory.mktemp("bundles"), "--open", "--request-log", "off")
    yield started
    started.stop()
    started.end()


def curl(served: Served, command: str) -> Any:
    """What the command would get; knows the options that the page uses."""
    words = shlex.split(command)
    parts = [words[number + 1] for number, word in enumerate(words) if word == "-d"]
    [url] = [word for word in words if word.startswith("http://127.0.0.1:8080/")]
    assert words[:3] == ["curl", "-X", "POST"]
    if parts == ["@bundle.json"]:
        assert words[words.index("-H") + 1] == "Content-Type: application/fhir+json"
        body, media_type = block("json"), "application/fhir+json"
    else:
        body, media_type = "&".join(parts), "application/x-www-form-urlencoded"
    path = url.removeprefix("http://127.0.0.1:8080")
    status, answer, _ = served.request(path, "POST", body.encode(), Content_Type=media_type)
    assert status == 200, answer
    return json.loads(answer)


def statuses(answer: Any) -> list[str]:
    return [entry["response"]["status"] for entry in answer["entry"]]


def test_the_bundle_is_stored_once_however_often_it_is_sent_and_a_viewer_finds_it(
    served: Served, tmp_path: Path
) -> None:
    post = block("sh")
    assert statuses(curl(served, post)) == ["201 Created"] * 3
    assert statuses(curl(served, post)) == ["200 OK"] * 3
    found = curl(served, block("sh", 1))
    assert [entry["resource"]["resourceType"] for entry in found["entry"]] == ["Observation", "Patient"]
    (tmp_path / "bundle.json").write_text(block("json"), "utf-8")
    program = block("python").replace("http://127.0.0.1:8080", f"http://127.0.0.1:{served.port}")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert [line[:6] for line in done.stdout.splitlines()] == ["200 OK"] * 3


def test_what_is_wrong_is_named_and_nothing_is_stored(served: Served) -> None:
    bundle = json.loads(block("json"))
    bundle["entry"][0]["request"]["url"] = "Patient?identifier=other"
    del bundle["entry"][2]["request"]["ifNoneExist"]
    bundle["entry"][2]["resource"]["valueQuantity"]["value"] = "72"
    status, answer, _ = served.request(
        "/fhir", "POST", json.dumps(bundle).encode(), Content_Type="application/fhir+json"
    )
    named = [issue["expression"] for issue in json.loads(answer)["issue"]]
    assert (status, named) == (422, [["Bundle.entry[2].resource.value.value"]])
    assert json.loads(served.request("/fhir/Patient?identifier=other")[1])["total"] == 0
