"""Entity tags and dates of HTTP, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest, PreconditionFailed
from server.interactions.preconditions import (
    ANY,
    check_if_match,
    check_if_none_match,
    http_date,
    not_modified,
    version_tags,
)
from server.store.contract import Version

CURRENT = Version("Patient", "1", 3, 1_000_000, 7, "PUT", b"{}")
DELETED = Version("Patient", "1", 3, 0, 7, "DELETE", None)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)))
def test_dates_are_those_of_the_standard_library(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    expected = format_datetime(moment.replace(microsecond=0), usegmt=True)
    assert http_date(milliseconds) == expected


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('W/"1"', {"1"}),
        ('"1"', {"1"}),
        ("1", {"1"}),
        ('W/"1", "2" ,W/"a.b-c"', {"1", "2", "a.b-c"}),
        (" * ", ANY),
    ],
)
def test_tags_are_read_weak_or_strong_alone_or_in_a_list(text: str, tags: set[str]) -> None:
    assert version_tags({"if-match": text}, "if-match") == tags


@pytest.mark.parametrize("text", ["", ",", '"', 'W/"1', "a b", '"1",', "<1>"])
def test_what_is_no_tag_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        version_tags({"if-match": text}, "if-match")


def test_if_match_gives_the_version_to_guard() -> None:
    assert check_if_match({}, CURRENT) is None
    assert check_if_match({"if-match": 'W/"3"'}, CURRENT) == 3
    assert check_if_match({"if-match": "*"}, CURRENT) == 3
    for headers, version in (({"if-match": 'W/"2"'}, CURRENT), ({"if-match": "*"}, None), ({"if-match": "3"}, DELETED)):
        with pytest.raises(PreconditionFailed):
            check_if_match(headers, version)


def test_if_none_match_star_asks_that_nothing_is_there() -> None:
    assert check_if_none_match({"if-none-match": "*"}, None)
    assert check_if_none_match({"if-none-match": "*"}, DELETED)
    assert not check_if_none_match({"if-none-match": 'W/"2"'}, CURRENT)
    with pytest.raises(PreconditionFailed):
        check_if_none_match({"if-none-match": "*"}, CURRENT)


def test_not_modified_has_the_headers_of_the_version() -> None:
    answer = not_modified({"if-none-match": 'W/"3"'}, CURRENT)
    assert answer is not None
    assert (answer.status, answer.headers["ETag"]) == (304, 'W/"3"')
    assert not_modified({}, CURRENT) is None
