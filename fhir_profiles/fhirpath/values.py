"""Items of collections as System values, and what `=`, `~`, `<` and distinct() say of them.

http://hl7.org/fhirpath/N1/#equality http://hl7.org/fhirpath/N1/#comparison
https://hl7.org/fhir/R4/fhirpath.html#types (FHIR primitives and Quantity are converted implicitly)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from jiter import LosslessFloat

from fhir_profiles.fhirpath import temporal, units
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.temporal import Moment, read_moment
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.units import Measure

UCUM = "http://unitsofmeasure.org"

NUMBERS = ("Integer", "Decimal")
DATES = ("Date", "DateTime")


def number(value: Any) -> int | Decimal | None:
    """The number of a JSON number (int, LosslessFloat, float) or a System one; None for anything else."""
    if value.__class__ is int or value.__class__ is Decimal:
        plain: int | Decimal = value
        return plain
    if isinstance(value, LosslessFloat):
        exact: Decimal = value.as_decimal()
        return exact
    if isinstance(value, float):
        return Decimal(repr(value))
    return None


def moment(node: Node) -> Moment | None:
    """The date, dateTime or time of an item; None where it has no (readable) value."""
    value, fhir_type, _ = node
    return read_moment(value, SYSTEM[fhir_type]) if isinstance(value, str) else None


def measure(value: Any) -> Measure | None:
    """The System.Quantity of a FHIR Quantity (or of a number); None for one with a comparator or without a value.
    A unit that is no UCUM compares only with itself. https://hl7.org/fhir/R4/fhirpath.html#quantity"""
    if isinstance(value, Measure):
        return value
    if value.__class__ is dict:
        amount = number(value.get("value"))
        if amount is None or value.get("comparator") is not None:
            return None
        code, system, unit = value.get("code"), value.get("system"), value.get("unit")
        if system == UCUM and code is not None:
            return Measure(Decimal(amount), str(code))
        own = code if code is not None else unit
        return Measure(Decimal(amount), "1" if own is None and system is None else f"{system or ''}|{own or ''}")
    amount = number(value)
    return None if amount is None else Measure(Decimal(amount), "1")


def deep_equal(left: Any, right: Any) -> bool:
    """Equal JSON: the order of members does not matter, that of arrays does; numbers are compared by value."""
    if left.__class__ is dict:
        if right.__class__ is not dict or len(left) != len(right):
            return False
        for key, value in left.items():
            other = right.get(key)
            if value.__class__ is str:
                if value != other:
                    return False
            elif key not in right or not deep_equal(value, other):
                return False
        return True
    if left.__class__ is list:
        return right.__class__ is list and len(left) == len(right) and all(map(deep_equal, left, right))
    if left.__class__ is str or left.__class__ is bool or left is None:
        return left.__class__ is right.__class__ and bool(left == right)
    one, other = number(left), number(right)
    return bool(left == right) if one is None or other is None else one == other


def _equal_moments(left: Node, right: Node) -> bool | None:
    one, other = moment(left), moment(right)
    if one is None or other is None:
        return bool(left[0] == right[0]) if left[0] is not None and right[0] is not None else None
    order = temporal.compare(one, other)
    return None if order is None else order == 0


def _equal_measures(left: Node, right: Node) -> bool | None:
    one, other = measure(left[0]), measure(right[0])
    if one is None or other is None:
        return deep_equal(left[0], right[0])
    order = units.compare(one, other)
    return None if order is None else order == 0


def equal(left: Node, right: Node) -> bool | None:
    """`=` of two items."""
    kind, other = SYSTEM.get(left[1]), SYSTEM.get(right[1])
    if kind is None and other is None:
        return deep_equal(left[0], right[0])
    if kind is None or other is None:
        return False
    if left[0] is None or right[0] is None:
        return None
    if kind in NUMBERS and other in NUMBERS:
        return number(left[0]) == number(right[0])
    if kind == "Quantity" or other == "Quantity":
        return _equal_measures(left, right) if {kind, other} <= {"Quantity", *NUMBERS} else False
    if (kind in DATES and other in DATES) or kind == other == "Time":
        return _equal_moments(left, right)
    return kind == other and bool(left[0] == right[0])


def equal_collections(left: Nodes, right: Nodes) -> bool | None:
    """`=` of two collections: empty if either is; same items in the same order."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    result: bool | None = True
    for one, other in zip(left, right, strict=True):
        same = equal(one, other)
        if same is False:
            return False
        if same is None:
            result = None
    return result


def _normalized(text: str) -> str:
    return " ".join(text.split()).casefold()


def _equivalent_json(left: Any, right: Any) -> bool:
    if left.__class__ is dict:
        keys = {key for key in left if key != "id"}
        return (
            right.__class__ is dict
            and keys == {key for key in right if key != "id"}
            and all(_equivalent_json(left[key], right[key]) for key in keys)
        )
    if left.__class__ is list:
        return right.__class__ is list and _matched(left, right, _equivalent_json)
    if left.__class__ is str and right.__class__ is str:
        return _normalized(left) == _normalized(right)
    one, other = number(left), number(right)
    if one is None or other is None or left.__class__ is bool or right.__class__ is bool:
        return left.__class__ is right.__class__ and bool(left == right)
    return units.equivalent_decimals(Decimal(one), Decimal(other))


def _matched(left: list[Any], right: list[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Whether each item has its partner, in any order."""
    if len(left) != len(right):
        return False
    open_items = list(right)
    for each in left:
        for index, other in enumerate(open_items):
            if same(each, other):
                del open_items[index]
                break
        else:
            return False
    return True


