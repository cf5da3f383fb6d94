"""Loading: which systems are known, and the one function that turns a release into a concept file.

    load("icd-10", Path("icd102019en.xml"), folder, version="2019")
    load("csv", Path("beds.csv"), folder, url="https://hospital.example/beds", version="1")

A service sees the file when it is started next with `TerminologyService(open_folder(folder))`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from terminology.concept import Concept
from terminology.loaders.generic import read_code_system, read_resource, read_table
from terminology.loaders.icd import read_icd
from terminology.loaders.icd9cm import read_icd9cm
from terminology.loaders.loinc import read_loinc
from terminology.loaders.tables import LoadError, Release, Report
from terminology.loaders.tmlt import read_tmlt
from terminology.loaders.tmt import read_tmt
from terminology.storage import Header, Loaded, StoredSystem, file_name, open_folder, write_system


@dataclass(frozen=True, slots=True)
class Loader:
    title: str
    url: str | None
    """None: given by the caller."""
    read: Callable[[Release, Report], Iterator[Concept]]
    expects: str
    """For the help of the command."""
    case_sensitive: bool = True


LOADERS: dict[str, Loader] = {
    "icd-10": Loader(
        "ICD-10 (WHO)", "http://hl7.org/fhir/sid/icd-10", read_icd, "ClaML (.xml), or a table (.csv)", False
    ),
    "icd-10-tm": Loader(
        "ICD-10-TM", "https://terms.sil-th.org/core/CodeSystem/cs-th-icd10tm", read_icd, "a table (.csv)", False
    ),
    "icd-9-cm": Loader(
        "ICD-9-CM",
        "http://terminology.hl7.org/CodeSystem/icd9cm",
        read_icd9cm,
        "CMS32_DESC_LONG_SG.txt or its zip",
        False,
    ),
    "tmt": Loader(
        "TMT",
        "https://terms.sil-th.org/core/CodeSystem/cs-th-tmt",
        read_tmt,
        "a folder or zip of the release's sheets as CSV",
    ),
    "tmlt": Loader("TMLT", "https://terms.sil-th.org/core/CodeSystem/cs-th-tmlt", read_tmlt, "the snapshot as CSV"),
    "loinc": Loader("LOINC", "http://loinc.org", read_loinc, "the release's zip or folder, or Loinc.csv", False),
    "csv": Loader("table", None, read_table, "a table with the columns code, display, display_th, parent ..."),
    "fhir": Loader("CodeSystem", None, read_code_system, "a CodeSystem resource (.json)"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `load` did."""

    path: Path
    header: Header
    loaded: Loaded
    report: Report


def load(
    system: str,
    source: Path,
    folder: Path,
    *,
    url: str | None = None,
    version: str | None = None,
    name: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Reads the release and puts its concept file into the folder, over an older one of the same system and version.

    `progress` hears the number of concepts written. Raises: LoadError with advice."""
    loader = LOADERS.get(system)
    if loader is None:
        raise LoadError(f"{system} is not one of {', '.join(LOADERS)}")
    release = Release(source)
    report = Report()
    try:
        header = header_of(system, loader, release, url, version, name)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file_name(header.url, header.version)
        try:
            loaded = write_system(path, header, loader.read(release, report), progress)
        except LoadError:
            raise
        except ValueError as error:
            raise LoadError(f"{source.name}: {error}") from error
    finally:
        release.close()
    return Outcome(path, header, loaded, report)


def header_of(
    system: str, loader: Loader, release: Release, url: str | None, version: str | None, name: str | None
) -> Header:
    if system == "fhir":
        resource = read_resource(release)
        complete = resource.get("content", "complete") == "complete"
        title = name or resource.get("title") or resource.get("name") or resource["url"]
        sensitive = bool(resource.get("caseSensitive", True))
        return Header(url or resource["url"], version or resource.get("version"), title, sensitive, complete)
    known = url or loader.url
    if known is None:
        raise LoadError("say which code system the table is: give its url")
    return Header(known, version, name or loader.title, loader.case_sensitive)


def listing(folder: Path) -> list[dict[str, object]]:
    """What is in the folder: url, version, name, concepts and file of each system, for `onecard terminology list`."""
    rows: list[dict[str, object]] = []
    for stored in open_folder(folder):
        rows.append(describe(stored))
        stored.close()
    return rows


def describe(stored: StoredSystem) -> dict[str, object]:
    return {
        "url": stored.url,
        "version": stored.version,
        "name": stored.name,
        "concepts": stored.count(),
        "file": stored.path.name,
        "bytes": stored.path.stat().st_size,
    }
