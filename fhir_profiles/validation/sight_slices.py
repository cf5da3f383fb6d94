"""A part of `sight.py`: how a profile tells the slices of an element apart, where one look at the value is enough.

https://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

from typing import Any

from fhir_profiles.definitions import Property
from fhir_profiles.validation.items import Item
from fhir_profiles.validation.profile_tree import ProfileNode
from fhir_profiles.validation.sight_arrays import Quick, Slices
from fhir_profiles.validation.slicing import Discriminators, steps_of


def slices_of(node: ProfileNode, property_: Property, discriminators: Discriminators) -> Slices | None:
    """How the slices of an element are told apart; None where that takes more than a look at the value."""
    slicing = node.slicing
    assert slicing is not None
    if slicing.ordered or slicing.rules == "openAtEnd" or any(each.slices for each in node.slices):
        return None
    tests = []
    for each in node.slices:
        made = _slice_tests(node, each, property_, discriminators)
        if made is None:
            return None
        tests.append(made)
    paths = {steps_of(path) if kind in ("value", "pattern") else () for kind, path in slicing.discriminators}
    [steps, *others] = paths or {()}
    member = steps[0][1] if not others and len(steps) == 1 and steps[0][0] == "name" else ""
    limits = [
        (index, each.element.min, each.element.max)
        for index, each in enumerate(node.slices)
        if each.element.min > 0 or each.element.max is not None
    ]
    return Slices(tuple(tests), member, slicing.rules == "closed", tuple(limits))


def _slice_tests(
    node: ProfileNode, each: ProfileNode, property_: Property, discriminators: Discriminators
) -> tuple[Quick, ...] | None:
    """What tells an item of a slice; nothing for a slice that none can be in, None for what cannot be told here."""
    assert node.slicing is not None
    if not node.slicing.discriminators:
        is_named = each.element.slice_name == property_.name
        return None if not node.element.is_choice else (_always,) if is_named else ()
    tests: list[Quick] = []
    for kind, path in node.slicing.discriminators:
        quick = discriminators.quick(kind, path, each)
        if quick is not None:
            tests.append(quick)
            continue
        if kind != "type" or steps_of(path):
            return None
        answer = discriminators.has_type(each, (), [Item(None, property_.type, ())])
        if answer is False:
            return ()
        tests += [_always] if answer else []
    return tuple(tests)


def _always(value: Any) -> bool:
    return True
