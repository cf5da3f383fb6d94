"""Everything OneCard defines, as one FHIR package: `python -m mappers.publication FILE.tgz`.

Profiles, extensions, code lists, value sets, concept maps and naming systems under the canonical base, and SIL-TH's
extensions and lists that the profiles build upon. For other servers and validators, and for `onecard packages add`,
which makes the definitions readable and searchable over REST.
https://hl7.org/fhir/R4/packages.html
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.definitions import Definitions
from fhir_profiles.snapshot import complete
from fhir_profiles.thai import ThaiProfiles, add_to, extensions
from fhir_profiles.thai.differential import VERSION
from fhir_profiles.thai.naming import OWN, naming_systems, row_systems
from mappers.f16.layout import LAYOUTS as F16
from mappers.f43.layout import LAYOUTS as F43
from mappers.id_card.reads import LAYOUTS as CARDS
from terminology.conceptmaps.maps import thai_concept_maps
from terminology.thai import ThaiLists

NAME = "onecard.fhir.th"


def resources() -> Iterator[dict[str, Any]]:
    """Every definition, StructureDefinitions with snapshots; extensions under their newer urls only."""
    source, definitions, lists = ThaiProfiles(), add_to(Definitions()), ThaiLists()
    older = extensions.urls().keys() - {extensions.published_url(each) for each in extensions.table()}
    for url in source.types:
        if url not in older:
            yield dict(complete(source.differential(url), definitions))
    for url in lists.code_system_urls():
        yield _found(lists.code_system(url))
    for url in lists.value_set_urls():
        yield _found(lists.value_set(url))
    for resource in thai_concept_maps().values():
        yield {"id": resource["url"].rpartition("/")[2], **resource}
    yield from source.operations
    yield from naming_systems(
        {**OWN, **row_systems("f43", F43), **row_systems("f16", F16), **row_systems("card", CARDS)}
    )


def _found(resource: dict[str, Any] | None) -> dict[str, Any]:
    assert resource is not None
    return resource


def manifest() -> dict[str, Any]:
    """package.json.   https://hl7.org/fhir/R4/packages.html"""
    return {
        "name": NAME,
        "version": VERSION,
        "type": "IG",
        "description": "R4 profiles and terminology for Thai health facilities",
        "fhirVersions": ["4.0.1"],
        "dependencies": {"hl7.fhir.r4.core": "4.0.1"},
    }


def write(out: Path) -> int:
    """Write the package; how many definitions it has. The same definitions give the same bytes."""
    count = 0
    with (
        out.open("wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        _put(archive, "package.json", manifest())
        for resource in resources():
            _put(archive, f"{resource['resourceType']}-{resource['id']}.json", resource)
            count += 1
    return count


def _put(archive: tarfile.TarFile, name: str, content: dict[str, Any]) -> None:
    data = orjson.dumps(content)
    member = tarfile.TarInfo(f"package/{name}")
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1])):,} definitions: {sys.argv[1]}\n")
