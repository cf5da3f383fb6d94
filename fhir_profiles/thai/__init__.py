"""OneCard's R4 profiles for Thailand and SIL-TH's extensions, made known to `Definitions` without being read.

Nothing is opened before somebody asks for a definition that R4 itself does not have; a snapshot is made when its
profile is first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.definitions import Definitions
from fhir_profiles.snapshot import with_snapshot
from fhir_profiles.thai import differential, extensions
from fhir_profiles.thai.differential import profile_url
from fhir_profiles.thai.operations import MERGE

__all__ = ["ThaiProfiles", "add_to", "profile_url"]

_FOLDER = Path(__file__).with_name("profiles")


class ThaiProfiles:
    """A source of StructureDefinitions (`definitions.DefinitionSource`)."""

    operations = (MERGE,)

    @cached_property
    def sources(self) -> Mapping[str, differential.Source]:
        """Name of the profile to what its file says."""
        return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(_FOLDER.glob("*.json"))}

    @cached_property
    def types(self) -> Mapping[str, str]:
        """Canonical url to the type that is constrained."""
        found = {profile_url(name): source["type"] for name, source in self.sources.items()}
        found.update(dict.fromkeys(extensions.urls(), "Extension"))
        return found

    def differential(self, url: str) -> dict[str, Any]:
        """The StructureDefinition without snapshot.   Raises: KeyError."""
        if url in extensions.urls():
            return extensions.structure_definition(url)
        name = url.rpartition("/")[2]
        return differential.structure_definition(name, self.sources[name])

    def read(self, url: str, definitions: Definitions) -> Mapping[str, Any]:
        """The StructureDefinition with its snapshot.   Raises: KeyError, SnapshotError."""
        return with_snapshot(self.differential(url), definitions)


def add_to(definitions: Definitions) -> Definitions:
    """The same definitions, with the Thai ones known to them."""
    definitions.add_source(ThaiProfiles())
    return definitions
