"""Every file of rows by its name, whichever family it is of: the 43 files, the claim files, cards that were read.

No name is in two families, so a name tells the family, the columns and the table to FHIR.
"""

from __future__ import annotations

from mappers.f16.layout import LAYOUTS as _CLAIM_LAYOUTS
from mappers.f16.maps import MAPS as _CLAIM_MAPS
from mappers.f43.layout import LAYOUTS as _LAYOUTS
from mappers.f43.maps import MAPS as _MAPS
from mappers.id_card.reads import LAYOUTS as _CARD_LAYOUTS
from mappers.id_card.reads import MAPS as _CARD_MAPS
from mappers.layout import Layout
from mappers.part import FileMap

LAYOUTS: dict[str, Layout] = {**_LAYOUTS, **_CLAIM_LAYOUTS, **_CARD_LAYOUTS}
"""In the order in which files are taken: what others refer to comes first."""
MAPS: dict[str, FileMap] = {**_MAPS, **_CLAIM_MAPS, **_CARD_MAPS}
CLAIM_FILES = frozenset(_CLAIM_LAYOUTS)
FILE_OF_SYSTEM = {each.system: file for file, each in MAPS.items()}
"""Identifier system of a row -> its file."""
