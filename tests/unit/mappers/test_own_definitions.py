"""What the mappers write of our own is defined: extensions, code systems, naming systems, all of it one package."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.definitions import Definitions
from fhir_profiles.thai import add_to, extensions
from fhir_profiles.validation import Validator
from mappers import own_lists, publication
from mappers.f16.maps import MAPS as F16
from mappers.f43.maps import MAPS as F43
from mappers.id_card.reads import MAPS as CARDS
from mappers.part import row_extension
from server.package_reading import read_package
from terminology.service import TerminologyService
from terminology.thai import OWN_SOURCE
from tests.unit.mappers.emitted import systems_in, urls_of_extensions

TERMINOLOGY = TerminologyService()
DEFINITIONS = add_to(Definitions())
VALIDATOR = Validator(DEFINITIONS, TERMINOLOGY)
FAMILIES = {"f43": F43, "f16": F16, "card": CARDS}
FULL_ROWS = [
    each.resource
    for maps in FAMILIES.values()
    for file_map in maps.values()
    for each in file_map.to_fhir(dict.fromkeys(file_map.layout.by_name, "1"))
]
"""Every part of every file: rows in which each column says something."""


def test_the_file_of_our_lists_is_current() -> None:
    assert OWN_SOURCE.read_bytes() == own_lists.text()  # else: python -m mappers.own_lists


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_stands_on_the_types_that_files_make_first(family: str) -> None:
    made = {
        file_map.to_fhir(dict.fromkeys(file_map.layout.by_name, "1"))[0].resource["resourceType"]
        for file_map in FAMILIES[family].values()
    }
    (row,) = extensions.table()[f"own/{family}-row"]
    assert row.context.split("; ") == sorted(made)
    assert DEFINITIONS.has_structure(row_extension(family))


def test_every_system_of_our_own_that_is_written_is_a_code_system() -> None:
    written = {each for each in systems_in(FULL_ROWS) if each[0].startswith(CANONICAL)}
    assert {url.rpartition("/")[2] for url, _ in written} == {
        "f43-column", "f43-chargeitem", "f43-record", "f16-column", "f16-record", "card-record",
    }  # fmt: skip
    assert [each for each in written if TERMINOLOGY.find(*each) is None and "chargeitem" not in each[0]] == []
    assert TERMINOLOGY.find(f"{CANONICAL}/CodeSystem/f43-column", "SERVICE.NOPE") is None


def test_every_extension_that_is_written_is_defined() -> None:
    written = urls_of_extensions(FULL_ROWS)
    assert len(written) > 20
    assert [url for url in written if not DEFINITIONS.is_known_extension(url)] == []


RESOURCES = {(each["resourceType"], each["id"]): each for each in publication.resources()}


def test_ids_in_the_package_are_unique() -> None:
    assert len(RESOURCES) == len(list(publication.resources())) > 600


@pytest.mark.parametrize("kind", ["StructureDefinition", "CodeSystem", "ValueSet", "ConceptMap", "NamingSystem"])
def test_everything_in_the_package_is_right_r4(kind: str) -> None:
    found = [each for (type_, _), each in RESOURCES.items() if type_ == kind]
    assert found
    for resource in found:
        assert VALIDATOR.validate(resource) == [], resource["id"]
    # The models of fhir.resources take long for large ones: some of each kind.
    for resource in found[:: max(1, len(found) // 12)]:
        get_fhir_model_class(kind).model_validate(copy.deepcopy(resource))


def test_the_package_is_read_as_one(tmp_path: Path) -> None:
    count = publication.write(tmp_path / "a.tgz")
    again = publication.write(tmp_path / "b.tgz")
    package = read_package(tmp_path / "a.tgz")
    assert (tmp_path / "a.tgz").read_bytes() == (tmp_path / "b.tgz").read_bytes()
    assert (package.name, count) == (publication.NAME, again)
    for_others = [each for kind, each in RESOURCES if kind in ("NamingSystem", "OperationDefinition")]
    assert len(package.resources) == count - len(for_others)
