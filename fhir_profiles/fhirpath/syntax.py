"""The syntax tree of FHIRPath N1.   http://hl7.org/fhirpath/N1/#grammar

`parser.parse` makes it; the compiler, FHIRPath Patch and search-parameter tools read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal as OneOf

SystemType = OneOf["Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"]


@dataclass(frozen=True, slots=True)
class Literal:
    """`'text'`, `1`, `1.0`, `true`, `@2015-02-04T14:34+07:00`, `@T14:34`, `10 'mg'`."""

    type: SystemType
    value: bool | str | int | Decimal
    """Dates and times as their text without `@` (times without `T`); a quantity's number."""
    unit: str | None = None
    """Of a Quantity: the UCUM code, or the calendar word in the singular (`year`)."""


@dataclass(frozen=True, slots=True)
class Empty:
    """`{}`"""


@dataclass(frozen=True, slots=True)
class Variable:
    """`$this`, `$index`, `$total`: name without `$`."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """`%resource`, ``%`vs-administrative-gender` ``: name without `%`."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name`; `of` is None where an expression starts with the name."""

    of: Ast | None
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`of.name(arguments)`"""

    of: Ast | None
    name: str
    arguments: tuple[Ast, ...]


@dataclass(frozen=True, slots=True)
class Indexer:
    """`of[index]`"""

    of: Ast
    index: Ast


@dataclass(frozen=True, slots=True)
class Polarity:
    """`-operand`, `+operand`"""

    sign: str
    operand: Ast


@dataclass(frozen=True, slots=True)
class TypeOperation:
    """`operand is type`, `operand as type`"""

    operator: str
    operand: Ast
    type: str
    """As written, without backticks: `Quantity`, `FHIR.Patient`, `System.String`."""


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`"""

    operator: str
    left: Ast
    right: Ast


Ast = Literal | Empty | Variable | Constant | Member | Call | Indexer | Polarity | TypeOperation | Binary
