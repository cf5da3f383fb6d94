"""Index values: what a search parameter finds in a resource.

`extract` (extract.py) makes them once, at write; both engines index them; `matches` (types/) compares
them with the operands of a criterion and is the pure truth that the engines are tested against.
All are tuples, so they compare, hash and pickle. https://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

from typing import NamedTuple


class Token(NamedTuple):
    """One Coding, code, boolean, Identifier, ContactPoint or the text of a CodeableConcept."""

    system: str | None
    """`Coding.system`; the implied system of a `code` with a required binding; None if there is none."""
    code: str | None
    """The code or identifier value as written (strings, e-mail addresses and telephone numbers in the form that
    `types/token.py` compares); None for a value that is only text."""
    text: str | None = None
    """What `:text` searches: `Coding.display`, `CodeableConcept.text` or `Identifier.type.text`."""


class OfType(NamedTuple):
    """An Identifier with its type, for `:of-type` (system|code|value)."""

    system: str | None
    code: str
    value: str


class String(NamedTuple):
    """One string as written, and folded for comparison (case, accents, Thai forms: `fold.py`)."""

    folded: str
    exact: str


class Date(NamedTuple):
    """Half-open interval [lower, upper) in microseconds UTC since 1970; open ends are MIN and MAX (instant.py)."""

    lower: int
    upper: int


class Number(NamedTuple):
    """Half-open interval [lower, upper) of doubles, the same on every engine.

    A written number is the point it says: upper is the next double, so that 1 g is found by 1000 mg; the implicit
    precision is that of the search value (RangeOperand). A Range, or a quantity with a comparator, is what lies
    between its limits, the largest doubles standing for open ends. https://hl7.org/fhir/R4/search.html#number
    """

    lower: float
    upper: float
    value: float


class Quantity(NamedTuple):
    """A quantity as written, and in canonical UCUM units where the unit is known (else the same as written)."""

    number: Number
    system: str | None
    code: str | None
    unit: str | None
    canonical: Number
    canonical_code: str | None


class Reference(NamedTuple):
    """A reference, absolute local ones made relative. `type`/`id` are set for literal references to this server.

    A reference to a contained resource has the url `#Type`, by which chains find `#Type.code` values of the index.
    """

    type: str | None
    id: str | None
    version: str | None
    url: str | None
    """An absolute or canonical reference that is not ours (without `|version`, which goes to `version`)."""
    identifier: Token | None = None
    """`Reference.identifier`, for `:identifier`."""


class Uri(NamedTuple):
    value: str


class Position(NamedTuple):
    """WGS84 degrees, for `near`."""

    latitude: float
    longitude: float


class Composite(NamedTuple):
    """The values of one element's components, in the order of `SearchParameter.component`; each has one or more."""

    components: tuple[tuple[Value, ...], ...]


Value = Token | OfType | String | Date | Number | Quantity | Reference | Uri | Position | Composite

Index = dict[str, list[Value]]
"""`{parameter code: its values}` of one resource; a parameter without a value is absent (that is `:missing`).

Parameters of contained resources are kept under `#Type.code`, for `_contained`.
`_id`, `_lastUpdated`, `_type` are not in it: the engines know them from the row itself.
"""
