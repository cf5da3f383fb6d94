"""Statements in pages by key, and rows of the 43 files from what they give."""

from __future__ import annotations

import itertools
import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from mappers import hosxp, jhcis
from mappers.f43.layout import LAYOUTS
from mappers.his.statements import MYSQL, POSTGRESQL, SQLITE, Statement, days, f43_rows, page, walk, whole_groups
from mappers.his.tables import Rows, absent, in_use, read_tables

JHCIS = {each.name: each for each in read_tables(jhcis.TABLES)}
HOSXP = {each.name: each for each in read_tables(hosxp.TABLES)}


def test_keys_are_asked_for_behind_a_key_and_every_value_is_bound() -> None:
    text, values = walk(JHCIS["visitdrug"], MYSQL, limit=500, after=("99999", 7))
    assert text == (
        "SELECT STRAIGHT_JOIN `t`.`pcucode`, `t`.`visitno` FROM `visitdrug` `t` WHERE "
        "((`t`.`pcucode` > %s) OR (`t`.`pcucode` = %s AND `t`.`visitno` > %s)) "
        "ORDER BY `t`.`pcucode`, `t`.`visitno` LIMIT 500"
    )
    assert values == ("99999", "99999", 7)
    assert ", `t`.`dateupdate` FROM" in walk(JHCIS["visitdrug"], MYSQL, limit=1, changed=True).text
    assert ", `v`.`dateupdate` FROM" in walk(JHCIS["visitepi"], MYSQL, limit=1, changed=True).text


def test_rows_are_asked_for_by_a_range_of_keys() -> None:
    text, values = page(JHCIS["village"], POSTGRESQL, after=("9", "1"), upto=("9", "7"))
    assert '("t"."pcucode", "t"."villcode") > ($1, $2) AND ("t"."pcucode", "t"."villcode") <= ($3, $4)' in text
    assert values == ("9", "1", "9", "7")


def test_a_day_and_what_is_left_out_are_conditions() -> None:
    text, values = page(HOSXP["opitemrece-drug"], POSTGRESQL, day="2026-01-05", after=("6901",))
    assert 'WHERE "t"."vstdate" = $1 AND "t"."vn" > $2 AND ("t"."an" IS NULL OR "t"."an" = \'\')' in text
    assert values == ("2026-01-05", "6901")
    assert days(HOSXP["ovst"], MYSQL).text.startswith("SELECT MIN(`t`.`vstdate`), MAX(`t`.`vstdate`) FROM `ovst` `t`")


def test_no_statement_has_an_offset_or_goes_on_without_an_end() -> None:
    for rows in [*in_use(JHCIS.values()), *in_use(HOSXP.values())]:
        for dialect in (MYSQL, POSTGRESQL, SQLITE):
            key = tuple("1" for _ in rows.key)
            keys = [walk(rows, dialect, limit=9, after=key, changed=told).text for told in {False, bool(rows.changed)}]
            assert all(text.endswith("LIMIT 9") for text in keys)
            whole = page(rows, dialect, after=key, upto=key).text
            assert all(text.startswith("SELECT ") and "OFFSET" not in text for text in (*keys, whole))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40), st.integers(1, 7))
def test_ranges_of_keys_give_every_row_once_though_keys_repeat(keys: list[tuple[int, int]], size: int) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE village (pcucode, villcode, latitude, longitude)")
    rows = [(one, other, number, number) for number, (one, other) in enumerate(keys)]
    database.executemany("INSERT INTO village VALUES (?, ?, ?, ?)", rows)

    def ask(statement: Statement) -> list[tuple[int, ...]]:
        return database.execute(statement.text, statement.values).fetchall()  # type: ignore[arg-type]

    found: list[tuple[int, ...]] = []
    after, limit = None, size
    while True:
        records = ask(walk(JHCIS["village"], SQLITE, limit=limit, after=after))
        whole = whole_groups(records, limit, 2)
        if whole is None:
            limit *= 2
            continue
        if whole:
            upto = tuple(whole[-1])
            found += ask(page(JHCIS["village"], SQLITE, after=after, upto=upto))
            after = upto
        if len(records) < limit:
            break
        limit = size
    assert sorted(record[4] for record in found) == list(range(len(keys)))
    database.close()


@given(st.tuples(*[st.integers(0, 2)] * 3), st.tuples(*[st.integers(0, 2)] * 3))
def test_the_long_form_of_a_comparison_means_the_short_one(low: tuple[int, ...], high: tuple[int, ...]) -> None:
    """What MySQL gets, asked of SQLite: `%s` is `?` there."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE x (a, b, c)")
    every = list(itertools.product(range(3), repeat=3))
    database.executemany("INSERT INTO x VALUES (?, ?, ?)", every)
    rows = Rows(name="x", file="VILLAGE", table="x", key=("a", "b", "c"), columns={})
    text, values = page(rows, MYSQL, after=low, upto=high)
    text = text.replace("SELECT STRAIGHT_JOIN", "SELECT").replace("%s", "?")
    assert database.execute(text, values).fetchall() == [each for each in every if low < each <= high]  # type: ignore[arg-type]
    database.close()


def test_rows_with_one_key_are_added_up() -> None:
    rows = HOSXP["opitemrece-drug"]
    names = [f"t.{column}" for column in rows.key] + list(rows.sources)
    values = {"t.hn": "1", "t.vn": "6901", "d.did": "123", "t.vstdate": "2026-01-05", "d.name": "A|B\nC"}
    records = [[{**values, "t.qty": amount}.get(name) for name in names] for amount in (10, 5)]
    (row,) = f43_rows(rows, records, "99999")
    assert (row["AMOUNT"], row["HOSPCODE"], row["DNAME"]) == ("15", "99999", "A/B C")


def test_only_known_columns_are_named_and_required_ones_that_no_table_has_are_told() -> None:
    assert absent(JHCIS.values(), "PERSON") == frozenset()
    assert absent(JHCIS.values(), "SERVICE") == {"ACTUALPAY", "PAYPRICE", "PRICE", "SERVPLACE", "TYPEIN"}
    assert absent(HOSXP.values(), "LABOR") == frozenset()
    for rows in [*JHCIS.values(), *HOSXP.values()]:
        assert rows.columns.keys() <= LAYOUTS[rows.file].by_name.keys()
