"""Many resources in one small file, each read when it is asked for.

A zip with `index.json` and blocks of NDJSON. The index says for every canonical URL in which block and line it stands:
`{url: [[version, block, line, type], ...]}`. Opening reads the index only (2 ms for 2,400 resources).
"""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

Json = dict[str, Any]
BLOCK_BYTES = 128 * 1024
"""A block is read whole: large enough to compress well, small enough to be parsed in about a millisecond."""
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
"""The same resources give the same file, byte for byte."""


class Place(NamedTuple):
    version: str | None
    block: int
    line: int
    type: str


def write_packed(path: Path, resources: Iterable[Json]) -> int:
    """Writes the file; returns how many resources it holds."""
    blocks: list[list[bytes]] = [[]]
    index: dict[str, list[list[Any]]] = {}
    size = total = 0
    for resource in resources:
        row = orjson.dumps(resource)
        if size + len(row) > BLOCK_BYTES and blocks[-1]:
            blocks.append([])
            size = 0
        place = Place(resource.get("version"), len(blocks) - 1, len(blocks[-1]), resource["resourceType"])
        index.setdefault(resource["url"], []).append(list(place))
        blocks[-1].append(row)
        size += len(row)
        total += 1
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr(zipfile.ZipInfo("index.json", FIXED_DATE), orjson.dumps(index), zipfile.ZIP_DEFLATED, 9)
        for number, rows in enumerate(blocks):
            info = zipfile.ZipInfo(f"{number}.ndjson", FIXED_DATE)
            file.writestr(info, b"\n".join(rows), zipfile.ZIP_DEFLATED, 9)
    return total


class Packed:
    """Read access; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path)
        self._lock = threading.Lock()
        raw = orjson.loads(self._file.read("index.json"))
        self._index: dict[str, list[list[Any]]] = raw
        self._block = lru_cache(maxsize=8)(self._read_block)

    def _read_block(self, number: int) -> list[bytes]:
        with self._lock:
            return self._file.read(f"{number}.ndjson").split(b"\n")

    def urls(self, resource_type: str) -> Iterator[str]:
        return (url for url, places in self._index.items() if any(p[3] == resource_type for p in places))

    def versions(self, resource_type: str, url: str) -> dict[str | None, Place]:
        """Versions of the resource of that type, with where each stands."""
        return {p[0]: Place(*p) for p in self._index.get(url, ()) if p[3] == resource_type}

    def read(self, place: Place) -> Json:
        resource: Json = orjson.loads(self._block(place.block)[place.line])
        return resource

    def close(self) -> None:
        self._file.close()
