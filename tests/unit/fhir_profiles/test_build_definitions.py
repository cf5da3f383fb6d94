"""The script that boils the published definitions down."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fhir_profiles import build_definitions
from fhir_profiles.build_definitions import boil, boil_element, main, official_elements, write_archive


def element(path: str, **members: Any) -> dict[str, Any]:
    base = members.pop("base", {"path": path, "min": 0, "max": members.get("max", "1")})
    return {"id": path, "path": path, "min": 0, "max": "1", "base": base, "definition": "prose", **members}


def test_prose_and_mappings_are_left_out_and_facts_are_kept() -> None:
    source = element(
        "Patient.gender",
        short="male | female",
        type=[{"code": "code"}],
        mapping=[{"identity": "v2", "map": "PID-8"}],
        constraint=[{"key": "ele-1", "severity": "error", "human": "h", "expression": "e"}],
        binding={"strength": "required", "valueSet": "http://x", "description": "prose"},
        isSummary=True,
        isModifier=False,
    )
    assert boil_element(source) == {
        "id": "Patient.gender",
        "path": "Patient.gender",
        "short": "male | female",
        "min": 0,
        "max": "1",
        "type": [{"code": "code"}],
        "binding": {"strength": "required", "valueSet": "http://x"},
        "isSummary": True,
    }


def test_the_types_of_fhirpath_become_those_of_fhir() -> None:
    system = "http://hl7.org/fhirpath/System.String"
    url = {"url": "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type", "valueUrl": "uri"}
    types = {
        "Patient.id": boil_element(
            element("Patient.id", base={"path": "Resource.id", "min": 0, "max": "1"}, type=[{"code": system}])
        ),
        "Extension.url": boil_element(element("Extension.url", type=[{"code": system, "extension": [url]}])),
        "string.value": boil_element(element("string.value", type=[{"code": system}])),
    }
    assert {path: row["type"][0]["code"] for path, row in types.items()} == {
        "Patient.id": "id",
        "Extension.url": "uri",
        "string.value": "System.String",
    }


def shoe() -> dict[str, Any]:
    """A type whose snapshot was changed, and its differential was not."""
    inherited = element("Shoe.extension", base={"path": "Element.extension", "min": 0, "max": "*"}, max="*")
    part = element("Shoe.lace.id", base={"path": "Element.id", "min": 0, "max": "1"})
    lace = element("Shoe.lace", type=[{"code": "BackboneElement"}], max="*")
    size = element("Shoe.size", type=[{"code": "decimal"}])
    changed = element("Shoe.size", type=[{"code": "string"}], constraint=[{"key": "shoe-1"}])
    return {
        "id": "Shoe",
        "snapshot": {"element": [element("Shoe"), inherited, changed, element("Shoe.price"), lace, part]},
        "differential": {"element": [element("Shoe"), size, element("Shoe.colour", type=[{"code": "code"}]), lace]},
    }


def test_elements_that_a_package_added_go_and_those_it_dropped_come_back() -> None:
    rows = official_elements(shoe(), {"Shoe.size": element("Shoe.size", type=[{"code": "decimal"}], min=1)})
    assert [row["path"] for row in rows] == [
        "Shoe",
        "Shoe.extension",
        "Shoe.size",
        "Shoe.colour",
        "Shoe.lace",
        "Shoe.lace.id",
    ]
    size = rows[2]
    assert (size["type"], size["min"], size["constraint"]) == ([{"code": "decimal"}], 1, [{"key": "shoe-1"}])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a publication with one type, and one resource of another version."""
    structure = {
        "resourceType": "StructureDefinition",
        "url": "http://hl7.org/fhir/StructureDefinition/Shoe",
        "version": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": "Shoe",
        **shoe(),
    }
    later = {**structure, "id": "Later", "version": "5.0.0"}
    content = {"profiles-resources.json": [structure, later], "search-parameters.json": [SEARCH_PARAMETER]}
    names = [*build_definitions.STRUCTURE_FILES, build_definitions.EXTENSION_FILE, "search-parameters.json"]
    for name in [*names, "dataelements.json"]:
        entries = [{"resource": each} for each in content.get(name, [])]
        (tmp_path / name).write_text(json.dumps({"entry": entries}))
    return tmp_path


SEARCH_PARAMETER = {
    "resourceType": "SearchParameter",
    "id": "Shoe-size",
    "url": "http://hl7.org/fhir/SearchParameter/Shoe-size",
    "version": "4.0.1",
    "code": "size",
    "base": ["Shoe"],
    "type": "number",
    "xpath": "f:Shoe/f:size",
}


def test_only_what_is_of_this_version_is_kept(folder: Path) -> None:
    members = boil(folder)
    assert list(members["index.json"]) == ["Shoe"]
    assert [row["code"] for row in members["SearchParameter/Shoe.json"]] == ["size"]
    assert "xpath" not in members["SearchParameter/Shoe.json"][0]


def test_the_archive_is_the_same_bytes_for_the_same_input(folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    write_archive(boil(folder), one)
    write_archive(boil(folder), other)
    assert one.read_bytes() == other.read_bytes()
    assert "index.json" in zipfile.ZipFile(one).namelist()


def test_the_command_writes_the_archive(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_definitions, "TARGET", tmp_path / "r4.zip")
    assert main([str(folder)]) == 0
    assert "members" in capsys.readouterr().out
    assert (tmp_path / "r4.zip").exists()


@pytest.mark.parametrize("arguments", [[], ["/nowhere"], ["a", "b"]])
def test_the_command_says_how_it_is_used(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage" in capsys.readouterr().out
