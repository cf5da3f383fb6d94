"""Index values -> rows, and the small pure parts around them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.query import RangeOperand
from server.search.types.number import above
from server.search.types.prefix import PREFIXES, in_range
from server.search.values import Date, Index, Number, Quantity, Reference, Token
from server.store.bounds import alternatives
from server.store.embedded import ranges
from server.store.embedded.driver import Connection, connect
from server.store.embedded.rows import (
    ASCENDING,
    BOTH,
    CLASSES,
    DAY,
    DESCENDING,
    NEITHER,
    UNMADE,
    Builder,
    Parameters,
    Rows,
    closed,
    duration_class,
    from_keys,
    made,
)
from server.store.embedded.schema import prepare
from server.store.embedded.symbols import Allocation, Symbols
from server.store.embedded.tables import difference, zones
from server.store.embedded.trigrams import expression, trigrams
from tests.contract.resources import HandRules


@pytest.fixture
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    opened = connect(tmp_path_factory.mktemp("rows") / "s.db", create=True)
    prepare(opened, "Asia/Bangkok")
    yield opened
    opened.close()


@pytest.fixture
def allocation(connection: Connection) -> Allocation:
    return Allocation(connection, Symbols())


def build(allocation: Allocation, type: str, index: Index) -> Rows:
    builder = Builder(allocation, Parameters(HandRules().parameter))
    return builder.build(type, allocation.type(type), index, allocation.target).rows


def test_the_text_of_a_coded_concept_costs_no_row(allocation: Allocation) -> None:
    coded: Index = {"code": [Token("http://loinc.org", "8867-4", "Heart rate")]}
    with_text: Index = {"code": [*coded["code"], Token(None, None, "ชีพจร")]}
    assert build(allocation, "Observation", coded) == build(allocation, "Observation", with_text)
    only_text = build(allocation, "Observation", {"code": [Token(None, None, "ชีพจร")]})
    assert len(only_text.tok) == 2  # the text and the shape
    assert only_text.code == []


def test_identifiers_are_not_interned(connection: Connection, allocation: Allocation) -> None:
    for n in range(20):
        build(allocation, "Patient", {"identifier": [Token("https://cid", f"{n:013d}")]})
    assert connection.execute("SELECT count(*) FROM sym WHERE k <> 0").get == 1  # their one shape


def test_what_a_part_has_gets_no_second_row(allocation: Allocation) -> None:
    code = Token("http://loinc.org", "85354-9")
    part = Token("http://loinc.org", "8480-6")
    separate = build(allocation, "Observation", {"code": [code], "component-code": [part]})
    combined = {"code": [code], "component-code": [part], "combo-code": [code, part]}
    rows = build(allocation, "Observation", combined)
    assert (rows.code, len(rows.tok)) == (separate.code, len(separate.tok))
    more = build(allocation, "Observation", {**combined, "combo-code": [code, part, Token(None, "odd")]})
    assert len(more.tok) == len(rows.tok) + 1


def test_patients_go_to_the_compartment_and_others_to_the_references(allocation: Allocation) -> None:
    patient, group = Reference("Patient", "p", None, None), Reference("Group", "g", None, None)
    index: Index = {"subject": [patient, group], "patient": [patient], "performer": [patient]}
    rows = build(allocation, "Observation", index)
    assert [bits for _, bits in rows.comp] == [3]
    assert len(rows.ref) == 2


@pytest.mark.parametrize(
    ("dates", "serves"),
    [
        ([(0, 5)], [BOTH]),
        ([(0, 5), (0, 9)], [BOTH, NEITHER]),
        ([(0, 5), (3, 4), (7, 9)], [ASCENDING, NEITHER, DESCENDING]),
        ([(7, 9), (0, 5), (7, 8)], [ASCENDING, DESCENDING, NEITHER]),
    ],
)
def test_one_date_serves_each_order(allocation: Allocation, dates: list[tuple[int, int]], serves: list[int]) -> None:
    rows = build(allocation, "Observation", {"date": [Date(*date) for date in dates]})
    assert [row[3] for row in sorted(rows.dat, key=lambda row: (row[1], row[2]))] == serves


@pytest.mark.parametrize(
    ("width", "number"), [(1, 0), (DAY, 0), (DAY + 1, 1), (366 * DAY, 2), (400 * DAY, 3), (1 << 62, 3)]
)
def test_dates_are_classed_by_duration(width: int, number: int) -> None:
    assert duration_class(width) == number < CLASSES


def test_keys_say_the_same_rows_again(allocation: Allocation) -> None:
    number = Number(0.1, above(0.1), 0.1)
    index: Index = {
        "code": [Token("a", "b", "c")],
        "date": [Date(-5, 1 << 62)],
        "value-quantity": [Quantity(number, None, "x", None, number, "x")],
        "focus": [Reference(None, None, "1", "http://elsewhere")],
    }
    rows = build(allocation, "Observation", index)
    again = from_keys(made(rows, None).keys)
    gone, fresh = difference(again, made(rows, None), 7, 1, None)
    assert (gone, fresh) == ({}, {})
    assert difference(rows, UNMADE, 7, 1, None)[1] == {}


def test_symbols_of_a_failed_transaction_are_never_seen(connection: Connection) -> None:
    symbols = Symbols()
    connection.execute("BEGIN")
    failed = Allocation(connection, symbols)
    failed.symbol(failed.param(failed.type("Basic"), "code"), "", "x")
    connection.execute("ROLLBACK")
    assert symbols.type(connection, "Basic") is None
    again = Allocation(connection, symbols)
    t = again.type("Basic")
    again.publish()
    assert symbols.type(connection, "Basic") == t


def test_zones_hold_all_dates_of_their_block() -> None:
    rows = Rows(*[[]] * 10)
    date = 2
    dated = [
        (1, 5, 10, made(rows._replace(dat=[[8, 100, 5, 0]]), date).dates),
        (1, 9, 20, made(rows._replace(dat=[[9, 50, 200, 0], [12, 1, 1, 0]]), date).dates),
        (1, 5000, 30, made(rows, date).dates),
    ]
    assert sorted(zones(dated)) == [(-1, 0, 10_000, 21_000), (-1, 4, 30_000, 31_000), (1, 0, 50, 250)]


# ---------------------------------------------------------------- prefixes in SQL mean what they mean

small = st.integers(-4, 4)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[int, int]:
    lower = draw(small)
    return lower, lower + draw(st.integers(1, 4))


@given(value=intervals(), asked=intervals(), prefix=st.sampled_from(sorted(PREFIXES)))
def test_date_conditions(value: tuple[int, int], asked: tuple[int, int], prefix: str) -> None:
    operand = RangeOperand(prefix, *asked, asked[0])
    width = value[1] - value[0]
    conditions = [
        ranges.dates(bounds, str(value[0]), str(width), width, lambda bound: str(bound))
        for bounds in alternatives(operand)
    ]
    assert true(conditions) == in_range(*value, operand)


@given(number=st.integers(-3, 3), asked=intervals(), prefix=st.sampled_from(sorted(PREFIXES)))
def test_point_conditions(number: int, asked: tuple[int, int], prefix: str) -> None:
    operand = RangeOperand(prefix, float(asked[0]), float(asked[1]), float(asked[0]))
    conditions = [ranges.points(bounds, repr(float(number)), repr) for bounds in alternatives(operand)]
    assert true(conditions) == in_range(float(number), above(float(number)), operand)


@given(value=intervals(), asked=intervals(), prefix=st.sampled_from(sorted(PREFIXES)))
def test_span_conditions(value: tuple[int, int], asked: tuple[int, int], prefix: str) -> None:
    operand = RangeOperand(prefix, float(asked[0]), float(asked[1]), float(asked[0]))
    ends = {"lo": repr(float(value[0])), "up": repr(closed(float(value[1])))}
    conditions = []
    for bounds in alternatives(operand):
        text = ranges.spans(bounds, "", repr)
        conditions.append(text.replace("lo ", ends["lo"] + " ").replace("up ", ends["up"] + " "))
    assert true(conditions) == in_range(float(value[0]), float(value[1]), operand)


@given(
    ms=st.integers(-3, 3),
    asked=st.tuples(st.integers(-4000, 4000), st.integers(1, 4000)),
    prefix=st.sampled_from(sorted(PREFIXES)),
)
def test_instant_conditions(ms: int, asked: tuple[int, int], prefix: str) -> None:
    operand = RangeOperand(prefix, asked[0], asked[0] + asked[1], asked[0])
    conditions = [ranges.instants(bounds, str(ms), str) for bounds in alternatives(operand)]
    assert true(conditions) == in_range(ms * 1000, ms * 1000 + 1000, operand)


@given(value=intervals(), block=intervals(), asked=intervals(), prefix=st.sampled_from(sorted(PREFIXES)))
def test_a_zone_never_hides_a_match(
    value: tuple[int, int], block: tuple[int, int], asked: tuple[int, int], prefix: str
) -> None:
    operand = RangeOperand(prefix, *asked, asked[0])
    lo, up = min(value[0], block[0]), max(value[1], block[1])
    text = ranges.zone(alternatives(operand), lambda bound: str(bound))
    possible = true([text.replace("z.up", str(up)).replace("z.lo", str(lo))])
    assert possible or not in_range(*value, operand)


def true(conditions: list[str]) -> bool:
    """Whether one of the SQL conditions on constants holds."""
    return any(eval(condition.replace(" AND ", " and ").replace(" OR ", " or ")) for condition in conditions)


def test_of_a_long_text_some_trigrams_are_asked_for() -> None:
    """20,000 letters took SQLite three seconds a search, among four rows."""
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    asked = expression(text).split(" AND ")
    assert len(asked) <= 32
    assert all(piece.strip('"') in text for piece in asked)


def test_trigrams_of_thai_and_of_quotes() -> None:
    assert trigrams("สมชาย") == ["สมช", "มชา", "ชาย"]
    assert trigrams("ab") == []
    assert expression('a"bc') == '"a""b" AND """bc"'
    assert expression("abc", "content") == 'content : "abc"'
