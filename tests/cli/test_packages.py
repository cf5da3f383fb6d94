"""`onecard packages`: from a published .tgz to an answer of a server that runs."""

from __future__ import annotations

import argparse
import io
import json
import shlex
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from server.cli.packages import add_arguments
from server.package_reading import PackageError, read_package
from tests.cli.serving import Served, onecard, serve

BASE = "https://guide.example/fhir"
WARDS = {
    "resourceType": "CodeSystem",
    "id": "wards",
    "url": f"{BASE}/CodeSystem/wards",
    "status": "active",
    "content": "complete",
    "concept": [{"code": "icu", "display": "ไอซียู"}, {"code": "gen"}],
}
SET = {
    "resourceType": "ValueSet",
    "id": "wards",
    "url": f"{BASE}/ValueSet/wards",
    "status": "active",
    "compose": {"include": [{"system": WARDS["url"]}]},
}
BED = {
    "resourceType": "StructureDefinition",
    "id": "bed",
    "url": f"{BASE}/StructureDefinition/bed",
    "name": "Bed",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Location",
    "baseDefinition": f"{BASE}/StructureDefinition/named-location",
    "derivation": "constraint",
    "differential": {
        "element": [
            {
                "id": "Location.type",
                "path": "Location.type",
                "min": 1,
                "binding": {"strength": "required", "valueSet": SET["url"]},
            }
        ]
    },
}
NAMED = BED | {
    "id": "named-location",
    "url": BED["baseDefinition"],
    "name": "Named",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Location",
    "differential": {"element": [{"id": "Location.name", "path": "Location.name", "min": 1}]},
}
MANIFEST = {
    "name": "example.guide",
    "version": "1.2.0",
    "fhirVersions": ["4.0.1"],
    "dependencies": {"hl7.fhir.r4.core": "4.0.1", "example.base": "0.1.0"},
}

CLOSED = NAMED | {
    "id": "closed-for",
    "url": f"{BASE}/StructureDefinition/closed-for",
    "name": "ClosedFor",
    "kind": "complex-type",
    "type": "Extension",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
    "context": [{"type": "element", "expression": "Location"}],
    "contextInvariant": ["status = 'suspended'"],
    "differential": {
        "element": [
            {"id": "Extension.url", "path": "Extension.url", "fixedUri": f"{BASE}/StructureDefinition/closed-for"},
            {"id": "Extension.value[x]", "path": "Extension.value[x]", "min": 1, "type": [{"code": "string"}]},
        ]
    },
}


def package(path: Path, *resources: dict[str, Any], manifest: Any = MANIFEST, **files: bytes) -> Path:
    content = {"package/package.json": json.dumps(manifest).encode(), **files}
    for each in resources:
        content[f"package/{each['resourceType']}-{each['id']}.json"] = json.dumps(each).encode()
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(PackageError) as refused:
        read_package(path)
    return str(refused.value)


class Client:
    def __init__(self, served: Served) -> None:
        self._served = served

    def post(self, path: str, resource: dict[str, Any]) -> tuple[int, Any]:
        status, body, _ = self._served.request(f"/fhir/{path}", "POST", json.dumps(resource).encode())
        return status, json.loads(body or b"null")

    def get(self, path: str) -> tuple[int, Any]:
        status, body, _ = self._served.request(f"/fhir/{path}")
        return status, json.loads(body)


def test_a_package_is_added_listed_used_renewed_and_removed(tmp_path: Path) -> None:
    package(tmp_path / "guide.tgz", BED, NAMED, CLOSED, SET, WARDS)
    added = onecard("packages", "add", "guide.tgz", cwd=tmp_path)
    assert added.returncode == 0, added.stderr
    assert "example.guide#1.2.0: 1 CodeSystem, 1 ValueSet, 3 StructureDefinition" in added.stdout
    assert "example.base#0.1.0, which is not here" in added.stdout
    assert onecard("packages", "list", cwd=tmp_path).stdout.startswith("example.guide#1.2.0  1 CodeSystem")
    coded = {"coding": [{"system": WARDS["url"], "code": "icu"}]}
    bed = {"resourceType": "Location", "meta": {"profile": [BED["url"]]}, "name": "เตียง 1", "type": [coded]}
    served = serve(tmp_path, "--open")
    try:
        server = Client(served)
        assert server.post("Location", bed)[0] == 201
        status, outcome = server.post("Location", {key: bed[key] for key in ("resourceType", "meta", "type")})
        assert (status, outcome["issue"][0]["expression"]) == (422, ["Location.name"])
        wrong = {**bed, "type": [{"coding": [{"system": WARDS["url"], "code": "roof"}]}]}
        assert server.post("Location", wrong)[0] == 422
        closed = {**bed, "status": "suspended", "extension": [{"url": CLOSED["url"], "valueString": "repairs"}]}
        assert server.post("Location", closed)[0] == 201
        status, outcome = server.post("Location", {**closed, "status": "active"})
        assert (status, outcome["issue"][0]["expression"]) == (422, ["Location.extension[0]"])
        snapshot = server.get("StructureDefinition/bed")[1]["snapshot"]["element"]
        assert next(row for row in snapshot if row["path"] == "Location.name")["min"] == 1
        # A second version, added while the server runs, drops the rule that beds have names and one definition.
        package(tmp_path / "newer.tgz", BED | {"baseDefinition": NAMED["baseDefinition"]}, CLOSED, SET, WARDS,
                manifest=MANIFEST | {"version": "1.3.0"})  # fmt: skip
        renewed = onecard("packages", "add", "newer.tgz", "--json", cwd=tmp_path)
        assert json.loads(renewed.stdout)[0]["removed"] == 1, renewed.stderr
        nameless = {key: bed[key] for key in ("resourceType", "meta", "type")}
        deadline = time.monotonic() + 20
        while server.post("Location", nameless)[0] != 201 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert server.post("Location", nameless)[0] == 201
        assert server.get("StructureDefinition/named-location")[0] == 410
    finally:
        served.end()
    assert json.loads(onecard("packages", "remove", "example.guide", "--json", cwd=tmp_path).stdout) == {"removed": 4}
    assert onecard("packages", "list", "--json", cwd=tmp_path).stdout == "[]\n"
    assert onecard("packages", "remove", "example.guide", cwd=tmp_path).returncode == 2


