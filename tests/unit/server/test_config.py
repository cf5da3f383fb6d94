"""The settings table: sources and their order, refusals with a reason, and that the docs are made from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from conformance.settings_page import PAGE, settings_page
from server.config import TABLE, SettingRefused, Settings, check, load
from server.setting_kinds import without_password


def refused(**flags: str) -> str:
    with pytest.raises(SettingRefused) as error:
        load({name.replace("_", "-"): [text] for name, text in flags.items()}, environment={})
    return str(error.value)


def test_every_setting_has_a_kind_and_help_in_both_languages_and_a_default_that_parses() -> None:
    assert {row.field for row in TABLE.values()} == {field.name for field in dataclasses.fields(Settings)}
    for row in TABLE.values():
        assert row.english, row.name
        assert any("ก" <= letter <= "๛" for letter in row.thai), row.name
        shown = row.kind.show(row.default)
        assert shown == "" or row.kind.parse(shown) == row.default, row.name
    check(Settings())


def test_file_then_environment_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "onecard.toml"
    file.write_text(
        'port = 1111\nworkers = 2\nopen = true\nmax-body-bytes = "4K"\nmax_resource_bytes = 1024\n'
        'cors-origin = ["https://a.example", "https://b.example"]\n'
    )
    settings = load({"port": ["3333"]}, {"ONECARD_PORT": "2222", "ONECARD_WORKERS": "3", "PATH": "/bin"}, str(file))
    assert (settings.port, settings.workers, settings.open) == (3333, 3, True)
    assert (settings.max_body_bytes, settings.max_resource_bytes) == (4096, 1024)
    assert settings.cors_origin == ("https://a.example", "https://b.example")
    assert load({}, {"ONECARD_CONFIG": str(file)}).port == 1111


def test_a_flag_may_be_repeated_or_hold_a_list() -> None:
    networks = load({"trusted-proxy": ["10.0.0.0/8", "192.168.1.1,::1"]}, {}).trusted_proxy
    assert [str(network) for network in networks] == ["10.0.0.0/8", "192.168.1.1/32", "::1/128"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("port", "80800", "whole number from 0 to 65535"),
        ("port", "٣", "whole number"),
        ("workers", "0", "from 1 to 64"),
        ("open", "maybe", "true or false"),
        ("store", "mysql://x", "sqlite:///PATH"),
        ("store", "sqlite://data.db", "sqlite:///PATH"),
        ("timezone", "Asia/Bangkk", "time zone"),
        ("timezone", "../etc/passwd", "time zone"),
        ("base-url", "ftp://x", "address"),
        ("base-url", "https://x/fhir?a=b", "without ?"),
        ("cors-origin", "*", "origin"),
        ("cors-origin", "https://a.example/path", "without a path"),
        ("trusted-proxy", "10.0.0.1/8", "network"),
        ("max-body-bytes", "lots", "32M"),
        ("time-limit", "0", "seconds"),
        ("tls-cert", "", "text"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_reason(name: str, text: str, reason: str) -> None:
    said = refused(**{name: text})
    assert reason in said
    assert name in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mongodb://user:secret@a,b/onecard?replicaSet=rs0", "mongodb://a,b/onecard?replicaSet=rs0"),
        ("sqlite:////var/lib/a@b.db", "sqlite:////var/lib/a@b.db"),
        ("mongodb://user:sec/ret@a/onecard", "mongodb://a/onecard"),
        (
            "mongodb://a/onecard?tlsCertificateKeyFilePassword=secret&tls=true",
            "mongodb://a/onecard?tlsCertificateKeyFilePassword=...&tls=true",
        ),
        ("user:secret@a/onecard", "a/onecard"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize("url", ["mongo://user:secret@a/onecard", "user:secret@a/onecard", "mongdb://u:sec/ret@a"])
def test_a_mistyped_store_is_refused_without_its_password(url: str) -> None:
    said = refused(store=url)
    assert "sqlite:///PATH" in said
    assert "sec" not in said


def test_an_unknown_name_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    file = tmp_path / "onecard.toml"
    file.write_text("prot = 1\n")
    with pytest.raises(SettingRefused, match=r"prot: there is no such setting; did you mean port\?"):
        load({}, {}, str(file))
    with pytest.raises(SettingRefused, match="ONECARD_WORKRES"):
        load({}, {"ONECARD_WORKRES": "2"})


@pytest.mark.parametrize("content", ["port = ", "[port]\nx = 1", b"\xff"])
def test_a_broken_file_is_refused(tmp_path: Path, content: Any) -> None:
    file = tmp_path / "onecard.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingRefused, match=r"onecard\.toml"):
        load({}, {}, str(file))
    with pytest.raises(SettingRefused, match="cannot be read"):
        load({}, {}, str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"host": "::"}, "without TLS"),
        ({"host": "192.168.1.5"}, "insecure-http"),
        ({"host": "0.0.0.0", "open": "true", "insecure-http": "true"}, "loopback only"),
        ({"tls-cert": "/x.pem"}, "belong together"),
        ({"tls-cert": "/no/x.pem", "tls-key": "/no/y.pem"}, "cannot be read"),
        ({"page-size": "2000"}, "max-page-size"),
        ({"data-folder": __file__}, "not a folder"),
        ({"data-folder": f"{__file__}/data"}, "not a folder"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(flags: dict[str, str], reason: str) -> None:
    assert reason in refused(**flags)


@pytest.mark.parametrize(
    "flags",
    [
        {"host": "0.0.0.0", "insecure-http": "true"},
        {"host": "0.0.0.0", "trusted-proxy": "10.0.0.0/8"},
        {"host": "localhost", "open": "true"},
        {"host": "::1", "open": "true"},
        {"host": "127.8.9.1", "open": "true"},
    ],
)
def test_what_is_safe_enough_is_taken(flags: dict[str, str]) -> None:
    load({name: [text] for name, text in flags.items()}, environment={})


def test_the_settings_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == settings_page(), "run: python -m conformance.settings_page"
