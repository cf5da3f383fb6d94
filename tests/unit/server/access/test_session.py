"""Sessions: signed, ending with their token, reading only."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.access.principal import Principal
from server.access.session import COOKIE, HOURS, Sessions, closed
from server.access.tokens import Tokens, add_token, revoke_token
from tests.serving import Clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def sessions(path: Path, clock: Clock) -> Sessions:
    return Sessions(b"k" * 32, Tokens(path, clock), clock)


def cookie(header: str | None) -> str:
    assert header is not None
    return header.partition(";")[0]


def test_a_valid_token_opens_a_session_that_reads_only(path: Path, sessions: Sessions, clock: Clock) -> None:
    secret = add_token(path, "desk", now=clock.now)
    header = sessions.open(secret, secure=True)
    assert header is not None
    assert "; HttpOnly; SameSite=Strict; Secure" in header
    assert secret not in header
    assert sessions.principal(f"other=1; {cookie(header)}") == Principal("desk", read_only=True)
    assert sessions.open("wrong", secure=True) is None


def test_a_session_ends_with_its_time_and_with_its_token(path: Path, sessions: Sessions, clock: Clock) -> None:
    value = cookie(sessions.open(add_token(path, "desk", now=clock.now), secure=False))
    assert sessions.principal(value) is not None
    clock.advance(HOURS * 3_600_000 - 1)
    assert sessions.principal(value) is not None
    clock.advance(1)
    assert sessions.principal(value) is None
    again = cookie(sessions.open(add_token(path, "desk2", now=clock.now), secure=False))
    revoke_token(path, "desk2")
    assert sessions.principal(again) is None


def test_a_changed_cookie_is_none(path: Path, sessions: Sessions, clock: Clock) -> None:
    value = cookie(sessions.open(add_token(path, "desk", now=clock.now), secure=False))
    digest, ends, signature = value.removeprefix(f"{COOKIE}=").split(".")
    forged = (
        f"{digest}.{int(ends) + 1}.{signature}",
        f"{digest}.{ends}.",
        f"{digest}.{ends}",
        "..",
        "",
        "ก.1.x",
        signature,
    )
    for each in forged:
        assert sessions.principal(f"{COOKIE}={each}") is None
    other_key = Sessions(b"x" * 32, Tokens(path, clock), clock)
    assert other_key.principal(value) is None


def test_closing_takes_the_cookie_away() -> None:
    assert closed(secure=False) == f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
