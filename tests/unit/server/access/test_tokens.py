"""The token file: made once, shown once, hashed, expiring, revoked at once, readable by its owner only."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.access.principal import Principal
from server.access.tokens import PREFIX, TokenFileError, Tokens, add_token, read_tokens, revoke_token
from tests.serving import Clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tokens.json"


def test_a_token_is_known_by_its_hash_only(path: Path, clock: Clock) -> None:
    secret = add_token(path, "his-11111", now=clock.now)
    assert secret.startswith(PREFIX)
    assert len(secret) >= len(PREFIX) + 43
    assert secret not in path.read_text()
    assert secret.removeprefix(PREFIX) not in path.read_text()
    assert Tokens(path, clock).principal(secret) == Principal("his-11111", read_only=False)
    assert Tokens(path, clock).principal(secret[:-1]) is None
    assert Tokens(path, clock).principal("") is None


def test_the_file_is_for_its_owner_only(path: Path, clock: Clock) -> None:
    add_token(path, "a", now=clock.now)
    revoke_token(path, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["tokens.json"]


def test_a_token_ends_when_it_expires(path: Path, clock: Clock) -> None:
    secret = add_token(path, "short", now=clock.now, expires=clock.now + 1000)
    tokens = Tokens(path, clock)
    assert tokens.principal(secret) is not None
    clock.advance(1000)
    assert tokens.principal(secret) is None


def test_a_change_is_seen_with_the_next_request(path: Path, clock: Clock) -> None:
    tokens = Tokens(path, clock)
    secret = add_token(path, "a", now=clock.now, read_only=True)
    assert tokens.principal(secret) == Principal("a", read_only=True)
    revoke_token(path, "a")
    assert tokens.principal(secret) is None


def test_a_broken_file_lets_nobody_in(path: Path, clock: Clock) -> None:
    secret = add_token(path, "a", now=clock.now)
    tokens = Tokens(path, clock)
    for content in ("", "[]", '{"tokens":[{}]}', "nonsense", '{"tokens":null}'):
        path.write_text(content)
        assert tokens.principal(secret) is None
        assert tokens.error is not None
    path.unlink()
    assert tokens.principal(secret) is None


@pytest.mark.parametrize("name", ["", "a b", "ก", "-a", "a" * 65, 'a"', "a\n"])
def test_names_are_plain(path: Path, name: str, clock: Clock) -> None:
    with pytest.raises(TokenFileError, match="letters"):
        add_token(path, name, now=clock.now)


def test_names_are_unique_and_must_exist(path: Path, clock: Clock) -> None:
    add_token(path, "a", now=clock.now)
    with pytest.raises(TokenFileError, match="already"):
        add_token(path, "a", now=clock.now)
    with pytest.raises(TokenFileError, match="no token"):
        revoke_token(path, "b")


def test_commands_at_the_same_time_lose_nothing(path: Path, clock: Clock) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: add_token(path, f"t{i}", now=clock.now), range(16)))
    assert {token.name for token in read_tokens(path)} == {f"t{i}" for i in range(16)}


def test_the_file_is_what_the_docs_say(path: Path, clock: Clock) -> None:
    add_token(path, "a", now=clock.now, expires=clock.now + 60_000, read_only=True)
    row = json.loads(path.read_text())["tokens"][0]
    assert set(row) == {"name", "hash", "created", "expires", "readOnly"}
    assert (row["name"], row["created"], row["readOnly"]) == ("a", "2025-11-24T01:00:00.000Z", True)
