"""What is read from stored index values without parsing them says what they say."""

from __future__ import annotations

import pytest

from server.search.values import Reference, String, Token, Value
from server.store.mongo.frames import single_reference, values

A, B = Reference("Patient", "a-1.b", None, None, None), Reference("Patient", "b", None, None, None)
LIKE_ONE = String('"subject":[[6,"Patient","c",null,null,null]]', '"subject":[[6,"Patient","c",null,null,null]]')


@pytest.mark.parametrize(
    ("found", "single"),
    [
        ([A], "Patient/a-1.b"),
        ([Reference("Patient", "b", "3", None, None)], None),
        ([A, B], None),
        ([Reference("Patient", "b", None, None, Token("s", "v"))], None),
        ([Reference(None, None, None, "http://x/Patient/b", None)], None),
        ([], None),
    ],
)
def test_a_reference_that_stands_alone_is_found(found: list[Value], single: str | None) -> None:
    stored = values({"note": [LIKE_ONE], "subject": found, "performer": [B]}, None)
    assert single_reference(stored, "subject") == single
    assert single_reference(stored, "performer") == "Patient/b"
