"""Writes the golden files of the 43 files anew: `python tests/golden/f43/regenerate.py`, then review the difference.

`rows/FILE.txt` is a file as a health centre or hospital sends it (all 52, three rows at most),
`resources/FILE.json` what the mapper makes of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fhir_profiles.json_reading import write_pretty_json
from mappers.f43.files import read_rows, write_rows
from mappers.f43.layout import LAYOUTS
from mappers.f43.maps import MAPS
from mappers.population.f43 import f43_rows

HERE = Path(__file__).parent
PEOPLE, SEED, ROWS = 300, 43, 3


def resources_of(file: str) -> list[dict[str, Any]]:
    """What the mapper makes of `rows/FILE.txt`, as plain JSON."""
    rows = read_rows(file, [(HERE / "rows" / f"{file}.txt").read_bytes()])
    mapped = [each.resource for row in rows for each in MAPS[file].to_fhir(row.values)]
    return list(json.loads(write_pretty_json(mapped)))


def sample_rows() -> dict[str, list[dict[str, str]]]:
    """The first rows of every file, the health centre's before the hospital's."""
    found: dict[str, list[dict[str, str]]] = {file: [] for file in LAYOUTS}
    for hcode in ("99999", "99998"):
        for file, row in f43_rows(PEOPLE, SEED, hcode=hcode):
            if len(found[file]) < ROWS:
                found[file].append(row)
    return found


def main() -> None:
    for folder in ("rows", "resources"):
        (HERE / folder).mkdir(exist_ok=True)
    for file, rows in sample_rows().items():
        (HERE / "rows" / f"{file}.txt").write_bytes(b"".join(write_rows(file, rows)))
        text = json.dumps(resources_of(file), ensure_ascii=False, indent=1)
        (HERE / "resources" / f"{file}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
