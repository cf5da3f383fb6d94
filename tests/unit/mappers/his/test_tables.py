"""The tables' file, and a site's corrections to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappers import jhcis
from mappers.his.tables import TablesError, in_use, read_tables


def test_a_site_corrects_a_column_and_turns_an_entry_on(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        """
        [[rows]]
        name = "person"
        columns = { HID = { of = "t.hidmoi", verified = true }, RACE = {} }

        [[rows]]
        name = "persondeath"
        off = ""
        columns.HOSPCODE = { of = "t.pcucodeperson" }
        columns.PID = { of = "t.pid" }
        """,
        encoding="utf-8",
    )
    rows = {each.name: each for each in read_tables(jhcis.TABLES, own)}
    assert rows["person"].columns["HID"].of == ("t.hidmoi",)
    assert "RACE" not in rows["person"].columns
    assert rows["person"].columns["NAME"].of == ("t.fname",)
    assert "DEATH" in [each.file for each in in_use(rows.values())]
    assert "DEATH" not in [each.file for each in in_use(read_tables(jhcis.TABLES))]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ('name = "x"', "is missing"),
        ('name = "x"\nfile = "PEOPLE"\ntable = "t"\nkey = ["a"]', "none of the 43 files"),
        ('name = "village"\nkey = ["a; DROP TABLE x"]', "no name of a table or column"),
        ('name = "village"\ncolumns.LATITUDE = { of = "z.y" }', "not written as table.column"),
        ('name = "village"\ncolumns.LATITUDE = { of = "t.y", kind = "magic" }', "no kind magic"),
        ('name = "village"\ncolumns.HOUSE = { of = "t.y" }', "has no column HOUSE"),
        ('name = "village"\ncolumns.VID = {}', "part of the key"),
        ('name = "village"\ncolor = "red"', "unknown color"),
        ("name = ", "Invalid value"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path: Path, wrong: str, reason: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f"[[rows]]\n{wrong}\n", encoding="utf-8")
    with pytest.raises(TablesError, match=reason):
        read_tables(jhcis.TABLES, own)
