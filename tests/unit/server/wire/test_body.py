"""Decompression within a limit."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest, FhirError, TooLarge
from server.wire.body import MAX_MEMBERS, inflate

GZIP, DEFLATE = 31, 47


@given(st.binary(max_size=5000))
def test_what_was_compressed_is_what_is_read(data: bytes) -> None:
    assert inflate(gzip.compress(data), GZIP, 5000) == data
    assert inflate(zlib.compress(data), DEFLATE, 5000) == data


def test_the_limit_holds_for_what_comes_out() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < 60_000
    with pytest.raises(TooLarge):
        inflate(bomb, GZIP, 1_000_000)
    assert len(inflate(gzip.compress(b"0" * 1000), GZIP, 1000)) == 1000
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"0" * 1001), GZIP, 1000)


def test_gzip_files_strung_together_are_one_up_to_a_number() -> None:
    part = gzip.compress(b"ab")
    assert inflate(part * 3, GZIP, 100) == b"ababab"
    with pytest.raises(BadRequest, match="parts"):
        inflate(part * (MAX_MEMBERS + 1), GZIP, 100)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", gzip.compress(b"abc")[:-4], gzip.compress(b"abc") + b"junk"],
    ids=["empty", "plain", "cut", "followed"],
)
def test_what_is_no_gzip_is_400(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        inflate(raw, GZIP, 100)


@given(st.binary(max_size=300))
def test_no_bytes_crash(raw: bytes) -> None:
    with contextlib.suppress(FhirError):
        inflate(raw, DEFLATE, 1000)
