"""The examples of the README and of the greeting work as they are written."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.serving import SAMPLE_SECONDS, Served, serve

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")

FOUND = {
    "Patient?_count=5": "Bundle",
    "Observation?code": "Bundle",
    "metadata": "CapabilityStatement",
    "test-1": "Patient",
    "_search": "Bundle",
}
"""Part of an example's address -> type of what it answers."""


def examples() -> list[list[str]]:
    """The arguments of every curl command, in the order of the page."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("curl ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of all tests here has its data: the sample takes its time."""
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    started = serve(folder, "--open", "--sample", "--request-log", "off")
    started.printed("sample is in", SAMPLE_SECONDS)
    yield started
    started.stop()
    started.end()


def curl(served: Served, arguments: list[str]) -> tuple[int, bytes]:
    """What curl would get; knows the options that the README uses."""
    method, url, body, headers = "GET", "", None, {}
    rest = iter(arguments)
    for argument in rest:
        match argument:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name.replace("-", "_")] = value
            case "-d":
                body = next(rest).encode()
            case "--data-urlencode":
                name, _, value = next(rest).partition("=")
                body = f"{name}={quote(value)}".encode()
                headers["Content_Type"] = "application/x-www-form-urlencoded"
            case _:
                assert argument.startswith("http://127.0.0.1:8080/"), argument
                url = argument.removeprefix("http://127.0.0.1:8080")
    status, answer, _ = served.request(url, method, body, **headers)
    return status, answer


def test_every_example_of_the_readme_works(served: Served) -> None:
    assert len(examples()) >= 6
    for arguments in examples():
        status, answer = curl(served, arguments)
        assert status in (200, 201), arguments
        resource = json.loads(answer)
        [expected] = {kind for part, kind in FOUND.items() if part in " ".join(arguments)}
        assert resource["resourceType"] == expected
        if expected == "Bundle":
            assert resource["entry"], arguments


def test_the_sample_comes_once(served: Served, folder: Path) -> None:
    def patients(where: Served) -> int:
        return int(json.loads(where.request("/fhir/Patient?_summary=count")[1])["total"])

    count = patients(served)
    assert count >= 10
    again = serve(folder, "--open", "--sample", "--request-log", "off")
    try:
        assert patients(again) == count
        assert not any("sample is in" in line for line in again.lines)
    finally:
        again.stop()
        again.end()


def test_the_thai_lists_and_profiles_of_the_sample_are_read_over_rest(served: Served) -> None:
    for kind, url in (
        ("CodeSystem", "https://terms.sil-th.org/core/CodeSystem/cs-thcc-marital"),
        ("ValueSet", "https://terms.sil-th.org/core/ValueSet/vs-thcc-marital"),
        ("StructureDefinition", "https://onecard.example.org/fhir/StructureDefinition/th-patient"),
    ):
        status, answer, _ = served.request(f"/fhir/{kind}?url={url}")
        [entry] = json.loads(answer)["entry"]
        assert (status, entry["resource"]["url"]) == (200, url)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
