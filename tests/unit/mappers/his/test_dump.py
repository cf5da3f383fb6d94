"""INSERT statements of a mysqldump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers.jhcis.dump import DumpError, insert_rows

DUMP = """-- MySQL dump 10.13
/*!40101 SET NAMES utf8 */;
DROP TABLE IF EXISTS `visit`;
CREATE TABLE `visit` (
  `pcucode` char(5) NOT NULL,
  `visitno` int(11) NOT NULL COMMENT 'a; b',
  `symptoms` text,
  PRIMARY KEY (`pcucode`,`visitno`)
) ENGINE=MyISAM DEFAULT CHARSET=utf8;
-- Dumping data
INSERT INTO `visit` VALUES ('99999',1,'it\\'s (a); \\n''b'''),('99999',-2,NULL);
INSERT INTO `other` VALUES (1);
INSERT INTO `visit` (`visitno`, `pcucode`) VALUES (3, _binary '99999'), (4, 0x3939393939);
"""
ENCODINGS = ("utf-8", "cp874")


def rows(data: bytes, size: int = 1 << 20) -> list[tuple[str, dict[str, str | None]]]:
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return list(insert_rows(pieces, {"visit"}, ENCODINGS))


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_rows_of_the_tables_that_are_asked_for(size: int) -> None:
    assert rows(DUMP.encode(), size) == [
        ("visit", {"pcucode": "99999", "visitno": "1", "symptoms": "it's (a); \n'b'"}),
        ("visit", {"pcucode": "99999", "visitno": "-2", "symptoms": None}),
        ("visit", {"visitno": "3", "pcucode": "99999"}),
        ("visit", {"visitno": "4", "pcucode": "99999"}),
    ]


@given(st.lists(st.tuples(st.text(), st.none() | st.text()), min_size=1, max_size=5))
def test_what_mysqldump_writes_is_read_back(values: list[tuple[str, str | None]]) -> None:
    lines = ",".join(f"({','.join(map(_written, pair))})" for pair in values)
    data = f"INSERT INTO `visit` (`a`,`b`) VALUES {lines};\n".encode("utf-8", "replace")
    expected = [tuple(None if each is None else each.encode("utf-8", "replace").decode() for each in v) for v in values]
    assert [(row["a"], row["b"]) for _, row in rows(data)] == expected


def _written(text: str | None) -> str:
    """As mysqldump escapes it."""
    if text is None:
        return "NULL"
    for letter, escape in (("\\", "\\\\"), ("\0", "\\0"), ("\n", "\\n"), ("\r", "\\r"), ("'", "\\'"), ('"', '\\"')):
        text = text.replace(letter, escape)
    return f"'{text}'"


def test_thai_in_either_encoding() -> None:
    for encoding in ENCODINGS:
        data = "INSERT INTO visit (a) VALUES ('ปวดหลัง');\n".encode(encoding)
        assert rows(data) == [("visit", {"a": "ปวดหลัง"})]


@pytest.mark.parametrize(
    "damaged",
    ["INSERT INTO visit (a, b) VALUES (1);", "INSERT INTO visit VALUES (1);", "INSERT INTO visit (a) VALUES ('x"],
)
def test_a_damaged_dump_is_told(damaged: str) -> None:
    with pytest.raises(DumpError):
        rows(damaged.encode())