def test_the_own_definitions_are_added_without_a_file_and_found_by_a_plain_search(tmp_path: Path) -> None:
    marital = "/fhir/CodeSystem?url=https://terms.sil-th.org/core/CodeSystem/cs-thcc-marital"
    done = onecard("packages", "add", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [added] = json.loads(done.stdout)
    thai_lists = 154
    assert min(added["counts"]["CodeSystem"], added["counts"]["ValueSet"]) >= thai_lists
    served = serve(tmp_path, "--open")
    try:
        [entry] = json.loads(served.request(marital)[1])["entry"]
        assert "โสด" in [each["display"] for each in entry["resource"]["concept"]]
        title = served.request("/fhir/ValueSet?_summary=count")[1]
        assert json.loads(title)["total"] == added["counts"]["ValueSet"]
    finally:
        served.stop()
        served.end()


def test_what_cannot_be_stored_is_refused_with_its_file_and_reason(tmp_path: Path) -> None:
    lost = BED | {"baseDefinition": "https://nowhere.example/base"}
    for resources, reason in (
        ((lost,), "StructureDefinition-bed.json: no snapshot can be made"),
        ((BED | {"baseDefinition": BED["url"]},), "its base leads back to itself"),
        ((BED | {"derivation": "specialization"},), "a logical model"),
        ((WARDS | {"status": "ready"},), "CodeSystem-wards.json: status"),
    ):
        package(tmp_path / "bad.tgz", *resources)
        ended = onecard("packages", "add", "bad.tgz", cwd=tmp_path)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert reason in ended.stderr
        assert "Traceback" not in ended.stderr
    assert onecard("packages", "list", "--json", cwd=tmp_path).stdout == "[]\n"


def test_an_archive_that_leads_out_or_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.tgz"
    assert "leads out" in refusal(package(path, WARDS, **{"package/../../etc/passwd.json": b"{}"}))
    assert "leads out" in refusal(package(path, WARDS, **{"/package/x.json": b"{}"}))
    monkeypatch.setattr("server.package_reading.MAX_MEMBER_BYTES", 1000)
    assert "this is no package" in refusal(package(path, WARDS, **{"package/big.json": b" " * 1001}))
    monkeypatch.setattr("server.package_reading.MAX_MEMBER_BYTES", 1 << 20)
    monkeypatch.setattr("server.package_reading.MAX_BYTES", 30_000)
    many = {f"package/{number}.txt": b" " * 10_000 for number in range(4)}
    assert "this is no package" in refusal(package(path, WARDS, **many))
    monkeypatch.setattr("server.package_reading.MAX_MEMBERS", 3)
    assert "this is no package" in refusal(package(path, WARDS, **{f"package/{n}.json": b"{}" for n in range(4)}))


def test_what_is_unpacked_is_limited_even_within_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("package/package.json")
        info.pax_headers = {"comment": "x" * 200_000}
        archive.addfile(info)
    monkeypatch.setattr("server.package_reading.MAX_BYTES", 30_000)
    monkeypatch.setattr("server.package_reading.MAX_MEMBERS", 3)
    assert "this is no package" in refusal(path)


def test_a_link_in_the_archive_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "p.tgz"
    package(path, WARDS)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (("package/package.json", json.dumps(MANIFEST).encode()),):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("package/CodeSystem-x.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "has no CodeSystem" in refusal(path)


def test_files_that_are_no_packages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.tgz"
    path.write_bytes(b"PK")
    assert "is no whole .tgz" in refusal(path)
    package(path, WARDS)
    path.write_bytes(path.read_bytes()[:-20])
    assert "is no whole .tgz" in refusal(path)
    assert "letters, digits" in refusal(package(path, WARDS, manifest={"name": "../x", "version": "1"}))
    assert "this server speaks R4" in refusal(package(path, WARDS, manifest=MANIFEST | {"fhirVersions": ["5.0.0"]}))
    assert "CodeSystem-wards.json" in refusal(package(path, **{"package/CodeSystem-wards.json": b"{"}))
    assert "has no url" in refusal(package(path, {"resourceType": "ValueSet", "id": "x"}))


def test_examples_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    path = package(
        tmp_path / "p.tgz", WARDS, **{"package/.index.json": b"no json", "package/example/Patient-1.json": b"{"}
    )
    assert [member for member, _ in read_package(path).resources] == ["CodeSystem-wards.json"]


def test_the_commands_of_the_page_are_those_of_the_program() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    written = Path("docs/profiles.md").read_text("utf-8").splitlines()
    lines = [line for line in written if line.startswith(".venv/bin/onecard ")]
    assert {parser.parse_args(shlex.split(line)[2:]).action for line in lines} == {"add", "list", "remove"}
