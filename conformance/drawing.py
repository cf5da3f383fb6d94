"""Resources of every type drawn at random from the definitions: sound in structure, and bent in some place.

Drawn from a `random.Random` that is passed in, so that a number says again what was sent. It costs about a tenth of
what a property-testing library takes, which is what a million requests need.
https://hl7.org/fhir/R4/structuredefinition.html
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from fhir_profiles.definitions import Definitions, Property
from fhir_profiles.terminology_protocol import Terminology

Json = dict[str, Any]

DEEPEST = 4
_SYSTEM_VALUES = {"System.String": "string", "System.Boolean": "boolean", "System.Integer": "integer"}
_TEXTS = ("a", "Somsak", "สมชาย", "ก", "x y", "é", "0", "true", "a|b", "<b>", "\u200b", "🦄", "-", "kg", "final")
_URIS = ("http://loinc.org", "https://example.org/a", "urn:oid:1.2.3", "http://unitsofmeasure.org", "urn:uuid:x", "#a")
_IDS = tuple(f"{letter}{number}" for letter in "abc" for number in (1, 2, 3))


def _two(random: Random) -> str:
    return f"{random.randint(1, 12):02}"


def _date(random: Random) -> str:
    return random.choice(("{0}", "{0}-{1}", "{0}-{1}-{2}")).format(
        random.randint(1900, 2030), _two(random), _two(random)
    )


def _instant(random: Random) -> str:
    zone = random.choice(("Z", "+07:00", "-11:30"))
    return f"{random.randint(1900, 2030)}-{_two(random)}-{_two(random)}T{_two(random)}:00:{_two(random)}{zone}"


PRIMITIVES: dict[str, Callable[[Random], Any]] = {
    "boolean": lambda random: random.random() < 0.5,
    "integer": lambda random: random.choice((0, 1, -1, 2**31 - 1, -(2**31), random.randint(-99, 99))),
    "unsignedInt": lambda random: random.choice((0, 1, 2**31 - 1, random.randint(0, 99))),
    "positiveInt": lambda random: random.choice((1, 2**31 - 1, random.randint(1, 99))),
    "decimal": lambda random: random.choice((0, 1.0, -0.5, 1e-9, 12345678901234567, round(random.uniform(-9, 99), 3))),
    "string": lambda random: random.choice(_TEXTS),
    "markdown": lambda random: random.choice(_TEXTS),
    "code": lambda random: random.choice(("a", "final", "active", "th", "male", "text/plain")),
    "id": lambda random: random.choice(_IDS),
    "uri": lambda random: random.choice(_URIS),
    "url": lambda random: random.choice(_URIS),
    "canonical": lambda random: random.choice(_URIS),
    "oid": lambda random: f"urn:oid:1.2.{random.randint(0, 99)}",
    "uuid": lambda random: f"urn:uuid:{random.getrandbits(32):08x}-0000-4000-8000-{random.getrandbits(48):012x}",
    "base64Binary": lambda random: random.choice(("AAAA", "eA==", "4Lie")),
    "date": _date,
    "dateTime": lambda random: random.choice((_date, _instant))(random),
    "instant": _instant,
    "time": lambda random: f"{_two(random)}:{_two(random)}:00",
    "xhtml": lambda random: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>',
}

_SOMETHING: Json = {"extension": [{"url": "https://example.org/x", "valueString": "x"}]}
"""For an element in which nothing else was drawn: none may be empty."""

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 2**70, 1e300, "", " ", "\u0000", "\ud800", "a" * 5000, "๏" * 300, [], {}, [[]], [None], {"": 1},
    {"resourceType": "Patient"}, ["x"], "1 OR 1=1", "$where", "../../x", "9999-99-99", "http://[", "Patient/", "#",
    {"reference": "Patient/a1"}, {"extension": []}, "Patient?_id=a1", "urn:uuid:x", "W/\"1\"",
)  # fmt: skip
"""What any element may be replaced with."""


class Drawing:
    """Draws resources; each method takes the Random that decides."""

    def __init__(self, definitions: Definitions, terminology: Terminology) -> None:
        self.definitions = definitions
        self.types = tuple(sorted(definitions.resource_types))
        self._terminology = terminology
        self._codes: dict[str, tuple[str, ...]] = {}

    def resource(self, random: Random, resource_type: str, id: str | None = None) -> Json:
        """Right by structure, types, cardinality and required codes; invariants may be broken."""
        made: Json = {"resourceType": resource_type}
        if id is not None:
            made["id"] = id
        made |= {name: value for name, value in self._members(random, resource_type, 0).items() if name != "id"}
        return made

    def bent(self, random: Random, resource: Json) -> Json:
        """The resource with one to three of its places replaced, renamed, doubled or gone."""
        bent: Json = json.loads(json.dumps(resource))
        for _ in range(random.randint(1, 3)):
            places = list(_places(bent))
            if not places:
                break
            holder, key = random.choice(places)
            random.choice(_BENDS)(random, holder, key)
        return bent

    def _members(self, random: Random, node: str, depth: int) -> Json:
        made: Json = {}
        chosen: set[str] = set()
        share = (0.3, 0.25, 0.2, 0.1, 0.0)[min(depth, DEEPEST)]
        for name, row in random.sample(sorted(self.definitions.properties(node).items()), self._size(node)):
            element = row.element
            needed = element.min > 0
            if element.name in chosen or not (needed or random.random() < share) or row.type == "Resource":
                continue
            if element.name in ("extension", "modifierExtension") and random.random() < 0.9:
                continue
            chosen.add(element.name)
            value = self._value(random, row, depth)
            made[name] = [value] if element.is_array else value
        return made or dict(_SOMETHING)

    def _size(self, node: str) -> int:
        return len(self.definitions.properties(node))

    def _value(self, random: Random, row: Property, depth: int) -> Any:
        name = _SYSTEM_VALUES.get(row.type, row.type)
        if name == "code" and (codes := self._bound(row)):
            return random.choice(codes)
        if name in PRIMITIVES:
            return PRIMITIVES[name](random)
        if name == "Reference" and row.type_row is not None:
            targets = [url.rpartition("/")[2] for url in row.type_row.targets] or ["Patient"]
            kind = random.choice(targets)
            return {"reference": f"{'Patient' if kind == 'Resource' else kind}/{random.choice(_IDS)}"}
        if depth >= DEEPEST + 4:
            return dict(_SOMETHING)
        return self._members(random, row.type, depth + 1)

    def _bound(self, row: Property) -> tuple[str, ...]:
        binding = row.element.binding
        if binding is None or binding.strength != "required" or not binding.value_set:
            return ()
        url = binding.value_set.partition("|")[0]
        if url not in self._codes:
            found = self._terminology.expand(url, limit=50) or ()
            self._codes[url] = tuple(dict.fromkeys(each.code for each in found))
        return self._codes[url]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(rows):
        yield value, key
        yield from _places(inner)


def _replace(random: Random, holder: Any, key: Any) -> None:
    holder[key] = copy.deepcopy(random.choice(HOSTILE))  # later bends may reach into it


def _remove(random: Random, holder: Any, key: Any) -> None:
    del holder[key]


def _wrap(random: Random, holder: Any, key: Any) -> None:
    holder[key] = random.choice(([holder[key]], {"value": holder[key]}, [holder[key]] * 3))


def _rename(random: Random, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder[random.choice((f"_{key}", f"{key}x", f"{key}String", "extension", "contained", ""))] = holder.pop(key)


_BENDS = (_replace, _replace, _replace, _remove, _wrap, _rename)
