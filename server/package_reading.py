"""FHIR packages as they are distributed: a .tgz with `package/package.json` and definitions beside it.

Nothing is unpacked to disk, so no name in the archive can lead anywhere; what is read is limited in number and size.
https://hl7.org/fhir/R4/packages.html https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fhir_profiles.json_reading import ReadError, read_json

KINDS = ("CodeSystem", "ValueSet", "ConceptMap", "StructureDefinition", "SearchParameter")
"""Resources of a package that are taken, in the order in which they are stored."""
MAX_MEMBERS = 20_000
MAX_MEMBER_BYTES = 64 << 20
MAX_BYTES = 512 << 20
"""Unpacked: a package of a national guide has some tens of megabytes."""
MAX_DEPTH = 100

_TOO_LARGE = (
    f"more than {MAX_MEMBERS:,} files, {MAX_MEMBER_BYTES >> 20} MB in one or {MAX_BYTES >> 20} MB in all: "
    "this is no package of definitions"
)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}\Z")
_VERSIONS = ("4.0", "4.3")
"""FHIR versions whose packages can be used: R4, and R4B as far as its types are those of R4."""


class PackageError(ValueError):
    """The file is no package that can be used; the text names the member and the reason."""


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    dependencies: Mapping[str, str]
    """Name of another package to its version, those of FHIR itself left out."""
    resources: tuple[tuple[str, dict[str, Any]], ...]
    """(file name, resource) of `KINDS`, in that order."""

    @property
    def label(self) -> str:
        return f"{self.name}#{self.version}"


def read_package(path: Path) -> Package:
    """The package in a .tgz.   Raises: PackageError, OSError."""
    found: dict[str, dict[str, Any]] = {}
    try:
        with path.open("rb") as file, tarfile.open(fileobj=_Unpacked(file), mode="r|") as archive:
            for member, data in _members(archive):
                document = _json(member, data)
                if member == "package.json" or document.get("resourceType") in KINDS:
                    found[member] = document
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise PackageError(f"{path.name} is no whole .tgz: {error}") from error
    if "package.json" not in found:
        raise PackageError(f"{path.name} has no package/package.json: it is no FHIR package")
    manifest = found.pop("package.json")
    name, version = _named(manifest)
    kept = sorted(found.items())
    for member, resource in kept:
        if not isinstance(resource.get("url"), str):
            raise PackageError(f"{member}: the {resource['resourceType']} has no url")
    kept.sort(key=lambda each: KINDS.index(each[1]["resourceType"]))
    if not kept:
        raise PackageError(f"{path.name} has no {', '.join(KINDS)} in package/")
    return Package(name, version, _dependencies(manifest), tuple(kept))


class _Unpacked(gzip.GzipFile):
    """What is unpacked, up to the limit: headers of an archive may be as long as they like, too."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._left = MAX_BYTES + MAX_MEMBERS * 1024

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self._left -= len(found)
        if self._left < 0:
            raise PackageError(_TOO_LARGE)
        return found


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """(file name, content) of the JSON files directly in `package/`.   Raises: PackageError."""
    total = 0
    for number, member in enumerate(archive, start=1):
        steps = member.name.removeprefix("./").split("/")
        if member.name.startswith("/") or ".." in steps:
            raise PackageError(f"{member.name[:80]!r} leads out of the package")
        total += member.size
        if number > MAX_MEMBERS or member.size > MAX_MEMBER_BYTES or total > MAX_BYTES:
            raise PackageError(_TOO_LARGE)
        is_wanted = len(steps) == 2 and steps[0] == "package" and steps[1].endswith(".json") and steps[1][0] != "."
        if is_wanted and member.isreg():
            content = archive.extractfile(member)
            assert content is not None
            yield steps[1], content.read()


def _json(member: str, data: bytes) -> dict[str, Any]:
    try:
        return read_json(data.removeprefix(b"\xef\xbb\xbf"), max_depth=MAX_DEPTH)
    except ReadError as error:
        raise PackageError(f"{member}: {error}") from error


def _named(manifest: Mapping[str, Any]) -> tuple[str, str]:
    name, version = manifest.get("name"), manifest.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or not _NAME.match(name) or not _NAME.match(version):
        raise PackageError("package.json: name and version are needed, of letters, digits, points and hyphens")
    listed = manifest.get("fhirVersions") or manifest.get("fhir-version-list") or []
    versions = [str(each) for each in listed] if isinstance(listed, list) else []
    if versions and not any(each.startswith(_VERSIONS) for each in versions):
        raise PackageError(f"{name} is for FHIR {', '.join(versions)[:60]}; this server speaks R4 (4.0.1)")
    return name, version


def _dependencies(manifest: Mapping[str, Any]) -> dict[str, str]:
    listed = manifest.get("dependencies")
    rows = listed.items() if isinstance(listed, dict) else ()
    of_fhir = ("hl7.fhir.r4", "hl7.terminology")
    return {str(name): str(version) for name, version in rows if not str(name).startswith(of_fhir)}
