"""Drug codes of the files: 24 digits, TMT, or the facility's own, all kept.

DIDSTD holds "the 24-digit standard code, or the facility's own code, or TMT" (43-file manual v2.x). That TMT ids have
six or seven digits and nothing else does is from memory.
"""

from __future__ import annotations

import re
from typing import Any

from mappers.codes import DRUG24, TMT, coding
from mappers.lens import look
from mappers.links import local

_SHAPES = ((re.compile(r"[0-9]{24}\Z"), DRUG24), (re.compile(r"[0-9]{6,7}\Z"), TMT))


def drug(hcode: str, code: str, name: str = "") -> dict[str, Any]:
    """The CodeableConcept of a drug by DIDSTD (or DRUGALLERGY) and DNAME."""
    system = next((url for shape, url in _SHAPES if shape.match(code)), local(hcode, "Drug"))
    entry = coding(system, code, name)
    return {"coding": [entry], "text": name} if name else {"coding": [entry]}


def drug_code(concept: Any) -> str:
    """DIDSTD of a drug: the 24 digits, else TMT, else the facility's code; "" for none."""
    codes = {entry.get("system", ""): str(entry.get("code", "")) for entry in look(concept, ("coding",)) or ()}
    own = next((code for system, code in codes.items() if system.endswith("/Drug")), "")
    return codes.get(DRUG24) or codes.get(TMT) or own
