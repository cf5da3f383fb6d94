"""Small worlds of resources and queries about them, drawn at random: the ground of `search == truth`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from server.search.fold import fold
from server.search.query import (
    And,
    Chain,
    CompositeOperand,
    Criterion,
    FullText,
    Has,
    Ids,
    InCompartment,
    IsType,
    LastUpdated,
    Match,
    Missing,
    NearOperand,
    Not,
    OfTypeOperand,
    Or,
    Parameter,
    QuantityOperand,
    Query,
    RangeOperand,
    ReferenceOperand,
    SortKey,
    TextOperand,
    TokenOperand,
)
from server.search.types.number import above
from server.search.types.prefix import PREFIXES
from server.search.values import (
    Composite,
    Date,
    Index,
    Number,
    OfType,
    Position,
    Quantity,
    Reference,
    String,
    Token,
    Uri,
)

START = 1_795_500_000_000
DAY = 86_400_000_000
MAX = 1 << 62
UCUM = "http://unitsofmeasure.org"

CODE = Parameter("code", "token")
COMPONENT_CODE = Parameter("component-code", "token")
VALUE = Parameter("value-quantity", "quantity")
PARAMETERS: dict[str, list[Parameter]] = {
    "Patient": [
        Parameter("name", "string"),
        Parameter("gender", "token"),
        Parameter("identifier", "token", identifying=True),
        Parameter("birthdate", "date"),
        Parameter("death-date", "date"),
        Parameter("link", "reference", targets=("Patient", "RelatedPerson")),
    ],
    "Observation": [
        Parameter("identifier", "token", identifying=True),
        CODE,
        COMPONENT_CODE,
        Parameter("combo-code", "token"),
        Parameter("status", "token"),
        Parameter("date", "date"),
        VALUE,
        Parameter("probability", "number"),
        Parameter("value-string", "string"),
        Parameter("instantiates", "uri"),
        Parameter("patient", "reference", targets=("Patient",)),
        Parameter("subject", "reference", targets=("Patient", "Location")),
        Parameter("focus", "reference"),
        Parameter("code-value-quantity", "composite", components=(CODE, VALUE)),
    ],
    "Location": [
        Parameter("name", "string"),
        Parameter("near", "special"),
        Parameter("partof", "reference", targets=("Location",)),
        Parameter("identifier", "token", identifying=True),
    ],
}
TYPES = tuple(PARAMETERS)
IDS = ("a", "b", "0191f2a4-7c6d-7e8f-9a0b-1c2d3e4f5a6b", "f191f2a4-7c6d-7e8f-9a0b-1c2d3e4f5a6b", "f1", "Z")
EDGES = (0, 1, DAY, DAY + 1, 31 * DAY, 40 * DAY, 366 * DAY, 800 * DAY)
NUMBERS = (-1.5, 0.0, 0.1, 1.0, 2.0, 2.5, 1000.0)
WORDS = ("som", "Somchai", "สมชาย", "สม", "ใจดี", "so mchai", "a", "chai")
NARRATIVES = ("ปวดหัว ตัวร้อน", "headache and fever", "fever", "")

systems = st.sampled_from([None, "http://a", "http://b"])
codes = st.sampled_from(["x", "y", "X", "x y"])
displays = st.sampled_from([None, "Heart Rate", "ชีพจร", "rate"])
ids = st.sampled_from(IDS)


def strings() -> st.SearchStrategy[String]:
    return st.sampled_from(WORDS).map(lambda word: String(fold(word), word))


def tokens() -> st.SearchStrategy[Token]:
    coded = st.builds(Token, systems, codes, displays)
    return st.one_of(coded, coded, st.just(Token(None, None, "heart text")), st.just(Token("http://a", None, None)))


def dates() -> st.SearchStrategy[Date]:
    ends = st.sampled_from(EDGES)
    closed = st.builds(lambda low, wide: Date(low, low + max(1, wide)), ends, ends)
    return st.one_of(closed, closed, ends.map(lambda low: Date(low, MAX)), ends.map(lambda up: Date(-MAX, up)))


def numbers() -> st.SearchStrategy[Number]:
    points = st.sampled_from(NUMBERS).map(lambda value: Number(value, above(value), value))
    wide = st.builds(lambda value, more: Number(value, value + more, value), st.sampled_from(NUMBERS), st.just(1.0))
    return st.one_of(points, points, wide)


def quantities() -> st.SearchStrategy[Quantity]:
    def make(number: Number, unit: tuple[str | None, str | None, str | None]) -> Quantity:
        system, code, name = unit
        if code not in ("g", "mg"):
            return Quantity(number, system, code, name, number, code)
        factor = 1.0 if code == "g" else 0.001
        low, value = number.lower * factor, number.value * factor
        up = above(value) if number.upper == above(number.value) else number.upper * factor
        return Quantity(number, system, code, name, Number(low, up, value), "g")

    units = st.sampled_from(
        [(UCUM, "g", "g"), (UCUM, "mg", "milligram"), (None, None, "pcs"), ("http://a", "box", None)]
    )
    return st.builds(make, numbers(), units)


def references(types: tuple[str, ...]) -> st.SearchStrategy[Reference]:
    identifier = st.one_of(st.none(), st.none(), st.builds(Token, systems, codes))
    local = st.builds(Reference, st.sampled_from(types), ids, st.sampled_from([None, None, "1"]), st.none(), identifier)
    url = st.builds(Reference, st.none(), st.none(), st.sampled_from([None, "1.0", "2"]), st.just("http://e/x"))
    by_identifier = st.builds(lambda token: Reference(None, None, None, None, token), st.builds(Token, systems, codes))
    return st.one_of(local, local, local, url, by_identifier)


def identifiers() -> st.SearchStrategy[Token | OfType]:
    kinds = st.sampled_from([None, None, "national id"])
    return st.one_of(
        st.builds(Token, systems, codes, kinds), st.builds(OfType, systems, st.sampled_from(["MR", "NI"]), codes)
    )


URIS = ("http://a/b", "http://a/b/c", "http://a/bc", "urn:x:1", "http://a/")


def values(parameter: Parameter) -> st.SearchStrategy[Any]:
    match parameter.type:
        case "token":
            return identifiers() if parameter.identifying else tokens()
        case "string":
            return strings()
        case "date":
            return dates()
        case "number":
            return numbers()
        case "quantity":
            return quantities()
        case "uri":
            return st.sampled_from(URIS).map(Uri)
        case "reference":
            return references(parameter.targets or TYPES)
        case _:
            return st.builds(Position, st.sampled_from([13.7, 13.8, -80.0]), st.sampled_from([100.5, 179.9, -179.9]))


@st.composite
def indexes(draw: st.DrawFn, type: str) -> Index:
    index: Index = {}
    for parameter in PARAMETERS[type]:
        if parameter.type != "composite" and parameter.code != "combo-code" and draw(st.booleans()):
            index[parameter.code] = draw(st.lists(values(parameter), min_size=1, max_size=2))
    whole = [*index.get("code", ()), *index.get("component-code", ())]
    if type == "Observation" and whole:
        index["combo-code"] = [*whole, *draw(st.lists(tokens(), max_size=1))]
    if "code" in index and "value-quantity" in index:
        pairs = zip(index["code"], index["value-quantity"], strict=False)
        whole_element = [Composite((tuple(index["code"]), tuple(index["value-quantity"])))]
        index["code-value-quantity"] = draw(
            st.sampled_from([whole_element, [Composite(((code,), (value,))) for code, value in pairs]])
        )
    return index


# ---------------------------------------------------------------- what is asked


def ranges(points: st.SearchStrategy[Any]) -> st.SearchStrategy[RangeOperand]:
    def make(prefix: str, low: float, wide: float) -> RangeOperand:
        return RangeOperand(prefix, low, low + wide, low)

    return st.builds(make, st.sampled_from(sorted(PREFIXES)), points, st.sampled_from([1, 1, DAY]))


def number_ranges() -> st.SearchStrategy[RangeOperand]:
    def make(prefix: str, low: float, wide: float) -> RangeOperand:
        return RangeOperand(prefix, low - wide, low + wide or above(low), low)

    return st.builds(
        make, st.sampled_from(sorted(PREFIXES)), st.sampled_from(NUMBERS), st.sampled_from([0.0, 0.05, 1.0])
    )


def quantity_operands() -> st.SearchStrategy[QuantityOperand]:
    plain = st.builds(
        lambda range, unit: QuantityOperand(range, *unit, None, None),
        number_ranges(),
        st.sampled_from([(None, None), (None, "milligram"), (None, "pcs"), ("http://a", "box"), ("http://a", None)]),
    )
    canonical = st.builds(lambda range: QuantityOperand(range, UCUM, "mg", _thousandth(range), "g"), number_ranges())
    return st.one_of(plain, canonical)


def _thousandth(range: RangeOperand) -> RangeOperand:
    return RangeOperand(range.prefix, range.lower * 0.001, range.upper * 0.001, range.value * 0.001)


def token_operands() -> st.SearchStrategy[TokenOperand]:
    return st.one_of(
        st.builds(lambda code: TokenOperand(None, code, True), codes),
        st.builds(lambda system, code: TokenOperand(system, code, False), systems, codes),
        st.just(TokenOperand("http://a", None, False)),
    )


def reference_operands(types: tuple[str, ...]) -> st.SearchStrategy[ReferenceOperand]:
    versions = st.sampled_from([None, None, None, "1"])
    return st.one_of(
        st.builds(
            lambda type, id, version: ReferenceOperand(type, id, version, None), st.sampled_from(types), ids, versions
        ),
        st.builds(lambda id: ReferenceOperand(None, id, None, None), ids),
        st.builds(
            lambda version: ReferenceOperand(None, None, version, "http://e/x"), st.sampled_from([None, "1.0", "1"])
        ),
    )


def texts(choices: tuple[str, ...]) -> st.SearchStrategy[TextOperand]:
    parts = st.sampled_from(choices).flatmap(
        lambda text: st.builds(
            lambda a, b: text[min(a, b) : max(a, b)], st.integers(0, len(text)), st.integers(0, len(text))
        )
    )
    needles = st.one_of(st.sampled_from(choices), parts).filter(lambda text: bool(fold(text)))
    return needles.map(lambda text: TextOperand(fold(text), text))


def uris() -> st.SearchStrategy[TextOperand]:
    return st.sampled_from([*URIS, "http://a", "http://a/b/c/d?e"]).map(lambda text: TextOperand(text, text))


def operands(parameter: Parameter) -> st.SearchStrategy[tuple[str, Any]]:
    """(modifier, strategy of its operands)"""
    match parameter.type:
        case "token":
            choices = [
                ("", token_operands()),
                ("unequal", token_operands()),
                ("text", texts(("heart rate", "ชีพจร", "text", "national id"))),
            ]
            if parameter.identifying:
                choices.append(("of-type", st.builds(OfTypeOperand, systems, st.sampled_from(["MR", "NI"]), codes)))
        case "string":
            choices = [(modifier, texts(WORDS)) for modifier in ("", "exact", "contains", "equal", "unequal", "ends")]
        case "date":
            choices = [("", ranges(st.sampled_from(EDGES)))]
        case "number":
            choices = [("", number_ranges())]
        case "quantity":
            choices = [("", quantity_operands())]
        case "uri":
            choices = [(modifier, uris()) for modifier in ("", "above", "below", "unequal")]
        case "reference":
            choices = [("", reference_operands(parameter.targets or TYPES)), ("identifier", token_operands())]
            choices += [(modifier, reference_operands(parameter.targets or TYPES)) for modifier in ("below", "unequal")]
        case "composite":
            choices = [("", st.builds(lambda a, b: CompositeOperand((a, b)), token_operands(), quantity_operands()))]
        case _:
            near = st.builds(
                NearOperand,
                st.sampled_from([13.7, -79.0]),
                st.sampled_from([100.5, 180.0]),
                st.sampled_from([0.0, 12_000.0, 500_000.0]),
            )
            choices = [("", near)]
    return st.sampled_from(choices)


@st.composite
def matches(draw: st.DrawFn, type: str) -> Match:
    parameter = draw(st.sampled_from(PARAMETERS[type]))
    modifier, strategy = draw(operands(parameter))
    return Match(parameter, modifier, tuple(draw(st.lists(strategy, min_size=1, max_size=2))))


REFERRING = [
    (type, parameter, target)
    for type, parameters in PARAMETERS.items()
    for parameter in parameters
    if parameter.type == "reference"
    for target in (parameter.targets or TYPES)
    if target in TYPES
]


def criteria(type: str, depth: int = 2) -> st.SearchStrategy[Criterion]:
    simple: list[st.SearchStrategy[Any]] = [
        matches(type),
        matches(type),
        matches(type),
        st.builds(Missing, st.sampled_from([p for p in PARAMETERS[type] if p.type != "composite"]), st.booleans()),
        st.lists(st.tuples(st.sampled_from([None, type, "Device"]), ids), max_size=3).map(
            lambda pairs: Ids(tuple(pairs))
        ),
        ranges(st.sampled_from([START * 1000 + shift for shift in (0, 1000, 2500, 4999, 9000)])).map(
            lambda operand: LastUpdated((operand,))
        ),
        st.lists(st.sampled_from(TYPES), max_size=2).map(lambda types: IsType(tuple(types))),
        st.builds(
            lambda field, phrase: FullText(field, ((phrase,),)),
            st.sampled_from(["_text", "_content"]),
            st.sampled_from(["fever", "ปวดหัว", "ร้อน", "he", "ever and"]),
        ),
        st.builds(lambda id, itself: _compartment(id, itself), ids, st.booleans()),
    ]
    if depth == 0:
        return st.one_of(*simple)
    deeper = criteria(type, depth - 1)
    compound: list[st.SearchStrategy[Any]] = [
        deeper.map(Not),
        st.lists(deeper, min_size=1, max_size=2).map(lambda many: And(tuple(many))),
        st.lists(deeper, max_size=3).map(lambda many: Or(tuple(many))),
    ]
    forward = [(parameter, target) for source, parameter, target in REFERRING if source == type]
    if forward:
        compound.append(
            st.sampled_from(forward).flatmap(
                lambda hop: criteria(hop[1], depth - 1).map(lambda inner: Chain(hop[0], hop[1], inner))
            )
        )
    backward = [(source, parameter) for source, parameter, target in REFERRING if target == type]
    if backward:
        compound.append(
            st.sampled_from(backward).flatmap(
                lambda hop: criteria(hop[0], depth - 1).map(lambda inner: Has(hop[0], hop[1], inner))
            )
        )
    return st.one_of(*simple, *compound)


def _compartment(id: str, itself: bool) -> InCompartment:
    observation = tuple(p for p in PARAMETERS["Observation"] if p.code in ("subject", "focus", "patient"))
    patient = tuple(p for p in PARAMETERS["Patient"] if p.code == "link")
    return InCompartment("Patient", id, (("Observation", observation), ("Patient", patient)), itself)


@st.composite
def sort_keys(draw: st.DrawFn, types: tuple[str, ...]) -> SortKey:
    own = [Parameter("_id", "token"), Parameter("_lastUpdated", "date")]
    descending = draw(st.booleans())
    if len(types) > 1:
        return SortKey(draw(st.sampled_from(own)), descending)
    sortable = [p for p in PARAMETERS[types[0]] if p.type not in ("composite", "special")]
    hops = [(p, target) for source, p, target in REFERRING if source == types[0]]
    if hops and draw(st.integers(0, 4)) == 0:
        hop = draw(st.sampled_from(hops))
        inner = draw(sort_keys((hop[1],)))
        return SortKey(inner.parameter, descending, (hop, *inner.chain)[:2] if not inner.chain else (hop,))
    return SortKey(draw(st.sampled_from([*own, *sortable, *(p for p in sortable if p.type == "date")])), descending)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    types = draw(st.sampled_from([("Patient",), ("Observation",), ("Observation",), ("Location",), TYPES]))
    depth = draw(st.sampled_from([0, 0, 1, 2]))
    where = draw(st.lists(criteria(types[0], depth), max_size=draw(st.sampled_from([1, 1, 2, 3]))))
    sort = draw(st.lists(sort_keys(types), max_size=2))
    return Query(types, tuple(where), tuple(sort), limit=draw(st.integers(1, 4)))


# ---------------------------------------------------------------- what happens


@dataclass(frozen=True)
class Event:
    """A resource is put (with an index) or deleted (without)."""

    type: str
    id: str
    index: Index | None
    narrative: str


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    count = draw(st.integers(6, 20))
    told = []
    for _ in range(count):
        type = draw(st.sampled_from(("Observation", "Observation", *TYPES)))
        index = None if draw(st.integers(0, 6)) == 0 else draw(indexes(type))
        told.append(Event(type, draw(ids), index, draw(st.sampled_from(NARRATIVES))))
    return told


def resource(event: Event) -> dict[str, Any]:
    """With a narrative, for `_text` and `_content`."""
    made: dict[str, Any] = {"resourceType": event.type, "id": event.id, "meta": {}}
    if event.narrative:
        made["text"] = {"status": "generated", "div": f"<div>{event.narrative}</div>"}
    return made


def head_and_tail(made: dict[str, Any]) -> tuple[bytes, bytes]:
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    head, _, tail = text.partition('"meta":{')
    return (head + '"meta":{').encode(), tail.encode()