def equivalent(left: Node, right: Node) -> bool:
    """`~` of two items."""
    kind, other = SYSTEM.get(left[1]), SYSTEM.get(right[1])
    if (kind is None) != (other is None):
        return False
    if kind is None or other is None:
        return _equivalent_json(left[0], right[0])
    if left[0] is None or right[0] is None:
        return left[0] is right[0]
    if kind in NUMBERS and other in NUMBERS:
        one, two = number(left[0]), number(right[0])
        return one is not None and two is not None and units.equivalent_decimals(Decimal(one), Decimal(two))
    if kind == "Quantity" or other == "Quantity":
        if not {kind, other} <= {"Quantity", *NUMBERS}:
            return False
        first, second = measure(left[0]), measure(right[0])
        if first is None or second is None:
            return _equivalent_json(left[0], right[0])
        return units.equivalent(first, second)
    if (kind in DATES and other in DATES) or kind == other == "Time":
        return bool(_equal_moments(left, right))
    if kind == other == "String":
        return _normalized(left[0]) == _normalized(right[0])
    return kind == other and bool(left[0] == right[0])


def equivalent_collections(left: Nodes, right: Nodes) -> bool:
    """`~` of two collections: never empty, in any order."""
    return _matched(left, right, equivalent)


def order(left: Node, right: Node) -> int | None:
    """-1, 0, 1 of two items; None where precision or units leave it open.
    Raises: FhirPathError for types that have no order with each other."""
    kind, other = SYSTEM.get(left[1]), SYSTEM.get(right[1])
    if left[0] is None or right[0] is None:
        return None
    if kind == other == "String":
        text, other_text = str(left[0]), str(right[0])
        return (text > other_text) - (text < other_text)
    if kind in NUMBERS and other in NUMBERS:
        one, two = number(left[0]), number(right[0])
        return None if one is None or two is None else (one > two) - (one < two)
    if (kind in DATES and other in DATES) or kind == other == "Time":
        first, second = moment(left), moment(right)
        return None if first is None or second is None else temporal.compare(first, second)
    if {kind, other} <= {"Quantity", *NUMBERS}:
        a, b = measure(left[0]), measure(right[0])
        return None if a is None or b is None else units.compare(a, b)
    raise FhirPathError("execution", f"{left[1]} and {right[1]} have no order")


def bucket(node: Node) -> tuple[Any, ...]:
    """Equal items have the same bucket; those of one bucket must be compared, unless the bucket `_DECIDES`."""
    value, fhir_type, _ = node
    kind = SYSTEM.get(fhir_type)
    if kind is None:
        if value.__class__ is not dict:
            return ("other",)
        return ("complex", frozenset(each for each in value.items() if each[1].__class__ is str))
    if value is None:
        return ("none",)
    if kind == "String" or kind == "Boolean":
        return (kind, value)
    if kind in NUMBERS:
        return ("number", number(value))
    return ("Date",) if kind in DATES else (kind,)


_DECIDES = frozenset(("String", "Boolean", "number"))


class Distinct:
    """Collects items, leaving out those that equal an earlier one."""

    __slots__ = ("items", "seen")

    def __init__(self, items: Iterable[Node] = ()) -> None:
        self.items: Nodes = []
        self.seen: dict[tuple[Any, ...], Nodes] = {}
        for each in items:
            self.add(each)

    def add(self, node: Node) -> bool:
        """Whether the item was new."""
        key = bucket(node)
        others = self.seen.get(key)
        if others is None:
            self.seen[key] = [node]
        elif key[0] in _DECIDES or any(equal(node, other) for other in others):
            return False
        else:
            others.append(node)
        self.items.append(node)
        return True

    def __contains__(self, node: Node) -> bool:
        key = bucket(node)
        others = self.seen.get(key)
        if others is None:
            return False
        return key[0] in _DECIDES or any(equal(node, other) for other in others)


def distinct(nodes: Nodes) -> Nodes:
    """The items, equal ones once."""
    if len(nodes) < 2:
        return nodes
    first = nodes[0][1]
    if SYSTEM.get(first) == "String" and all(each[1] is first for each in nodes):
        seen: set[str] = set()
        out: Nodes = []
        for each in nodes:
            if each[0] not in seen:
                out.append(each)
                if each[0] is not None:
                    seen.add(each[0])
        return out
    return Distinct(nodes).items if len(nodes) > FEW or first in SYSTEM else _distinct_few(nodes)


FEW = 6
"""Items that are compared pair by pair, which is cheaper than finding their buckets."""


def _distinct_few(nodes: Nodes) -> Nodes:
    out: Nodes = []
    for node in nodes:
        for other in out:
            if equal(node, other):
                break
        else:
            out.append(node)
    return out


def singleton(nodes: Nodes) -> Node | None:
    """The only item, or None of no item.   Raises: FhirPathError for several.
    http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections"""
    if not nodes:
        return None
    if len(nodes) > 1:
        raise FhirPathError("execution", f"one item was expected, {len(nodes)} were found")
    return nodes[0]


def boolean(nodes: Nodes) -> bool | None:
    """The Boolean of a collection: a single item that is no Boolean counts as true."""
    node = singleton(nodes)
    if node is None:
        return None
    if SYSTEM.get(node[1]) == "Boolean":
        return bool(node[0]) if node[0] is not None else None
    return True


def text_of(node: Node) -> str | None:
    """toString() of an item; None for a complex value."""
    value, fhir_type, _ = node
    kind = SYSTEM.get(fhir_type)
    if value is None or kind is None:
        return None
    if kind == "Boolean":
        return "true" if value else "false"
    if kind in NUMBERS:
        exact = number(value)
        return None if exact is None else units.decimal_text(exact) if isinstance(exact, Decimal) else str(exact)
    if kind == "Quantity":
        quantity = measure(value)
        return None if quantity is None else str(quantity)
    return str(value)
