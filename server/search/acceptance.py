"""What keeps a SearchParameter resource from being taken up, beyond an expression that cannot be read.

https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from fhir_profiles.definitions import Definitions, SearchParameter
from fhir_profiles.fhirpath import parse
from fhir_profiles.fhirpath.constants import PREFIXES, URLS
from fhir_profiles.fhirpath.syntax import Constant
from fhir_profiles.issue import Issue
from server.errors import Unprocessable

VARIABLES = frozenset({"resource", "rootResource", "context", *URLS})
"""What an expression may name after `%`, beside names that start with one of PREFIXES."""


def unusable(diagnostics: str, expression: str, details_th: str | None = None) -> Unprocessable:
    return Unprocessable(diagnostics, issues=[Issue("error", "invalid", diagnostics, expression, details_th)])


def refuse_unknown_variables(expression: str) -> None:
    """Raises: Unprocessable, FhirPathError (it cannot be read)."""
    for name in _constants(parse(expression)):
        if name not in VARIABLES and not name.startswith(tuple(PREFIXES)):
            raise unusable(
                f"the expression asks for the variable %{name[:40]}, which is not defined here; known are "
                f"{', '.join(f'%{each}' for each in sorted(VARIABLES))}",
                "SearchParameter.expression",
                f"ไม่รู้จักตัวแปร %{name[:40]} ใน expression",
            )


def _constants(tree: Any) -> Iterable[str]:
    """Names behind `%` in a syntax tree."""
    if isinstance(tree, Constant):
        yield tree.name
    elif isinstance(tree, tuple):
        for each in tree:
            yield from _constants(each)
    elif is_dataclass(tree):
        for each in fields(tree):
            yield from _constants(getattr(tree, each.name))


def refuse_taken_code(definition: SearchParameter, types: Iterable[str], definitions: Definitions) -> None:
    """An official parameter keeps its code: clients rely on what it means. Its own definition, as it is, may be stored
    and changes nothing. Raises: Unprocessable."""
    for type_ in types:
        official = definitions.search_parameters(type_).get(definition.code)
        if official is None or (official.url, official.expression) == (definition.url, definition.expression):
            continue
        raise unusable(
            f"{type_} has an official search parameter {definition.code} ({official.url}), which cannot be replaced; "
            "choose another code",
            "SearchParameter.code",
            f"{type_} มีพารามิเตอร์ค้นหามาตรฐานชื่อ {definition.code} อยู่แล้ว แทนที่ไม่ได้ โปรดใช้ code อื่น",
        )


def refuse_code_of_another(
    definition: SearchParameter, types: Iterable[str], others: Mapping[str, tuple[SearchParameter, frozenset[str]]]
) -> None:
    """others: url -> parameters that were added, and the types they are of. Raises: Unprocessable."""
    mine = frozenset(types)
    for url, (other, theirs) in others.items():
        if url != definition.url and other.code == definition.code and (shared := sorted(mine & theirs)):
            raise unusable(
                f"{shared[0]} has a search parameter {definition.code} already ({url}); choose another code",
                "SearchParameter.code",
                f"{shared[0]} มีพารามิเตอร์ค้นหาชื่อ {definition.code} อยู่แล้ว ({url}) โปรดใช้ code อื่น",
            )
