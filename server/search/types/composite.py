"""Composite parameters: values of one element that belong together, `code$value`.
https://hl7.org/fhir/R4/search.html#composite"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from server.search.query import CompositeOperand, Operand, Parameter
from server.search.types.written import Unreadable, split
from server.search.values import Composite

MODIFIERS: frozenset[str] = frozenset()


def parse(text: str, parameter: Parameter, part: Callable[[str, Parameter], Operand]) -> CompositeOperand:
    """part: reads the value of one component."""
    written = split(text, "$")
    if len(written) != len(parameter.components):
        expected = "$".join(component.code for component in parameter.components)
        raise Unreadable(f"expected {expected}")
    return CompositeOperand(tuple(map(part, written, parameter.components)))


def matches(
    value: Composite, operand: CompositeOperand, parameter: Parameter, part: Callable[[Parameter, Any, Any], bool]
) -> bool:
    """Each component has a value that matches. part: the truth of one component."""
    triples = zip(parameter.components, value.components, operand.components, strict=True)
    return all(any(part(component, one, asked) for one in found) for component, found, asked in triples)


def flat(value: Composite) -> list[tuple[Any, ...]]:
    """Every combination of one value per component: what an engine may index."""
    return list(product(*value.components))
