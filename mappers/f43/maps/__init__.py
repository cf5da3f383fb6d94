"""The tables: for every file, which resources a row makes and where each column lives.

`MAPS` has one FileMap a file of `layouts.csv`. Columns named in no table live in the extension `f43-row`.
"""

from __future__ import annotations

from mappers.f43.maps import illness, motherhood, people, places, prevention, referral, supply, visits
from mappers.part import FileMap

MAPS: dict[str, FileMap] = {
    file_map.file: file_map
    for module in (places, people, visits, illness, supply, prevention, motherhood, referral)
    for file_map in module.MAPS
}
"""By file name."""
