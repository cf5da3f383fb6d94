"""Trains the compression dictionary of stored bodies: `python -m server.store.build_dictionary`.

A dictionary holds raw pieces of its samples and is shipped to everybody, so it only ever sees people who do not exist.
Never overwrite one that was released: stores refer to it by its number. Raise bodies.SHIPPED and build the next.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import zstandard

from mappers.population import resources
from server.store.bodies import SHIPPED
from server.store.contract import instant

SIZE = 65_536
SEED = 20_261_124
"""The tests and benchmarks use other seeds, so that their sizes are those of resources never seen here."""
PEOPLE = 150
OF_ONE_TYPE = 1_500
"""At most so many of one type, so that rare types have their place."""
SINCE = 1_767_225_600_000
"""2026-01-01, milliseconds: where lastUpdated of the samples begins."""


def bodies(count: int, seed: int) -> Iterator[bytes]:
    """Synthetic resources as the store keeps them: random ids, version and instant in meta, compact."""
    random = Random(seed)
    for number, resource in enumerate(resources(count, seed)):
        stored = {
            "resourceType": resource["resourceType"],
            "id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        }
        version = {"versionId": "1", "lastUpdated": instant(SINCE + number * 7919)}
        stored["meta"] = version | resource.get("meta", {})
        stored |= {name: value for name, value in resource.items() if name not in stored}
        yield json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode()


def samples() -> list[bytes | bytearray | memoryview[int]]:
    chosen: list[bytes | bytearray | memoryview[int]] = []
    seen: Counter[bytes] = Counter()
    for body in bodies(PEOPLE, SEED):
        kind = body[:40].partition(b",")[0]
        seen[kind] += 1
        if seen[kind] <= OF_ONE_TYPE:
            chosen.append(body)
    return chosen


def main() -> None:
    trained = zstandard.train_dictionary(SIZE, samples(), dict_id=SHIPPED, k=1024, d=8)
    path = Path(__file__).parent / f"bodies-{SHIPPED}.dict"
    path.write_bytes(trained.as_bytes())
    fresh = list(bodies(10, SEED + 1))
    compress = zstandard.ZstdCompressor(level=3, dict_data=trained, write_checksum=False).compress
    before, after = sum(map(len, fresh)), sum(len(compress(body)) for body in fresh)
    print(f"{path.name}: {path.stat().st_size} bytes; {before // len(fresh)} -> {after // len(fresh)} bytes a resource")


if __name__ == "__main__":
    main()
